# SPDX-License-Identifier: Apache-2.0
"""The node's benchmark over real DDS: figures are there, and every image is accounted for."""

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from xd_rcdepth_ros.benchmark.node import NodeBenchmarkError, measure_node
from xd_rcdepth_ros.inference import shipped_model

SMALL = (64, 96)
pytestmark = pytest.mark.ros


def test_images_go_to_the_node_and_depth_comes_back():
    node = measure_node(
        [3.0, 4.0], 2.0, SMALL, shipped_model(), {"backend": "torch", "threads": 1}, 2, 120.0
    )
    assert [step["rate_hz"] for step in node["steps"]] == [3.0, 4.0]
    for step in node["steps"]:
        assert 0 < step["answered"] <= step["sent"] and step["sent"] >= 5
        assert 0 < step["latency_p50_ms"] <= step["latency_p95_ms"]
        assert step["network_p50_ms"] > 0 and step["cpu_ms_a_frame"] > 0
    assert node["rss_mb"] > 100
    report = node["ros2_benchmark"]
    assert report["MIN_LATENCY"] <= report["MEAN_LATENCY"] <= report["MAX_LATENCY"]


def test_a_node_that_does_not_start_is_said_with_its_own_words(tmp_path):
    with pytest.raises(NodeBenchmarkError, match=r"(?s)no figures.*configure failed.*no\.file"):
        measure_node([3.0], 1.0, SMALL, tmp_path / "no.file", limit_s=120.0)
