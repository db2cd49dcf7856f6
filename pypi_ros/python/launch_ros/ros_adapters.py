# SPDX-License-Identifier: Apache-2.0
"""The launch process's own node, made when something asks for it."""

from __future__ import annotations

import os
import threading
from typing import Any

import rclpy
from launch import LaunchContext
from launch.event_handlers import OnShutdown
from rclpy.executors import SingleThreadedExecutor

_KEY = "launch_ros_node"


class _RosNode:
    """A node and the thread that spins it."""

    def __init__(self) -> None:
        self.context = rclpy.Context()
        rclpy.init(args=[], context=self.context)
        self.node = rclpy.create_node(f"launch_ros_{os.getpid()}", context=self.context)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self._running = True
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def _spin(self) -> None:
        while self._running:
            self._executor.spin_once(timeout_sec=0.1)

    def shutdown(self) -> None:
        """End the thread and the node."""
        self._running = False
        self._thread.join()
        self._executor.shutdown()
        self.node.destroy_node()
        self.context.try_shutdown()


def get_ros_node(context: LaunchContext) -> Any:
    """Return the launch process's node, spun in a thread until the launch shuts down."""
    present = context.get_locals_as_dict().get(_KEY)
    if present is None:
        present = _RosNode()
        context.extend_globals({_KEY: present})

        def shut_down(event: Any, context: LaunchContext) -> None:
            present.shutdown()
            context._globals.pop(_KEY, None)

        context.register_event_handler(OnShutdown(on_shutdown=shut_down))
    return present.node
