# SPDX-License-Identifier: Apache-2.0
"""Part of the ROS package ``launch_ros`` for machines without ROS.

It offers, with the same names and meaning, the actions around single nodes. Composable nodes and
XML or YAML launch files are not offered.
"""

import os
import sys

# Where no ROS is sourced, packages are installed in the Python environment itself.
os.environ.setdefault("AMENT_PREFIX_PATH", sys.prefix)

from launch._absent import names_the_upstream_package

from . import (
    actions,
    event_handlers,
    events,
    parameter_descriptions,
    substitutions,
    utilities,
)

__all__ = [
    "actions",
    "event_handlers",
    "events",
    "parameter_descriptions",
    "substitutions",
    "utilities",
]

__getattr__ = names_the_upstream_package(__name__, "launch_ros")
