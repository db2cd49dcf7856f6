# SPDX-License-Identifier: Apache-2.0
"""Cameras, depth, transforms and stamps out of messages, whichever library decoded them.

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
from xd_rcdepth_ros.recordings.images import image_rows

# Its place until it moved to recordings.images; kept here for one release.
from xd_rcdepth_ros.recordings.images import raw_image_rgb as raw_image_rgb

# Names of lens models in camera_info -> numbers of coefficients; OpenCV takes any of its lengths.
_OPENCV_LENGTHS = (4, 5, 8, 12, 14)
_COEFFICIENTS = {
    "plumb_bob": _OPENCV_LENGTHS,
    "rational_polynomial": _OPENCV_LENGTHS,
    "thin_prism": _OPENCV_LENGTHS,
    "equidistant": (4,),
    "fisheye": (4,),
}


def camera_of(info: Any) -> PinholeCamera:
    """Return the camera of the images that a sensor_msgs/CameraInfo describes.

    As the message is specified, its sizes, K and P are those of the whole sensor; the image is the
    region of interest, binned.

    Raises:
        MessageError: The intrinsics are not those of a pinhole (all zero: not calibrated).
    """
    camera, roi = sensor_camera_of(info), info.roi
    try:
        if roi.width and roi.height:
            camera = camera.crop(roi.x_offset, roi.y_offset, roi.width, roi.height)
        columns, rows = max(info.binning_x, 1), max(info.binning_y, 1)
        return camera.resize(camera.width // columns, camera.height // rows)
    except GeometryError as error:
        raise MessageError(
            f"camera_info of frame '{camera.frame_id}' has a region of interest of {roi.width} x "
            f"{roi.height} at ({roi.x_offset}, {roi.y_offset}) and binning {info.binning_x} x "
            f"{info.binning_y} on a sensor of {info.width} x {info.height}: {error} Set width and "
            "height to the whole sensor's."
        ) from error


def sensor_camera_of(info: Any) -> PinholeCamera:
    """Return the camera of a sensor_msgs/CameraInfo without region of interest and binning.

    Raises:
        MessageError: As :func:`camera_of`.
    """
    frame_id = str(info.header.frame_id)
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
            "equidistant" if model == "fisheye" else model,
            frame_id.lstrip("/"),
        )
    except (GeometryError, ValueError) as error:
        raise MessageError(f"camera_info of frame '{frame_id}' cannot be used: {error}") from error


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
            f"expected {_COEFFICIENTS}. Rectify the images first, or set rectify: false if they "
            "are rectified."
        )
    make: Any = (
        cv2.fisheye.initUndistortRectifyMap
        if model == "equidistant"
        else cv2.initUndistortRectifyMap
    )
    old, new = np.reshape(k, (3, 3)), np.reshape(new_k, (3, 3))
    first, second = make(old, np.array(distortion), np.eye(3), new, size, cv2.CV_32FC1)
    return first, second
