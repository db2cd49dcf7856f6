# SPDX-License-Identifier: Apache-2.0
"""Part of the ROS package ``launch_ros`` for machines without ROS; see ``pypi_ros``'s README."""

import os
import sys

from launch.not_offered import names_the_upstream_package
from launch_ros import actions, event_handlers, events, substitutions

# Where no ROS is sourced, packages are installed in the Python environment itself.
os.environ.setdefault("AMENT_PREFIX_PATH", sys.prefix)

__all__ = ["actions", "event_handlers", "events", "substitutions"]

__getattr__ = names_the_upstream_package(__name__, "launch_ros")
