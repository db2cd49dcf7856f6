# SPDX-License-Identifier: Apache-2.0
"""Replay a drive bag through depth_node and look at it; arguments of depth.launch.py hold too.

The player's clock is the node's. To record and judge what the node answers, use demo.launch.py.
"""

from pathlib import Path

from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    IncludeLaunchDescription,
    OpaqueFunction,
)
from launch.conditions import IfCondition
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch_ros.actions import Node

DEPTH = Path(__file__).resolve().parent / "depth.launch.py"

# Name, default (None: must be given), description.
ARGUMENTS = (
    ("bag", None, "Drive bag to replay (rosbag2)."),
    ("rate", "1.0", "Speed of the replay; 1.0 is real time."),
    ("loop", "false", "Begin again at the end."),
    ("camera", "front", "Name of the camera in the bag."),
    ("radars", "front", "Names of the radars in the bag, separated by commas."),
    ("rviz", "true", "Show depth, radar and saliency in RViz."),
    ("foxglove", "false", "Start foxglove_bridge, for Foxglove with the layout viz/foxglove.json."),
)


def start(context):
    """Return the node and the player."""
    given = {name: context.launch_configurations[name] for name, _, _ in ARGUMENTS}
    camera = f"/camera/{given['camera']}"
    radars = [name.strip() for name in given["radars"].split(",") if name.strip()]
    play = ["ros2", "bag", "play", given["bag"], "--clock", "--rate", given["rate"]]
    play += ["--disable-keyboard-controls"]
    play += ["--loop"] if given["loop"].lower() in ("true", "1") else []
    wiring = {
        "use_sim_time": "true",
        "image": f"{camera}/image/compressed",
        "camera_info": f"{camera}/camera_info",
        "radars": ",".join(radars) or "''",
        "radar_topics": ",".join(f"/radar/{name}" for name in radars),
        "rviz": given["rviz"],
    }
    bridge = Node(
        package="foxglove_bridge",
        executable="foxglove_bridge",
        parameters=[{"use_sim_time": True}],
        condition=IfCondition(given["foxglove"]),
    )
    return [
        IncludeLaunchDescription(
            PythonLaunchDescriptionSource(str(DEPTH)), launch_arguments=wiring.items()
        ),
        ExecuteProcess(cmd=play, name="bag_play", output="screen"),
        bridge,
    ]


def generate_launch_description():
    """Declare the arguments and start what they ask for."""
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, default, description in ARGUMENTS
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=start)])
