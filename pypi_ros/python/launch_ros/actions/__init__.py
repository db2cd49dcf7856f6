# SPDX-License-Identifier: Apache-2.0
"""Actions around nodes."""

from launch.not_offered import names_the_upstream_package
from launch_ros.actions.lifecycle_node import LifecycleNode
from launch_ros.actions.node import Node
from launch_ros.actions.push_ros_namespace import PushRosNamespace

__all__ = ["LifecycleNode", "Node", "PushRosNamespace"]

__getattr__ = names_the_upstream_package(__name__, "launch_ros")
