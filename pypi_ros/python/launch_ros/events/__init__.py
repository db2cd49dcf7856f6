# SPDX-License-Identifier: Apache-2.0
"""Events of nodes."""

from launch_ros.events import lifecycle

__all__ = ["lifecycle"]
