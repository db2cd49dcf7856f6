# SPDX-License-Identifier: Apache-2.0
"""Train teacher or student from bags; ``--show-args`` lists every argument."""

from launch import LaunchDescription
from launch.actions import OpaqueFunction
from launch_ros.actions import Node

from xd_rcdepth_ros.ros.launch_arguments import LaunchArguments
from xd_rcdepth_ros.ros.training.parameters import TrainingParameters

# Name, default, description. Beside these, each parameter of the node is an argument.
ARGUMENTS = LaunchArguments(
    (
        ("params_file", "", "YAML file with parameters of the node; the arguments win."),
        ("namespace", "", "Namespace of the node."),
        ("log_level", "info", "debug, info, warn, error or fatal."),
        (
            "stop_timeout",
            "300",
            "Longest time, after Ctrl-C, that the node may take to save its state, seconds.",
        ),
    ),
    TrainingParameters.specs(),
)


def distillation_node(context):
    """Return the node, with the parameters that the arguments name."""
    given, parameters = ARGUMENTS.texts(context), ARGUMENTS.parameters(context)
    return [
        *ARGUMENTS.warnings(context),
        Node(
            package="xd_rcdepth_ros",
            executable="distillation_node",
            name="distillation_node",
            namespace=given["namespace"],
            parameters=[item for item in (given["params_file"], parameters) if item],
            arguments=["--ros-args", "--log-level", given["log_level"]],
            # A step or a validation is finished before the state is saved.
            sigterm_timeout=given["stop_timeout"],
            sigkill_timeout=given["stop_timeout"],
            output="screen",
        ),
    ]


def generate_launch_description():
    """Declare the arguments and start what they ask for."""
    return LaunchDescription([*ARGUMENTS.declare(), OpaqueFunction(function=distillation_node)])
