# SPDX-License-Identifier: Apache-2.0
"""Events of nodes."""

from launch._absent import names_the_upstream_package

from . import lifecycle
from .matchers import matches_node_name

__all__ = ["lifecycle", "matches_node_name"]

__getattr__ = names_the_upstream_package(__name__, "launch_ros")
