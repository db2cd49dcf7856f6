# SPDX-License-Identifier: Apache-2.0
"""Replay a drive bag through depth_node and record what it answers.

Three processes: the depth node, a recorder, and ``ros2 bag play``, which starts when the recorder
says that everything is connected, so that no image is lost. All ends when the recorder has the
last answer, or when a process fails.
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
)
from launch.event_handlers import OnProcessExit, OnProcessIO, OnProcessStart
from launch.events import Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from xd_rcdepth_ros.ros.launch_arguments import name_fast_dds_profile

SHARE = Path(__file__).resolve().parents[1]
DELAY_S = 1.5  # the player's publishers are discovered meanwhile
PLAYED = (0, 124)  # 124: the command timeout has ended it

# Name, default (None: must be given), description.
ARGUMENTS = (
    ("bag", None, "Drive bag to replay (rosbag2)."),
    ("out", "out/demo", "Folder for the recorded outputs and times."),
    ("rate", "1.0", "Speed of the replay; 1.0 is real time."),
    ("duration", "-1.0", "How much of the bag to replay, seconds of its time; -1 for all."),
    ("camera", "front", "Name of the camera in a drive bag."),
    ("image", "", "Topic of the images; that of the camera in a drive bag if empty."),
    ("camera_info", "", "Topic of the camera's intrinsics; likewise."),
    ("radars", "front", "Names of the radars, separated by commas."),
    (
        "radar_topics",
        "",
        "Topics of these radars in the same order, separated by commas; /radar/<name> if empty.",
    ),
    ("params_file", "", "YAML file with more parameters of the node, such as radar.front.fields."),
    ("model_file", "", "Model file (.safetensors); empty for the one that is shipped."),
    ("device", "auto", "auto, cpu, cuda or cuda:N."),
    ("saliency_rate", "0.5", "Most saliency maps a second, Hz; they take time from the depth."),
    ("start_timeout", "90.0", "Longest wait for the depth node to be active, seconds."),
)


def play_command(bag, rate, duration_s):
    """Return the command that plays a bag, or its first seconds if duration_s is positive."""
    play = ["ros2", "bag", "play", bag, "--rate", str(rate), "--delay", str(DELAY_S)]
    play += ["--disable-keyboard-controls"]
    if duration_s <= 0:
        return play
    if os.environ.get("ROS_DISTRO") == "humble":  # its player knows no --playback-duration
        return ["timeout", "--signal=INT", str(DELAY_S + duration_s / rate), *play]
    return [*play, "--playback-duration", str(duration_s)]


def start(context):
    """Return the processes and what connects them."""
    given = {name: LaunchConfiguration(name).perform(context) for name, _, _ in ARGUMENTS}
    out = Path(given["out"]).expanduser().resolve()
    out.mkdir(parents=True, exist_ok=True)
    rate = float(given["rate"])
    radars = [name.strip() for name in given["radars"].split(",") if name.strip()]
    radar_topics = [topic.strip() for topic in given["radar_topics"].split(",") if topic.strip()]
    radar_topics = radar_topics or [f"/radar/{name}" for name in radars]
    if len(radar_topics) != len(radars):
        raise ValueError(
            f"radar_topics names {len(radar_topics)} topics for the radars {radars}; expected one "
            "a radar."
        )
    camera = f"/camera/{given['camera']}"
    image = given["image"] or f"{camera}/image/compressed"
    compressed = image.endswith("/compressed")
    inputs = {
        "image/compressed" if compressed else "image": image,
        "camera_info": given["camera_info"] or f"{camera}/camera_info",
        **{f"radar/{name}": topic for name, topic in zip(radars, radar_topics, strict=True)},
    }
    parameters = {
        "image_transport": "compressed" if compressed else "raw",
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
        parameters=[*filter(None, [given["params_file"]]), parameters],
        remappings=list(inputs.items()),
        output="screen",
    )
    recorder = Node(
        package="xd_rcdepth_ros",
        executable="demo_recorder",
        name="demo_recorder",
        parameters=[
            {
                "output": str(out / "outputs"),
                "image_topic": image,
                "start_timeout": float(given["start_timeout"]),
            },
        ],
        output="screen",
    )
    player = ExecuteProcess(
        cmd=[
            *play_command(given["bag"], rate, float(given["duration"])),
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

    def end_if_player_failed(event, _):
        if event.returncode in PLAYED:
            return None
        what = f"the player failed with exit status {event.returncode}"
        return [LogInfo(msg=what), EmitEvent(event=Shutdown(reason=what))]

    return [
        RegisterEventHandler(OnProcessExit(target_action=player, on_exit=end_if_player_failed)),
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
    return LaunchDescription(
        [*arguments, *name_fast_dds_profile(SHARE), OpaqueFunction(function=start)]
    )
