# SPDX-License-Identifier: Apache-2.0
"""The other side of the topics: a camera, a radar, transforms, and ears for what comes out."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TransformStamped
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2
from tf2_msgs.msg import TFMessage
from xd_rcdepth_ros.msg import DepthStatus

from xd_rcdepth_ros.geometry import PinholeCamera, RigidTransform
from xd_rcdepth_ros.recordings.messages import stamp_ns_of
from xd_rcdepth_ros.ros.conversions import (
    array_to_image,
    info_from_camera,
    ns_to_stamp,
    rigid_to_transform,
)

WIDTH, HEIGHT = 160, 96
CAMERA_FRAME, RADAR_FRAME = "camera_front_optical", "radar_front"
CAMERA = PinholeCamera.from_focal(WIDTH, HEIGHT, 120.0, 120.0, 79.5, 47.5, CAMERA_FRAME)
# Radar x forward, y left, z up; camera x right, y down, z forward; 1.5 m apart along the drive.
CAMERA_FROM_RADAR = RigidTransform(
    np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]]), np.array([0.0, 0.5, 1.5])
)
OUTPUTS: dict[str, type] = {
    "depth/image": Image,
    "depth/camera_info": CameraInfo,
    "status": DepthStatus,
}
NS = 1_000_000_000


class NodeProcess:
    """depth_node in a process of its own, its output in a file."""

    def __init__(self, log: Path, arguments: tuple[str, ...], parameters: dict[str, Any]) -> None:
        self.log = log
        command = [sys.executable, "-m", "xd_rcdepth_ros.nodes.depth_node", "--ros-args"]
        for name, value in parameters.items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            command += ["-p", f"{name.replace('__', '.')}:={text}"]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        with log.open("w") as output:
            self.process = subprocess.Popen(
                [*command, *arguments], stdout=output, stderr=subprocess.STDOUT, env=environment
            )

    @property
    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_for_text(self, text: str, timeout_s: float = 60.0) -> None:
        end = time.monotonic() + timeout_s
        while text not in self.text:
            assert time.monotonic() < end, f"'{text}' did not come; the node said:\n{self.text}"
            ended = self.process.poll() is not None
            assert not ended or text in self.text, f"the node ended:\n{self.text}"
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(how)
        return self.process.wait(30)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


@contextmanager
def starter(model_file: Path, folder: Path) -> Iterator[Callable[..., NodeProcess]]:
    """Give a function that starts nodes, by PyTorch unless asked; all are ended at the end."""
    running: list[NodeProcess] = []

    def start(*arguments: str, wait: str = "active; listening", **parameters: Any) -> NodeProcess:
        parameters = {"model_file": model_file, "backend": "torch", **parameters}
        node = NodeProcess(folder / f"node{len(running)}.log", arguments, parameters)
        running.append(node)
        if wait:
            node.wait_for_text(wait)
        return node

    try:
        yield start
    finally:
        for node in running:
            node.kill()


class Rig:
    """A node in the test's process, spun by a thread."""

    def __init__(self) -> None:
        self.node = rclpy.create_node("rig")
        self.received: dict[str, list[Any]] = defaultdict(list)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.publishers = {
            "image": self.node.create_publisher(Image, "image", 10),
            "compressed": self.node.create_publisher(CompressedImage, "image/compressed", 10),
            "camera_info": self.node.create_publisher(CameraInfo, "camera_info", 10),
            "radar": self.node.create_publisher(PointCloud2, "radar/front", 10),
            "tf": self.node.create_publisher(TFMessage, "/tf", 100),
            "tf_static": self.node.create_publisher(TFMessage, "/tf_static", latched),
        }
        self.subscriptions: dict[str, Any] = {}
        for name, kind in OUTPUTS.items():
            self.listen(name, kind)
        self.listen("/diagnostics", DiagnosticArray)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._ending = False
        self._thread.start()
        self.stamp_ns = 1000 * NS

    def _spin(self) -> None:
        while not self._ending:
            self._executor.spin_once(timeout_sec=0.1)

    def close(self) -> None:
        self._ending = True
        self._thread.join(10)
        self._executor.shutdown()
        self.node.destroy_node()

    def listen(self, name: str, kind: type) -> None:
        topic = name if name.startswith("/") else f"/depth_node/{name}"
        reliable = QoSProfile(depth=50, reliability=ReliabilityPolicy.RELIABLE)
        self.subscriptions[name] = self.node.create_subscription(
            kind, topic, self.received[name].append, reliable
        )

    def deaf(self, name: str) -> None:
        self.node.destroy_subscription(self.subscriptions.pop(name))

    def connect(self, *inputs: str, timeout_s: float = 20.0) -> None:
        """Wait until the node listens to these inputs and we to its outputs."""
        self.wait(
            lambda: (
                all(self.publishers[name].get_subscription_count() > 0 for name in inputs)
                and self.node.count_publishers("/depth_node/status") > 0
            ),
            "the node's subscriptions",
            timeout_s,
        )
        time.sleep(0.2)  # matched on this side; let the other side match too

    def wait(self, condition: Callable[[], bool], what: str, timeout_s: float = 20.0) -> None:
        end = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < end, f"waited {timeout_s} s for {what}"
            time.sleep(0.02)

    # What goes in ------------------------------------------------------------------------------

    def send_static(self, radar_frame: str = RADAR_FRAME, camera_frame: str = CAMERA_FRAME) -> None:
        transform = TransformStamped(child_frame_id=radar_frame)
        transform.header.frame_id = camera_frame
        transform.transform = rigid_to_transform(CAMERA_FROM_RADAR)
        self.publishers["tf_static"].publish(TFMessage(transforms=[transform]))

    def send_odometry(self, stamp_ns: int, x_m: float) -> None:
        """Publish odom -> camera: the camera looks along odom's x and drives along it."""
        transform = TransformStamped(child_frame_id=CAMERA_FRAME)
        transform.header.frame_id = "odom"
        transform.header.stamp = ns_to_stamp(stamp_ns)
        odom_from_camera = RigidTransform(
            np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]), np.array([x_m, 0.0, 1.5])
        )
        transform.transform = rigid_to_transform(odom_from_camera)
        self.publishers["tf"].publish(TFMessage(transforms=[transform]))

    def image(
        self, stamp_ns: int, rgb: np.ndarray | None = None, frame: str = CAMERA_FRAME
    ) -> Image:
        if rgb is None:
            ramp = np.linspace(0, 255, WIDTH, dtype=np.uint8)
            rgb = np.broadcast_to(ramp[None, :, None], (HEIGHT, WIDTH, 3))
        message = array_to_image(rgb, "rgb8", Image().header)
        message.header.frame_id, message.header.stamp = frame, ns_to_stamp(stamp_ns)
        return message

    def info(self, stamp_ns: int, camera: PinholeCamera = CAMERA) -> CameraInfo:
        message = info_from_camera(camera, CameraInfo().header)
        message.header.frame_id, message.header.stamp = camera.frame_id, ns_to_stamp(stamp_ns)
        return message

    def cloud(
        self,
        stamp_ns: int,
        xyz: list[list[float]] | None = None,
        frame: str = RADAR_FRAME,
        **columns: str,
    ) -> PointCloud2:
        """Return a cloud with fields x y z rcs vx vy, renamed by ``columns``."""
        from sensor_msgs.msg import PointField
        from sensor_msgs_py import point_cloud2

        xyz = [[20.0, 0.0, 0.5], [30.0, 3.0, 0.5]] if xyz is None else xyz
        names = [columns.get(name, name) for name in ("x", "y", "z", "rcs", "vx", "vy")]
        fields = [
            PointField(name=name, offset=4 * i, datatype=PointField.FLOAT32, count=1)
            for i, name in enumerate(names)
        ]
        points = [(*point, 5.0, -1.0, 0.0) for point in xyz]
        message = point_cloud2.create_cloud(Image().header, fields, points)
        message.header.frame_id, message.header.stamp = frame, ns_to_stamp(stamp_ns)
        return message

    def send(self, name: str, message: Any) -> None:
        self.publishers[name].publish(message)

    def send_frame(self, radar_offset_s: float = -0.02) -> int:
        """Publish radar, camera_info and image, 0.1 s later than the last; return the stamp."""
        self.stamp_ns += NS // 10
        self.send("radar", self.cloud(self.stamp_ns + int(radar_offset_s * NS)))
        self.send("camera_info", self.info(self.stamp_ns))
        self.send("image", self.image(self.stamp_ns))
        return self.stamp_ns

    def send_frames(self, count: int, pause_s: float = 0.15) -> list[int]:
        stamps = []
        for _ in range(count):
            stamps.append(self.send_frame())
            time.sleep(pause_s)
        return stamps

    # What comes out ----------------------------------------------------------------------------

    def stamps(self, name: str) -> list[int]:
        return [stamp_ns_of(message.header) for message in self.received[name]]

    def wait_for_stamp(self, stamp_ns: int, name: str = "status", timeout_s: float = 20.0) -> Any:
        self.wait(lambda: stamp_ns in self.stamps(name), f"{name} of {stamp_ns}", timeout_s)
        return self.received[name][self.stamps(name).index(stamp_ns)]

    def depth_of_next_frame(self) -> DepthStatus:
        """Publish a frame and return the status that says it became depth."""
        return self.wait_for_stamp(self.send_frame())

    def diagnostics(self, part: str) -> dict[str, str]:
        """Return the newest figures of one part, its level and message included."""
        for message in reversed(self.received["/diagnostics"]):
            for status in message.status:
                if status.name == f"depth_node: {part}":
                    values = {pair.key: pair.value for pair in status.values}
                    return {**values, "level": str(status.level[0]), "message": status.message}
        return {}

    def settled(self, timeout_s: float = 20.0) -> dict[str, str]:
        """Wait for diagnostics made after now, with nothing in flight; return the frames part."""
        seen = len(self.received["/diagnostics"])
        self.wait(
            lambda: (
                len(self.received["/diagnostics"]) > seen + 1
                and self.diagnostics("frames").get("in_flight") == "0"
            ),
            "quiet diagnostics",
            timeout_s,
        )
        return self.diagnostics("frames")

    def settled_state(self, state: str) -> None:
        """Wait until diagnostics say that the node is in a lifecycle state."""
        self.wait(lambda: self.diagnostics("model").get("state") == state, f"state {state}")

    def set_parameters(self, **values: Any) -> str:
        """Set parameters of the node together; return the reason of a refusal, else ''."""
        client = self.node.create_client(
            SetParametersAtomically, "/depth_node/set_parameters_atomically"
        )
        assert client.wait_for_service(10)
        messages: list[ParameterMessage] = [
            Parameter(name.replace("__", "."), value=value).to_parameter_msg()
            for name, value in values.items()
        ]
        future = client.call_async(SetParametersAtomically.Request(parameters=messages))
        self.wait(future.done, "the parameter service")
        result = future.result().result
        self.node.destroy_client(client)
        return "" if result.successful else result.reason
