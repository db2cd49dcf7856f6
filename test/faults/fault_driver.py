# SPDX-License-Identifier: Apache-2.0
"""The rest of the robot: camera, radar, odometry and clock at a set rate, which faults distort.

A fault puts an editor between a stream and its topic, silences it, changes the rate or the time;
``heal`` takes all of that away again.
"""

from __future__ import annotations

import copy
import os
import subprocess
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from geometry_msgs.msg import TransformStamped
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import SetParametersAtomically
from ros_rig import CAMERA, CAMERA_FRAME, CAMERA_FROM_RADAR, RADAR_FRAME, Rig
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage
from tf2_msgs.msg import TFMessage

from xd_rcdepth_ros.geometry import RigidTransform
from xd_rcdepth_ros.recordings.messages import stamp_ns_of
from xd_rcdepth_ros.ros.conversions import ns_to_stamp, rigid_to_transform

NS = 1_000_000_000
START_NS = 1000 * NS
SPEED_MPS = 15.0
BASE_FRAME = "base_link"
BASE_FROM_CAMERA = RigidTransform(
    np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]), np.array([1.5, 0.0, 1.2])
)
STREAMS = ("clock", "tf", "radar", "camera_info", "compressed")
Editor = Callable[[Any], list[Any]]


def jpegs(width: int, height: int, count: int = 8) -> list[bytes]:
    """Return images of a pattern that moves, as JPEG."""
    ramp = np.linspace(0, 255, width, dtype=np.uint8)
    pictures = (np.roll(ramp, 7 * i)[None, :, None].repeat(height, 0) for i in range(count))
    return [cv2.imencode(".jpg", p.repeat(3, 2))[1].tobytes() for p in pictures]


class Ear(deque):  # type: ignore[type-arg]
    """Keeps the last messages, and hands each on first; ``hear`` may be set."""

    def __init__(self, keep: int) -> None:
        super().__init__(maxlen=keep)
        self.hear: Callable[[Any], None] = lambda message: None

    def append(self, message: Any) -> None:
        """Take a message in."""
        self.hear(message)
        super().append(message)


