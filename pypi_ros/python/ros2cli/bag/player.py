# SPDX-License-Identifier: Apache-2.0
"""Publishing the messages of a bag at their times."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from ros2cli.errors import CommandError
from ros2cli.interfaces import find_interface
from ros2cli.qos import from_recorded

_NAP_S = 0.05
_LINGER_S = 0.3


@dataclass(frozen=True)
class Pace:
    """How bag time runs in real time."""

    rate: float = 1.0
    clock_hz: float = 0.0


class Player:
    """Publishers for the topics of a bag, and the clock that times them."""

    def __init__(self, node: Node, pace: Pace, stopped: Callable[[], bool]) -> None:
        """Make a player without topics.

        Args:
            node: The node that publishes.
            pace: Rate of the play and of ``/clock``.
            stopped: Whether the user wants it to end.
        """
        self._node = node
        self._pace = pace
        self._stopped = stopped
        self._publishers: dict[tuple[str, str], Any] = {}
        self._clock_publisher: Any = None
        if pace.clock_hz > 0:
            clock_type = find_interface("rosgraph_msgs/msg/Clock")
            qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
            self._clock_publisher = node.create_publisher(clock_type, "/clock", qos)
            self._clock_message = clock_type()
        self.published = 0

    def add_topics(self, connections: list[Any]) -> list[Any]:
        """Make the publishers.

        Args:
            connections: The bag's connections, as `rosbags` reads them.

        Returns:
            The connections that can be played; others are warned about.
        """
        recorded: dict[tuple[str, str], list[Any]] = {}
        for connection in connections:
            key = (connection.topic, connection.msgtype)
            recorded.setdefault(key, []).extend(connection.ext.offered_qos_profiles)
        for (topic, type_name), offers in recorded.items():
            try:
                message_type = find_interface(type_name)
                qos = from_recorded(topic, offers)
                publisher = self._node.create_publisher(message_type, topic, qos)
            except CommandError as error:
                self._node.get_logger().warning(f"Ignoring topic '{topic}': {error}")
                continue
            self._publishers[(topic, type_name)] = publisher
        return [c for c in connections if (c.topic, c.msgtype) in self._publishers]

    def play(self, messages: Iterable[tuple[Any, int, bytes]], start_ns: int) -> None:
        """Publish messages at their times until they end or the user stops it.

        Args:
            messages: Connection, stamp in ns and CDR bytes, in the order of the stamps.
            start_ns: Bag time of this moment.
        """
        self._start_ns = start_ns
        self._start_s = self._next_tick_s = time.monotonic()
        for connection, stamp_ns, data in messages:
            due_s = self._start_s + (stamp_ns - start_ns) * 1e-9 / self._pace.rate
            self._wait_until(due_s)
            if self._stopped():
                return
            self._publishers[(connection.topic, connection.msgtype)].publish(data)
            self.published += 1

    def _wait_until(self, due_s: float) -> None:
        while not self._stopped():
            now_s = time.monotonic()
            if self._clock_publisher is not None and now_s >= self._next_tick_s:
                self._tick(now_s)
            left_s = due_s - now_s
            if left_s <= 0:
                return
            if self._clock_publisher is not None:
                left_s = min(left_s, max(self._next_tick_s - now_s, 0.0))
            time.sleep(min(left_s, _NAP_S))

    def _tick(self, now_s: float) -> None:
        now_ns = self._start_ns + round((now_s - self._start_s) * self._pace.rate * 1e9)
        stamp = self._clock_message.clock
        stamp.sec, stamp.nanosec = divmod(now_ns, 10**9)
        self._clock_publisher.publish(self._clock_message)
        period_s = 1.0 / self._pace.clock_hz
        self._next_tick_s = max(self._next_tick_s + period_s, now_s)

    def finish(self, acknowledged_s: float) -> None:
        """Let the last messages reach their readers.

        Args:
            acknowledged_s: Longest wait for the acknowledgements of reliable readers, seconds.
        """
        end_s = time.monotonic() + acknowledged_s
        for publisher in self._publishers.values():
            left_s = max(end_s - time.monotonic(), 0.0)
            if not publisher.wait_for_all_acked(Duration(seconds=left_s)):
                break
        time.sleep(_LINGER_S)
