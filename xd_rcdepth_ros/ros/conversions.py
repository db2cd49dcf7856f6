# SPDX-License-Identifier: Apache-2.0
"""ROS messages to the types of ``geometry``, and results back to messages.

Every message comes from someone else: what cannot be understood raises ``MessageError``, whose text
names what came and what was expected.
"""

from __future__ import annotations

import functools
from dataclasses import replace
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

from xd_rcdepth_ros.errors import GeometryError, MessageError
from xd_rcdepth_ros.geometry import DepthResult, PinholeCamera, RigidTransform

NS = 1_000_000_000
UINT16_MAX_M = 65.535  # greatest depth that 16-bit millimetres can say

_bridge = CvBridge()


def stamp_to_ns(stamp: Time) -> int:
    """Return a stamp as nanoseconds."""
    return int(stamp.sec) * NS + int(stamp.nanosec)


def ns_to_stamp(stamp_ns: int) -> Time:
    """Return nanoseconds as a stamp."""
    sec, nanosec = divmod(int(stamp_ns), NS)
    return Time(sec=sec, nanosec=nanosec)


def image_to_rgb(message: Image | CompressedImage) -> NDArray[np.uint8]:
    """Return the pixels of an image message, raw or compressed, as (H, W, 3) uint8 RGB.

    Raises:
        MessageError: Zero size, unknown encoding, too little data, or data that do not decode.
    """
    if isinstance(message, Image):
        what = f"image of {message.width} x {message.height} in encoding '{message.encoding}'"
        if not message.width or not message.height:
            raise MessageError(f"{what} has no pixels; check the camera driver.")
        decode = _bridge.imgmsg_to_cv2
    else:
        data = message.data
        what = f"compressed image of {len(data)} bytes in format '{message.format}'"
        if bytes(data[:2]) == b"\xff\xd8" and b"\xff\xd9" not in bytes(data[-256:]):
            # Some versions of OpenCV would fill the rest with grey, and the network believe it.
            raise MessageError(f"{what} is a JPEG without its end: it was cut off on the way.")
        decode = _bridge.compressed_imgmsg_to_cv2
    try:
        image = decode(message, "rgb8")
    except Exception as error:  # cv_bridge lets errors of cv2, NumPy and its own through
        reason = " ".join(str(error).split()) or type(error).__name__
        raise MessageError(
            f"{what} cannot be read as rgb8: {reason}. Expected an encoding that cv_bridge knows, "
            "and undamaged data."
        ) from error
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise MessageError(f"{what} decodes to {image.shape} {image.dtype}; expected RGB uint8.")
    return np.ascontiguousarray(image)


def camera_from_info(message: CameraInfo) -> PinholeCamera:
    """Return the camera that a CameraInfo describes.

    Raises:
        MessageError: The intrinsics are not those of a pinhole (all zero: not calibrated).
    """
    if message.binning_x > 1 or message.binning_y > 1:
        raise MessageError(
            f"camera_info of frame '{message.header.frame_id}' has binning {message.binning_x} x "
            f"{message.binning_y}; expected intrinsics of the image as it is published."
        )
    k = np.array(message.k, dtype=np.float64).reshape(3, 3)
    p = np.array(message.p, dtype=np.float64).reshape(3, 4)
    if not p.any():  # drivers without rectification leave P zero
        p = np.hstack([k, np.zeros((3, 1))])
    try:
        return PinholeCamera(
            int(message.width),
            int(message.height),
            k,
            p,
            tuple(float(value) for value in message.d) if any(message.d) else (),
            message.distortion_model or "plumb_bob",
            frame_name(message.header.frame_id),
        )
    except GeometryError as error:
        raise MessageError(
            f"camera_info of frame '{message.header.frame_id}' cannot be used: {error}"
        ) from error


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


def transform_to_rigid(transform: Transform) -> RigidTransform:
    """Return a Transform message as a rigid transform."""
    q, t = transform.rotation, transform.translation
    return RigidTransform.from_quaternion((q.x, q.y, q.z, q.w), (t.x, t.y, t.z))


def rigid_to_transform(rigid: RigidTransform) -> Transform:
    """Return a rigid transform as a Transform message."""
    message = Transform()
    q, t = message.rotation, message.translation
    q.x, q.y, q.z, q.w = (float(value) for value in rigid.quaternion_xyzw)
    t.x, t.y, t.z = (float(value) for value in rigid.translation_m)
    return message


