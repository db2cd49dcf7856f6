# SPDX-License-Identifier: Apache-2.0
"""Actions."""

from launch.actions.events import EmitEvent, RegisterEventHandler, Shutdown
from launch.actions.execute_process import ExecuteProcess
from launch.actions.group_action import GroupAction
from launch.actions.include_launch_description import IncludeLaunchDescription
from launch.actions.log_info import LogInfo
from launch.actions.opaque_function import OpaqueFunction
from launch.actions.settings import SetEnvironmentVariable, SetLaunchConfiguration
from launch.declare_launch_argument import DeclareLaunchArgument
from launch.not_offered import names_the_upstream_package

__all__ = [
    "DeclareLaunchArgument",
    "EmitEvent",
    "ExecuteProcess",
    "GroupAction",
    "IncludeLaunchDescription",
    "LogInfo",
    "OpaqueFunction",
    "RegisterEventHandler",
    "SetEnvironmentVariable",
    "SetLaunchConfiguration",
    "Shutdown",
]

__getattr__ = names_the_upstream_package(__name__, "launch")
