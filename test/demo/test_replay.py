# SPDX-License-Identifier: Apache-2.0
"""The whole demo: player, depth node and recorder in processes of their own, over DDS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from demo_helpers import PERIOD_NS, START_NS, write_drive
from rosbags.highlevel import AnyReader

REPOSITORY = Path(__file__).resolve().parents[2]
FRAMES = 12
pytestmark = pytest.mark.ros


def run_demo(*arguments: object, domain: int) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "ROS_DOMAIN_ID": str(domain),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
    }
    command = [sys.executable, "-m", "xd_rcdepth_ros.cli.main", "demo", *map(str, arguments)]
    return subprocess.run(
        command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, timeout=280
    )


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory, demo_model: Path) -> Path:
    """The folder of a demo of a small drive."""
    folder = tmp_path_factory.mktemp("demo")
    bag = write_drive(folder / "bag", FRAMES)
    done = run_demo("--data", bag, "--model", demo_model, "--out", folder / "out", domain=50)
    assert done.returncode == 0, done.stderr + done.stdout
    return folder / "out"


def test_every_image_is_answered_across_processes(out: Path) -> None:
    report = json.loads((out / "report.json").read_text())
    assert report["frames_in"] == FRAMES
    assert report["frames_out"] >= 0.98 * FRAMES
    pids = {process["pid"] for process in report["processes"]}
    names = " ".join(process["name"] for process in report["processes"])
    assert len(pids) == 3
    assert os.getpid() not in pids
    assert all(name in names for name in ("depth_node", "demo_recorder", "bag_play"))
    assert 0 < report["latency_ms"]["p50"] <= report["latency_ms"]["p95"]
    assert 0 < report["play_rate"] <= 1.0
    assert report["fps"] > 0
    # A road 1.5 m below the camera: neither a random network nor row medians come near it.
    assert 0.5 < report["mae_m"] < 80
    assert 0.1 < report["mae_baseline_m"] < 80


def test_outputs_are_a_bag_of_what_was_published(out: Path) -> None:
    with AnyReader([out / "outputs"]) as reader:
        counts = {topic: info.msgcount for topic, info in reader.topics.items()}
        assert counts["/depth_node/depth/image"] == FRAMES
        assert counts["/depth_node/depth/camera_info"] == FRAMES
        assert counts["/depth_node/status"] == FRAMES
        assert counts["/depth_node/saliency/image"] >= 1
        assert counts["/depth_node/depth/preview"] >= 1
        stamps = []
        for connection, _, raw in reader.messages():
            if connection.topic == "/depth_node/depth/image":
                message = reader.deserialize(raw, connection.msgtype)
                stamp = message.header.stamp
                stamps.append(stamp.sec * 1_000_000_000 + stamp.nanosec)
                assert message.encoding == "32FC1"
                depth = np.frombuffer(message.data, np.float32)
                assert np.isfinite(depth).all()
            elif connection.topic == "/depth_node/status":
                status = reader.deserialize(raw, connection.msgtype)
                assert list(status.radar_names) == ["front"]
                assert status.ego_motion == 2  # through TF
    assert stamps == [START_NS + i * PERIOD_NS for i in range(FRAMES)]
    done = subprocess.run(
        [str(Path(sys.executable).parent / "ros2"), "bag", "info", str(out / "outputs")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "/depth_node/depth/image" in done.stdout


def test_report_is_written_and_nothing_half_done_is_left(out: Path) -> None:
    assert (out / "report.html").stat().st_size > 20_000
    assert 1 <= len(list((out / "frames").glob("*.png"))) <= 3
    assert not [path for path in out.rglob("*") if "partial" in path.name]
    assert not (out / "legs").exists()


def test_a_player_that_dies_ends_the_launch_with_its_error(
    tmp_path: Path, demo_model: Path
) -> None:
    """``ros2 bag play`` fails at once: the launch does not wait for images that never come."""
    arguments = (f"bag:={tmp_path / 'nowhere'}", f"out:={tmp_path}", f"model_file:={demo_model}")
    done = subprocess.run(
        [str(Path(sys.executable).parent / "ros2"), "launch", "xd_rcdepth_ros", "demo.launch.py",
         *arguments],
        env={**os.environ, "ROS_DOMAIN_ID": "52"},
        capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert "nowhere" in said.partition("READY")[2]  # the player's own words
    assert "the player failed with exit status" in said
    assert "no image came" not in said  # the recorder did not wait its 90 s for one
    assert not (tmp_path / "arrivals.json").exists()


def test_radar_fields_with_other_names_are_used(tmp_path: Path, demo_model: Path) -> None:
    """The cloud has ``power`` instead of ``rcs``, and the topics have other names for the radar."""
    bag = write_drive(tmp_path / "bag", 3, strength="power")
    topics = "image=/camera/front/image,radar.ahead=/radar/front"
    out = tmp_path / "out"
    arguments = ("--data", bag, "--model", demo_model, "--out", out, "--topics", topics)
    done = run_demo(*arguments, domain=53)
    assert done.returncode == 0, done.stderr + done.stdout
    report = json.loads((out / "report.json").read_text())
    assert report["radars"] == ["ahead"]
    assert report["frames_with_radar"] == report["frames_out"] == 3


def test_a_missing_model_ends_with_the_reason(tmp_path: Path) -> None:
    bag = write_drive(tmp_path / "bag", 3)
    model = tmp_path / "nowhere.safetensors"
    done = run_demo("--data", bag, "--model", model, "--out", tmp_path / "out", domain=51)
    assert done.returncode == 1
    assert "nowhere.safetensors" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out" / "report.html").exists()
