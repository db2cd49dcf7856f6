# SPDX-License-Identifier: Apache-2.0
"""Cameras, images and transforms out of messages, whichever library decoded them.

Each function takes any object with the attributes of the message it names, so it serves messages of
rosbags (no ROS needed) and of rclpy alike. What cannot be understood raises ``MessageError``.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.errors import GeometryError, MessageError, RecordingError
from xd_rcdepth_ros.geometry import (
    SKY_VALUES,
    UNKNOWN,
    PinholeCamera,
    RigidTransform,
    split_sky,
)

# sensor_msgs/Image encoding -> (channels on disk, OpenCV conversion to RGB or None).
_RAW_ENCODINGS: dict[str, tuple[int, int | None]] = {
    "rgb8": (3, None),
    "bgr8": (3, cv2.COLOR_BGR2RGB),
    "8UC3": (3, cv2.COLOR_BGR2RGB),
    "rgba8": (4, cv2.COLOR_RGBA2RGB),
    "bgra8": (4, cv2.COLOR_BGRA2RGB),
    "8UC4": (4, cv2.COLOR_BGRA2RGB),
    "mono8": (1, cv2.COLOR_GRAY2RGB),
    "8UC1": (1, cv2.COLOR_GRAY2RGB),
    # OpenCV names a Bayer pattern by its second row's second and third pixel.
    "bayer_rggb8": (1, cv2.COLOR_BayerBG2RGB),
    "bayer_bggr8": (1, cv2.COLOR_BayerRG2RGB),
    "bayer_gbrg8": (1, cv2.COLOR_BayerGR2RGB),
    "bayer_grbg8": (1, cv2.COLOR_BayerGB2RGB),
    "uyvy": (2, cv2.COLOR_YUV2RGB_UYVY),
    "yuv422": (2, cv2.COLOR_YUV2RGB_UYVY),
    "yuyv": (2, cv2.COLOR_YUV2RGB_YUY2),
    "yuv422_yuy2": (2, cv2.COLOR_YUV2RGB_YUY2),
}
_COEFFICIENTS = {"plumb_bob": (4, 5), "rational_polynomial": (8, 12, 14), "equidistant": (4,)}
_END_OF_JPEG = b"\xff\xd9"


def camera_of(info: Any) -> PinholeCamera:
    """Return the camera that a sensor_msgs/CameraInfo describes.

    Raises:
        MessageError: The intrinsics are not those of a pinhole (all zero: not calibrated).
    """
    frame_id = str(info.header.frame_id)
    if info.binning_x > 1 or info.binning_y > 1:
        raise MessageError(
            f"camera_info of frame '{frame_id}' has binning {info.binning_x} x {info.binning_y}; "
            "expected intrinsics of the image as it is."
        )
    distortion = tuple(float(value) for value in info.d)
    model = str(info.distortion_model) or "plumb_bob"
    if not np.isfinite(distortion).all():
        raise MessageError(f"camera_info of frame '{frame_id}' has distortion {distortion}.")
    try:
        p = np.array(info.p, dtype=np.float64).reshape(3, 4)
        return PinholeCamera(
            int(info.width),
            int(info.height),
            np.array(info.k, dtype=np.float64).reshape(3, 3),
            p if p.any() else None,  # type: ignore[arg-type]  # without rectification P stays zero
            distortion,
            model,
            frame_id.lstrip("/"),
        )
    except (GeometryError, ValueError) as error:
        raise MessageError(f"camera_info of frame '{frame_id}' cannot be used: {error}") from error


def decode_image(data: bytes | NDArray[np.uint8], what: str = "image") -> NDArray[np.uint8]:
    """Decode the bytes of a JPEG or PNG file.

    Args:
        data: The file's bytes.
        what: Name of the image in error texts.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        MessageError: The bytes are cut off or are no image.
    """
    array = np.frombuffer(data, np.uint8) if isinstance(data, bytes) else np.asarray(data, np.uint8)
    if array[:2].tobytes() == b"\xff\xd8" and _END_OF_JPEG not in array[-4096:].tobytes():
        raise MessageError(f"{what} is a JPEG of {len(array)} bytes without its end: cut off.")
    image = None
    if len(array):
        try:
            image = cv2.imdecode(array, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        except cv2.error as error:
            raise MessageError(f"{what} cannot be decoded: {error}.") from error
    if image is None:
        raise MessageError(
            f"{what} of {len(array)} bytes is no image that can be decoded; expected JPEG or PNG."
        )
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def image_size(data: bytes, what: str = "image") -> tuple[int, int]:
    """Return width and height, pixels, of a JPEG or PNG file from its header alone.

    Raises:
        MessageError: The bytes are neither.
    """
    if data[:8] == b"\x89PNG\r\n\x1a\n" and len(data) >= 24:
        return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    position = 2 if data[:2] == b"\xff\xd8" else len(data)
    while position + 9 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # a start of frame
            height = int.from_bytes(data[position + 5 : position + 7], "big")
            return int.from_bytes(data[position + 7 : position + 9], "big"), height
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    raise MessageError(f"{what} of {len(data)} bytes is no JPEG or PNG file, or it is cut off.")


def image_rows(image: Any, dtype: str, channels: int) -> NDArray[Any]:
    """Return the pixels of a sensor_msgs/Image as (H, W) or (H, W, channels), padding removed."""
    height, width, step = int(image.height), int(image.width), int(image.step)
    row = width * channels * np.dtype(dtype).itemsize
    data = np.frombuffer(memoryview(image.data).cast("B"), np.uint8)
    if height < 1 or width < 1 or step < row or len(data) < height * step:
        raise MessageError(
            f"image of {width} x {height} in '{image.encoding}' has step {step} and {len(data)} "
            f"bytes; expected a step of at least {row} and {height} x step bytes."
        )
    pixels = np.ascontiguousarray(data[: height * step].reshape(height, step)[:, :row])
    pixels = pixels.view((">" if image.is_bigendian else "<") + dtype)
    return pixels if channels == 1 else pixels.reshape(height, width, channels)


def raw_image_rgb(image: Any) -> NDArray[np.uint8]:
    """Return a sensor_msgs/Image as (H, W, 3) uint8 RGB.

    Raises:
        MessageError: The encoding is not known, or the sizes contradict each other.
    """
    encoding = str(image.encoding)
    if encoding not in _RAW_ENCODINGS:
        raise MessageError(
            f"image encoding '{encoding}' is not known; expected one of "
            f"{', '.join(_RAW_ENCODINGS)}."
        )
    channels, conversion = _RAW_ENCODINGS[encoding]
    pixels = image_rows(image, "u1", channels)
    try:
        rgb = pixels if conversion is None else cv2.cvtColor(pixels, conversion)
    except cv2.error as error:
        raise MessageError(
            f"image of {image.width} x {image.height} cannot be read as '{encoding}': {error}."
        ) from error
    return np.ascontiguousarray(rgb, np.uint8)


def depth_of(image: Any) -> NDArray[np.float32]:
    """Return a depth image, 32FC1 (m) or 16UC1 (mm), as (H, W) float32 metres.

    NaN where unknown, +Inf where nothing is within range (REP-117).
    """
    if image.encoding == "32FC1":
        depth = image_rows(image, "f4", 1).astype(np.float32)
    elif image.encoding in ("16UC1", "mono16"):
        depth = image_rows(image, "u2", 1).astype(np.float32) / np.float32(1000.0)
    else:
        raise MessageError(f"depth image in '{image.encoding}'; expected 32FC1 (m) or 16UC1 (mm).")
    depth[~(depth > 0)] = np.nan
    return depth


def sky_of(image: Any) -> NDArray[np.uint8]:
    """Return a mask of the sky, mono8, as (H, W) uint8: 1 sky, 0 something, 255 unknown.

    Raises:
        MessageError: The encoding is another, or there are other values.
    """
    if image.encoding not in ("mono8", "8UC1"):
        raise MessageError(f"sky mask in '{image.encoding}'; expected mono8.")
    sky = np.asarray(image_rows(image, "u1", 1), np.uint8)
    others = sorted(set(np.unique(sky).tolist()) - set(SKY_VALUES))
    if others:
        raise MessageError(
            f"sky mask has the values {others[:5]}; expected 1 (sky), 0 (something within range) "
            "and 255 (unknown)."
        )
    return sky


def reference_maps(
    depth_image: Any, sky_image: Any, camera: PinholeCamera
) -> tuple[NDArray[np.float32] | None, NDArray[np.uint8] | None]:
    """Return the reference depth and the sky mask that belong to an image, both rectified.

    Args:
        depth_image: sensor_msgs/Image of the depth, or None.
        sky_image: sensor_msgs/Image of the mask, or None: then the depth tells the sky.
        camera: Camera of the image, as it is.

    Returns:
        Depth (H, W) float32, metres, NaN where unknown, and sky mask (H, W) uint8; None where there
        is nothing to make them of.

    Raises:
        MessageError: A message is damaged.
        RecordingError: The mask has another size than the image.
    """
    depth = sky = None
    if depth_image is not None:
        depth, sky = split_sky(rectify(depth_of(depth_image), camera, nearest=True)[0])
    if sky_image is not None:
        sky = sky_of(sky_image)
        if sky.shape != (camera.height, camera.width):
            raise RecordingError(
                f"sky mask is {sky.shape[1]} x {sky.shape[0]}, but its image is {camera.width} x "
                f"{camera.height}; expected one value for each pixel. Write it again in that size."
            )
        sky = rectify(sky, camera, nearest=True, unseen=UNKNOWN)[0]
    return depth, sky


def transform_of(transform: Any) -> RigidTransform:
    """Return a geometry_msgs/Transform as a rigid transform."""
    q, t = transform.rotation, transform.translation
    return RigidTransform.from_quaternion((q.x, q.y, q.z, q.w), (t.x, t.y, t.z))


def stamp_ns_of(header: Any) -> int:
    """Return the stamp of a std_msgs/Header, nanoseconds."""
    return int(header.stamp.sec) * 1_000_000_000 + int(header.stamp.nanosec)


def rectify(
    image: NDArray[Any],
    camera: PinholeCamera,
    nearest: bool = False,
    unseen: float | None = None,
) -> tuple[NDArray[Any], PinholeCamera]:
    """Take the lens distortion out of an image.

    Args:
        image: (H, W, ...) of that camera.
        camera: Its intrinsics; returned as they are if there is no distortion.
        nearest: Take the nearest pixel instead of mixing four, as depth needs it.
        unseen: Value where nothing was seen; None takes 0 for integers and NaN for floats.

    Returns:
        The image and the rectified camera.

    Raises:
        MessageError: The distortion model, or its number of coefficients, is not known.
    """
    if camera.is_rectified:
        return image, camera.rectified() if camera.distortion else camera
    if image.shape[:2] != (camera.height, camera.width):
        raise MessageError(
            f"image is {image.shape[1]} x {image.shape[0]}, but its camera_info says "
            f"{camera.width} x {camera.height}."
        )
    maps = _maps(
        (camera.width, camera.height),
        tuple(camera.k.ravel()),
        tuple(camera.p[:, :3].ravel()),
        camera.distortion,
        camera.distortion_model,
    )
    flag = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
    border = unseen
    if border is None:
        border = float("nan") if np.issubdtype(image.dtype, np.floating) else 0
    rectified = cv2.remap(image, *maps, flag, borderMode=cv2.BORDER_CONSTANT, borderValue=border)
    return rectified, camera.rectified()


@lru_cache(maxsize=4)
def _maps(
    size: tuple[int, int],
    k: tuple[float, ...],
    new_k: tuple[float, ...],
    distortion: tuple[float, ...],
    model: str,
) -> tuple[Any, Any]:
    if len(distortion) not in _COEFFICIENTS.get(model, ()):
        raise MessageError(
            f"distortion model '{model}' with {len(distortion)} coefficients is not known; "
            f"expected {_COEFFICIENTS}. Rectify the images first."
        )
    make: Any = (
        cv2.fisheye.initUndistortRectifyMap
        if model == "equidistant"
        else cv2.initUndistortRectifyMap
    )
    old, new = np.reshape(k, (3, 3)), np.reshape(new_k, (3, 3))
    first, second = make(old, np.array(distortion), np.eye(3), new, size, cv2.CV_32FC1)
    return first, second
