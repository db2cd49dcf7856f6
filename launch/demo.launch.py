# SPDX-License-Identifier: Apache-2.0
"""Replay a drive bag through depth_node and record what it answers.

Three processes: the depth node, a recorder, and ``ros2 bag play``, which starts when the recorder
says that everything is connected, so that no image is lost. All ends when the recorder has the
last answer.
"""

import json
import os
from pathlib import Path

from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    ExecuteProcess,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
)
from launch.event_handlers import OnProcessExit, OnProcessIO, OnProcessStart
from launch.events import Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

SHARE = Path(__file__).resolve().parents[1]

# Name, default (None: must be given), description.
ARGUMENTS = (
    ("bag", None, "Drive bag to replay (rosbag2)."),
    ("out", "out/demo", "Folder for the recorded outputs and times."),
    ("rate", "1.0", "Speed of the replay; 1.0 is real time."),
    ("duration", "-1.0", "How much of the bag to replay, seconds; -1 for all."),
    ("camera", "front", "Name of the camera in the bag."),
    ("radars", "front", "Names of the radars in the bag, separated by commas."),
    ("model_file", "", "Model file (.safetensors); empty for the one that is shipped."),
    ("device", "auto", "auto, cpu, cuda or cuda:N."),
    ("saliency_rate", "0.5", "Most saliency maps a second, Hz; they take time from the depth."),
)


def start(context):
    """Return the processes and what connects them."""
    given = {name: LaunchConfiguration(name).perform(context) for name, _, _ in ARGUMENTS}
    out = Path(given["out"]).expanduser().resolve()
    out.mkdir(parents=True, exist_ok=True)
    rate = float(given["rate"])
    radars = [name.strip() for name in given["radars"].split(",") if name.strip()]
    camera = f"/camera/{given['camera']}"
    inputs = {
        "image/compressed": f"{camera}/image/compressed",
        "camera_info": f"{camera}/camera_info",
        **{f"radar/{name}": f"/radar/{name}" for name in radars},
    }
    parameters = {
        "image_transport": "compressed",
        "radars": radars or [""],
        "model_file": given["model_file"],
        "device": given["device"],
        "saliency.rate": float(given["saliency_rate"]),
        # Waiting times are of the wall clock; a slow replay stretches them.
        "tf_timeout": min(1.0, 0.1 / rate),
        "sync.max_wait": min(2.0, 0.05 / rate),
    }
    depth_node = Node(
        package="xd_rcdepth_ros",
        executable="depth_node",
        name="depth_node",
        parameters=[parameters],
        remappings=list(inputs.items()),
        output="screen",
    )
    recorder = Node(
        package="xd_rcdepth_ros",
        executable="demo_recorder",
        name="demo_recorder",
        parameters=[
            {"output": str(out / "outputs"), "image_topic": inputs["image/compressed"]},
        ],
        output="screen",
    )
    player = ExecuteProcess(
        cmd=[
            *("ros2", "bag", "play", given["bag"], "--rate", given["rate"]),
            *("--playback-duration", given["duration"], "--delay", "1.5"),
            "--disable-keyboard-controls",
            *("--topics", *inputs.values(), "/tf", "/tf_static"),
        ],
        name="bag_play",
        output="screen",
    )
    playing = []

    def play_when_ready(event):
        if b"READY" in event.text and not playing:
            playing.append(player)
            return [player]
        return None

    processes = []

    def note(event, _):
        processes.append({"name": event.process_name, "pid": event.pid})
        (out / "processes.json").write_text(json.dumps(processes) + "\n")

    def end_after(process, what):
        ending = [LogInfo(msg=what), EmitEvent(event=Shutdown(reason=what))]
        return RegisterEventHandler(OnProcessExit(target_action=process, on_exit=ending))

    return [
        RegisterEventHandler(OnProcessStart(on_start=note)),
        RegisterEventHandler(OnProcessIO(target_action=recorder, on_stdout=play_when_ready)),
        end_after(recorder, "the recorder has finished"),
        end_after(depth_node, "the depth node has ended"),
        depth_node,
        recorder,
    ]


def generate_launch_description():
    """Declare the arguments and start what they ask for."""
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, default, description in ARGUMENTS
    ]
    # A best-effort image above 0.5 MB does not arrive with the default profile of Fast DDS. Version
    # 2 reads another variable; where version 3 finds that one, each process says it is deprecated.
    old = os.environ.get("ROS_DISTRO") in ("humble", "iron", "jazzy")
    variable = "FASTRTPS_DEFAULT_PROFILES_FILE" if old else "FASTDDS_DEFAULT_PROFILES_FILE"
    profile = os.environ.get(variable, str(SHARE / "config" / "fastdds_large_messages.xml"))
    return LaunchDescription(
        [*arguments, SetEnvironmentVariable(variable, profile), OpaqueFunction(function=start)]
    )
