# SPDX-License-Identifier: Apache-2.0
"""What another camera costs: memory, processor time and time of multi_camera.launch.py, 1 and 6.

    python experiments/multi_camera/measure.py [--rounds 8] [--size 900 1600]

Simulates one drive seen by six cameras and five radars all around, and plays it over DDS to
``multi_camera.launch.py`` with ``config/six_cameras.yaml``: to the camera ``front`` alone, then to
all six. A round is one compressed image of each camera, and comes after all of the last one's were
answered. Writes results.json beside this script, or the file given by --json.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
os.environ.setdefault("ROS_DOMAIN_ID", str(80 + os.getpid() % 20))
os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
PROFILE = REPOSITORY / "config" / "fastdds_large_messages.xml"
os.environ.setdefault("FASTDDS_DEFAULT_PROFILES_FILE", str(PROFILE))

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import rclpy  # noqa: E402
from geometry_msgs.msg import TransformStamped  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile  # noqa: E402
from sensor_msgs.msg import CameraInfo, CompressedImage, PointCloud2, PointField  # noqa: E402
from sensor_msgs_py import point_cloud2  # noqa: E402
from std_msgs.msg import Header  # noqa: E402
from tf2_msgs.msg import TFMessage  # noqa: E402
from xd_rcdepth_ros.msg import DepthStatus  # noqa: E402

from xd_rcdepth_ros.geometry import RigidTransform  # noqa: E402
from xd_rcdepth_ros.recordings.pointcloud import fields_of, radar_cloud  # noqa: E402
from xd_rcdepth_ros.ros.conversions import (  # noqa: E402
    info_from_camera,
    ns_to_stamp,
    rigid_to_transform,
)
from xd_rcdepth_ros.ros.memory import resident_bytes  # noqa: E402
from xd_rcdepth_ros.simulation import Drive, DriveSettings  # noqa: E402

# Directions, degrees to the left of straight ahead.
CAMERAS = {
    "front": 0,
    "front_left": 55,
    "front_right": -55,
    "rear": 180,
    "rear_left": 110,
    "rear_right": -110,
}
RADARS = [name for name in CAMERAS if name != "rear"]
STEP_NS = 100_000_000


def turned(mounting: RigidTransform, degrees: float) -> RigidTransform:
    """Return the mounting of a sensor that looks this much further to the left."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    rotation = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    return RigidTransform(rotation @ mounting.rotation, mounting.translation_m)


class Player:
    """Plays the drive and counts the answers."""

    def __init__(self, height: int, width: int) -> None:
        self.node = rclpy.create_node("player")
        drive = Drive(DriveSettings(seed=5, place="city", frames=6, height=height, width=width))
        self._images, self._clouds, mountings = {}, {}, {}
        ahead = drive.rig
        for name, degrees in CAMERAS.items():
            drive.rig = replace(
                ahead, camera=turned(ahead.camera, degrees), radar=turned(ahead.radar, degrees)
            )
            frame = drive.frame(2)
            _, data = cv2.imencode(".jpg", frame.image[:, :, ::-1])
            self._images[name] = data.tobytes()
            self._clouds[name] = radar_cloud(frame.radar[0].points)
            mountings[f"camera_{name}"] = drive.rig.camera
            mountings[f"radar_{name}"] = drive.rig.radar
        self._camera = drive.camera
        self._to = {
            name: (
                self.node.create_publisher(CompressedImage, f"/camera/{name}/image/compressed", 10),
                self.node.create_publisher(CameraInfo, f"/camera/{name}/camera_info", 10),
            )
            for name in CAMERAS
        }
        self._radars = {
            name: self.node.create_publisher(PointCloud2, f"/radar/{name}", 10) for name in RADARS
        }
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._static = self.node.create_publisher(TFMessage, "/tf_static", latched)
        transforms = []
        for child, mounting in mountings.items():
            transforms.append(TransformStamped(child_frame_id=child))
            transforms[-1].header.frame_id = "base_link"
            transforms[-1].transform = rigid_to_transform(mounting)
        self._static.publish(TFMessage(transforms=transforms))
        self.answers: dict[str, list[DepthStatus]] = {name: [] for name in CAMERAS}
        for name in CAMERAS:
            heard = self.answers[name].append
            self.node.create_subscription(DepthStatus, f"/{name}/depth_node/status", heard, 10)
        self._stamp_ns = 1_000_000_000_000

    def ready(self, names: list[str]) -> bool:
        """Return whether the nodes of these cameras listen."""
        return all(self._to[name][0].get_subscription_count() for name in names)

    def spin(self, done: Any, limit_s: float) -> None:
        """Spin until something is done."""
        end_s = time.monotonic() + limit_s
        while not done():
            if time.monotonic() > end_s:
                raise TimeoutError(f"not done after {limit_s:g} s")
            rclpy.spin_once(self.node, timeout_sec=0.05)

    def play_round(self, names: list[str]) -> float:
        """Send one image of each camera; return the seconds until all were answered."""
        self._stamp_ns += STEP_NS
        stamp = ns_to_stamp(self._stamp_ns)
        for name, publisher in self._radars.items():
            array = self._clouds[name]
            fields = [
                PointField(name=f.name, offset=f.offset, datatype=f.datatype, count=f.count)
                for f in fields_of(array.dtype)
            ]
            header = Header(stamp=stamp, frame_id=f"radar_{name}")
            publisher.publish(point_cloud2.create_cloud(header, fields, array))
        before, start_s = [len(self.answers[name]) for name in names], time.monotonic()
        for name in names:
            header = Header(stamp=stamp, frame_id=f"camera_{name}")
            image, info = self._to[name]
            info.publish(info_from_camera(self._camera, header))
            image.publish(CompressedImage(header=header, format="jpeg", data=self._images[name]))
        self.spin(
            lambda: all(len(self.answers[n]) > b for n, b in zip(names, before, strict=True)), 60
        )
        return time.monotonic() - start_s


