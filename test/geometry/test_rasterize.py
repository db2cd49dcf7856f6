# SPDX-License-Identifier: Apache-2.0
"""The rasteriser: known pixels, nearest wins, bad points left out; an oracle in plain loops."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xd_rcdepth_ros.geometry import (
    PinholeCamera,
    RadarPoints,
    RadarSweep,
    RigidTransform,
    rasterize_depth,
    rasterize_radar,
)

CAMERA = PinholeCamera.from_focal(20, 10, 10, 10, 9.5, 4.5)
FORWARD = RigidTransform(np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]]), np.zeros(3))


def sweep(position, rcs=None, velocity=None):
    return RadarSweep(RadarPoints.from_arrays(position, rcs, velocity), FORWARD)


def test_known_pixel_and_channels():
    # 10 m ahead, 2 m left, 1 m up: u = 10 * -2 / 10 + 9.5 = 7.5 -> 8, v = 10 * -1 / 10 + 4.5 -> 4
    raster = rasterize_radar([sweep([[10, 2, 1]], [7.0], [[-3.0, 0.5]])], CAMERA)
    np.testing.assert_array_equal(raster.pixels, [[8, 4]])
    np.testing.assert_allclose(raster.channels[:, 4, 8], [10, 7, -3, 0.5])
    assert np.count_nonzero(raster.channels) == 4


def mounted(roll_deg, yaw_deg):
    """Return a radar's rotation in the body's axes (x forward, y left, z up)."""
    roll, yaw = np.deg2rad([roll_deg, yaw_deg])
    about_x = [[1, 0, 0], [0, np.cos(roll), -np.sin(roll)], [0, np.sin(roll), np.cos(roll)]]
    about_z = [[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]]
    return np.array(about_z) @ np.array(about_x)


@pytest.mark.parametrize(
    ("roll", "yaw"), [(180, 0), (0, 180), (0, 55), (180, -55)], ids=lambda v: str(v)
)
def test_a_radars_mounting_does_not_change_the_raster(roll, yaw):
    """radar_mounting_velocity: upside down, backwards, at a corner: the same world, the raster."""
    rng = np.random.default_rng(3)
    position = rng.uniform([5, -8, -2], [60, 8, 2], (40, 3))
    velocity = np.column_stack([rng.uniform(-9, 9, (40, 2)), np.zeros(40)])
    upright = rasterize_radar([sweep(position, np.arange(40), velocity[:, :2])], CAMERA)
    rotation = mounted(roll, yaw)
    points = RadarPoints.from_arrays(
        position @ rotation, np.arange(40), (velocity @ rotation)[:, :2]
    )
    pose = RigidTransform(FORWARD.rotation @ rotation, np.zeros(3))
    turned = rasterize_radar([RadarSweep(points, pose)], CAMERA)
    assert len(upright.pixels) > 20
    np.testing.assert_allclose(turned.channels, upright.channels, atol=1e-4)


def test_velocity_is_drawn_along_the_cameras_axes():
    # A radar that looks left (yaw 90) sees something 10 m ahead of the camera on its right (y =
    # -10) that comes along its -y: away from the camera, 3 m/s; and along its x: 2 m/s to the left.
    pose = RigidTransform(FORWARD.rotation @ mounted(0, 90), np.zeros(3))
    points = RadarPoints.from_arrays([[0, -10, 0]], [1.0], [[2.0, -3.0]])
    raster = rasterize_radar([RadarSweep(points, pose)], CAMERA)
    np.testing.assert_allclose(raster.channels[:, 5, 10], [10, 1, 3, 2], atol=1e-6)


def test_nearest_return_wins_whatever_the_order():
    for order in ([0, 1], [1, 0]):
        points = np.array([[20.0, 0, 0], [10.0, 0, 0]])[order]
        raster = rasterize_radar([sweep(points, np.array([1.0, 2.0])[order])], CAMERA)
        assert raster.channels[0].max() == 10
        assert raster.channels[1].max() == 2
        assert raster.visible.tolist() == [order[0] == 1, order[1] == 1]


def test_nearest_wins_across_sweeps_and_sources_are_named():
    raster = rasterize_radar([sweep([[30, 0, 0]]), sweep([[np.nan, 0, 0], [15, 0, 0]])], CAMERA)
    np.testing.assert_array_equal(raster.source, [[0, 0], [1, 1]])
    np.testing.assert_array_equal(raster.visible, [False, True])


def test_nothing_in_gives_an_empty_raster():
    for sweeps in ([], [sweep(np.zeros((0, 3)))]):
        raster = rasterize_radar(sweeps, CAMERA)
        assert raster.channels.shape == (4, 10, 20)
        assert not raster.channels.any()
        assert len(raster.pixels) == 0


def test_nan_infinite_and_behind_are_left_out():
    points = [[np.nan, 0, 0], [np.inf, 0, 0], [-10, 0, 0], [0.5, 0, 0], [10, 0, 0]]
    raster = rasterize_radar([sweep(points)], CAMERA)
    np.testing.assert_array_equal(raster.source, [[0, 4]])


def test_lidar_map_is_nan_where_there_is_no_point():
    depth = rasterize_depth(np.array([[0, 0, 12.0], [0, 0, 8.0]]), CAMERA)
    assert depth[5, 10] == 8.0
    assert np.isnan(depth).sum() == 199


@given(
    hnp.arrays(np.float64, st.tuples(st.integers(0, 40), st.just(3)), elements=st.floats(-15, 15))
)
def test_agrees_with_plain_loops(points):
    expected = np.full((10, 20), np.nan)
    for x, y, z in points:
        if z < 1:
            continue
        column, row = 10 * x / z + 9.5 + 0.5, 10 * y / z + 4.5 + 0.5
        # On the border of two pixels the last bit decides, and either one is right.
        assume(abs(column - round(column)) > 1e-9 and abs(row - round(row)) > 1e-9)
        u, v = int(np.floor(column)), int(np.floor(row))
        if 0 <= u < 20 and 0 <= v < 10:
            expected[v, u] = np.nanmin([expected[v, u], z])
    np.testing.assert_allclose(rasterize_depth(points, CAMERA), expected, rtol=1e-6)
