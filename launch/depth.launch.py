# SPDX-License-Identifier: Apache-2.0
"""Start depth_node; ``ros2 launch xd_rcdepth_ros depth.launch.py --show-args`` lists the wiring."""

import os
from pathlib import Path

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

SHARE = Path(__file__).resolve().parents[1]

# Name, default, description. An empty default leaves the value to params_file.
ARGUMENTS = (
    ("namespace", "", "Namespace of the node; one for each camera."),
    ("params_file", str(SHARE / "config" / "default.yaml"), "YAML file with the parameters."),
    ("image", "image", "Base topic of the images; /compressed is added if they are compressed."),
    ("camera_info", "camera_info", "Topic of the camera's intrinsics."),
    ("radars", "", "Names of the radars, separated by commas, such as front,front_left."),
    (
        "radar_topics",
        "",
        "Topics of these radars in the same order, separated by commas; radar/<name> if empty.",
    ),
    ("image_transport", "", "raw or compressed."),
    ("model_file", "", "Model file (.safetensors)."),
    ("device", "", "auto, cpu, cuda or cuda:N."),
    ("backend", "", "What runs the network: auto, torch, openvino or onnx."),
    ("fixed_frame", "", "Frame in which the world stands still, such as odom."),
    ("use_sim_time", "false", "Take the time from /clock (ros2 bag play --clock)."),
    ("autostart", "true", "Configure and activate without being asked."),
    ("log_level", "info", "debug, info, warn, error or fatal."),
    ("rviz", "false", "Show depth, radar and saliency in RViz."),
    ("rviz_config", str(SHARE / "rviz" / "depth.rviz"), "What RViz shows."),
)

PASSED_ON = ("image_transport", "model_file", "device", "backend", "fixed_frame")


def depth_node(context):
    """Return the node, with the parameters and topics that the arguments name."""
    given = {name: LaunchConfiguration(name).perform(context) for name, _, _ in ARGUMENTS}
    parameters = {name: given[name] for name in PASSED_ON if given[name]}
    for name in ("use_sim_time", "autostart"):
        parameters[name] = given[name].lower() in ("true", "1")
    radars = [name.strip() for name in given["radars"].split(",") if name.strip()]
    topics = [topic.strip() for topic in given["radar_topics"].split(",") if topic.strip()]
    if radars:
        parameters["radars"] = radars
    if topics and len(topics) != len(radars or ["front"]):
        raise ValueError(
            f"radar_topics names {len(topics)} topics for the radars {radars or ['front']}; "
            "expected one a radar."
        )
    remappings = [("image", given["image"]), ("camera_info", given["camera_info"])]
    remappings += [
        (f"radar/{name}", topic) for name, topic in zip(radars or ["front"], topics, strict=False)
    ]
    return [
        Node(
            package="xd_rcdepth_ros",
            executable="depth_node",
            name="depth_node",
            namespace=given["namespace"],
            parameters=[given["params_file"], parameters],
            remappings=[(old, new) for old, new in remappings if old != new],
            arguments=["--ros-args", "--log-level", given["log_level"]],
            output="screen",
        )
    ]


def generate_launch_description():
    """Declare the arguments and start what they ask for."""
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, default, description in ARGUMENTS
    ]
    # A best-effort image above 0.5 MB does not arrive with the default profile of Fast DDS. Version
    # 2 knows the second name only, version 3 complains of it.
    second = os.environ.get("ROS_DISTRO") in ("humble", "iron", "jazzy")
    name = f"{'FASTRTPS' if second else 'FASTDDS'}_DEFAULT_PROFILES_FILE"
    profile = str(SHARE / "config" / "fastdds_large_messages.xml")
    profiles = [SetEnvironmentVariable(name, os.environ.get(name, profile))]
    rviz = Node(
        package="rviz2",
        executable="rviz2",
        arguments=["-d", LaunchConfiguration("rviz_config")],
        condition=IfCondition(LaunchConfiguration("rviz")),
    )
    return LaunchDescription([*arguments, *profiles, OpaqueFunction(function=depth_node), rviz])
