# SPDX-License-Identifier: Apache-2.0
"""Several cameras in one process: each answered, each with its own ledger, one model in memory."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="rclpy cannot be imported")
pytest.importorskip("launch_ros", reason="launch_ros cannot be imported")

from diagnostic_msgs.msg import DiagnosticArray
from launch import LaunchContext
from ros_rig import NS, Rig
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from xd_rcdepth_ros.inference.shared import SharedEstimator, Turns
from xd_rcdepth_ros.msg import DepthStatus
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
    """Send rounds of frames, each after the last was answered; return the stamps."""
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
            lambda: all(rig.stamp_ns in stamps_of(rig, name) for name in names),
            "depth of every camera",
            60,
        )
    return stamps


def stamps_of(rig, name):
    return [stamp_ns_of(status.header) for status in rig.statuses[name]]


def test_six_cameras_are_answered_in_the_memory_of_one(cameras, model_file, tmp_path):
    held = {}
    for names in (CAMERAS[:1], CAMERAS):
        for heard in cameras.statuses.values():
            heard.clear()
        cameras.parts.clear()
        process = start(names, model_file, tmp_path / "log")
        try:
            stamps = drive(cameras, names)
            held[len(names)] = resident_kib(process)
            for name in names:
                assert stamps_of(cameras, name) == stamps
                last = cameras.statuses[name][-1]
                assert list(last.radar_names) == ["front"]
                assert (last.frames_in, last.frames_out) == (ROUNDS, ROUNDS)
            cameras.wait(
                lambda: all(f"{n}/depth_node: frames" in cameras.parts for n in names),
                "diagnostics of every camera",
                60,
            )
            process.terminate()
            assert process.wait(60) == 0, (tmp_path / "log").read_text()
        finally:
            process.kill()
            process.wait()
    assert held[len(CAMERAS)] <= MOST_MEMORY * held[1], held


def test_names_that_are_no_namespaces_are_refused(tmp_path):
    for names in ([], ["a-b"], ["front", "front"]):
        process = start(names, "none", tmp_path / "log")
        assert process.wait(240) == 1
        assert "expected one or more names" in (tmp_path / "log").read_text()


def test_the_same_options_give_the_same_model_and_others_another(model_file):
    first = SharedEstimator.load(model_file, "cpu", "torch")
    assert SharedEstimator.load(model_file, "cpu", "torch") is first
    assert SharedEstimator.load(model_file, "cpu", "torch", "bf16") is not first


def test_turns_come_in_the_order_of_asking():
    turns, order, threads = Turns(), [], []

    def take(number):
        with turns.turn():
            order.append(number)

    with turns.turn():
        for number in range(5):
            threads.append(threading.Thread(target=take, args=(number,)))
            threads[-1].start()
            while len(turns._waiting) <= number:
                time.sleep(0.001)
        assert order == []
    for thread in threads:
        thread.join(10)
    assert order == [0, 1, 2, 3, 4]
    with turns.turn():
        assert not turns._waiting


class FakeNode:
    """Takes launch_ros's Node's arguments and keeps them."""

    def __init__(self, **arguments):
        self.__dict__.update(arguments)


def test_the_launch_file_gives_each_camera_its_topics(monkeypatch, tmp_path):
    path = Path(__file__).resolve().parents[2] / "launch" / "multi_camera.launch.py"
    spec = importlib.util.spec_from_file_location("multi_camera", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "Node", FakeNode)
    arguments = {a.name: a for a in module.generate_launch_description().get_launch_arguments()}
    assert all(len(argument.description) > 15 for argument in arguments.values())
    context = LaunchContext()
    context.launch_configurations |= {"cameras": "front, rear"}
    for argument in module.ARGUMENTS.declare():
        argument.execute(context)
    parameters = tmp_path / "parameters.yaml"
    parameters.write_text("/rear/depth_node: {ros__parameters: {radars: [left, right]}}")
    context.launch_configurations |= {
        "image": "/cam_{camera}/image/compressed",
        "params_file": str(parameters),
        "radar_profile": "ars548",
    }
    (node,) = module.multi_camera_node(context)
    assert node.arguments[:2] == ["front", "rear"]
    assert dict(node.remappings) == {
        "/front/image": "/cam_front/image",
        "/front/camera_info": "/camera/front/camera_info",
        "/front/radar/front": "/radar/front",
        "/rear/image": "/cam_rear/image",
        "/rear/camera_info": "/camera/rear/camera_info",
        "/rear/radar/left": "/radar/left",
        "/rear/radar/right": "/radar/right",
    }
    given = node.parameters[1]
    assert given["image_transport"] == "compressed"
    assert {name.split(".")[1] for name in given if name.startswith("radar.")} == {
        "front",
        "left",
        "right",
    }
