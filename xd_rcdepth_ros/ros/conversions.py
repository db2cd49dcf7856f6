# SPDX-License-Identifier: Apache-2.0
"""Images out of ROS messages, and results back into messages.

Cameras, transforms and stamps are read by ``recordings.messages``, for bags and topics alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from builtin_interfaces.msg import Time
from cv_bridge import CvBridge
from geometry_msgs.msg import Transform
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2, PointField
from sensor_msgs_py import point_cloud2
from std_msgs.msg import Header

from xd_rcdepth_ros.geometry import DepthResult, PinholeCamera, RadarSweep, RigidTransform
from xd_rcdepth_ros.recordings.images import compressed_image_rgb, image_rows, raw_image_rgb

NS = 1_000_000_000
UINT16_MAX_M = 65.535  # greatest depth that 16-bit millimetres can say

_bridge = CvBridge()


def ns_to_stamp(stamp_ns: int) -> Time:
    """Return nanoseconds as a stamp."""
    sec, nanosec = divmod(int(stamp_ns), NS)
    return Time(sec=sec, nanosec=nanosec)


def image_to_rgb(message: Image | CompressedImage, reduction: int = 1) -> NDArray[np.uint8]:
    """Return the pixels of an image message, raw or compressed, as (H, W, 3) uint8 RGB.

    Args:
        message: Of any encoding that ``recordings.images`` knows.
        reduction: 2, 4 or 8 returns a compressed image at that part of its size.

    Raises:
        MessageError: Zero size, unknown encoding, too little data, or data that do not decode.
    """
    if isinstance(message, CompressedImage):
        what = f"compressed image in format '{message.format}'"
        return compressed_image_rgb(message, what, reduction)
    return raw_image_rgb(message, _pixels)


def _pixels(message: Image, dtype: str, channels: int) -> NDArray[Any]:
    """Return the pixels of a message by cv_bridge where it is known to read them right.

    It shears rows that are padded, does not turn the bytes of big-endian values around with NumPy
    2, and knows some encodings in some distributions only.
    """
    packed = message.step == message.width * channels * np.dtype(dtype).itemsize
    common = message.encoding.startswith(("rgb", "bgr", "mono", "bayer", "8UC", "16UC"))
    whole = 0 < message.height * message.step <= len(message.data)
    if packed and common and whole and not message.is_bigendian:
        return np.asarray(_bridge.imgmsg_to_cv2(message, "passthrough"))
    return image_rows(message, dtype, channels)


def info_from_camera(camera: PinholeCamera, header: Header) -> CameraInfo:
    """Return the CameraInfo of an image, with the image's own header."""
    return CameraInfo(
        header=header,
        width=camera.width,
        height=camera.height,
        distortion_model=camera.distortion_model,
        d=[float(value) for value in camera.distortion] or [0.0] * 5,
        k=[float(value) for value in camera.k.ravel()],
        r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p=[float(value) for value in camera.p.ravel()],
    )


def frame_name(frame_id: str) -> str:
    """Return a frame's name as tf2 wants it: no leading slash."""
    return frame_id.lstrip("/")


def rigid_to_transform(rigid: RigidTransform) -> Transform:
    """Return a rigid transform as a Transform message."""
    message = Transform()
    q, t = message.rotation, message.translation
    q.x, q.y, q.z, q.w = (float(value) for value in rigid.quaternion_xyzw)
    t.x, t.y, t.z = (float(value) for value in rigid.translation_m)
    return message


def array_to_image(array: NDArray[Any], encoding: str, header: Header) -> Image:
    """Return an Image message of an array (H, W) or (H, W, C)."""
    array = np.ascontiguousarray(array)
    data: Any = array
    message = Image(
        header=header,
        height=array.shape[0],
        width=array.shape[1],
        encoding=encoding,
        is_bigendian=0,
        step=array.strides[0],
    )
    # The setter of `data` copies element by element on some distributions; this never does.
    message.data.frombytes(memoryview(data).cast("B"))
    return message


