# SPDX-License-Identifier: Apache-2.0
"""The source of most chains of filters: a subscription."""

from typing import Any

from message_filters.simple_filter import SimpleFilter
from rclpy.node import Node
from rclpy.qos import QoSProfile


class Subscriber(SimpleFilter):
    """Passes on the messages of a topic.

    Args:
        node: the node that subscribes.
        msg_type: the type of the messages.
        topic: the name of the topic.
        qos_profile: profile or depth.
        kwargs: handed to `Node.create_subscription`, such as callback_group.
    """

    def __init__(
        self,
        node: Node,
        msg_type: type,
        topic: str,
        qos_profile: QoSProfile | int = 10,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        self.node = node
        self.topic = topic
        self.sub = node.create_subscription(msg_type, topic, self.callback, qos_profile, **kwargs)

    def callback(self, msg: Any) -> None:
        """Take in a message of the topic."""
        self.signalMessage(msg)
