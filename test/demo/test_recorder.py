# SPDX-License-Identifier: Apache-2.0
"""The recorder: stamps out of serialized messages, whole bags or none, and why it gives up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from rosbags.highlevel import AnyReader

REPOSITORY = Path(__file__).resolve().parents[2]
STATUS = (REPOSITORY / "msg" / "DepthStatus.msg").read_text()
pytestmark = pytest.mark.ros


def start_recorder(output: Path, domain: int, *parameters: str) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        "ROS_DOMAIN_ID": str(domain),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
    }
    command = [sys.executable, "-m", "xd_rcdepth_ros.nodes.demo_recorder", "--ros-args"]
    for parameter in (f"output:={output}", *parameters):
        command += ["-p", parameter]
    return subprocess.Popen(
        command,
        env=environment,
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_stamp_is_read_from_either_byte_order() -> None:
    from xd_rcdepth_ros.nodes.demo_recorder import header_stamp_ns

    little = bytes([0, 1, 0, 0, 5, 0, 0, 0, 7, 0, 0, 0])
    big = bytes([0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 7])
    assert header_stamp_ns(little) == header_stamp_ns(big) == 5_000_000_007


def test_stamp_agrees_with_rclpy() -> None:
    from rclpy.serialization import serialize_message
    from sensor_msgs.msg import Image

    from xd_rcdepth_ros.nodes.demo_recorder import header_stamp_ns

    message = Image()
    message.header.stamp.sec, message.header.stamp.nanosec = 1_700_000_000, 123
    assert header_stamp_ns(serialize_message(message)) == 1_700_000_000_000_000_123


def test_bag_takes_its_name_when_it_is_whole(tmp_path: Path) -> None:
    from rclpy.serialization import serialize_message
    from xd_rcdepth_ros.msg import DepthStatus

    from xd_rcdepth_ros.nodes.demo_recorder import OutputBag

    path = tmp_path / "outputs"
    bag = OutputBag(path, STATUS)
    status = DepthStatus(frames_in=3, radar_names=["front"], stage_ms=[1.5])
    bag.write("/n/status", "xd_rcdepth_ros/msg/DepthStatus", 5, serialize_message(status))
    assert not path.exists()
    bag.close()
    assert [p.name for p in tmp_path.iterdir()] == ["outputs"]
    with AnyReader([path]) as reader:
        ((connection, time_ns, raw),) = reader.messages()
        read = reader.deserialize(raw, connection.msgtype)
    assert (time_ns, read.frames_in, read.radar_names) == (5, 3, ["front"])
    another = OutputBag(path, STATUS)
    another.discard()
    assert [p.name for p in tmp_path.iterdir()] == ["outputs"]


def test_without_a_depth_node_it_says_so_and_writes_nothing(tmp_path: Path) -> None:
    recorder = start_recorder(tmp_path / "outputs", 52, "start_timeout:=1.0")
    said, complained = recorder.communicate(timeout=60)
    assert recorder.returncode == 1
    assert "/depth_node was not ready after 1 s" in complained
    assert "READY" not in said
    assert not list(tmp_path.iterdir())


def test_interrupted_it_leaves_nothing_half_written(tmp_path: Path) -> None:
    recorder = start_recorder(tmp_path / "outputs", 53)
    partial = tmp_path / ".outputs.partial"
    for _ in range(600):
        if partial.exists() or recorder.poll() is not None:
            break
        try:
            recorder.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
    assert partial.exists()
    recorder.send_signal(signal.SIGINT)
    recorder.communicate(timeout=60)
    assert not list(tmp_path.iterdir())
