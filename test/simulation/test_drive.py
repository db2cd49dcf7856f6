# SPDX-License-Identifier: Apache-2.0
"""A drive as a whole: the same by seed, and its sensors agree with each other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.geometry import RigidTransform, SensorFrame
from xd_rcdepth_ros.simulation import Drive, DriveSettings
from xd_rcdepth_ros.simulation.lidar import LIDARS, scan_lidar
from xd_rcdepth_ros.simulation.weather import TIMES_OF_DAY, WEATHERS, make_conditions


def same(a: SensorFrame, b: SensorFrame) -> bool:
    assert a.lidar is not None
    assert b.lidar is not None
    return (
        np.array_equal(a.image, b.image)
        and np.array_equal(a.depth_m, b.depth_m, equal_nan=True)  # type: ignore[arg-type]
        and np.array_equal(a.lidar.points_m, b.lidar.points_m)
        and np.array_equal(a.radar[0].points.position_m, b.radar[0].points.position_m)
    )


def test_the_same_seed_gives_the_same_frames_in_any_number_of_threads(city: Drive) -> None:
    settings = replace(city.settings, frames=3)
    first = list(Drive(settings).frames(workers=1))
    again = list(Drive(settings).frames(workers=3))
    other = Drive(replace(settings, seed=settings.seed + 1)).frame(0)
    assert all(same(a, b) for a, b in zip(first, again, strict=True))
    assert not same(first[0], other)


def test_a_frame_does_not_depend_on_the_frames_before(city: Drive) -> None:
    alone = Drive(city.settings).frame(4)
    assert same(alone, city.frame(4))


def test_frames_are_whole(city: Drive) -> None:
    frame = city.frame(2, sweeps=2)
    assert frame.depth_m is not None
    assert frame.depth_m.dtype == np.float32
    assert np.isfinite(frame.depth_m[64:]).all()  # no holes in the ground
    assert [s.stamp_ns < frame.stamp_ns for s in frame.radar] == [True, True]
    assert frame.radar[0].stamp_ns > frame.radar[1].stamp_ns
    assert {"city", "simulated"} <= frame.tags
    raster = frame.radar_raster()
    assert 5 < raster.visible.sum() < 200
    assert frame.image.std() > 15


def test_stamps_of_sensors_differ_and_keep_their_rates() -> None:
    drive = Drive(DriveSettings(seed=1, frames=60, width=64, height=32, place="country"))
    stamps = {kind: drive.stamps_ns(kind) for kind in ("camera", "radar", "lidar")}
    assert len(stamps["camera"]) == 60
    assert not set(stamps["camera"].tolist()) & set(stamps["radar"].tolist())
    for kind, rate in (("camera", 12.0), ("radar", 13.0), ("lidar", 10.0)):
        steps = np.diff(stamps[kind]) * 1e-9
        assert steps.mean() == pytest.approx(1 / rate, rel=0.01)
        assert steps.min() > 0.8 / rate


def test_lidar_points_fall_onto_the_exact_depth(city: Drive) -> None:
    stamp = int(city.stamps_ns("camera")[3])
    _, depth = city.image(stamp)
    world, origin, _ = city.world(stamp)
    base = city.pose(stamp)
    base = RigidTransform(base.rotation, base.translation_m - origin)
    # A lidar in the camera's place sees the same surfaces: no occlusion to be excused.
    pose = RigidTransform(base.rotation, (base @ city.rig.camera).translation_m)
    model = replace(LIDARS["hdl32"], loss=0.0, noise_m=0.02)
    scan = scan_lidar(model, world, pose, city.conditions, np.random.default_rng(0))
    in_camera = scan.points_m @ city.rig.camera.rotation
    uv, z = city.camera.project(in_camera)
    inside = (z > 1) & ((uv > 1) & (uv < [city.camera.width - 2, city.camera.height - 2])).all(1)
    u, v = np.round(uv[inside]).astype(int).T
    around = np.stack([depth[v + dv, u + du] for dv in (-1, 0, 1) for du in (-1, 0, 1)])
    around = np.nan_to_num(around, posinf=1e6)
    good = (z[inside] > around.min(0) - 0.1) & (z[inside] < around.max(0) + 0.1)
    assert inside.sum() > 500
    assert good.mean() > 0.995
    # Where depth hardly changes, the noise is all there is.
    flat = (np.ptp(around, axis=0) < 0.05) & np.isfinite(depth[v, u])
    error = z[inside][flat] - depth[v, u][flat]
    assert flat.sum() > 50
    assert abs(np.median(error)) < 0.02
    assert error.std() < 0.05


def test_static_returns_show_the_own_speed(empty_road: Drive) -> None:
    """A standing target's range rate is minus the speed times the cosine of its angle."""
    errors, residual = [], []
    for stamp in empty_road.stamps_ns("radar")[:4]:
        scan = empty_road.radar(int(stamp))
        unit = scan.points.position_m / np.linalg.norm(scan.points.position_m, axis=1)[:, None]
        assert not scan.moving.any()
        errors.append((scan.range_rate_mps + 15.0 * unit[:, 0])[scan.real])
        speed = np.linalg.norm(scan.points.velocity_compensated_mps, axis=1)
        residual.append(speed[scan.real])
    error = np.concatenate(errors)
    assert len(error) > 30
    assert abs(np.median(error)) < 0.05
    assert np.percentile(np.abs(error), 90) < 0.4
    assert np.percentile(np.concatenate(residual), 90) < 0.4


