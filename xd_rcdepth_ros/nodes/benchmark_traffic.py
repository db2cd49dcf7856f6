# SPDX-License-Identifier: Apache-2.0
"""A camera and three radars for a depth node, at one rate after another, and ears for its depth.

It runs in a process of its own, so that what is timed goes over DDS twice. It waits until the depth
node answers, plays each rate for some seconds, and writes a JSON file with what was sent, what came
back and when (wall clock, nanoseconds), and what the depth node's process computed meanwhile.
"""

from __future__ import annotations

import json
import os
import sys
import time
from array import array
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from geometry_msgs.msg import TransformStamped
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2
from tf2_msgs.msg import TFMessage

from xd_rcdepth_ros.errors import XDRCDepthError
from xd_rcdepth_ros.geometry import OPTICAL_FROM_BODY, PinholeCamera, RigidTransform
from xd_rcdepth_ros.inference.road_frames import road_frames
from xd_rcdepth_ros.msg import DepthStatus
from xd_rcdepth_ros.nodes.demo_recorder import header_stamp_ns
from xd_rcdepth_ros.ros.conversions import (
    float_cloud,
    info_from_camera,
    ns_to_stamp,
    rigid_to_transform,
)
from xd_rcdepth_ros.ros.memory import resident_bytes
from xd_rcdepth_ros.ros.process import run_node

NS = 1_000_000_000
WIDTH, HEIGHT, FOCAL_PX = 1600, 900, 1266.0  # nuScenes' front camera
RADARS = {"front": 0.0, "left": 0.6, "right": -0.6}  # angle to the left, radians
RADAR_HZ, RETURNS = 13.0, 150
POLL_S = 0.004  # latency counts from when an image is published, not from when it was due
QUIET_S = 1.0
"""Pause before each rate, in which all frames of the one before arrive."""


