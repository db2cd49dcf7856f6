# SPDX-License-Identifier: Apache-2.0
"""Fills a transform buffer from /tf and /tf_static."""

from contextlib import suppress
from threading import Thread

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.exceptions import InvalidHandle
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from tf2_msgs.msg import TFMessage
from tf2_ros.buffer import Buffer


class TransformListener:
    """Subscribes to transforms and puts them into a buffer.

    Args:
        buffer: the buffer to fill.
        node: the node that subscribes.
        spin_thread: spin the node in a thread of its own; not for a node that is spun elsewhere.
    """

    def __init__(self, buffer: Buffer, node: Node, *, spin_thread: bool = False) -> None:
        self.buffer = buffer
        self.node = node
        qos = QoSProfile(depth=100)
        static_qos = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        # Reentrant: transforms keep coming in while another callback of the node waits for them.
        self.group = ReentrantCallbackGroup()
        self.tf_sub = node.create_subscription(
            TFMessage, "/tf", self.callback, qos, callback_group=self.group
        )
        self.tf_static_sub = node.create_subscription(
            TFMessage, "/tf_static", self.static_callback, static_qos, callback_group=self.group
        )
        self._thread: Thread | None = None
        if spin_thread:
            self.executor = SingleThreadedExecutor(context=node.context)
            self.executor.add_node(node)
            self._thread = Thread(target=_spin, args=(self.executor,), daemon=True)
            self._thread.start()

    def callback(self, data: TFMessage) -> None:
        """Take in the poses of moving frames."""
        for transform in data.transforms:
            self.buffer.set_transform(transform, "default_authority")

    def static_callback(self, data: TFMessage) -> None:
        """Take in the poses of static frames."""
        for transform in data.transforms:
            self.buffer.set_transform_static(transform, "default_authority")

    def unregister(self) -> None:
        """End the subscriptions, and the thread if there is one."""
        if self._thread is not None:
            self.executor.shutdown()
            self._thread.join(timeout=5.0)
            self._thread = None
        self.node.destroy_subscription(self.tf_sub)
        self.node.destroy_subscription(self.tf_static_sub)

    def __del__(self) -> None:
        # Construction may have failed half-way, or the node may be gone already.
        with suppress(AttributeError, InvalidHandle):
            self.unregister()


def _spin(executor: SingleThreadedExecutor) -> None:
    with suppress(ExternalShutdownException):  # nothing more will come then
        executor.spin()
