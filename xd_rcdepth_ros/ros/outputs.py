# SPDX-License-Identifier: Apache-2.0
"""What the node publishes; pictures are drawn only while someone looks."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header

from xd_rcdepth_ros.geometry import DepthResult, SensorFrame
from xd_rcdepth_ros.inference import colorize_depth, draw_radar, overlay_heatmap
from xd_rcdepth_ros.msg import DepthStatus
from xd_rcdepth_ros.ros.conversions import (
    array_to_image,
    attribution_cloud,
    depth_to_cloud,
    encode_depth,
    info_from_camera,
)
from xd_rcdepth_ros.ros.parameters.configuration import NodeConfig

RELIABLE = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=5, reliability=ReliabilityPolicy.RELIABLE
)

_TOPICS: dict[str, type] = {
    "~/depth/image": Image,
    "~/depth/camera_info": CameraInfo,
    "~/depth/confidence": Image,
    "~/depth/preview": Image,
    "~/depth/points": PointCloud2,
    "~/radar/image": Image,
    "~/radar/attribution": PointCloud2,
    "~/saliency/image": Image,
    "~/saliency/heatmap": Image,
    "~/status": DepthStatus,
}


# They are drawn over the image, so it must not be decoded at a part of its size.
NEEDS_WHOLE_IMAGE = ("~/radar/image", "~/saliency/image", "~/saliency/heatmap")


class RateLimit:
    """Lets at most so many pass a second."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._next_s = clock, -float("inf")

    def allows(self, rate_hz: float) -> bool:
        """Return True if one more may pass now, and book it."""
        now_s = self._clock()
        if now_s < self._next_s:
            return False
        # Keep the beat where frames come a little late; do not save up where they come rarely.
        self._next_s = max(self._next_s, now_s - 0.5 / rate_hz) + 1.0 / rate_hz
        return True

    def rest(self, duration_s: float) -> None:
        """Let nothing pass for so many seconds from now."""
        self._next_s = max(self._next_s, self._clock() + duration_s)


class Outputs:
    """Publishers of the depth node, reliable; each can be overridden by ``qos_overrides``.

    Args:
        node: The node.
        with_confidence: Whether the model estimates its error.
    """

    def __init__(self, node: LifecycleNode, with_confidence: bool = False) -> None:
        self._node = node
        self._publishers: dict[str, Any] = {
            topic: node.create_lifecycle_publisher(
                kind,
                topic,
                RELIABLE,
                qos_overriding_options=QoSOverridingOptions.with_default_policies(),
            )
            for topic, kind in _TOPICS.items()
            if with_confidence or topic != "~/depth/confidence"
        }
        self._preview_limit = RateLimit()

    def close(self) -> None:
        """Remove all publishers."""
        for publisher in self._publishers.values():
            self._node.destroy_lifecycle_publisher(publisher)
        self._publishers.clear()

    def wanted(self, *topics: str) -> bool:
        """Return True if anyone subscribes to one of the topics."""
        return any(self._publishers[topic].get_subscription_count() > 0 for topic in topics)

    def publish_depth(self, result: DepthResult, header: Header, config: NodeConfig) -> None:
        """Publish depth image, camera_info and confidence with the source image's header."""
        depth = encode_depth(result.depth_m, config.depth_encoding)
        self._publishers["~/depth/camera_info"].publish(info_from_camera(result.camera, header))
        self._publishers["~/depth/image"].publish(
            array_to_image(depth, config.depth_encoding, header)
        )
        offered = "~/depth/confidence" in self._publishers
        if result.error is not None and offered and self.wanted("~/depth/confidence"):
            confidence = array_to_image(result.error, "32FC1", header)
            self._publishers["~/depth/confidence"].publish(confidence)

    def publish_pictures(
        self, result: DepthResult, frame: SensorFrame, header: Header, config: NodeConfig
    ) -> None:
        """Draw and publish preview, radar picture and cloud, where wanted and due."""
        topics = ("~/depth/preview", "~/radar/image", "~/depth/points")
        if not self.wanted(*topics) or not self._preview_limit.allows(config.preview_rate):
            return
        if self.wanted("~/depth/preview"):
            picture = colorize_depth(result.depth_m, config.preview_max_depth)
            self._publish_rgb("~/depth/preview", picture, header)
        if self.wanted("~/radar/image"):
            picture = draw_radar(frame.image, frame.radar_raster(), config.preview_max_depth)
            self._publish_rgb("~/radar/image", picture, header)
        if self.wanted("~/depth/points"):
            cloud = depth_to_cloud(
                result,
                frame.image,
                header,
                config.points_stride,
                config.points_max_range,
                (config.points_min_height, config.points_max_height),
            )
            self._publishers["~/depth/points"].publish(cloud)

    def publish_saliency(
        self, heat: NDArray[np.float32], rgb: NDArray[np.uint8], header: Header
    ) -> None:
        """Publish a saliency map (H, W) in [0, 1], raw and over the image."""
        if self.wanted("~/saliency/heatmap"):
            message = array_to_image(heat.astype(np.float32), "32FC1", header)
            self._publishers["~/saliency/heatmap"].publish(message)
        if self.wanted("~/saliency/image"):
            self._publish_rgb("~/saliency/image", overlay_heatmap(rgb, heat), header)

    def publish_attribution(
        self, frame: SensorFrame, shares: tuple[NDArray[np.float32], ...], header: Header
    ) -> None:
        """Publish the radar returns of a frame, each with its share in the depth."""
        cloud = attribution_cloud(frame.radar, shares, header)
        self._publishers["~/radar/attribution"].publish(cloud)

    def publish_status(self, status: Any) -> None:
        """Publish a DepthStatus."""
        self._publishers["~/status"].publish(status)

    def _publish_rgb(self, topic: str, rgb: NDArray[np.uint8], header: Header) -> None:
        self._publishers[topic].publish(array_to_image(rgb[..., ::-1], "bgr8", header))
