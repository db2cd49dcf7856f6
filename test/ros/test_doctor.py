# SPDX-License-Identifier: Apache-2.0
"""The command doctor, in a process of its own, beside a running node over real DDS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError

import pytest

pytest.importorskip("rclpy", reason="rclpy cannot be imported")

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from ros_rig import CAMERA_FRAME, RADAR_FRAME

from xd_rcdepth_ros.cli import doctor
from xd_rcdepth_ros.inference.installation import find_packages
from xd_rcdepth_ros.ros.doctor import _misfit
from xd_rcdepth_ros.ros.inputs import sensor_qos

pytestmark = pytest.mark.ros


@pytest.fixture
def run_doctor(model_file, tmp_path):
    """Runs the command while ``meanwhile`` is called again and again: (status, levels, texts)."""

    def run(*arguments, meanwhile=lambda: None, **environment):
        result = tmp_path / "doctor.json"
        options = ["--model", str(model_file), "--device", "cpu", "--json", str(result)]
        process = subprocess.Popen(
            [sys.executable, "-m", "xd_rcdepth_ros.cli.main", "doctor", *options, *arguments],
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            while process.poll() is None:
                meanwhile()
                try:
                    process.wait(0.1)
                except subprocess.TimeoutExpired:
                    continue
        finally:
            process.kill()
            output = process.communicate()[0]
        findings = json.loads(result.read_text())["findings"]
        assert all(finding["text"] in output for finding in findings)
        levels = {finding["subject"]: finding["level"] for finding in findings}
        return process.returncode, levels, {f["subject"]: f["text"] for f in findings}

    return run


def test_beside_a_node_that_works_all_is_well(live, run_doctor):
    status, levels, texts = run_doctor("--seconds", "6", meanwhile=live.send_frame)
    assert status == 0, texts
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


def test_missing_topics_types_and_transforms_are_named(live, run_doctor):
    """Radar that nobody publishes, an image topic of another type, radar without mounting."""
    live.publishers["lost"] = live.node.create_publisher(
        type(live.cloud(0)), "radar/lost", 10
    )  # its frame is in no transform

    def send():
        live.send_frame()
        live.send("lost", live.cloud(live.stamp_ns, frame="nowhere"))

    status, levels, texts = run_doctor(
        *("--camera-info", "/camera_info", "--image", "/radar/front", "--radar", "/radar/rear"),
        *("--radar", "radar/lost", "--seconds", "6"),
        meanwhile=send,
    )
    assert status == 1
    assert levels["/camera_info"] == "ok"
    assert texts["/radar/rear"].startswith("nobody publishes it")
    assert "published as sensor_msgs/msg/PointCloud2; expected" in texts["/radar/front"]
    assert levels[f"tf {CAMERA_FRAME} <- nowhere"] == "problem"
    assert "/tf_static" in texts[f"tf {CAMERA_FRAME} <- nowhere"]


def test_without_a_node_it_says_so_and_where(run_doctor):
    other = str(int(os.environ["ROS_DOMAIN_ID"]) + 101)
    status, levels, texts = run_doctor("--seconds", "0.5", ROS_DOMAIN_ID=other)
    assert status == 0 and levels["depth nodes"] == "warning"
    assert f"none runs in domain {other}" in texts["depth nodes"]
    assert "radar: none" in texts["depth nodes"]


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
