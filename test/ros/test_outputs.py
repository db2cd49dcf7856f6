# SPDX-License-Identifier: Apache-2.0
"""Pictures are drawn for who looks, as often and as far as the parameters say; no DDS."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

pytestmark = pytest.mark.ros
for package in ("rclpy", "cv_bridge", "sensor_msgs_py", "xd_rcdepth_ros.msg"):
    pytest.importorskip(package, reason=f"ROS is not built here: {package} cannot be imported")

from std_msgs.msg import Header  # noqa: E402

from xd_rcdepth_ros.geometry import (  # noqa: E402
    DepthResult,
    PinholeCamera,
    SensorFrame,
    rasterize_radar,
)
from xd_rcdepth_ros.inference import colorize_depth  # noqa: E402
from xd_rcdepth_ros.ros.outputs import Outputs  # noqa: E402
from xd_rcdepth_ros.ros.parameters.configuration import NodeConfig  # noqa: E402

CAMERA = PinholeCamera.from_focal(8, 4, 10.0, 10.0, 3.5, 1.5)
RGB = np.zeros((4, 8, 3), np.uint8)
FRAME = SensorFrame(RGB, CAMERA)
DEPTH = np.linspace(2, 60, 32, dtype=np.float32).reshape(4, 8)


class FakePublisher:
    def __init__(self, topic):
        self.topic, self.listeners, self.sent = topic, 0, []

    def get_subscription_count(self):
        return self.listeners

    def publish(self, message):
        self.sent.append(message)


@pytest.fixture
def outputs(monkeypatch):
    """Outputs of a node whose publishers remember; ``outputs.now_s`` is their clock."""
    now_s = [0.0]
    monkeypatch.setattr("xd_rcdepth_ros.ros.outputs.time.monotonic", lambda: now_s[0])
    made = {}

    def create(kind, topic, qos, **options):
        made[topic] = FakePublisher(topic)
        return made[topic]

    node = SimpleNamespace(
        create_lifecycle_publisher=create, destroy_lifecycle_publisher=lambda p: made.pop(p.topic)
    )
    outputs = Outputs(node)
    outputs.made, outputs.now_s = made, now_s
    outputs._preview_limit._clock = lambda: now_s[0]
    return outputs


def config(**parameters):
    return NodeConfig.from_values({"radars": ("",)} | parameters)


def result():
    return DepthResult(DEPTH, CAMERA, 1, rasterize_radar((), CAMERA))


@pytest.mark.parametrize(("rate_hz", "expected"), [(10.0, 10), (2.0, 2)])
def test_pictures_come_at_their_own_rate(outputs, rate_hz, expected):
    outputs.made["~/depth/preview"].listeners = 1
    for _ in range(30):  # one second of frames at 30 Hz
        outputs.publish_pictures(result(), FRAME, Header(), config(**{"preview.rate": rate_hz}))
        outputs.now_s[0] += 1 / 30
    assert len(outputs.made["~/depth/preview"].sent) == pytest.approx(expected, abs=1)


@pytest.mark.parametrize("max_depth_m", [20.0, 80.0])
def test_colours_reach_as_far_as_stated(outputs, max_depth_m):
    outputs.made["~/depth/preview"].listeners = 1
    parameters = config(**{"preview.max_depth": max_depth_m})
    outputs.publish_pictures(result(), FRAME, Header(), parameters)
    (message,) = outputs.made["~/depth/preview"].sent
    shown = np.frombuffer(message.data, np.uint8).reshape(4, 8, 3)[..., ::-1]
    np.testing.assert_array_equal(shown, colorize_depth(DEPTH, max_depth_m))
    other = colorize_depth(DEPTH, 100.0 - max_depth_m)
    assert (shown != other).any()


def test_nothing_is_drawn_for_nobody(outputs):
    outputs.publish_pictures(result(), FRAME, Header(), config())
    outputs.publish_saliency(np.ones((4, 8), np.float32), RGB, Header())
    assert not any(publisher.sent for publisher in outputs.made.values())
    assert not outputs.wanted(*outputs.made)
    outputs.made["~/saliency/heatmap"].listeners = 1
    outputs.publish_saliency(np.ones((4, 8), np.float32), RGB, Header())
    assert [p.topic for p in outputs.made.values() if p.sent] == ["~/saliency/heatmap"]


def test_depth_is_published_with_its_camera_and_all_is_removed_at_the_end(outputs):
    outputs.publish_depth(result(), Header(frame_id="camera"), config())
    assert outputs.made["~/depth/image"].sent[0].encoding == "32FC1"
    assert outputs.made["~/depth/camera_info"].sent[0].header.frame_id == "camera"
    outputs.close()
    assert outputs.made == {}


def test_confidence_is_offered_only_by_models_that_estimate_their_error(outputs, monkeypatch):
    assert "~/depth/confidence" not in outputs.made
    error = np.full((4, 8), 0.25, np.float32)
    outputs.publish_depth(replace(result(), error=error), Header(), config())  # nobody asks
    outputs.__init__(outputs._node, with_confidence=True)
    confidence = outputs.made["~/depth/confidence"]
    outputs.publish_depth(replace(result(), error=error), Header(), config())
    assert confidence.sent == []
    confidence.listeners = 1
    outputs.publish_depth(replace(result(), error=error), Header(frame_id="c"), config())
    (message,) = confidence.sent
    assert (message.encoding, message.header.frame_id) == ("32FC1", "c")
    np.testing.assert_array_equal(np.frombuffer(message.data, np.float32), np.full(32, 0.25))