def test_leading_vehicle_has_its_own_velocity_after_compensation() -> None:
    drive = Drive(
        DriveSettings(seed=3, place="motorway", steady=True, frames=6, width=64, height=32)
    )
    speeds, expected = [], []
    for stamp in drive.stamps_ns("radar")[:6]:
        scan = drive.radar(int(stamp))
        moved = drive.moved(int(stamp))
        base = drive.pose(int(stamp)) @ drive.rig.radar
        places = base.inverse().apply(np.array([m.position_m for m in moved]))
        for index in np.flatnonzero(scan.moving & scan.real):
            at = scan.points.position_m[index]
            away = np.linalg.norm(places[:, :2] - at[:2], axis=1)
            if away.min() < 3.0:
                unit = at[:2] / np.linalg.norm(at[:2])
                velocity = base.rotation.T @ moved[int(away.argmin())].velocity_mps
                expected.append(velocity[:2] @ unit)
                speeds.append(scan.points.velocity_compensated_mps[index] @ unit)
    assert len(speeds) > 10
    error = np.abs(np.array(speeds) - expected)
    assert np.median(error) < 0.2
    assert np.ptp(expected) > 20  # own and oncoming traffic


def test_twist_is_the_change_of_pose(city: Drive) -> None:
    time, step = 0.37, 1e-3
    linear, angular = city.ego.twist(time)
    before, after = city.ego.pose(time - step), city.ego.pose(time + step)
    moved = before.inverse() @ after
    np.testing.assert_allclose(moved.translation_m / (2 * step), linear, atol=0.02)
    turn = (moved.rotation - moved.rotation.T) / (4 * step)
    np.testing.assert_allclose([turn[2, 1], turn[0, 2], turn[1, 0]], angular, atol=1e-3)


@pytest.mark.parametrize("weather", WEATHERS)
@pytest.mark.parametrize("time_of_day", TIMES_OF_DAY)
def test_every_light_gives_a_usable_picture(weather: str, time_of_day: str) -> None:
    drive = Drive(
        DriveSettings(
            seed=4, frames=1, width=160, height=80, place="suburb", weather=weather,
            time_of_day=time_of_day,
        )
    )  # fmt: skip
    image, depth = drive.image(int(drive.stamps_ns("camera")[0]))
    assert 8 < image.mean() < 215
    assert image.std() > 8
    assert np.isfinite(depth[50:]).all()
    tags = {weather} - {"clear"} | {time_of_day} - {"day"}
    assert tags <= drive.tags


def test_night_is_darker_and_fog_paler_than_day() -> None:
    def mean(**light: str) -> tuple[float, float]:
        settings = DriveSettings(seed=4, frames=1, width=160, height=80, place="suburb", **light)  # type: ignore[arg-type]
        drive = Drive(settings)
        image, _ = drive.image(int(drive.stamps_ns("camera")[0]))
        return float(image.mean()), float(np.ptp(image.astype(int), axis=2).mean())

    day, night, fog = mean(), mean(time_of_day="night"), mean(weather="fog")
    assert night[0] < 0.5 * day[0]
    assert fog[1] < 0.6 * day[1]


@pytest.mark.parametrize(
    "wrong",
    [
        {"place": "moon"}, {"season": "monsoon"}, {"radar": "sonar"}, {"lidar": "x"},
        {"frames": 0}, {"frames": 10**5, "camera_hz": 1.0},
        {"width": 4}, {"camera_hz": 0.0}, {"seed": -1}, {"traffic": 9.0},
        {"speed_mps": 400.0},
    ],
)  # fmt: skip
def test_impossible_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong)).split("_")[0]):
        DriveSettings(**wrong)


def test_unknown_weather_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="hail"):
        make_conditions("hail", "day", 0)
