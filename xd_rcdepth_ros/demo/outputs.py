# SPDX-License-Identifier: Apache-2.0
"""Reads back what a depth node published: a rosbag2 of its outputs, without ROS."""

from __future__ import annotations

import math
from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rosbags.highlevel import AnyReader, AnyReaderError
from rosbags.typesys import Stores, get_typestore

from xd_rcdepth_ros.errors import RecordingError
from xd_rcdepth_ros.geometry import PinholeCamera
from xd_rcdepth_ros.recordings.bags import open_bag

NODE = "/depth_node"
STATUS_TYPE = "xd_rcdepth_ros/msg/DepthStatus"
FAR_M = 1000.0  # stands for "too far to say"


@dataclass
class Answer:
    """What the node published for one image.

    Attributes:
        stamp_ns: Stamp of the image, nanoseconds.
        depth_m: (h, w) float32, metres; NaN or +-Inf where invalid (REP-117).
        camera: Camera of ``depth_m``.
        saliency: (H, W, 3) uint8 RGB picture, if there is one for this image.
        error: (h, w) float32, expected error as a share of the depth, if the model estimates it.
        age_ms: Time from the image's arrival to its depth's publishing, milliseconds.
        stage_ms: Time of each stage, milliseconds.
        radars: Names of the radar sweeps that were used; None if the node did not say.
    """

    stamp_ns: int
    depth_m: NDArray[np.float32] | None = None
    camera: PinholeCamera | None = None
    saliency: NDArray[np.uint8] | None = None
    error: NDArray[np.float32] | None = None
    age_ms: float | None = None
    stage_ms: dict[str, float] = field(default_factory=dict)
    radars: tuple[str, ...] | None = None


def read_answers(path: Path, node: str = NODE) -> dict[int, Answer]:
    """Read the answers of a bag of outputs.

    Args:
        path: Bag of what the node published, as the demo's recorder writes it; may hold more.
        node: Full name of the depth node.

    Returns:
        Answers by image stamp, in order; only those that have a depth image and its camera.

    Raises:
        RecordingError: The bag cannot be read.
    """
    answers: dict[int, Answer] = {}
    names = ("depth/image", "depth/camera_info", "depth/confidence", "saliency/image", "status")
    for topic, message in _messages(path, {f"{node}/{name}" for name in names}):
        stamp = message.header.stamp
        stamp_ns = stamp.sec * 1_000_000_000 + stamp.nanosec
        answer = answers.setdefault(stamp_ns, Answer(stamp_ns))
        if topic == f"{node}/depth/image":
            answer.depth_m = depth_of(message)
        elif topic == f"{node}/depth/camera_info":
            k, p = np.reshape(message.k, (3, 3)), np.reshape(message.p, (3, 4))
            answer.camera = PinholeCamera(message.width, message.height, k, p)
        elif topic == f"{node}/depth/confidence":
            answer.error = depth_of(message)
        elif topic == f"{node}/saliency/image":
            answer.saliency = _rgb_of(message)
        elif topic == f"{node}/status":
            answer.radars = tuple(message.radar_names)
            answer.age_ms = float(message.age_ms) if math.isfinite(message.age_ms) else None
            stages = zip(message.stage_names, map(float, message.stage_ms), strict=False)
            answer.stage_ms = {name: ms for name, ms in stages if math.isfinite(ms)}
    complete = {s: a for s, a in answers.items() if a.depth_m is not None and a.camera is not None}
    return dict(sorted(complete.items()))


def find_node(path: Path) -> str | None:
    """Return the full name of the first depth node whose status a bag holds; None without one."""
    reader = open_bag(path)
    topics = [c.topic for c in reader.connections if c.msgtype == STATUS_TYPE]
    reader.close()
    return min(topics).removesuffix("/status") if topics else None


def _messages(path: Path, topics: Set[str]) -> Iterator[tuple[str, Any]]:
    try:
        with AnyReader([path], default_typestore=get_typestore(Stores.ROS2_JAZZY)) as reader:
            wanted = [c for c in reader.connections if c.topic in topics]
            for connection, _, raw in reader.messages(wanted) if wanted else ():
                yield connection.topic, reader.deserialize(raw, connection.msgtype)
    except (AnyReaderError, OSError, ValueError) as error:
        raise RecordingError(
            f"the recorded outputs at {path} cannot be read: {error}. Run the demo again."
        ) from error


def depth_of(message: Any) -> NDArray[np.float32]:
    """Return the depth of an Image message, metres; NaN where 16UC1 says 0."""
    if message.encoding == "32FC1":
        return _pixels(message, "f4", 1).astype(np.float32)
    if message.encoding == "16UC1":
        millimetres = _pixels(message, "u2", 1).astype(np.float32)
        return np.where(millimetres > 0, millimetres / 1000, np.float32(np.nan)).astype(np.float32)
    raise RecordingError(
        f"the depth image is in encoding '{message.encoding}'; expected 32FC1 or 16UC1."
    )


def _rgb_of(message: Any) -> NDArray[np.uint8]:
    pixels = _pixels(message, "u1", 3)
    return np.ascontiguousarray(pixels[..., ::-1] if message.encoding == "bgr8" else pixels)


def _pixels(message: Any, code: str, channels: int) -> NDArray[Any]:
    dtype = np.dtype(code).newbyteorder(">" if message.is_bigendian else "<")
    rows = np.frombuffer(message.data, np.uint8).reshape(message.height, message.step)
    used = np.ascontiguousarray(rows[:, : message.width * channels * dtype.itemsize])
    shape = (message.height, message.width) if channels == 1 else (message.height, -1, channels)
    return used.view(dtype).reshape(shape)


def onto_image(
    depth_m: NDArray[np.float32], depth_camera: PinholeCamera, camera: PinholeCamera
) -> NDArray[np.float32]:
    """Return a depth map at another camera's resolution, by the two cameras' intrinsics.

    Args:
        depth_m: (h, w), metres.
        depth_camera: Camera of ``depth_m``.
        camera: Camera of the image, same place and direction.

    Returns:
        (H, W) float32, metres, bilinear; NaN where the depth map does not reach, and where one of
        the depths around is NaN.
    """
    change = depth_camera.p[:, :3] @ np.linalg.inv(camera.p[:, :3])
    columns = (change[0, 0] * np.arange(camera.width) + change[0, 2]).astype(np.float32)
    rows = (change[1, 1] * np.arange(camera.height) + change[1, 2]).astype(np.float32)
    height, width = depth_m.shape
    # Infinite depths (REP-117) would spoil their neighbours: NaN = 0 x Inf.
    bounded = np.clip(depth_m, 0.0, FAR_M)
    # Half a pixel beyond the outermost centres still belongs to the outermost pixels.
    outside_columns = (columns < -0.5) | (columns > width - 0.5)
    outside_rows = (rows < -0.5) | (rows > height - 0.5)
    map_x, map_y = np.meshgrid(columns, rows)
    moved = cv2.remap(bounded, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    result = np.array(moved, np.float32)
    result[outside_rows] = np.nan
    result[:, outside_columns] = np.nan
    return result
