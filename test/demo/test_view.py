# SPDX-License-Identifier: Apache-2.0
"""The page of a bag: what stands where from above, and depth as recorded or as estimated."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from demo_helpers import HEIGHT, PERIOD_NS, START_NS, WIDTH, frame_of, write_drive
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from xd_rcdepth_ros.cli.main import main
from xd_rcdepth_ros.demo import birds_eye
from xd_rcdepth_ros.demo.outputs import Answer, read_answers
from xd_rcdepth_ros.demo.view import view_page
from xd_rcdepth_ros.geometry import (
    DepthResult,
    LidarSweep,
    RadarPoints,
    RadarSweep,
    RigidTransform,
    rasterize_radar,
)

PROJECT = Path(__file__).resolve().parents[2]
NODE = "/front/depth_node"
# Of DepthStatus, what does not matter here.
NUMBERS = ("flags", "ego_motion", "depth_median_m", "valid_share", "far_share", "error_median")
NUMBERS += ("latency_ms", "frames_in", "frames_out")
TEXTS = ("device", "backend", "model")


def test_from_above_things_stand_where_they_are():
    """640 px over 60 m: the left edge is the camera, the middle row straight ahead."""
    frame = frame_of(64, 48)
    depth_m = np.full((48, 64), np.nan, np.float32)
    depth_m[24, 32] = 30.0  # half a pixel right of and below the axis, f = 50 px: x = y = 0.3 m
    depth_m[46, 32] = 30.0  # 13.5 m below the camera: left out
    depth_m[10, 10] = np.inf
    ahead = np.array([[-6.0, 0.0, 45.0], [0.0, 5.0, 20.0], [20.0, 0.0, 20.0]], np.float32)
    still = RigidTransform.identity()
    lidar = LidarSweep(ahead, still)
    radar = RadarSweep(RadarPoints.from_arrays([[3.0, 9.0, 15.0]]), still)
    plain = birds_eye.draw_birds_eye(frame, np.full((48, 64), np.nan, np.float32))
    picture = birds_eye.draw_birds_eye(replace(frame, lidar=lidar, radar=(radar,)), depth_m)
    assert picture.shape == (320, 640, 3)
    assert tuple(picture[163, 320]) == (70, 150, 255)  # (15.3 m, 30 m) x 640 / 60
    assert tuple(picture[96, 480]) == (235, 235, 235)  # (-6 + 15 m, 45 m)
    assert tuple(picture[192, 160]) == (255, 140, 0)  # (3 + 15 m, 15 m), whatever its height
    changed = (picture != plain).any(axis=2)
    changed[187:198, 155:166] = False  # the radar's dot
    assert changed.sum() == 2


def write_outputs(path, stamps_ns, age_ms=33.0):
    """Write what a depth node publishes for these images: 20 m, off by a tenth, in 33 ms."""
    store = get_typestore(Stores.ROS2_JAZZY)
    kind = "xd_rcdepth_ros/msg/DepthStatus"
    text = (PROJECT / "msg/DepthStatus.msg").read_text()
    store.register(get_types_from_msg(text, kind))
    types, size = store.types, {"height": HEIGHT, "width": WIDTH}
    zeros = {"x_offset": 0, "y_offset": 0, "height": 0, "width": 0, "do_rectify": False}
    region = types["sensor_msgs/msg/RegionOfInterest"](**zeros)
    k = np.array([100, 0, (WIDTH - 1) / 2, 0, 100, 40, 0, 0, 1.0])
    p = np.insert(k.reshape(3, 3), 3, 0.0, axis=1).ravel()
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        made = {
            "depth/image": "sensor_msgs/msg/Image",
            "depth/confidence": "sensor_msgs/msg/Image",
            "depth/camera_info": "sensor_msgs/msg/CameraInfo",
            "status": kind,
        }
        connections = {
            name: writer.add_connection(f"{NODE}/{name}", kind, typestore=store)
            for name, kind in made.items()
        }
        for stamp_ns in stamps_ns:
            stamp = types["builtin_interfaces/msg/Time"](*divmod(stamp_ns, 1_000_000_000))
            header = types["std_msgs/msg/Header"](stamp, "camera_front_optical")
            messages = {}
            for name, value in (("depth/image", 20.0), ("depth/confidence", 0.1)):
                data = np.full((HEIGHT, WIDTH), value, "<f4").view(np.uint8).ravel()
                messages[name] = types["sensor_msgs/msg/Image"](
                    header, **size, encoding="32FC1", is_bigendian=0, step=4 * WIDTH, data=data
                )
            messages["depth/camera_info"] = types["sensor_msgs/msg/CameraInfo"](
                header, **size, distortion_model="", d=np.zeros(0), k=k, r=np.eye(3).ravel(), p=p,
                binning_x=0, binning_y=0, roi=region,
            )  # fmt: skip
            values = {
                **dict.fromkeys(NUMBERS, 0),
                **dict.fromkeys(TEXTS, "a"),
                "header": header,
                "age_ms": age_ms,
                "radar_names": ["front"],
                "radar_stamps": [stamp],
                "radar_offsets_s": np.zeros(1, "f4"),
                "radar_returns": np.ones(1, "u4"),
                "radar_returns_in_image": np.ones(1, "u4"),
                "stage_names": ["network"],
                "stage_ms": np.array([age_ms - 13.0], "f4"),
                "drop_reasons": [],
                "drop_counts": np.zeros(0, "u8"),
            }
            messages["status"] = types[kind](**values)
            for name, message in messages.items():
                writer.write(connections[name], stamp_ns, store.serialize_cdr(message, made[name]))
    return path


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page of a drive of four images, of which a node answered three."""
    folder = tmp_path_factory.mktemp("view")
    drive = write_drive(folder / "drive", 4)
    stamps_ns = [START_NS + n * PERIOD_NS for n in (0, 1, 3)]
    outputs = write_outputs(folder / "outputs", stamps_ns)
    arguments = ["view", str(drive), "--outputs", str(outputs), "--out", str(folder / "a.html")]
    assert main([*arguments, "--json", str(folder / "a.json")]) == 0
    return folder / "a.html"


