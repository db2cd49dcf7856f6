# SPDX-License-Identifier: Apache-2.0
"""Roads, patterns, meshes and traffic one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xd_rcdepth_ros.simulation import Drive, DriveSettings
from xd_rcdepth_ros.simulation.assets.people import pedestrian
from xd_rcdepth_ros.simulation.assets.vehicles import BODIES, size_m, vehicle
from xd_rcdepth_ros.simulation.mesh import Material, Mesh, box, ellipsoid, tube
from xd_rcdepth_ros.simulation.noise import band, hashed, noise, stripe
from xd_rcdepth_ros.simulation.road import PLACES, Road


@given(seed=st.integers(0, 10_000), place=st.sampled_from(sorted(PLACES)))
@settings(max_examples=15, deadline=None)
def test_road_is_smooth_and_as_long_as_it_says(seed: int, place: str) -> None:
    road = Road(seed, PLACES[place], 300.0)
    s = np.arange(0.0, 300.0, 0.5)
    steps = np.diff(road.point(s), axis=0)
    np.testing.assert_allclose(np.linalg.norm(steps[:, :2], axis=1), 0.5, atol=1e-3)
    heading = np.unwrap(np.arctan2(steps[:, 1], steps[:, 0]))
    np.testing.assert_allclose(heading, road.heading(s[:-1] + 0.25), atol=5e-3)
    np.testing.assert_allclose(np.gradient(road.heading(s), s)[1:-1], road.curvature(s)[1:-1],
                               atol=1e-4)  # fmt: skip
    np.testing.assert_allclose(np.gradient(road.height(s), s)[1:-1], road.slope(s)[1:-1],
                               atol=1e-4)  # fmt: skip
    assert np.abs(road.curvature(s)).max() < 1 / 60
    left = road.point(s, 3.0) - road.point(s)
    np.testing.assert_allclose(np.linalg.norm(left, axis=1), 3.0)


def test_straight_road_is_straight() -> None:
    road = Road(3, PLACES["city"], 200.0, bends=False)
    points = road.point(np.linspace(0, 200, 50), -2.0)
    np.testing.assert_allclose(points[:, 1], -2.0, atol=1e-9)
    np.testing.assert_allclose(points[:, 2], 0.0, atol=1e-9)


@given(
    x=st.lists(st.floats(-50, 50), min_size=1, max_size=20),
    width=st.floats(0.05, 2.0),
    gap=st.floats(0.05, 5.0),
    pixel=st.floats(0.01, 40.0),
)
@settings(deadline=None)
def test_stripes_cover_between_nothing_and_all(
    x: list[float], width: float, gap: float, pixel: float
) -> None:
    covered = stripe(np.array(x), width, width + gap, np.full(len(x), pixel))
    assert ((covered > -1e-6) & (covered < 1 + 1e-6)).all()


def test_large_pixels_see_the_mean_of_a_pattern() -> None:
    x = np.linspace(-30, 30, 101)
    np.testing.assert_allclose(stripe(x, 3.0, 9.0, np.full(101, 900.0)), 1 / 3, atol=0.01)
    fine = stripe(np.array([0.5, 2.9, 3.1, 8.9]), 3.0, 9.0, 0.01)
    np.testing.assert_allclose(fine, [1, 1, 0, 0], atol=1e-9)
    np.testing.assert_allclose(band(np.array([0.0, 1.0, 2.0]), -1.0, 1.0, 0.2), [1, 0.5, 0])
    u = np.arange(4096, dtype=np.float32) * np.float32(0.37)
    detailed, averaged = noise(u, u, 0.01, 0.1), noise(u, u, 6.0, 0.1)
    assert 0.5 < detailed.std() < 1.5
    assert averaged.std() < 0.8 * detailed.std()


def test_hash_is_even_and_repeats() -> None:
    values = hashed(np.arange(20_000), np.full(20_000, 7))
    assert ((values >= 0) & (values < 1)).all()
    assert np.histogram(values, 10)[0].min() > 1700
    np.testing.assert_array_equal(values, hashed(np.arange(20_000), np.full(20_000, 7)))


def test_building_blocks_have_their_size() -> None:
    cube = box((2.0, 4.0, 6.0), (1.0, 2.0, 3.0))
    assert len(cube) == 12
    np.testing.assert_allclose(cube.vertices_m.min((0, 1)), 0, atol=1e-6)
    np.testing.assert_allclose(cube.vertices_m.max((0, 1)), [2, 4, 6], rtol=1e-6)
    ball = ellipsoid((1.0, 2.0, 3.0), rows=12, sides=24)
    np.testing.assert_allclose(np.ptp(ball.vertices_m, axis=(0, 1)), [2, 4, 6], rtol=0.02)
    np.testing.assert_allclose(np.linalg.norm(ball.normals, axis=-1), 1, atol=1e-5)
    pipe = tube((0, 0, 0), (0, 0, 5), 0.5, sides=32)
    radius = np.linalg.norm(pipe.vertices_m[..., :2], axis=-1)
    np.testing.assert_allclose(radius, 0.5, rtol=1e-5)
    turned = cube.placed((10, 0, 0), np.pi / 2, scale=0.5)
    np.testing.assert_allclose(turned.vertices_m.min((0, 1)), [8, 0, 0], atol=1e-5)
    assert len(Mesh.join([])) == 0


@pytest.mark.parametrize("kind", [*sorted(BODIES), "bicycle"])
@pytest.mark.parametrize("far", [False, True])
def test_vehicles_stand_on_the_ground_and_fill_their_box(kind: str, far: bool) -> None:
    mesh = vehicle(kind, 3, far)
    length, width, height = size_m(kind)
    low, high = mesh.vertices_m.min((0, 1)), mesh.vertices_m.max((0, 1))
    assert abs(low[2]) < 0.08
    np.testing.assert_allclose(high - low, [length, width, height], rtol=0.16, atol=0.3)
    assert abs(low[0] + high[0]) < 0.3
    assert kind == "bicycle" or {Material.PAINT, Material.GLASS, Material.RUBBER} <= set(
        mesh.material.tolist()
    )


def test_people_walk() -> None:
    standing, stepping = pedestrian(1, 0.0), pedestrian(1, np.pi / 2)
    assert 1.4 < np.ptp(standing.vertices_m[..., 2]) < 2.0
    assert np.ptp(stepping.vertices_m[..., 0]) > np.ptp(standing.vertices_m[..., 0]) + 0.2


def test_traffic_goes_both_ways_keeps_its_lane_and_never_overlaps_the_own_car() -> None:
    drive = Drive(DriveSettings(seed=8, place="suburb", frames=240, width=64, height=32))
    kinds, ways = set(), set()
    for time in np.arange(0.0, 20.0, 0.5):
        own = drive.ego.pose(time)
        for moved in drive.traffic.at(time):
            kinds.add(moved.actor.mode)
            along = moved.velocity_mps @ own.rotation[:, 0]
            if moved.actor.mode == "stream":
                ways.add(bool(along > 0))
            if moved.actor.mode == "cross":
                continue
            away = own.inverse().apply(moved.position_m[None])[0] - [1.5, 0, 0]
            on_foot = moved.actor.kind == "pedestrian"
            length, width, _ = (0.6, 0.6, 1.8) if on_foot else size_m(moved.actor.kind)
            ahead, beside = abs(away[0]) > 2.2 + length / 2, abs(away[1]) > 0.9 + width / 2
            assert ahead or beside, (moved, time)
    assert {"stream", "walk", "cross"} <= kinds
    assert False in ways


def test_velocity_of_traffic_is_the_change_of_its_place() -> None:
    drive = Drive(DriveSettings(seed=9, place="city", frames=60, width=64, height=32))
    step = 1e-3
    before, now, after = (
        {m.actor: m for m in drive.traffic.at(2.0 + d)} for d in (-step, 0.0, step)
    )
    checked = 0
    for actor in before.keys() & now.keys() & after.keys():
        change = (after[actor].position_m - before[actor].position_m) / (2 * step)
        np.testing.assert_allclose(change, now[actor].velocity_mps, atol=0.05)
        checked += 1
    assert checked > 5


def test_long_drives_go_on_as_they_began() -> None:
    drive = Drive(DriveSettings(seed=9, place="city", frames=10_000, camera_hz=1.0))
    far = drive.traffic.at(9_000.0)
    assert len(far) > 5
    assert abs(drive.ego.s_m(9_000.0) / 9_000.0 - drive.ego.speed_mps) < 0.1
    image, depth = drive.image(int(drive.stamps_ns("camera")[9_990]))
    assert np.isfinite(depth[200:]).all()
    assert image.std() > 10