def rectify(
    image: NDArray[np.uint8], camera: PinholeCamera
) -> tuple[NDArray[np.uint8], PinholeCamera]:
    """Undistort an image.

    Args:
        image: (H, W, 3) uint8, with lens distortion.
        camera: Its camera; models ``plumb_bob``, ``rational_polynomial`` and ``equidistant``.

    Returns:
        The undistorted image, black where nothing was seen, and its camera.

    Raises:
        MessageError: The distortion model is not known, or has a wrong number of coefficients.
    """
    maps = _undistortion_maps(
        camera.width,
        camera.height,
        tuple(camera.k.ravel()),
        tuple(camera.p[:, :3].ravel()),
        camera.distortion,
        camera.distortion_model,
    )
    undistorted = cv2.remap(image, *maps, interpolation=cv2.INTER_LINEAR)
    return np.asarray(undistorted, np.uint8), camera.rectified()


@functools.lru_cache(maxsize=4)
def _undistortion_maps(
    width: int,
    height: int,
    k: tuple[float, ...],
    new_k: tuple[float, ...],
    distortion: tuple[float, ...],
    model: str,
) -> tuple[NDArray[Any], NDArray[Any]]:
    k_array, new_array = np.reshape(k, (3, 3)), np.reshape(new_k, (3, 3))
    coefficients = np.array(distortion, np.float64)
    make: Any
    if model in ("plumb_bob", "rational_polynomial") and len(distortion) in (4, 5, 8, 12, 14):
        make = cv2.initUndistortRectifyMap
    elif model == "equidistant" and len(distortion) == 4:
        make = cv2.fisheye.initUndistortRectifyMap
    else:
        raise MessageError(
            f"distortion model '{model}' with {len(distortion)} coefficients is not known; "
            "expected plumb_bob, rational_polynomial (4, 5, 8, 12 or 14) or equidistant (4). "
            "Publish rectified images, or set rectify: false."
        )
    first, second = make(k_array, coefficients, np.eye(3), new_array, (width, height), cv2.CV_16SC2)
    return first, second


def without_distortion_known(camera: PinholeCamera) -> PinholeCamera:
    """Return the camera of an image that is used as it is, distorted: P follows K, D stays."""
    return replace(camera, p=np.hstack([camera.k, np.zeros((3, 1))]))


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
    depth_m: NDArray[np.float32], encoding: str, min_m: float, max_m: float
) -> NDArray[np.float32] | NDArray[np.uint16]:
    """Bring depth into the form of a depth image (REP-117, REP-118).

    Args:
        depth_m: (H, W) float32, metres.
        encoding: ``32FC1``: metres; nearer than ``min_m`` is -Inf, farther than ``max_m`` is +Inf,
            not known is NaN. ``16UC1``: millimetres; 0 for all of these, and at most 65.535 m.
        min_m: Least depth that counts as measured, metres.
        max_m: Greatest depth that counts as measured, metres.
    """
    near, far = depth_m < min_m, depth_m > max_m
    if encoding == "32FC1":
        limited = depth_m.astype(np.float32, copy=True)
        limited[near], limited[far] = -np.inf, np.inf
        return limited
    valid = np.isfinite(depth_m) & ~near & ~far
    clipped_m = np.clip(np.where(valid, depth_m, 0.0), 0.0, UINT16_MAX_M)
    return np.rint(clipped_m * 1000.0).astype(np.uint16)


def depth_to_cloud(
    result: DepthResult, rgb: NDArray[np.uint8], header: Header, stride: int = 1
) -> PointCloud2:
    """Return the depth image as a coloured cloud in the camera's optical frame.

    Args:
        result: Depth and its camera.
        rgb: (H, W, 3) uint8, the source image, of any size.
        header: Header of the source image.
        stride: Every how many rows and columns a point is made.
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
    colour = rgb[::stride, ::stride][valid].astype(np.uint32)
    packed = (colour[:, 0] << 16) | (colour[:, 1] << 8) | colour[:, 2]
    points = np.zeros(len(xyz), dtype=[("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("rgb", "<f4")])
    points["x"], points["y"], points["z"] = xyz.T
    points["rgb"] = packed.view(np.float32)
    fields = [
        PointField(name=name, offset=4 * i, datatype=PointField.FLOAT32, count=1)
        for i, name in enumerate(points.dtype.names or ())
    ]
    return point_cloud2.create_cloud(header, fields, points)
