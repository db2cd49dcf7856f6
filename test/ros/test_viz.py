# SPDX-License-Identifier: Apache-2.0
"""What RViz, Foxglove and rerun are told to show is what the node publishes and drive bags hold."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

pytestmark = pytest.mark.ros
for package in ("rclpy", "cv_bridge", "sensor_msgs_py", "xd_rcdepth_ros.msg"):
    pytest.importorskip(package, reason=f"ROS is not built here: {package} cannot be imported")

from diagnostic_msgs.msg import DiagnosticArray  # noqa: E402
from rclpy.serialization import serialize_message  # noqa: E402
from sensor_msgs.msg import CompressedImage, Image, PointCloud2  # noqa: E402
from std_msgs.msg import Header  # noqa: E402
from xd_rcdepth_ros.msg import DepthStatus  # noqa: E402

from xd_rcdepth_ros.nodes.demo_recorder import OutputBag, status_definition  # noqa: E402
from xd_rcdepth_ros.recordings import schema  # noqa: E402
from xd_rcdepth_ros.ros.conversions import array_to_image  # noqa: E402
from xd_rcdepth_ros.ros.outputs import Outputs  # noqa: E402

PROJECT = Path(__file__).resolve().parents[2]
RERUN = PROJECT / "viz/rerun_blueprint.py"
LAYOUT = json.loads((PROJECT / "viz/foxglove.json").read_text())
PANELS = LAYOUT["configById"]
DISPLAYS = yaml.safe_load((PROJECT / "rviz/depth.rviz").read_text())["Visualization Manager"]


@pytest.fixture(scope="module")
def topics():
    """Return the type of each topic of a depth node by its launch name, and of a drive bag."""
    made = {}
    node = SimpleNamespace(
        create_lifecycle_publisher=lambda kind, topic, *_, **__: made.update({topic: kind})
    )
    Outputs(node, with_confidence=True)
    return {
        **{topic.replace("~", "/depth_node"): kind for topic, kind in made.items()},
        "/diagnostics": DiagnosticArray,
        schema.image_topic("front"): CompressedImage,
        schema.radar_topic("front"): PointCloud2,
        schema.lidar_topic("top"): PointCloud2,
    }


def panels(kind):
    """Return the settings of the layout's panels of a kind."""
    return [settings for name, settings in PANELS.items() if name.startswith(f"{kind}!")]


def test_rviz_shows_topics_of_their_types(topics):
    shown = {
        display["Topic"]["Value"]: display["Class"].partition("/")[2]
        for display in DISPLAYS["Displays"]
        if "Topic" in display
    }
    assert len(shown) == 6
    assert shown == {topic: topics[topic].__name__ for topic in shown}


def test_foxglove_shows_topics_of_their_types(topics):
    images = {panel["imageMode"]["imageTopic"] for panel in panels("Image")}
    # Lichtblick draws a 32FC1 image from 0 black to 1 white: the expected error, not metres.
    names = ("radar/image", "depth/preview", "depth/confidence", "saliency/image")
    assert images == {f"/depth_node/{name}" for name in names}
    assert {topics[topic] for topic in images} == {Image}
    (clouds,) = panels("3D")
    assert {topics[topic] for topic in clouds["topics"]} == {PointCloud2}
    (diagnostics,) = panels("DiagnosticSummary")
    assert topics[diagnostics["topicToRender"]] is DiagnosticArray
    (plot,) = panels("Plot")
    for path in plot["paths"]:
        topic, field = path["value"].split(".")
        assert topics[topic].get_fields_and_field_types()[field] == "float"


def test_foxglove_layout_has_the_structure_that_is_imported():
    """As Foxglove exports it: a binary tree of rows and columns, and each panel's settings."""

    def leaves(part):
        if isinstance(part, str):
            return [part]
        assert part["direction"] in ("row", "column")
        assert 0 < part.get("splitPercentage", 50) < 100
        assert set(part) <= {"direction", "splitPercentage", "first", "second"}
        return leaves(part["first"]) + leaves(part["second"])

    keys = {"configById", "globalVariables", "userNodes", "playbackConfig", "layout"}
    assert set(LAYOUT) == keys
    assert sorted(leaves(LAYOUT["layout"])) == sorted(PANELS)
    kinds = {name.partition("!")[0] for name in PANELS}
    assert kinds == {"Image", "3D", "Plot", "DiagnosticSummary"}
    assert all(panel["foxglovePanelTitle"] for panel in PANELS.values())


def test_rerun_shows_topics_that_exist(topics):
    text = RERUN.read_text()
    named = {f"/depth_node{rest}" for rest in re.findall(r'f"\{(?:given\.)?node\}([^"]+)"', text)}
    named |= set(re.findall(r'default="(/.*?)"', text)) - {"/depth_node"}
    assert len(named) == 9 and named <= set(topics)
    fields = re.search(r"^TIMES_MS = \{(.*)\}", text, re.MULTILINE)[1]
    assert set(re.findall(r'"(\w+)":', fields)) <= set(DepthStatus.get_fields_and_field_types())


@pytest.fixture
def run_rerun():
    """Run the script for rerun, which no other test needs to be installed."""
    pytest.importorskip("rerun", reason="rerun is not installed: pip install rerun-sdk")

    def run(*arguments):
        command = [sys.executable, RERUN, *arguments]
        return subprocess.run(command, capture_output=True, text=True)

    return run


def test_rerun_refuses_what_is_no_mcap_bag(run_rerun, tmp_path):
    done = run_rerun(tmp_path)
    assert done.returncode == 1
    assert f"{tmp_path} is no mcap bag" in done.stderr


def test_rerun_reads_an_output_bag_as_it_is(run_rerun, tmp_path):
    stamp_ns = 1_700_000_000_000_000_000
    header = Header(frame_id="camera_front")
    header.stamp.sec = stamp_ns // 10**9
    depth = array_to_image(np.full((4, 8), 20, np.float32), "32FC1", header)
    bag = OutputBag(tmp_path / "outputs", status_definition())
    for name, message in (
        ("depth/image", depth),
        ("status", DepthStatus(header=header, latency_ms=80.0)),
    ):
        kind = f"{type(message).__module__.split('.')[0]}/msg/{type(message).__name__}"
        bag.write(f"/depth_node/{name}", kind, stamp_ns, serialize_message(message))
    bag.close()
    done = run_rerun(tmp_path / "outputs", "--out", tmp_path / "view.rrd")
    assert done.returncode == 0, done.stderr
    command = [sys.executable, "-m", "rerun", "rrd", "print", "-v", tmp_path / "view.rrd"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "/depth_node/depth/image@DepthImage:buffer" in shown
    assert "/depth_node/status@xd_rcdepth_ros.msg.DepthStatus:message" in shown
    assert shown.count("ViewBlueprint:class_identifier") == 9
