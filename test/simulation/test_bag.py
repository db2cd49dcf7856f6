# SPDX-License-Identifier: Apache-2.0
"""Bags and folders of simulated drives, read back by the readers and converters."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from xd_rcdepth_ros.cli import main as cli
from xd_rcdepth_ros.datasets.astyx import convert_astyx
from xd_rcdepth_ros.datasets.nuscenes import convert_nuscenes
from xd_rcdepth_ros.datasets.zju_4dradarcam import convert_zju
from xd_rcdepth_ros.errors import RecordingError
from xd_rcdepth_ros.recordings import schema
from xd_rcdepth_ros.recordings.reader import Recording
from xd_rcdepth_ros.simulation import (
    Drive,
    DriveSettings,
    write_astyx,
    write_bag,
    write_nuscenes,
    write_zju,
)
from xd_rcdepth_ros.simulation.bag import sensor_events
from xd_rcdepth_ros.simulation.layouts import radar_pixels
from xd_rcdepth_ros.simulation.realism import measure


@pytest.fixture(scope="module")
def bag(city: Drive, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bag") / "drive"
    write_bag(city, path)
    return path


def test_bag_gives_the_frames_back(city: Drive, bag: Path) -> None:
    with Recording(bag) as recording:
        frames = list(recording.frames())
        assert set(recording.topics) >= {
            schema.image_topic("front"), schema.camera_info_topic("front"),
            schema.radar_topic("front"), schema.lidar_topic("top"), schema.depth_topic("front"),
            schema.TF_TOPIC, schema.TF_STATIC_TOPIC, schema.ODOMETRY_TOPIC,
        }  # fmt: skip
    assert len(frames) == city.settings.frames
    for index in (0, 3):
        got, made = frames[index], city.frame(index)
        assert got.stamp_ns == made.stamp_ns
        assert got.camera == made.camera
        np.testing.assert_array_equal(got.depth_m, made.depth_m)
        assert np.abs(got.image.astype(int) - made.image).mean() < 4  # JPEG
        assert got.radar[0].ego_motion
        assert city.tags <= got.tags


def test_a_standing_point_seen_from_any_sweep_falls_on_its_pixel(city: Drive, bag: Path) -> None:
    with Recording(bag) as recording:
        frames = list(recording.frames(sweeps=3, max_radar_offset_s=0.4))
    checked = 0
    for frame in frames:
        odom_from_camera = city.pose(frame.stamp_ns) @ city.rig.camera
        points = odom_from_camera.apply(np.array([[0, 0, 8.0], [2, 0.5, 15], [-4, -1, 40.0]]))
        exact, _ = city.camera.project(odom_from_camera.inverse().apply(points))
        for sweep in frame.radar:
            odom_from_radar = city.pose(sweep.stamp_ns) @ city.rig.radar
            in_radar = odom_from_radar.inverse().apply(points)
            pixel, _ = city.camera.project(sweep.camera_from_radar.apply(in_radar))
            assert np.abs(pixel - exact).max() < 0.1
            checked += sweep.stamp_ns != frame.stamp_ns
    assert checked >= 8


def test_events_are_in_order_and_poses_cover_them(city: Drive) -> None:
    events = sensor_events(city)
    stamps = [stamp for stamp, _ in events]
    assert stamps == sorted(stamps)
    poses = [stamp for stamp, kind in events if kind == "pose"]
    others = [stamp for stamp, kind in events if kind != "pose"]
    assert poses[0] < min(others)
    assert poses[-1] > max(others)


def test_existing_folder_is_refused_and_left_alone(city: Drive, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    for write in (write_bag, write_astyx, write_zju):
        with pytest.raises(RecordingError, match="exists"):
            write(city, tmp_path / "there")
    assert list(tmp_path.iterdir()) == [tmp_path / "there"]


def test_failed_drive_leaves_nothing(
    city: Drive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Drive, stamp_ns: int) -> None:
        raise RuntimeError("no picture")

    monkeypatch.setattr(Drive, "image", broken)
    for write in (write_bag, write_astyx, write_zju):
        with pytest.raises(RuntimeError):
            write(city, tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_command_writes_a_bag_and_says_so(tmp_path: Path) -> None:
    out, report = tmp_path / "w", tmp_path / "w.json"
    arguments = ["simulate", "--frames", "2", "--out", str(out), "--size", "64x128", "--place",
                 "country", "--sensor", "imaging", "--weather", "rain", "--time-of-day", "night",
                 "--storage", "sqlite3", "--seed", "4", "--json", str(report)]  # fmt: skip
    assert cli.main(arguments) == 0
    result = json.loads(report.read_text())
    assert result["frames"] == 2
    with Recording(out) as recording:
        frame = next(iter(recording.frames()))
    assert frame.image.shape == (64, 128, 3)
    assert {"rain", "night", "country"} <= frame.tags
    assert cli.main(arguments) == 1  # the folder exists
    assert cli.main(["simulate", "--out", str(tmp_path / "v"), "--size", "big"]) == 1
    assert cli.main(["simulate", "--out", str(tmp_path / "v"), "--weather", "hail"]) == 2
    assert not (tmp_path / "v").exists()


def test_zju_folder_converts_and_keeps_pixels(tmp_path: Path) -> None:
    drive = Drive(DriveSettings(seed=6, frames=5, width=256, height=128, radar="imaging"))
    write_zju(drive, tmp_path / "zju")
    bags = convert_zju(tmp_path / "zju", tmp_path / "bags")
    frames = []
    for bag in bags:
        with Recording(bag) as recording:
            frames += list(recording.frames())
    frames.sort(key=lambda frame: frame.stamp_ns)
    assert [f.stamp_ns for f in frames] == drive.stamps_ns("camera").tolist()
    for index in (0, 4):
        made = drive.frame(index)
        np.testing.assert_allclose(radar_pixels(frames[index]), radar_pixels(made), atol=1e-3)
        depth, expected = frames[index].lidar_depth(), made.lidar_depth()
        both = np.isfinite(depth) & np.isfinite(expected)
        assert both.sum() > 0.99 * np.isfinite(expected).sum()
        np.testing.assert_allclose(depth[both], expected[both], atol=1 / 256)


def test_astyx_folder_converts(tmp_path: Path) -> None:
    drive = Drive(
        DriveSettings(seed=7, frames=3, width=256, height=96, radar="imaging", lidar="vlp16")
    )
    write_astyx(drive, tmp_path / "astyx")
    text = (tmp_path / "astyx" / "radar_6455" / "000000.txt").read_text().splitlines()
    assert text[:2] == ["", "X Y Z V_r Mag"]
    assert np.abs(np.loadtxt(text[2:])[:, 3]).max() <= 10.39 / 2 + 1e-3
    bags = convert_astyx(tmp_path / "astyx", tmp_path / "bags")
    count = 0
    for bag in bags:
        with Recording(bag) as recording:
            for frame in recording.frames():
                count += 1
                assert frame.radar_raster().visible.sum() > 50
                assert np.isfinite(frame.lidar_depth()).sum() > 100
    assert count == 3


def test_nuscenes_folder_converts_and_the_devkit_agrees(tmp_path: Path) -> None:
    options = {"frames": 12, "width": 256, "height": 128}
    drives = [Drive(DriveSettings(seed=s, place="city", **options)) for s in (1, 2)]  # type: ignore[arg-type]
    write_nuscenes(drives, tmp_path / "set")
    bags = convert_nuscenes(tmp_path / "set", tmp_path / "bags")
    assert len(bags) == 2
    for drive, path in zip(drives, bags, strict=True):
        with Recording(path) as recording:
            frames = list(recording.frames())
        assert len(frames) == 12
        made = drive.frame(5)
        got = min(frames, key=lambda frame: abs(frame.stamp_ns - made.stamp_ns))
        assert abs(got.stamp_ns - made.stamp_ns) < 1000  # nuScenes counts microseconds
        sweep, stamps = got.radar[0], drive.stamps_ns("radar")
        stamp = int(stamps[np.abs(stamps - sweep.stamp_ns).argmin()])
        expected = drive.radar(stamp).points
        np.testing.assert_array_equal(sweep.points.position_m, expected.position_m)
        np.testing.assert_array_equal(
            sweep.points.velocity_compensated_mps, expected.velocity_compensated_mps
        )
        camera_from_odom = (drive.pose(made.stamp_ns) @ drive.rig.camera).inverse()
        matrix = (camera_from_odom @ drive.pose(stamp) @ drive.rig.radar).matrix
        np.testing.assert_allclose(sweep.camera_from_radar.matrix, matrix, atol=1e-4)
    devkit = pytest.importorskip("nuscenes.nuscenes", reason="nuscenes-devkit is not installed")
    data = devkit.NuScenes("v1.0-mini", str(tmp_path / "set"), verbose=False)
    assert len(data.scene) == 2
    boxes = [data.get_box(token) for token in data.sample[0]["anns"]]
    assert len(boxes) == len(data.sample[0]["anns"]) > 3
    inside = sum(row["num_lidar_pts"] for row in data.sample_annotation)
    assert inside > 100


def test_realism_figures_of_frames_known_by_hand(city: Drive) -> None:
    frames = [city.frame(index) for index in (0, 3)]
    figures = measure(frames)
    counts = sorted(len(f.radar_raster().pixels) for f in frames)
    assert figures.frames == 2
    assert figures.returns[0] == pytest.approx(counts[0], abs=3)  # at the picture's very edge
    assert 0 <= figures.nearer <= 1 - figures.agreement
    assert all(
        a <= b for a, b in zip(figures.radar_depth_m, figures.radar_depth_m[1:], strict=False)
    )


def test_the_sky_of_a_bag_is_that_of_the_exact_depth(tmp_path: Path) -> None:
    drive = Drive(DriveSettings(seed=5, frames=1, width=160, height=80, place="country"))
    write_bag(drive, tmp_path / "drive")
    with Recording(tmp_path / "drive") as recording:
        frame = recording.frame(0)
    _, depth = drive.image(int(drive.stamps_ns("camera")[0]))
    np.testing.assert_array_equal(frame.sky == 1, depth > 100)
    assert 0.1 < (frame.sky == 1).mean() < 0.9
    assert not (frame.sky == 255).any()  # exact depth leaves nothing open
    np.testing.assert_array_equal(frame.sky, drive.frame(0).sky)
    assert np.isfinite(frame.depth_m).any() and not np.isinf(frame.depth_m).any()