def process_of(launch_pid: int) -> int:
    """Return the number of the process that a launch started."""
    while True:
        children = Path(f"/proc/{launch_pid}/task/{launch_pid}/children").read_text().split()
        for child in children:
            if "multi_camera_node" in Path(f"/proc/{child}/cmdline").read_text():
                return int(child)
        time.sleep(0.1)


def processor_time_s(pid: int) -> float:
    """Return the processor time that a process has used (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(player: Player, names: list[str], rounds: int) -> dict[str, Any]:
    """Start the launch file for these cameras, play, and return what it cost."""
    command = ["ros2", "launch", "xd_rcdepth_ros", "multi_camera.launch.py"]
    command += [f"cameras:={','.join(names)}", "image:=/camera/{camera}/image/compressed"]
    command += ["fixed_frame:=base_link"]  # the car stands: mountings alone
    command += [f"params_file:={REPOSITORY / 'config' / 'six_cameras.yaml'}"]
    launch = subprocess.Popen(command)
    try:
        player.spin(lambda: player.ready(names), 240)
        pid = process_of(launch.pid)
        time.sleep(1.0)
        for _ in range(3):  # memory settles
            player.play_round(names)
        busy_s = processor_time_s(pid)
        seconds = [player.play_round(names) for _ in range(rounds)]
        busy_s = processor_time_s(pid) - busy_s
        held = resident_bytes(pid)
    finally:
        launch.send_signal(signal.SIGINT)
        launch.wait(60)
    last = {name: player.answers[name][-1] for name in names}
    return {
        "cameras": len(names),
        "memory_mb": round(held / 1e6),
        "round_s": round(float(np.median(seconds)), 3),
        "processor_s_per_image": round(busy_s / rounds / len(names), 3),
        "frames_in": {name: int(status.frames_in) for name, status in last.items()},
        "frames_out": {name: int(status.frames_out) for name, status in last.items()},
        "radars": {name: list(status.radar_names) for name, status in last.items()},
        "returns_in_image": {n: sum(s.radar_returns_in_image) for n, s in last.items()},
    }


def main() -> int:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--size", type=int, nargs=2, default=[900, 1600], help="pixels")
    parser.add_argument("--json", type=Path, default=Path(__file__).with_name("results.json"))
    options = parser.parse_args()
    rclpy.init()
    player = Player(*options.size)
    one = measure(player, ["front"], options.rounds)
    six = measure(player, list(CAMERAS), options.rounds)
    results = {
        "size": options.size,
        "memory_ratio": round(six["memory_mb"] / one["memory_mb"], 3),
        "runs": [one, six],
    }
    text = json.dumps(results, indent=2)
    print(text)
    options.json.write_text(text + "\n")
    player.node.destroy_node()
    rclpy.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