class Driver(Rig):
    """Publishes in a thread of its own; what it hears is kept for a while only.

    Args:
        rate_hz: Images a second, and as many radar sweeps, poses and ticks of the clock.
        span_s: How long a fault lasts that has a length.
        seed: Of the random generator that faults draw from.
    """

    KEEP = 400

    def __init__(self, rate_hz: float = 10.0, span_s: float = 0.6, seed: int = 0) -> None:
        self.span_s, self._rate_hz = span_s, rate_hz
        self.random = np.random.default_rng(seed)
        self.sent: Counter[str] = Counter()
        self.latency_ms: deque[float] = deque(maxlen=100_000)
        self.heard = 0
        self.node_lives: Callable[[], bool] = lambda: True
        self.largest_sweep = 0
        self._sent_s: dict[int, float] = {}
        self._pictures = {(CAMERA.width, CAMERA.height): jpegs(CAMERA.width, CAMERA.height)}
        self._begun_s = time.monotonic()
        self._number = 0
        self._sending, self._pauses = True, 0
        self._lock = threading.Lock()
        super().__init__()
        self.publishers["clock"] = self.node.create_publisher(Clock, "/clock", 10)
        self.services = {
            "state": self.node.create_client(GetState, "/depth_node/get_state"),
            "change": self.node.create_client(ChangeState, "/depth_node/change_state"),
            "set": self.node.create_client(
                SetParametersAtomically, "/depth_node/set_parameters_atomically"
            ),
        }
        self.heal()
        self._thread_out = threading.Thread(target=self._send_all, daemon=True)

    def listen(self, name: str, kind: type) -> None:
        """Subscribe; keep the last messages."""
        self.received[name] = Ear(self.KEEP)  # type: ignore[assignment]
        if name == "status":
            self.received[name].hear = self._hear
        super().listen(name, kind)

    def wait(self, condition: Callable[[], bool], what: str, timeout_s: float = 20.0) -> None:
        """Wait for something, but not for a node that has ended."""

        def met() -> bool:
            fulfilled = condition()
            assert fulfilled or self.node_lives(), f"the node ended while waiting for {what}"
            return fulfilled

        super().wait(met, what, timeout_s)

    def start(self) -> None:
        """Wait for the node, tell it where the sensors are, and drive off."""
        self.connect("compressed", "camera_info", "radar", "tf_static")
        self.mount_sensors()
        self._thread_out.start()

    def close(self) -> None:
        """Stop driving and listening."""
        self._sending = False
        if self._thread_out.is_alive():
            self._thread_out.join(10)
        super().close()

    # What faults use ---------------------------------------------------------------------------

    def heal(self) -> None:
        """Take every distortion away."""
        self.silent: set[str] = set()
        self.edit: dict[str, Editor] = {}
        self.rate_hz = self._rate_hz
        self.camera = CAMERA
        for name in ("compressed", "radar"):
            self.revive(name)

    def die(self, name: str) -> None:
        """Remove the publisher of a stream."""
        with self._lock:
            self.node.destroy_publisher(self.publishers.pop(name))

    def revive(self, name: str) -> None:
        """Make the publisher of a stream again, if it has died."""
        from sensor_msgs.msg import PointCloud2

        kind, topic = {
            "compressed": (CompressedImage, "image/compressed"),
            "radar": (PointCloud2, "radar/front"),
        }[name]
        with self._lock:
            if name not in self.publishers:
                self.publishers[name] = self.node.create_publisher(kind, topic, 10)

    def jump(self, seconds: float) -> None:
        """Move the time of everything from here on."""
        self._begun_s -= seconds

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Send no frame of one's own meanwhile."""
        with self._lock:
            self._pauses += 1
        try:
            yield
        finally:
            self._pauses -= 1

    def now_ns(self) -> int:
        """Return the drive's own time, whole microseconds."""
        return START_NS + round((time.monotonic() - self._begun_s) * 1e6) * 1000

    def frame(self, stamp_ns: int | None = None) -> int:
        """Publish one image and all that belongs to it; return its stamp."""
        stamp_ns = self.now_ns() if stamp_ns is None else stamp_ns
        self._publish("clock", Clock(clock=ns_to_stamp(stamp_ns)))
        self._publish("tf", self.pose(stamp_ns))
        self._publish("radar", self.cloud(stamp_ns - NS // 50))
        self._publish("camera_info", self.info(stamp_ns, self.camera))
        self._sent_s[stamp_ns] = time.monotonic()
        self._publish("compressed", self.jpeg(stamp_ns))
        while len(self._sent_s) > self.KEEP:
            del self._sent_s[next(iter(self._sent_s))]
        return stamp_ns

    def jpeg(self, stamp_ns: int, data: bytes | None = None) -> CompressedImage:
        """Return an image of the present camera, or one with other bytes."""
        size = (self.camera.width, self.camera.height)
        if size not in self._pictures:
            self._pictures[size] = jpegs(*size, count=1)
        self._number += 1
        message = CompressedImage(format="jpeg")
        message.header.frame_id, message.header.stamp = CAMERA_FRAME, ns_to_stamp(stamp_ns)
        pictures = self._pictures[size]
        message.data.frombytes(pictures[self._number % len(pictures)] if data is None else data)
        return message

    def jpeg_of(self, message: CompressedImage, data: bytes) -> CompressedImage:
        """Return a message with the same header and other bytes."""
        other = CompressedImage(header=message.header, format=message.format)
        other.data.frombytes(data)
        return other

    def pose(self, stamp_ns: int) -> TFMessage:
        """Return where the car is at a time."""
        x_m = SPEED_MPS * (stamp_ns - START_NS) / NS
        transform = TransformStamped(child_frame_id=BASE_FRAME)
        transform.header.frame_id, transform.header.stamp = "odom", ns_to_stamp(stamp_ns)
        transform.transform = rigid_to_transform(RigidTransform(np.eye(3), np.array([x_m, 0, 0])))
        return TFMessage(transforms=[transform])

    def mount_sensors(self) -> None:
        """Publish where camera and radar sit."""
        placed = {
            CAMERA_FRAME: BASE_FROM_CAMERA,
            RADAR_FRAME: BASE_FROM_CAMERA @ CAMERA_FROM_RADAR,
        }
        message = TFMessage()
        for child, place in placed.items():
            transform = TransformStamped(child_frame_id=child)
            transform.header.frame_id = BASE_FRAME
            transform.transform = rigid_to_transform(place)
            message.transforms.append(transform)
        self.publishers["tf_static"].publish(message)

    # Asking the node ---------------------------------------------------------------------------

    def call(self, service: str, request: Any, timeout_s: float = 30.0) -> Any:
        """Call a service of the node and wait for its answer."""
        client = self.services[service]
        assert client.wait_for_service(timeout_s), f"no service {service}"
        future = client.call_async(request)
        self.wait(future.done, f"the service {service}", timeout_s)
        return future.result()

    def transition(self, name: str) -> None:
        """Take the node through a lifecycle transition."""
        request = ChangeState.Request()
        request.transition.label = name
        assert self.call("change", request, 60).success, f"{name} failed"

    def answer_s(self, timeout_s: float) -> float:
        """Return how long the node took to say that it is active."""
        start_s = time.monotonic()
        state = self.call("state", GetState.Request(), timeout_s).current_state
        assert state.label == "active", f"the node is {state.label}"
        return time.monotonic() - start_s

    def bystander(self, what: str) -> subprocess.Popen[str]:
        """Start another process on the same topics and wait until it is ready."""
        script = Path(__file__).with_name("bystander.py")
        process = subprocess.Popen(
            [sys.executable, str(script), what], stdout=subprocess.PIPE, text=True,
            env={**os.environ},
        )  # fmt: skip
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        return process

    # The threads -------------------------------------------------------------------------------

    def _send_all(self) -> None:
        due_s = time.monotonic()
        while self._sending:
            with self._lock:
                if not self._pauses:
                    self.frame()
            due_s = max(due_s + 1 / self.rate_hz, time.monotonic() - 0.2)
            time.sleep(max(due_s - time.monotonic(), 0))

    def _publish(self, stream: str, message: Any) -> None:
        if stream in self.silent or stream not in self.publishers:
            return
        for one in self.edit[stream](message) if stream in self.edit else [message]:
            self.publishers[stream].publish(one)
            self.sent[stream] += 1

    def _hear(self, status: Any) -> None:
        self.heard += 1
        sent_s = self._sent_s.get(stamp_ns_of(status.header))
        if sent_s is not None:
            self.latency_ms.append(1000 * (time.monotonic() - sent_s))
        self.largest_sweep = max(self.largest_sweep, *status.radar_returns, 0)


def restamped(message: Any, seconds: float) -> Any:
    """Return a copy whose header, or whose transforms', is later by some seconds."""
    message = copy.deepcopy(message)
    headers = [t.header for t in getattr(message, "transforms", [])] or [message.header]
    for header in headers:
        header.stamp = ns_to_stamp(max(stamp_ns_of(header) + int(seconds * NS), 0))
    return message
