# SPDX-License-Identifier: Apache-2.0
"""Several cameras in one process: each answered, each with its own ledger, one model in memory."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy cannot be imported")

from diagnostic_msgs.msg import DiagnosticArray
from ros_rig import CAMERA, NS, Rig
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from xd_rcdepth_ros.msg import DepthStatus

from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.geometry import SensorFrame
from xd_rcdepth_ros.inference.shared import SharedEstimator
from xd_rcdepth_ros.nodes.multi_camera_node import make_nodes
from xd_rcdepth_ros.recordings.messages import stamp_ns_of

pytestmark = pytest.mark.ros
CAMERAS = ["front", "front_left", "front_right", "rear", "rear_left", "rear_right"]
ROUNDS = 3
# What six cameras may hold, as a multiple of what one does.
MOST_MEMORY = 1.3


@pytest.fixture
def cameras(rig: Rig):
    """Publish as six cameras and one radar, and hear what their nodes say."""
    node = rig.node
    rig.statuses, rig.parts = defaultdict(list), {}
    rig.cameras = {}
    for name in CAMERAS:
        rig.cameras[name] = (
            node.create_publisher(Image, f"/camera/{name}/image", 10),
            node.create_publisher(CameraInfo, f"/camera/{name}/camera_info", 10),
        )
        heard = rig.statuses[name].append
        node.create_subscription(DepthStatus, f"/{name}/depth_node/status", heard, 10)
    rig.shared_radar = node.create_publisher(PointCloud2, "/radar/front", 10)
    node.create_subscription(
        DiagnosticArray,
        "/diagnostics",
        lambda message: rig.parts.update({s.name: s for s in message.status}),
        50,
    )
    return rig


def start(names, model_file, log):
    """Start the process of these cameras, its topics as multi_camera.launch.py names them."""
    command = [sys.executable, "-m", "xd_rcdepth_ros.nodes.multi_camera_node", *names]
    command += ["--ros-args", "-p", f"model_file:={model_file}", "-p", "backend:=torch"]
    command += ["-p", "device:=cpu", "-p", "diagnostics.period:=0.3"]
    for name in names:
        for topic in ("image", "camera_info"):
            command += ["-r", f"/{name}/{topic}:=/camera/{name}/{topic}"]
        command += ["-r", f"/{name}/radar/front:=/radar/front"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with log.open("w") as output:
        return subprocess.Popen(command, stdout=output, stderr=output, env=environment)


def resident_kib(process):
    """Return the memory that a process holds, KiB."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def drive(rig, names):
    """Send rounds of frames, each after all of the last were answered."""
    rig.wait(
        lambda: (
            all(rig.cameras[name][0].get_subscription_count() for name in names)
            and rig.shared_radar.get_subscription_count() == len(names)
        ),
        "the nodes' subscriptions",
        240,
    )
    time.sleep(0.3)  # matched on this side; let the other side match too
    rig.send_static()
    stamps = []
    for _ in range(ROUNDS):
        rig.stamp_ns += NS
        stamps.append(rig.stamp_ns)
        rig.shared_radar.publish(rig.cloud(rig.stamp_ns))
        for name in names:
            image, info = rig.cameras[name]
            info.publish(rig.info(rig.stamp_ns))
            image.publish(rig.image(rig.stamp_ns))
        rig.wait(
            lambda: all(stamps_of(rig, name) == stamps for name in names),
            "depth of every camera",
            60,
        )


def stamps_of(rig, name):
    return [stamp_ns_of(status.header) for status in rig.statuses[name]]


def memory_kib(rig, names, model_file, log):
    """Return what the process of these cameras holds after a drive that it answered, KiB."""
    process = start(names, model_file, log)
    try:
        drive(rig, names)
        held = resident_kib(process)
        for name in names:
            last = rig.statuses[name][-1]
            assert list(last.radar_names) == ["front"]
            assert (last.frames_in, last.frames_out) == (ROUNDS, ROUNDS)
        rig.wait(
            lambda: all(f"{name}/depth_node: frames" in rig.parts for name in names),
            "diagnostics of every camera",
            60,
        )
        process.terminate()
        assert process.wait(60) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()
    return held


def test_six_cameras_are_answered_in_the_memory_of_one(cameras, model_file, tmp_path):
    one = memory_kib(cameras, CAMERAS[:1], model_file, tmp_path / "one.log")
    cameras.statuses[CAMERAS[0]].clear()
    six = memory_kib(cameras, CAMERAS, model_file, tmp_path / "six.log")
    assert six <= MOST_MEMORY * one, f"six cameras hold {six} KiB, one holds {one}"


@pytest.mark.parametrize("names", [[], ["a-b"], ["front", "front"], ["/front"], ["1st"]])
def test_names_that_are_no_namespaces_are_refused(names):
    with pytest.raises(ConfigurationError, match="expected one or more names"):
        next(make_nodes(["multi_camera_node", *names, "--ros-args", "-p", "sweeps:=2"]))


def test_the_same_options_give_the_same_model_and_others_another(model_file):
    first = SharedEstimator.load(model_file, "cpu", "torch")
    assert SharedEstimator.load(model_file, "cpu", "torch") is first
    assert SharedEstimator.load(model_file, "cpu", "torch", "bf16") is not first


def test_the_frames_of_all_cameras_go_through_one_thread(model_file):
    shared = SharedEstimator.load(model_file, "cpu", "torch")
    threads, images = set(), []

    class FakeBackend:
        def run(self, image, channels):
            threads.add(threading.get_ident())
            images.append(int(image[0, 0, 0]))
            return np.ones((1, *image.shape[:2]), np.float32)

    shared.backend = FakeBackend()
    frames = [SensorFrame(np.full((96, 160, 3), n, np.uint8), CAMERA) for n in range(6)]
    with ThreadPoolExecutor(6) as cameras:
        results = list(cameras.map(shared.infer, map(shared.prepare, frames)))
    assert [float(result.depth_m.mean()) for result in results] == [1.0] * 6
    assert len(threads) == 1 and sorted(images) == list(range(6))
