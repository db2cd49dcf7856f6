# SPDX-License-Identifier: Apache-2.0
"""Records what a depth node answers to a replayed drive, and when: the demo's third process.

It writes ``READY`` to standard output when the depth node is active and every output is subscribed
to, so that a player started then loses nothing. It ends by itself once the player has ended and
every image has its depth. It writes a rosbag2 of the outputs, and a JSON file with the time at
which DDS says each message was published and received (wall clock, nanoseconds).
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosbags.interfaces import Connection
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

import xd_rcdepth_ros.msg
from xd_rcdepth_ros.errors import RecordingError
from xd_rcdepth_ros.msg import DepthStatus
from xd_rcdepth_ros.ros.process import run_node

READY = "READY: the depth node is active and its outputs are subscribed to"
DEPTH = "depth/image"
# Private names of the depth node's outputs.
OUTPUTS: dict[str, tuple[type, str]] = {
    DEPTH: (Image, "sensor_msgs/msg/Image"),
    "depth/camera_info": (CameraInfo, "sensor_msgs/msg/CameraInfo"),
    "depth/preview": (Image, "sensor_msgs/msg/Image"),
    "radar/image": (Image, "sensor_msgs/msg/Image"),
    "saliency/image": (Image, "sensor_msgs/msg/Image"),
    "status": (DepthStatus, "xd_rcdepth_ros/msg/DepthStatus"),
}


def header_stamp_ns(serialized: bytes) -> int:
    """Return the stamp of a serialized message whose first field is a header, nanoseconds."""
    order = "<" if serialized[1] & 1 else ">"  # CDR's representation identifier
    seconds, nanoseconds = struct.unpack_from(order + "iI", serialized, 4)
    return int(seconds) * 1_000_000_000 + int(nanoseconds)


def status_definition() -> str:
    """Return the text of DepthStatus.msg, installed under the same prefix as its Python module."""
    module = Path(xd_rcdepth_ros.msg.__file__)
    files = [parent / "share/xd_rcdepth_ros/msg/DepthStatus.msg" for parent in module.parents]
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        raise RecordingError(
            f"no share/xd_rcdepth_ros/msg/DepthStatus.msg beside {module}; build the workspace."
        )
    return file.read_text(encoding="utf-8")


class OutputBag:
    """A rosbag2 that appears under its name only when it is complete.

    Args:
        path: Folder that the bag becomes; one that is there already is replaced at the end.
        status_definition: Text of DepthStatus.msg, which no store of definitions carries.
    """

    def __init__(self, path: Path, status_definition: str) -> None:
        self.path = path
        self._partial = path.with_name(f".{path.name}.partial")
        shutil.rmtree(self._partial, ignore_errors=True)
        self._types = get_typestore(Stores.ROS2_JAZZY)
        self._types.register(get_types_from_msg(status_definition, OUTPUTS["status"][1]))
        # The storage file takes its name from the folder, so the folder has its final name.
        self._writer = Writer(
            self._partial / path.name, version=8, storage_plugin=StoragePlugin.MCAP
        )
        self._writer.open()
        self._connections: dict[str, Connection] = {}

    def write(self, topic: str, message_type: str, time_ns: int, serialized: bytes) -> None:
        """Append a serialized message."""
        if topic not in self._connections:
            self._connections[topic] = self._writer.add_connection(
                topic, message_type, typestore=self._types
            )
        self._writer.write(self._connections[topic], time_ns, serialized)

    def close(self) -> None:
        """Finish the bag and give it its name."""
        self._writer.close()
        shutil.rmtree(self.path, ignore_errors=True)
        (self._partial / self.path.name).rename(self.path)
        self._partial.rmdir()

    def discard(self) -> None:
        """Leave nothing behind."""
        with suppress(Exception):  # the file is removed in the next line anyway
            self._writer.abort()
        shutil.rmtree(self._partial, ignore_errors=True)


def times_ns(info: Mapping[str, int] | None) -> tuple[int, int]:
    """Return when a message was published and received, wall clock, nanoseconds.

    Args:
        info: What rclpy knows of the message; None on Humble, where it knows nothing, and now
            counts for both.
    """
    if info is None:
        now_ns = time.time_ns()
        return now_ns, now_ns
    return info["source_timestamp"], info["received_timestamp"]


@dataclass
class Arrivals:
    """When messages came: for each topic (stamp, published, received), nanoseconds."""

    of_topic: dict[str, list[tuple[int, int, int]]] = field(default_factory=dict)
    last_s: float = 0.0

    def add(self, topic: str, stamp_ns: int, published_ns: int, received_ns: int) -> None:
        """Note one message."""
        self.of_topic.setdefault(topic, []).append((stamp_ns, published_ns, received_ns))
        self.last_s = time.monotonic()

    def stamps(self, topic: str) -> set[int]:
        """Return the stamps that came on a topic."""
        return {stamp for stamp, _, _ in self.of_topic.get(topic, [])}


class DemoRecorder(Node):
    """Waits for the depth node, records its outputs, and ends when the replay is over.

    Args:
        **kwargs: Passed on to :class:`rclpy.node.Node`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("demo_recorder", **kwargs)
        self._output = Path(
            self._parameter("output", "out/demo/outputs", "Folder of the bag written.")
        )
        self._target = self._parameter("node", "/depth_node", "Full name of the depth node.")
        self._image_topic = self._parameter(
            "image_topic", "/camera/front/image/compressed", "Topic of the camera's images."
        )
        self._start_timeout_s = self._parameter(
            "start_timeout",
            90.0,
            "Longest wait for the depth node, and then for an image, seconds.",
        )
        self._answer_timeout_s = self._parameter(
            "answer_timeout",
            5.0,
            "Longest silence before an image counts as not answered, seconds.",
        )
        self.finished = False
        self._arrivals = Arrivals()
        self._bag: OutputBag | None = None  # opened when recording begins
        self._names = {f"{self._target}/{name}": name for name in OUTPUTS}
        self._subscribed: set[str] = set()
        self._get_state: Any = self.create_client(GetState, f"{self._target}/get_state")
        self._active = False
        self._ready = False
        self._since_s = time.monotonic()
        kind = CompressedImage if self._image_topic.endswith("/compressed") else Image
        self._listen(self._image_topic, kind, "", ReliabilityPolicy.BEST_EFFORT)
        self.create_timer(0.1, self._check_progress)

    def close(self) -> None:
        """Write the bag and the times; nothing if the replay did not come to its end."""
        if self._bag is None:
            return
        if not self.finished:
            self._bag.discard()
            return
        self._bag.close()
        times = {
            "pid": os.getpid(),
            "image_topic": self._image_topic,
            "depth_topic": f"{self._target}/{DEPTH}",
            "columns": ["stamp_ns", "published_ns", "received_ns"],
            "topics": self._arrivals.of_topic,
        }
        file = self._output.with_name("arrivals.json")
        partial = file.with_name(f".{file.name}.partial")
        partial.write_text(json.dumps(times) + "\n")
        partial.replace(file)

    def _parameter(self, name: str, default: Any, description: str) -> Any:
        described = ParameterDescriptor(description=description, read_only=True)
        return self.declare_parameter(name, default, described).value

    def _listen(
        self, topic: str, kind: type, type_name: str, reliability: ReliabilityPolicy
    ) -> None:
        qos = QoSProfile(depth=100, reliability=reliability, durability=DurabilityPolicy.VOLATILE)
        self.create_subscription(kind, topic, self._recorder(topic, type_name), qos, raw=True)
        self._subscribed.add(topic)

    def _recorder(self, topic: str, type_name: str) -> Callable[[Any, Any], None]:
        def record(serialized: Any, info: Any = None) -> None:
            published_ns, received_ns = times_ns(info)
            self._arrivals.add(topic, header_stamp_ns(serialized), published_ns, received_ns)
            if type_name and self._bag is not None:
                self._bag.write(topic, type_name, received_ns, serialized)

        return record

    def _check_progress(self) -> None:
        waited_s = time.monotonic() - self._since_s
        if not self._ready:
            self._subscribe_to_outputs()
            self._ask_state()
            if self._active and self._subscribed >= set(self._names):
                self._bag = OutputBag(self._output, status_definition())
                self._ready, self._since_s = True, time.monotonic()
                sys.stdout.write(READY + "\n")  # the launch file waits for this line
                sys.stdout.flush()
            elif waited_s > self._start_timeout_s:
                missing = sorted(set(self._names) - self._subscribed)
                raise RecordingError(
                    f"{self._target} was not ready after {self._start_timeout_s:g} s "
                    f"(active: {self._active}; outputs not offered: {missing or 'none'})."
                )
            return
        images = self._arrivals.stamps(self._image_topic)
        if not images:
            if waited_s > self._start_timeout_s:
                raise RecordingError(f"no image came on {self._image_topic} in {waited_s:.0f} s.")
            return
        if self.count_publishers(self._image_topic) > 0:
            return
        quiet_s = time.monotonic() - self._arrivals.last_s
        answered = images <= self._arrivals.stamps(f"{self._target}/{DEPTH}")
        if quiet_s > (0.5 if answered else self._answer_timeout_s):
            self.finished = True

    def _subscribe_to_outputs(self) -> None:
        for topic in set(self._names) - self._subscribed:
            offers = self.get_publishers_info_by_topic(topic)
            if offers:
                kind, type_name = OUTPUTS[self._names[topic]]
                self._listen(topic, kind, type_name, offers[0].qos_profile.reliability)

    def _ask_state(self) -> None:
        if not self._active and self._get_state.service_is_ready():
            future = self._get_state.call_async(GetState.Request())
            future.add_done_callback(self._take_state)

    def _take_state(self, future: Any) -> None:
        answer = future.result()
        self._active = answer.current_state.id == State.PRIMARY_STATE_ACTIVE


def main(args: list[str] | None = None) -> int:
    """Run the recorder until the replay is over; the exit status is 1 if it never began."""
    return run_node("demo_recorder", DemoRecorder, args, lambda recorder: not recorder.finished)


if __name__ == "__main__":
    sys.exit(main())
