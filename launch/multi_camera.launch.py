# SPDX-License-Identifier: Apache-2.0
"""Start a depth_node for each of several cameras: one process, one model in memory."""

from pathlib import Path

from launch import LaunchDescription
from launch.actions import OpaqueFunction
from launch_ros.actions import Node

from xd_rcdepth_ros.ros.launch_arguments import (
    LaunchArguments,
    name_fast_dds_profile,
    profile_parameters,
    values_in_file,
)
from xd_rcdepth_ros.ros.parameters.table import NodeParameters

SHARE = Path(__file__).resolve().parents[1]

# Name, default, description. Beside these, each parameter of the node is an argument, for all.
ARGUMENTS = LaunchArguments(
    (
        ("cameras", None, "Names of the cameras, separated by commas: /<camera>/depth_node each."),
        ("image", "/camera/{camera}/image", "Topic of a camera's images; may end in /compressed."),
        ("camera_info", "/camera/{camera}/camera_info", "Topic of a camera's intrinsics."),
        ("radar_topics", "/radar/{radar}", "Topic of each radar that the argument radars names."),
        ("radar_profile", "", "Driver of the radars: a file in config/sensors, such as ars548."),
        (
            "params_file",
            str(SHARE / "config" / "default.yaml"),
            "YAML file with the parameters; a section /<camera>/depth_node is for one camera, such "
            "as the radars that look where it looks.",
        ),
        ("log_level", "info", "debug, info, warn, error or fatal."),
    ),
    NodeParameters.specs(),
)


def multi_camera_node(context):
    """Return the process, with the parameters and topics that the arguments name."""
    given, parameters = ARGUMENTS.texts(context), ARGUMENTS.parameters(context)
    cameras = [name.strip() for name in given["cameras"].split(",") if name.strip()]
    image, transport = ARGUMENTS.split_transport(given["image"], parameters)
    parameters |= transport
    remappings = []
    for camera in cameras:
        in_file = values_in_file(given["params_file"], f"/{camera}/depth_node")
        radars = parameters.get("radars", in_file.get("radars", list(NodeParameters.radars)))
        for name, topic in (("image", image), ("camera_info", given["camera_info"])):
            remappings.append((f"/{camera}/{name}", topic.replace("{camera}", camera)))
        for radar in filter(None, radars):
            topic = given["radar_topics"].replace("{radar}", radar).replace("{camera}", camera)
            remappings.append((f"/{camera}/radar/{radar}", topic))
            if given["radar_profile"]:
                folder = SHARE / "config" / "sensors"
                parameters |= profile_parameters(folder, given["radar_profile"], radar)
    return [
        *ARGUMENTS.warnings(context),
        Node(
            package="xd_rcdepth_ros",
            executable="multi_camera_node",
            parameters=[item for item in (given["params_file"], parameters) if item],
            remappings=remappings,
            arguments=[*cameras, "--ros-args", "--log-level", given["log_level"]],
            output="screen",
        ),
    ]


def generate_launch_description():
    """Declare the arguments and start what they ask for."""
    return LaunchDescription(
        [
            *ARGUMENTS.declare(),
            *name_fast_dds_profile(SHARE),
            OpaqueFunction(function=multi_camera_node),
        ]
    )
