# SPDX-License-Identifier: Apache-2.0
"""The command doctor, beside a running node over real DDS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError

import pytest

pytest.importorskip("rclpy", reason="rclpy cannot be imported")

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from ros_rig import CAMERA_FRAME, RADAR_FRAME
from sensor_msgs.msg import PointCloud2

from xd_rcdepth_ros.cli import doctor
from xd_rcdepth_ros.inference.installation import Finding, find_packages
from xd_rcdepth_ros.ros.doctor import _misfit, examine_graph
from xd_rcdepth_ros.ros.inputs import sensor_qos

pytestmark = pytest.mark.ros


@contextmanager
def sending(send):
    """Call ``send`` ten times a second in a thread of its own."""
    ended = threading.Event()

    def work():
        while not ended.wait(0.1):
            send()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def by_subject(findings):
    """Return levels and texts of findings, by subject."""
    return {f.subject: f.level for f in findings}, {f.subject: f.text for f in findings}


def test_beside_a_node_that_works_all_is_well(live, model_file, tmp_path):
    result = tmp_path / "doctor.json"
    command = [sys.executable, "-m", "xd_rcdepth_ros.cli.main", "doctor", "--device", "cpu"]
    command += ["--model", str(model_file), "--seconds", "3", "--json", str(result)]
    with sending(live.send_frame):
        ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=300)
    findings = [Finding(**finding) for finding in json.loads(result.read_text())["findings"]]
    assert all(finding.text in ran.stdout for finding in findings)
    levels, texts = by_subject(findings)
    assert ran.returncode == 0, texts
    assert texts["depth nodes"] == "/depth_node listening"
    for topic, kind in (
        ("/image", "Image"),
        ("/camera_info", "CameraInfo"),
        ("/radar/front", "PointCloud2"),
    ):
        assert levels[topic] == "ok"
        assert f"Hz of sensor_msgs/msg/{kind}" in texts[topic]
    assert texts["/radar/front"].endswith(f"frame {RADAR_FRAME}; QoS fits")
    assert levels[f"tf {CAMERA_FRAME} <- {RADAR_FRAME}"] == "ok"
    assert "z 1.50 m" in texts[f"tf {CAMERA_FRAME} <- {RADAR_FRAME}"]
    assert levels["depth_node: model"] == levels["depth_node: input image"] == "ok"
    assert levels["backend"] == "ok" and "random.safetensors" in texts["backend"]


def test_missing_topics_types_and_transforms_are_named(live):
    """Radar that nobody publishes, an image topic of another type, radar without mounting."""
    lost = live.node.create_publisher(PointCloud2, "radar/lost", 10)

    def send():
        live.send_frame()
        lost.publish(live.cloud(live.stamp_ns, frame="nowhere"))

    cloud = "sensor_msgs/msg/PointCloud2"
    named = {
        "/camera_info": "sensor_msgs/msg/CameraInfo",
        "/radar/front": "sensor_msgs/msg/Image",
        "/radar/rear": cloud,
        "/radar/lost": cloud,
    }
    with sending(send):
        levels, texts = by_subject(examine_graph(named, 1.5))
    live.node.destroy_publisher(lost)
    assert levels["/camera_info"] == "ok"
    assert texts["/radar/rear"].startswith("nobody publishes it")
    assert "published as sensor_msgs/msg/PointCloud2; expected" in texts["/radar/front"]
    assert levels[f"tf {CAMERA_FRAME} <- nowhere"] == "problem"
    assert "/tf_static" in texts[f"tf {CAMERA_FRAME} <- nowhere"]


def test_without_a_node_it_says_so_and_where(monkeypatch):
    other = str(int(os.environ["ROS_DOMAIN_ID"]) + 101)
    monkeypatch.setenv("ROS_DOMAIN_ID", other)
    (finding,) = examine_graph({}, 0.1)
    assert finding.level == "warning"
    assert f"none runs in domain {other}" in finding.text
    assert "radar: none" in finding.text


def test_qos_that_does_not_fit_is_explained():
    best_effort = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    assert _misfit(best_effort, sensor_qos(5)) == _misfit(latched, sensor_qos(5)) == ""
    assert "reliab" in _misfit(best_effort, QoSProfile(depth=1)).lower()
    assert "transient local" in _misfit(QoSProfile(depth=1), latched).lower()


def test_without_ros_it_says_so(monkeypatch):
    monkeypatch.setattr(doctor, "find_spec", lambda name: None)
    (finding,) = doctor.find_graph({}, 1.0)
    assert finding.subject == "ROS" and finding.level == "note"
    assert "not installed" in finding.text


def test_the_shells_profile_for_large_messages_is_looked_at(tmp_path):
    name = "FASTDDS_DEFAULT_PROFILES_FILE"
    assert doctor.find_middleware({}).level == "warning"
    assert f"export {name}=" in doctor.find_middleware({}).text
    profile = tmp_path / "profile.xml"
    assert doctor.find_middleware({name: str(profile)}).level == "problem"  # no such file
    profile.touch()
    assert doctor.find_middleware({name: str(profile)}).level == "ok"
    assert doctor.find_middleware({"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"}).level == "ok"


def test_what_is_not_installed_is_named_with_its_purpose():
    def version_of(name):
        if name in ("openvino", "numpy"):
            raise PackageNotFoundError(name)
        return "1.2"

    finding = find_packages(version_of)
    assert finding.level == "note"
    assert finding.text.endswith("not installed: openvino (for backend openvino)")
    assert find_packages(lambda name: "3").level == "ok"