class BenchmarkTraffic(Node):
    """Plays and listens; ``finished`` when all rates have been played.

    Args:
        **kwargs: Passed on to :class:`rclpy.node.Node`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("benchmark_traffic", **kwargs)
        self._out = Path(self._parameter("output", "traffic.json", "File written at the end."))
        self._rates = list(self._parameter("rates", [15.0, 30.0], "Images a second, in turn."))
        self._step_s = float(self._parameter("seconds", 4.0, "How long each rate is played."))
        self._patience_s = float(self._parameter("patience", 90.0, "Longest wait for depth, s."))
        self._idle = int(self._parameter("idle_subscribers", 0, "More subscribers, last rate."))
        self._pid = int(self._parameter("node_pid", 0, "Process of the depth node."))
        self.finished = False
        self._steps: list[dict[str, Any]] = []
        self._answered = False
        self._begin_s = self._next_s = time.monotonic()
        self._next_radar_s = dict.fromkeys(RADARS, 0.0)
        camera = PinholeCamera.from_focal(
            WIDTH, HEIGHT, FOCAL_PX, FOCAL_PX, WIDTH / 2 - 0.5, HEIGHT / 2 - 0.5, "camera"
        )
        self._camera_info = info_from_camera(camera, CameraInfo().header)
        self._camera_info.header.frame_id = "camera"
        self._jpegs = [_jpeg(frame.image) for frame in road_frames((HEIGHT, WIDTH), 4, 4)]
        self._clouds = {name: _returns(seed) for seed, name in enumerate(RADARS)}
        self._image = self.create_publisher(CompressedImage, "image/compressed", 5)
        self._info = self.create_publisher(CameraInfo, "camera_info", 5)
        self._radars = {
            name: self.create_publisher(PointCloud2, f"radar/{name}", 10) for name in RADARS
        }
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._static = self.create_publisher(TFMessage, "/tf_static", latched)
        self._static.publish(TFMessage(transforms=[_mounting(n, a) for n, a in RADARS.items()]))
        self.create_subscription(Image, "depth_node/depth/image", self._take_depth, 50, raw=True)
        self.create_subscription(DepthStatus, "depth_node/status", self._take_status, 50)
        self.create_timer(POLL_S, self._play)

    def close(self) -> None:
        """Write what was measured; nothing if not all of it was."""
        if self.finished:
            partial = self._out.with_name(f".{self._out.name}.partial")
            partial.write_text(json.dumps({"steps": self._steps}) + "\n")
            partial.replace(self._out)

    def _parameter(self, name: str, default: Any, description: str) -> Any:
        described = ParameterDescriptor(description=description, read_only=True)
        return self.declare_parameter(name, default, described).value

    def _play(self) -> None:
        now_s = time.monotonic()
        if not self._answered:
            if now_s - self._begin_s > self._patience_s:
                raise XDRCDepthError(f"the depth node gave no depth in {self._patience_s:g} s.")
            self._send_due(now_s, 4.0)
        elif not self._steps or now_s >= self._end_s + QUIET_S:
            self._begin_step(now_s)
        elif now_s < self._end_s:
            self._send_due(now_s, self._rates[len(self._steps) - 1], self._steps[-1])

    def _begin_step(self, now_s: float) -> None:
        if self._steps:
            step = self._steps[-1]
            step["cpu_s"] = _cpu_s(self._pid) - step.pop("cpu_begin_s")
            step["rss_mb"] = resident_bytes(self._pid) / 1e6
        if len(self._steps) == len(self._rates):
            self.finished = True
            return
        last = len(self._steps) == len(self._rates) - 1
        for _ in range(self._idle if last else 0):
            self.create_subscription(Image, "depth_node/depth/image", lambda _: None, 1, raw=True)
        self._steps.append(
            {
                "rate_hz": self._rates[len(self._steps)],
                "sent": [],
                "received": [],
                "network_ms": [],
                "wait_ms": [],
                "cpu_begin_s": _cpu_s(self._pid),
            }
        )
        self._next_s, self._end_s = now_s, now_s + self._step_s

    def _send_due(self, now_s: float, rate_hz: float, step: dict[str, Any] | None = None) -> None:
        for name, due_s in self._next_radar_s.items():
            if now_s >= due_s:
                self._next_radar_s[name] = max(due_s, now_s - 0.5 / RADAR_HZ) + 1 / RADAR_HZ
                header = self._header(time.time_ns(), f"radar_{name}")
                self._radars[name].publish(float_cloud(header, **self._clouds[name]))
        if now_s < self._next_s:
            return
        # Rates are kept on average: what the machine delays is caught up with.
        self._next_s = max(self._next_s, now_s - 2 / rate_hz) + 1 / rate_hz
        stamp_ns = time.time_ns()
        header = self._header(stamp_ns, "camera")
        self._camera_info.header = header
        self._info.publish(self._camera_info)
        image = CompressedImage(header=header, format="jpeg")
        image.data = self._jpegs[stamp_ns % len(self._jpegs)]
        sent_ns = time.time_ns()
        self._image.publish(image)
        if step is not None:
            step["sent"].append([stamp_ns, sent_ns])

    def _header(self, stamp_ns: int, frame_id: str) -> Any:
        header = CameraInfo().header
        header.stamp, header.frame_id = ns_to_stamp(stamp_ns), frame_id
        return header

    def _take_depth(self, serialized: bytes) -> None:
        self._answered = True
        if self._steps:
            self._steps[-1]["received"].append([header_stamp_ns(serialized), time.time_ns()])

    def _take_status(self, message: DepthStatus) -> None:
        if self._steps:
            stages = dict(zip(message.stage_names, message.stage_ms, strict=False))
            for stage in ("network", "wait"):
                self._steps[-1][f"{stage}_ms"].append(float(stages.get(stage, 0.0)))


def _jpeg(rgb: np.ndarray[Any, Any]) -> array[int]:
    _, data = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
    return array("B", data.tobytes())


def _returns(seed: int) -> dict[str, np.ndarray[Any, Any]]:
    """Return the fields of made-up returns: metres, dBsm, m/s."""
    rng = np.random.default_rng(seed)
    ranges = {"x": (4, 80), "y": (-15, 15), "z": (-0.5, 1.5), "rcs": (-5, 30), "vx": (-10, 10)}
    return {name: rng.uniform(*limits, RETURNS) for name, limits in ranges.items()} | {
        "vy": np.zeros(RETURNS)
    }


def _mounting(name: str, angle: float) -> TransformStamped:
    cos, sin = np.cos(angle), np.sin(angle)
    turned = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    transform = RigidTransform(OPTICAL_FROM_BODY @ turned, np.array([0.0, 0.5, 1.5]))
    message = TransformStamped(child_frame_id=f"radar_{name}")
    message.header.frame_id = "camera"
    message.transform = rigid_to_transform(transform)
    return message


def _cpu_s(pid: int) -> float:
    """Return the CPU time of a process so far, all of its threads, seconds; 0 where not known."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main(args: list[str] | None = None) -> int:
    """Play all rates; the exit status is 1 if the depth node does not answer."""
    return run_node(
        "benchmark_traffic", BenchmarkTraffic, args, lambda traffic: not traffic.finished
    )


if __name__ == "__main__":
    sys.exit(main())
