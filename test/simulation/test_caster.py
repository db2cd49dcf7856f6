# SPDX-License-Identifier: Apache-2.0
"""Depth and sensors against worlds small enough to be known by hand."""

from __future__ import annotations

import builtins
from dataclasses import replace

import numpy as np
import pytest

from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.geometry import PinholeCamera, RigidTransform
from xd_rcdepth_ros.simulation.camera import CameraSimulator
from xd_rcdepth_ros.simulation.caster import Tree, World
from xd_rcdepth_ros.simulation.drive import OPTICAL
from xd_rcdepth_ros.simulation.lidar import LIDARS, scan_lidar
from xd_rcdepth_ros.simulation.materials import Materials
from xd_rcdepth_ros.simulation.mesh import Material, Mesh, box, from_triangles
from xd_rcdepth_ros.simulation.radar import scan_radar
from xd_rcdepth_ros.simulation.radar_models import RADARS
from xd_rcdepth_ros.simulation.road import PLACES, Road
from xd_rcdepth_ros.simulation.shading import Lights
from xd_rcdepth_ros.simulation.weather import make_conditions

HEIGHT_M = 1.5
CAMERA = PinholeCamera.from_focal(160, 96, 100.0, 100.0, 79.5, 40.0)
POSE = RigidTransform(OPTICAL, np.array([0.0, 0.0, HEIGHT_M]))
GROUND = from_triangles(
    np.array([[[-500, -500, 0], [500, -500, 0], [500, 500, 0]],
              [[-500, -500, 0], [500, 500, 0], [-500, 500, 0]]], float)
)  # fmt: skip
DARK = Lights(*(np.zeros((0, 3), np.float32) for _ in range(3)))


def render(world: World) -> tuple[np.ndarray, np.ndarray]:
    conditions = make_conditions("clear", "day", 0)
    materials = Materials(Road(0, PLACES["country"], 50.0), conditions, "summer")
    simulator = CameraSimulator(CAMERA, materials, conditions)
    return simulator.render(world, POSE, DARK, np.random.default_rng(0))


def test_depth_of_a_plane_is_that_of_the_equation() -> None:
    _, depth = render(World(Tree(GROUND)))
    rows = np.arange(96)
    expected = HEIGHT_M * 100.0 / np.maximum(rows - 40.0, 1e-9)
    below = rows > 40  # rows above look over the edge of the plane, 500 m away
    near = below & (expected < 400)
    assert np.isposinf(depth[:41]).all()
    np.testing.assert_allclose(depth[near], np.repeat(expected[near, None], 160, 1), rtol=2e-5)


def test_depth_of_a_box_is_that_of_its_front_whether_it_stands_or_moves() -> None:
    car = box((4.0, 2.0, 1.0), (20.0 + 2.0, 1.0, 0.5))  # front at x = 20, y from 0 to 2, 1 m high
    for world in (World(Tree(Mesh.join([GROUND, car]))), World(Tree(GROUND), car.owned(0))):
        _, depth = render(world)
        left, right = 79.5 - 100 * 2.0 / 20, 79.5 - 0.0
        top, bottom = 40 + 100 * (HEIGHT_M - 1.0) / 20, 40 + 100 * HEIGHT_M / 20
        rows = slice(int(np.ceil(top)), int(np.floor(bottom)))
        columns = slice(int(np.ceil(left)), int(np.floor(right)) + 1)
        np.testing.assert_allclose(depth[rows, columns], 20.0, rtol=1e-6)
        assert depth[int(top) - 3, 70] > 25


def test_world_without_anything_is_sky() -> None:
    image, depth = render(World(Tree(Mesh.empty())))
    assert np.isposinf(depth).all()
    assert image[0].mean() > 60


def test_lidar_measures_the_ground_within_its_noise() -> None:
    pose = RigidTransform(np.eye(3), np.array([0.0, 0.0, 2.0]))
    conditions = make_conditions("clear", "day", 0)
    model = replace(LIDARS["hdl32"], loss=0.0)
    scan = scan_lidar(model, World(Tree(GROUND)), pose, conditions, np.random.default_rng(3))
    ranges = np.linalg.norm(scan.points_m, axis=1)
    elevation = np.arcsin(scan.points_m[:, 2] / ranges)
    error = ranges - 2.0 / np.sin(-elevation)
    assert len(ranges) > 10_000
    assert abs(error.mean()) < 2e-3
    assert error.std() == pytest.approx(model.noise_m, rel=0.05)
    np.testing.assert_allclose(
        np.rad2deg(elevation), np.array(model.elevation_deg)[scan.ring], atol=1e-3
    )


