# SPDX-License-Identifier: Apache-2.0
"""Radar made from lidar lies on what the lidar saw, as far as its errors allow."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.geometry import (
    LidarSweep,
    PinholeCamera,
    RadarPoints,
    RadarSweep,
    RigidTransform,
    SensorFrame,
)
from xd_rcdepth_ros.supervision.lidar_radar import (
    draw_mounting,
    radar_from_lidar,
    sparsify,
    sweep_from_lidar,
)
from xd_rcdepth_ros.supervision.radar_cells import ground_height
from xd_rcdepth_ros.supervision.radar_noise import RADARS

# x forward, y left, z up -> x right, y down, z forward
CAMERA_FROM_SENSOR = RigidTransform(np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]]), np.zeros(3))
SEEDS = st.integers(0, 2**31)
KINDS = st.sampled_from(sorted(RADARS))


def street(rng):
    """Return points of a street 0.7 m below the sensor, with walls and posts."""
    ground = np.column_stack(
        [rng.uniform(4, 60, 3000), rng.uniform(-15, 15, 3000), np.full(3000, -0.7)]
    )
    wall = np.column_stack(
        [rng.uniform(5, 90, 3000), rng.choice([-12.0, 12.0], 3000), rng.uniform(-0.7, 4, 3000)]
    )
    post = rng.integers(0, 20, 1000)
    posts = np.column_stack([10 + 4.0 * post, -4 + (post % 9), rng.uniform(-0.6, 2.5, 1000)])
    return np.concatenate([ground, wall, posts]).astype(np.float32)


def frame_of(points):
    camera = PinholeCamera(512, 160, np.array([[300.0, 0, 256], [0, 300.0, 80], [0, 0, 1]]))
    lidar = LidarSweep(points, CAMERA_FROM_SENSOR)
    return SensorFrame(np.zeros((160, 512, 3), np.uint8), camera, lidar=lidar)


def without_errors(kind):
    return replace(
        RADARS[kind], unseen=0, ghosts=0, clutter=0, ground=0, error_m=0, azimuth_error_deg=0,
        elevation_error_deg=0, elevation_bias_deg=(0.0, 0.0), flat=0, rate_error_mps=0,
        fold_mps=0, moving=0,
    )  # fmt: skip


@settings(max_examples=20, deadline=None)
@given(kind=KINDS, seed=SEEDS)
def test_without_errors_returns_are_lidar_points_above_the_ground(kind, seed):
    rng = np.random.default_rng(seed)
    points = street(rng)
    made = radar_from_lidar(points, without_errors(kind), np.zeros(3), rng)
    distance = np.linalg.norm(points[None] - made.position_m[:200, None], axis=2).min(axis=1)
    assert len(made) and distance.max() < 1e-3
    assert (made.position_m[:, 2] > -0.7 + 0.25).all()


@settings(max_examples=20, deadline=None)
@given(kind=KINDS, seed=SEEDS)
def test_measured_ranges_are_off_by_the_error_of_range(kind, seed):
    rng = np.random.default_rng(seed)
    noise = replace(without_errors(kind), error_m=0.3)
    wall = np.column_stack(
        [np.full(4000, 20.0), np.linspace(-10, 10, 4000), rng.uniform(0, 3, 4000)]
    )
    made = radar_from_lidar(wall, noise, np.zeros(3), rng)
    unit = made.position_m / np.linalg.norm(made.position_m, axis=1, keepdims=True)
    off = np.linalg.norm(made.position_m, axis=1) - 20.0 / unit[:, 0]
    assert np.abs(off).max() < 0.3 * 5
    assert 0.1 < off.std() < 0.6


@settings(max_examples=20, deadline=None)
@given(kind=KINDS, seed=SEEDS)
def test_counts_and_places_keep_within_the_kind(kind, seed):
    rng = np.random.default_rng(seed)
    noise = RADARS[kind]
    made = radar_from_lidar(street(rng), noise, np.array([10.0, 0, 0]), rng, 40.0)
    distance = np.linalg.norm(made.position_m, axis=1)
    assert 0.5 * noise.returns[0] <= len(made) <= noise.returns[2]
    assert made.usable().all() and np.isfinite(made.velocity_compensated_mps).all()
    assert (distance >= 1.0 - 1e-3).all() and (distance < noise.range_m[1]).all()
    azimuth = np.arctan2(made.position_m[:, 1], made.position_m[:, 0])
    assert (np.abs(np.rad2deg(azimuth)) <= 40.0 + 1e-3).all()
    assert (made.rcs_dbsm >= noise.rcs_dbsm[0]).all()
    assert (np.diff(made.rcs_dbsm) <= 0).all()


@settings(max_examples=20, deadline=None)
@given(kind=KINDS, seed=SEEDS, speed=st.floats(0, 40), side=st.floats(-3, 3))
def test_range_rate_of_a_static_world_is_the_projected_ego_velocity(kind, seed, speed, side):
    rng = np.random.default_rng(seed)
    ego = np.array([speed, side, 0.0])
    made = radar_from_lidar(street(rng), without_errors(kind), ego, rng)
    azimuth = np.arctan2(made.position_m[:, 1], made.position_m[:, 0])
    rate = made.velocity_mps @ np.array([1.0, 0])  # vx = rate cos(azimuth)
    unit = made.position_m / np.linalg.norm(made.position_m, axis=1, keepdims=True)
    assert rate == pytest.approx(-(unit @ ego) * np.cos(azimuth), abs=1e-3)
    assert made.velocity_compensated_mps == pytest.approx(0.0)


def test_a_post_straight_ahead_comes_nearer_at_the_own_speed():
    post = np.column_stack([np.full(50, 30.0), np.zeros(50), np.linspace(0, 0.5, 50)])
    rng = np.random.default_rng(3)
    noise = replace(without_errors("sparse"), missed=0)
    made = radar_from_lidar(post, noise, np.array([15.0, 0, 0]), rng)
    assert made.velocity_mps[:, 0] == pytest.approx(-15.0, abs=0.01)
    folded = radar_from_lidar(post, replace(noise, fold_mps=10.39), np.array([15.0, 0, 0]), rng)
    assert folded.velocity_mps[:, 0] == pytest.approx(-15.0 + 10.39, abs=0.01)


def test_ground_is_found_on_a_slope_and_under_walls():
    rng = np.random.default_rng(0)
    place = rng.uniform((4, -5), (50, 5), (4000, 2))
    height = -0.8 + 0.03 * np.hypot(*place.T)
    wall = rng.uniform((60, -5, 6), (90, 5, 9), (500, 3))
    points = np.concatenate([np.column_stack([place, height]), wall])
    found = ground_height(points)
    assert found[:4000] == pytest.approx(height, abs=0.25)
    assert (found[4000:] < wall[:, 2].min()).all()


def test_without_any_point_only_clutter_and_unseen_objects_are_left():
    made = radar_from_lidar(
        np.zeros((0, 3)), RADARS["sparse"], np.zeros(3), np.random.default_rng(1)
    )
    assert 0 < len(made) <= 60
    assert len(radar_from_lidar(np.zeros((0, 3)), without_errors("sparse"), np.zeros(3),
                                np.random.default_rng(1))) <= 60  # fmt: skip


@settings(max_examples=10, deadline=None)
@given(kind=st.sampled_from(["sparse", "imaging", "mixed"]), seed=SEEDS)
def test_a_sweep_is_the_same_for_the_same_generator_and_lies_in_the_image(kind, seed):
    frame = frame_of(street(np.random.default_rng(0)))
    first, second = (sweep_from_lidar(frame, kind, np.random.default_rng(seed)) for _ in range(2))
    assert first.points.position_m == pytest.approx(second.points.position_m)
    assert first.points.velocity_mps == pytest.approx(second.points.velocity_mps)
    in_camera = first.camera_from_radar.apply(first.points.position_m)
    uv, depth = frame.camera.project(in_camera)
    assert (depth > 0.5).all()
    assert ((uv[:, 0] > -60) & (uv[:, 0] < 512 + 60)).mean() > 0.9
    other = sweep_from_lidar(frame, kind, np.random.default_rng(seed + 1))
    assert not np.array_equal(other.points.position_m, first.points.position_m)


def test_a_known_velocity_is_used_and_turned_into_the_radars_axes():
    frame = frame_of(street(np.random.default_rng(0)))
    forward = np.array([0.0, 0.0, 20.0])  # camera axes
    sweep = sweep_from_lidar(frame, "sparse", np.random.default_rng(5), forward)
    unit = sweep.points.position_m / np.linalg.norm(sweep.points.position_m, axis=1)[:, None]
    static = np.abs(sweep.points.velocity_compensated_mps).max(axis=1) == 0
    own = sweep.camera_from_radar.rotation.T @ forward
    level = np.linalg.norm(sweep.points.velocity_mps, axis=1)[static]
    assert static.sum() > 5
    assert level == pytest.approx(np.abs(unit[static] @ own), abs=0.5)


@given(seed=SEEDS)
def test_a_mounting_looks_where_the_camera_looks(seed):
    mounting = draw_mounting(np.random.default_rng(seed))
    assert mounting.rotation[2, 0] > np.cos(np.deg2rad(6))  # radar x, forward, is camera z
    assert mounting.rotation @ mounting.rotation.T == pytest.approx(np.eye(3), abs=1e-9)


def test_a_frame_without_lidar_or_an_unknown_kind_is_refused():
    frame = frame_of(street(np.random.default_rng(0)))
    with pytest.raises(ConfigurationError, match="no lidar"):
        sweep_from_lidar(replace(frame, lidar=None), "sparse", np.random.default_rng(0))
    with pytest.raises(ConfigurationError, match=r"'long'.*sparse, imaging, mixed"):
        sweep_from_lidar(frame, "long", np.random.default_rng(0))


@settings(max_examples=20)
@given(seed=SEEDS)
def test_sparsify_keeps_few_returns_of_an_imaging_radar_in_their_order(seed):
    rng = np.random.default_rng(seed)
    position = rng.uniform((5, -10, 0), (60, 10, 2), (900, 3))
    points = RadarPoints.from_arrays(position, rng.uniform(45, 80, 900), np.zeros(900))
    thin = sparsify(RadarSweep(points, CAMERA_FROM_SENSOR), rng).points
    fewest, _, most = RADARS["sparse"].returns
    assert fewest <= len(thin) <= most
    rows = [int(np.flatnonzero((points.position_m == p).all(axis=1))[0]) for p in thin.position_m]
    assert (np.diff(points.rcs_dbsm[rows]) <= 0).all() and (np.diff(thin.rcs_dbsm) <= 0).all()
    assert thin.rcs_dbsm.min() >= -7 and thin.rcs_dbsm.max() < 45


def test_sparsify_leaves_a_sparse_sweep_alone():
    points = RadarPoints.from_arrays(np.ones((40, 3)), np.zeros(40), np.zeros(40))
    sweep = RadarSweep(points, CAMERA_FROM_SENSOR)
    assert sparsify(sweep, np.random.default_rng(0)) is sweep
