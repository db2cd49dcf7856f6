# SPDX-License-Identifier: Apache-2.0
"""A process of somebody else's, to be killed or stopped from outside.

``talk`` publishes radar at 10 Hz with the stamps of /clock; ``listen`` wants every depth image and
preview, reliably.
"""

from __future__ import annotations

import sys
from functools import partial

import numpy as np
import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image, PointCloud2, PointField

RELIABLE = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)


def talk(node: rclpy.node.Node) -> None:
    """Publish one return 20 m ahead whenever the clock ticks."""
    publisher = node.create_publisher(PointCloud2, "radar/front", 5)
    names = ("x", "y", "z", "rcs", "vx", "vy")
    cloud = PointCloud2(height=1, width=1, point_step=24, row_step=24, is_dense=True)
    cloud.header.frame_id = "radar_front"
    cloud.fields = [
        PointField(name=name, offset=4 * i, datatype=PointField.FLOAT32, count=1)
        for i, name in enumerate(names)
    ]
    cloud.data.frombytes(np.array([20, 0, 0.5, 5, 0, 0], np.float32).tobytes())

    def tick(clock: Clock) -> None:
        cloud.header.stamp = clock.clock
        publisher.publish(cloud)

    node.create_subscription(Clock, "/clock", tick, 10)


def listen(node: rclpy.node.Node) -> None:
    """Take depth and preview; say when the first one came."""

    def heard(topic: str, message: Image) -> None:
        if topic not in seen:
            seen.add(topic)
            sys.stdout.write(f"heard {topic}\n")
            sys.stdout.flush()

    seen: set[str] = set()
    for topic in ("/depth_node/depth/image", "/depth_node/depth/preview"):
        node.create_subscription(Image, topic, partial(heard, topic), RELIABLE)


if __name__ == "__main__":
    rclpy.init()
    bystander = rclpy.create_node(f"bystander_{sys.argv[1]}")
    {"talk": talk, "listen": listen}[sys.argv[1]](bystander)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    rclpy.spin(bystander)
