# SPDX-License-Identifier: Apache-2.0
"""Start depth_node; ``ros2 launch xd_rcdepth_ros depth.launch.py --show-args`` lists the wiring."""

from pathlib import Path

from launch import LaunchDescription
from launch.actions import OpaqueFunction
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.ros.launch_arguments import (
    LaunchArguments,
    name_fast_dds_profile,
    profile_parameters,
    values_in_file,
)
from xd_rcdepth_ros.ros.parameters.table import NodeParameters

SHARE = Path(__file__).resolve().parents[1]

# Name, default, description. Beside these, each parameter of the node is an argument.
ARGUMENTS = LaunchArguments(
    (
        ("namespace", "", "Namespace of the node; one for each camera."),
        ("params_file", str(SHARE / "config" / "default.yaml"), "YAML file with the parameters."),
        ("image", "image", "Base topic of the images, or that of compressed ones: .../compressed."),
        ("camera_info", "camera_info", "Topic of the camera's intrinsics."),
        (
            "radar_topics",
            "",
            "Topics of the radars, separated by commas, in the order in which the argument radars "
            "or params_file names them; radar/<name> if empty.",
        ),
        (
            "radar_profile",
            "",
            "Driver of the radars: the name of a file in config/sensors, such as ars548, or one "
            "name for each radar, separated by commas.",
        ),
        ("log_level", "info", "debug, info, warn, error or fatal."),
        ("rviz", "false", "Show depth, radar and saliency in RViz."),
        ("rviz_config", str(SHARE / "rviz" / "depth.rviz"), "What RViz shows."),
    ),
    NodeParameters.specs(),
)


def one_each(argument, text, radars):
    """Return the parts of an argument by radar; none if it is empty."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if parts and len(parts) != len(radars):
        raise ConfigurationError(
            f"{argument} names {len(parts)} for the radars {radars}; expected one a radar. "
            "Name the radars by radars:=... or in params_file."
        )
    return dict(zip(radars, parts, strict=bool(parts)))


def depth_node(context):
    """Return the node, with the parameters and topics that the arguments name."""
    given, parameters = ARGUMENTS.texts(context), ARGUMENTS.parameters(context)
    node = "/".join(["", *filter(None, given["namespace"].split("/")), "depth_node"])
    in_file = values_in_file(given["params_file"], node)
    image, transport = ARGUMENTS.split_transport(given["image"], parameters)
    remappings = [("image", image), ("camera_info", given["camera_info"])]
    radars = parameters.get("radars", in_file.get("radars", list(NodeParameters.radars)))
    topics = one_each("radar_topics", given["radar_topics"], radars)
    remappings += [(f"radar/{radar}", topic) for radar, topic in topics.items()]
    profiles = given["radar_profile"]
    if profiles and "," not in profiles:
        profiles = ",".join([profiles] * len(radars))
    for radar, profile in one_each("radar_profile", profiles, radars).items():
        parameters |= profile_parameters(SHARE / "config" / "sensors", profile, radar)
    return [
        *ARGUMENTS.warnings(context),
        Node(
            package="xd_rcdepth_ros",
            executable="depth_node",
            name="depth_node",
            namespace=given["namespace"],
            parameters=[item for item in (given["params_file"], parameters | transport) if item],
            remappings=[(old, new) for old, new in remappings if old != new],
            arguments=["--ros-args", "--log-level", given["log_level"]],
            output="screen",
        ),
    ]


def generate_launch_description():
    """Declare the arguments and start what they ask for."""
    rviz = Node(
        package="rviz2",
        executable="rviz2",
        arguments=["-d", LaunchConfiguration("rviz_config")],
        condition=IfCondition(LaunchConfiguration("rviz")),
    )
    return LaunchDescription(
        [
            *ARGUMENTS.declare(),
            *name_fast_dds_profile(SHARE),
            OpaqueFunction(function=depth_node),
            rviz,
        ]
    )
