# SPDX-License-Identifier: Apache-2.0
"""Actions around nodes."""

from launch._absent import names_the_upstream_package

from .lifecycle_node import LifecycleNode
from .node import Node
from .scoped_settings import (
    PushROSNamespace,
    PushRosNamespace,
    SetParameter,
    SetParametersFromFile,
    SetRemap,
    SetUseSimTime,
)

__all__ = [
    "LifecycleNode",
    "Node",
    "PushROSNamespace",
    "PushRosNamespace",
    "SetParameter",
    "SetParametersFromFile",
    "SetRemap",
    "SetUseSimTime",
]

__getattr__ = names_the_upstream_package(__name__, "launch_ros")