def encode_depth(
    depth_m: NDArray[np.float32], encoding: str
) -> NDArray[np.float32] | NDArray[np.uint16]:
    """Bring depth into the form of a depth image (REP-117, REP-118).

    Args:
        depth_m: (H, W) float32, metres; -Inf too near, +Inf too far, NaN not known.
        encoding: ``32FC1``: as it is. ``16UC1``: millimetres; 0 for all of these, at most 65.535 m.
    """
    if encoding == "32FC1":
        return depth_m
    clipped_m = np.clip(np.where(np.isfinite(depth_m), depth_m, 0.0), 0.0, UINT16_MAX_M)
    return np.rint(clipped_m * 1000.0).astype(np.uint16)


def depth_to_cloud(
    result: DepthResult,
    rgb: NDArray[np.uint8],
    header: Header,
    stride: int = 1,
    max_range_m: float = np.inf,
    heights_m: tuple[float, float] = (-np.inf, np.inf),
) -> PointCloud2:
    """Return the depth image as a coloured cloud in the camera's optical frame.

    Only finite depths become points.

    Args:
        result: Depth and its camera.
        rgb: (H, W, 3) uint8, the source image, of any size.
        header: Header of the source image.
        stride: Every how many rows and columns a point is made.
        max_range_m: Greatest distance from the camera, metres.
        heights_m: Least and greatest height over the camera, against y, metres.
    """
    height, width = result.depth_m.shape
    rows, columns = np.mgrid[0:height:stride, 0:width:stride]
    depth_m = result.depth_m[::stride, ::stride]
    valid = np.isfinite(depth_m) & (depth_m > 0)
    uv = np.stack([columns[valid], rows[valid]], axis=1)
    xyz = result.camera.unproject(uv, depth_m[valid])
    if rgb.shape[:2] != (height, width):
        small = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)
        rgb = np.asarray(small, np.uint8)
    height_m = -xyz[:, 1]
    kept = (np.linalg.norm(xyz, axis=1) <= max_range_m) & (height_m >= heights_m[0])
    kept &= height_m <= heights_m[1]
    xyz = xyz[kept]
    colour = rgb[::stride, ::stride][valid][kept].astype(np.uint32)
    packed = (colour[:, 0] << 16) | (colour[:, 1] << 8) | colour[:, 2]
    return float_cloud(header, x=xyz[:, 0], y=xyz[:, 1], z=xyz[:, 2], rgb=packed.view(np.float32))


def attribution_cloud(
    sweeps: Sequence[RadarSweep], shares: Sequence[NDArray[np.float32]], header: Header
) -> PointCloud2:
    """Return the radar returns of a frame, each with its share in the depth.

    Args:
        sweeps: The sweeps of a frame.
        shares: (N,) of each sweep, in [0, 1].
        header: Header of the source image.

    Returns:
        Fields x, y, z: metres, in the camera's optical frame at the image's stamp; rcs: dBsm; vx,
        vy: m/s, forward and left of the camera; share. Every return of every sweep is in it, in
        their order, also those that the network never saw.
    """
    count = sum(len(sweep.points) for sweep in sweeps)
    values = np.zeros((count, 7), np.float32)
    start = 0
    for sweep, share in zip(sweeps, shares, strict=True):
        points, part = sweep.points, values[start : start + len(sweep.points)]
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite stays so
            part[:, :3] = sweep.camera_from_radar.apply(points.position_m)
        velocity = sweep.velocity_along_camera_mps()
        part[:, 3], part[:, 4:6], part[:, 6] = points.rcs_dbsm, velocity, share
        start += len(points)
    names = ("x", "y", "z", "rcs", "vx", "vy", "share")
    return float_cloud(header, **dict(zip(names, values.T, strict=True)))


def float_cloud(header: Header, **columns: NDArray[np.floating]) -> PointCloud2:
    """Return a cloud of float32 fields, in the order in which they are named."""
    points = np.zeros(len(next(iter(columns.values()))), [(name, "<f4") for name in columns])
    for name, values in columns.items():
        points[name] = values
    fields = [
        PointField(name=name, offset=4 * i, datatype=PointField.FLOAT32, count=1)
        for i, name in enumerate(columns)
    ]
    return point_cloud2.create_cloud(header, fields, points)
