# SPDX-License-Identifier: Apache-2.0
"""A short-lived node of the command line, and what it finds out about the others."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from ros2cli.errors import CommandError

# Fast DDS repeats its announcements every three seconds: a node whose first ones were lost is
# found only then.
DISCOVERY_S = 3.2
_FIND_NODE_S = 5.0  # least time for finding a node that is named
_STEP_S = 0.05


class Stop:
    """Becomes true on SIGINT or SIGTERM."""

    def __init__(self) -> None:
        """Install the signal handlers."""
        self._stopped = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._handle)

    def _handle(self, number: int, frame: Any) -> None:
        self._stopped = True

    def __bool__(self) -> bool:
        """Return whether a signal came."""
        return self._stopped

    def sleep(self, seconds: float) -> None:
        """Sleep, at most until a signal comes."""
        end = time.monotonic() + seconds
        while not self._stopped and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _STEP_S))


class CliNode:
    """A node, its executor, and the wish of the user to stop."""

    def __init__(self, node: Node, executor: SingleThreadedExecutor, stop: Stop) -> None:
        """Hold the three together."""
        self.node = node
        self.executor = executor
        self.stop = stop

    def spin(self, until: Callable[[], bool] = lambda: False, timeout_s: float = 1e9) -> bool:
        """Spin until something holds.

        Args:
            until: Asked after each step.
            timeout_s: Longest time in seconds.

        Returns:
            Whether it holds; False after the time or on a signal.
        """
        end = time.monotonic() + timeout_s
        while not self.stop:
            if until():
                return True
            left = end - time.monotonic()
            if left <= 0:
                return False
            self.executor.spin_once(timeout_sec=min(left, _STEP_S))
        return False

    def discover(self, seconds: float = DISCOVERY_S) -> None:
        """Give the middleware time to find the other nodes."""
        self.spin(timeout_s=seconds)

    def node_names(self) -> list[str]:
        """Return the full names of the nodes found so far, without this command's own."""
        own = self.node.get_name()
        return sorted(
            f"{namespace.rstrip('/')}/{name}"
            for name, namespace in self.node.get_node_names_and_namespaces()
            if name != own
        )

    def require_node(self, name: str, timeout_s: float) -> None:
        """Wait for a node, given by its full name; CommandError if it does not appear."""
        if not self.spin(lambda: name in self.node_names(), max(timeout_s, _FIND_NODE_S)):
            raise CommandError(f"Node not found: {name}")

    def call(self, service_type: Any, name: str, request: Any, timeout_s: float = 10.0) -> Any:
        """Call a service and return its response.

        Raises:
            CommandError: The service is not there, or does not answer.
        """
        client: Any = self.node.create_client(service_type, name)
        if not self.spin(client.service_is_ready, timeout_s):
            raise CommandError(f"service {name} is not available")
        future = client.call_async(request)
        if not self.spin(future.done, timeout_s):
            raise CommandError(f"service {name} does not answer")
        return future.result()

    def topics(self) -> dict[str, list[str]]:
        """Return the types of each topic by name."""
        return dict(self.node.get_topic_names_and_types())

    def topic_type(self, topic: str, timeout_s: float) -> str:
        """Return the type of a topic, waiting for it for some time.

        Raises:
            CommandError: It does not appear, or has several types.
        """
        found: list[str] = []

        def known() -> bool:
            found[:] = self.topics().get(topic, [])
            return bool(found)

        self.spin(known, timeout_s)
        if not found:
            raise CommandError(
                f"Could not determine the type of topic {topic}: nobody publishes or "
                "subscribes to it (give the type to wait for it)"
            )
        if len(found) > 1:
            raise CommandError(f"topic {topic} has several types: {', '.join(found)}; give one")
        return found[0]


@contextlib.contextmanager
def cli_node(name: str | None = None, ros_args: Sequence[str] = ()) -> Iterator[CliNode]:
    """Make a node that is gone when the block ends.

    Args:
        name: Name of the node; by default a hidden one.
        ros_args: Arguments for it, from ``--ros-args`` on.

    Yields:
        The node with its executor.
    """
    stop = Stop()
    context = rclpy.Context()
    rclpy.init(args=[], context=context, signal_handler_options=SignalHandlerOptions.NO)
    node = Node(
        name or f"_ros2cli_{os.getpid()}",
        context=context,
        cli_args=list(ros_args) or None,
        enable_rosout=name is not None,
        start_parameter_services=False,
    )
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    try:
        yield CliNode(node, executor, stop)
    finally:
        executor.shutdown()
        node.destroy_node()
        context.try_shutdown()


def add_discovery_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--spin-time``."""
    parser.add_argument(
        "--spin-time", type=float, default=DISCOVERY_S, metavar="SECONDS",
        help="time for finding the other nodes (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--no-daemon", action="store_true", help=argparse.SUPPRESS)


def is_hidden(name: str) -> bool:
    """Return whether a part of a name begins with an underscore."""
    return any(part.startswith("_") for part in name.split("/"))


def absolute(name: str) -> str:
    """Return a topic, node or service name with a slash in front."""
    return name if name.startswith("/") else f"/{name}"