def test_fog_shortens_the_lidar() -> None:
    pose = RigidTransform(np.eye(3), np.array([0.0, 0.0, 2.0]))
    clear, fog = (
        scan_lidar(
            LIDARS["hdl32"], World(Tree(GROUND)), pose, make_conditions(weather, "day", 0),
            np.random.default_rng(3),
        )
        for weather in ("clear", "fog")
    )  # fmt: skip
    reach = [np.percentile(np.linalg.norm(s.points_m, axis=1), 99) for s in (clear, fog)]
    assert reach[1] < 0.8 * reach[0]


@pytest.mark.parametrize("kind", sorted(RADARS))
def test_radar_sees_a_mover_where_and_as_fast_as_it_is(kind: str) -> None:
    model = replace(RADARS[kind], clutter=0.0, ghosts=0.0)
    angle = np.deg2rad(20.0)
    center = 30.0 * np.array([np.cos(angle), np.sin(angle), 0.0]) + [0, 0, 0.6]
    target = box((1.8, 1.8, 1.2), center, material=Material.PAINT).owned(0)
    own, other = np.array([10.0, 0, 0]), np.array([[-5.0, 2.0, 0.0]])
    pose = RigidTransform(np.eye(3), np.array([0.0, 0, 0.6]))
    rng = np.random.default_rng(1)
    scans = [
        scan_radar(model, World(Tree(Mesh.empty()), target), pose, own, other, rng)
        for _ in range(20)
    ]
    position = np.concatenate([s.points.position_m for s in scans])
    rate = np.concatenate([s.range_rate_mps for s in scans])
    compensated = np.concatenate([s.points.velocity_compensated_mps for s in scans])
    assert len(position) >= 10
    assert all(s.moving.all() and s.real.all() for s in scans)
    assert np.median(np.linalg.norm(position[:, :2], axis=1)) == pytest.approx(29.4, abs=0.8)
    assert np.rad2deg(np.median(np.arctan2(position[:, 1], position[:, 0]))) == pytest.approx(
        20.0, abs=1.0
    )
    toward = np.array([np.cos(angle), np.sin(angle), 0.0])
    assert np.median(rate) == pytest.approx((other[0] - own) @ toward, abs=0.25)
    radial = (compensated * toward[:2]).sum(1)
    assert np.median(radial) == pytest.approx(other[0] @ toward, abs=0.25)


def test_flat_radar_reports_no_height_and_folding_keeps_the_span() -> None:
    wall = box((0.5, 60.0, 4.0), (25.0, 0, 2.0), material=Material.METAL)
    world = World(Tree(wall))
    own = np.array([13.0, 0, 0])
    pose = RigidTransform(np.eye(3), np.array([0.0, 0, 0.6]))
    args = (world, pose, own, np.zeros((0, 3)))
    flat = scan_radar(RADARS["sparse"], *args, np.random.default_rng(1))
    assert len(flat.points) > 5
    assert (flat.points.position_m[:, 2] == 0).all()
    model = replace(RADARS["imaging"], fold_mps=10.39)
    folded = scan_radar(model, *args, np.random.default_rng(1))
    direction = folded.points.position_m[:, :2]
    direction = direction / np.linalg.norm(direction, axis=1, keepdims=True)
    shown = (folded.points.velocity_mps * direction).sum(1)
    assert np.abs(shown).max() <= 10.39 / 2 + 1e-4
    turns = (folded.range_rate_mps - shown) / 10.39
    np.testing.assert_allclose(turns, np.round(turns), atol=1e-4)
    assert (np.round(turns) == -1).any()


def test_radar_of_nothing_is_only_clutter() -> None:
    model = replace(RADARS["sparse"], clutter=0.0)
    pose = RigidTransform.identity()
    scan = scan_radar(
        model, World(Tree(Mesh.empty())), pose, np.zeros(3), np.zeros((0, 3)),
        np.random.default_rng(0),
    )  # fmt: skip
    assert len(scan.points) == 0


def test_missing_ray_caster_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    load = builtins.__import__

    def without(name: str, *args: object, **kwargs: object) -> object:
        if name.startswith("embreex"):
            raise ImportError(name)
        return load(name, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigurationError, match="pip install embreex"):
        Tree(GROUND)