def frames_in(page):
    text = page.read_text()
    found = re.search(r'id="frames">(.*?)</script>', text, re.S)
    assert found is not None
    return text, json.loads(found[1])["frames"]


def test_depth_is_shown_as_the_node_published_it(page):
    text, frames = frames_in(page)
    assert f"Depth as {NODE} published it" in text
    captions = [frame["caption"] for frame in frames]
    assert [caption.partition(", MAE")[0] for caption in captions] == [
        "0.00 s, 33 ms",
        "0.10 s, 33 ms",
        "0.30 s, 33 ms",
    ]
    assert all(len(frame["views"]) == 4 for frame in frames)  # with the expected error
    assert "Radar was used for 3 of them" in text
    assert "20.0 ms (median)" in text
    assert "//" not in re.sub(r"data:image/[a-z]+;base64,[A-Za-z0-9+/=]+", "", text)


def test_the_figures_go_to_a_file(page):
    """20 m everywhere against a road at 150 m / (row - 40): the page's figures, as JSON."""
    figures = json.loads(page.with_suffix(".json").read_text())
    assert (figures["frames_in_bag"], figures["frames"], figures["frames_with_radar"]) == (4, 3, 3)
    assert f"Depth as {NODE} published it" in figures["depth"]
    assert figures["age_ms"] == {"p50": 33.0, "p95": 33.0}
    assert figures["stages_ms"] == {"network": 20.0} and figures["left_out"] == {}
    rows = np.arange(41, HEIGHT)
    truth_m = 150 / (rows - 40)
    mae_m = np.abs(20 - truth_m)[truth_m < 80].mean()
    assert figures["mae_m"] == pytest.approx(mae_m, rel=1e-5)
    stamps_ns = [START_NS + n * PERIOD_NS for n in (0, 1, 3)]
    assert [frame["stamp_ns"] for frame in figures["per_frame"]] == stamps_ns
    assert figures["per_frame"][0]["mae_m"] == pytest.approx(mae_m, rel=1e-5)


def test_without_recorded_depth_the_model_estimates_it(tmp_path, monkeypatch, capsys):
    class FakeEstimator:
        info = SimpleNamespace(identity="fake 123", device="cpu")

        @classmethod
        def load(cls, model, device):
            return cls()

        def estimate(self, frame):
            depth_m = np.full((HEIGHT, WIDTH), 10.0, np.float32)
            raster = rasterize_radar(frame.radar, frame.camera)
            return DepthResult(
                depth_m, frame.camera, frame.stamp_ns, raster, timings_ms={"network": 5.0}
            )

        def explain(self, frame):
            return np.zeros((HEIGHT, WIDTH), np.float32)

    monkeypatch.setattr("xd_rcdepth_ros.cli.view.DepthEstimator", FakeEstimator)
    drive = write_drive(tmp_path / "drive", 7, broken=3)
    out = tmp_path / "page.html"
    arguments = ["view", str(drive), "--frames", "5", "--out", str(out)]
    assert main([*arguments, "--json", str(tmp_path / "page.json")]) == 0
    text, frames = frames_in(out)
    assert "The bag holds no depth: fake 123 estimated it on cpu." in text
    captions = [frame["caption"][:12] for frame in frames]
    # Three are shown in all views, in the middle of thirds; two are spread. Image 3 is damaged.
    assert captions == ["0.00 s, 5 ms", "0.10 s, 5 ms", "0.50 s, 5 ms", "0.60 s, 5 ms"]
    assert "left out 1 x" in capsys.readouterr().out
    assert all(len(frame["views"]) == 3 for frame in frames)
    assert text.count("<b>Saliency:</b>") == 2
    figures = json.loads((tmp_path / "page.json").read_text())
    assert (figures["frames_in_bag"], figures["frames"]) == (7, 4)
    ((reason, count),) = figures["left_out"].items()
    assert count == 1 and "image" in reason


def test_a_frame_without_expected_error_is_shown_beside_those_that_have_it():
    frame = frame_of(64, 48)
    depth_m = np.full((48, 64), 10.0, np.float32)
    errors = {1: 0.1 * depth_m, 2: None, 3: 0.1 * depth_m}
    answers = {n: Answer(n, depth_m, frame.camera, None, error) for n, error in errors.items()}
    frames = [replace(frame, stamp_ns=n) for n in errors]
    page, _ = view_page(frames, lambda given: answers[given.stamp_ns], {2}, "bag", "A node.")
    names = [name for name, _ in page.player.views]
    assert names == ["Camera", "Depth", "Expected error", "From above"]
    assert [len(shown.views) for shown in page.player.frames] == [4, 4, 4]


def test_times_that_are_no_numbers_are_left_out(tmp_path):
    outputs = write_outputs(tmp_path / "outputs", [START_NS], age_ms=np.nan)
    (answer,) = read_answers(outputs, NODE).values()
    assert answer.age_ms is None and answer.stage_ms == {}


def test_a_browser_plays_the_page(page, tmp_path):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium is installed")
    command = [browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=250"]
    dom = subprocess.run([*command, page.as_uri()], capture_output=True, text=True, timeout=120)
    shown = re.search(r'<output id="caption">([^<]+)</output>', dom.stdout)
    assert shown is not None
    assert shown[1] in [frame["caption"] for frame in frames_in(page)[1]]
