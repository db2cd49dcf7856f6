# SPDX-License-Identifier: Apache-2.0
"""Train teacher or student from bags; ``--show-args`` lists what can be said."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

# Name, default, description. An empty default leaves the value to the node or to params_file.
ARGUMENTS = (
    ("recordings", "", "Bags, or folders of bags with splits train and val, separated by commas."),
    (
        "validation",
        "",
        "Bags that choose the best model, separated by commas; empty for those of split val.",
    ),
    ("stage", "", "What is trained: teacher or student (the default)."),
    ("teacher", "", "Model file of the teacher (.safetensors), for the student to learn from."),
    ("output", "", "Folder of the run: resumable state, best model, curves."),
    ("config", "", "Training configuration (YAML); empty for the one shipped for the stage."),
    (
        "settings",
        "",
        "KEY=VALUE pairs that replace single values of the configuration, separated by semicolons.",
    ),
    ("resume", "", "Go on from the state in output (true, the default), or begin anew (false)."),
    ("params_file", "", "YAML file with parameters of the node; the arguments above win."),
    ("namespace", "", "Namespace of the node."),
    ("autostart", "true", "Configure and activate without being asked."),
    ("log_level", "info", "debug, info, warn, error or fatal."),
    (
        "stop_timeout",
        "300",
        "Longest time, after Ctrl-C, that the node may take to save its state, seconds.",
    ),
)

LISTS = {"recordings": ",", "validation": ",", "settings": ";"}
TEXTS = ("stage", "teacher", "output", "config")
SWITCHES = ("resume", "autostart")


def distillation_node(context):
    """Return the node, with the parameters that the arguments name."""
    given = {name: LaunchConfiguration(name).perform(context) for name, _, _ in ARGUMENTS}
    parameters = {name: given[name] for name in TEXTS if given[name]}
    for name, separator in LISTS.items():
        items = [item.strip() for item in given[name].split(separator) if item.strip()]
        parameters |= {name: items} if items else {}
    for name in SWITCHES:
        parameters |= {name: given[name].lower() in ("true", "1")} if given[name] else {}
    return [
        Node(
            package="xd_rcdepth_ros",
            executable="distillation_node",
            name="distillation_node",
            namespace=given["namespace"],
            parameters=[*filter(None, [given["params_file"]]), parameters],
            arguments=["--ros-args", "--log-level", given["log_level"]],
            # A step or a validation is finished before the state is saved.
            sigterm_timeout=given["stop_timeout"],
            sigkill_timeout=given["stop_timeout"],
            output="screen",
        )
    ]


def generate_launch_description():
    """Declare the arguments and start what they ask for."""
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, default, description in ARGUMENTS
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=distillation_node)])
