# SPDX-License-Identifier: Apache-2.0
"""A SensorFrame out of plain arrays, for those who have no recording and no ROS."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from xd_rcdepth_ros.errors import GeometryError
from xd_rcdepth_ros.geometry import (
    PinholeCamera,
    RadarPoints,
    RadarSweep,
    RigidTransform,
    SensorFrame,
)
from xd_rcdepth_ros.recordings.messages import rectify
from xd_rcdepth_ros.recordings.pointcloud import radar_points


def frame_from_arrays(
    image: ArrayLike,
    radar: RadarPoints | ArrayLike | None = None,
    camera: PinholeCamera | ArrayLike | None = None,
    camera_from_radar: RigidTransform | ArrayLike | None = None,
) -> SensorFrame:
    """Make a frame of one image and one radar sweep; lens distortion is taken out of the image.

    Args:
        image: (H, W, 3) uint8, RGB (OpenCV reads BGR: ``image[..., ::-1]``), or (H, W) uint8, grey.
        radar: Returns in the radar's frame (x forward, y left, z up); None for no radar. An array
            (N, 3), (N, 4), (N, 5) or (N, 6) as ``RadarPoints.from_columns`` takes it, or a
            structured array (N,) with fields of the names that radar drivers use.
        camera: Intrinsics; a (3, 3) camera matrix in pixels if the image has no distortion.
        camera_from_radar: Mounting: the transform from the radar's frame to the camera's (x right,
            y down, z forward), metres; also as a (4, 4) matrix. Needed with ``radar`` only.

    Raises:
        GeometryError: An array has another shape or type, or something is missing.
        MessageError: The distortion model is not known, or a structured array lacks a position.
    """
    if camera is None:
        raise GeometryError(
            "no camera was given; expected a PinholeCamera, or its (3, 3) camera matrix in pixels."
        )
    pixels = _rgb(image)
    height, width = pixels.shape[:2]
    if not isinstance(camera, PinholeCamera):
        camera = PinholeCamera(width, height, np.asarray(camera, np.float64))
    if (camera.height, camera.width) != (height, width):
        raise GeometryError(
            f"image is {width} x {height}, but its camera is {camera.width} x {camera.height}: "
            "give the camera of this image, such as camera.resize(width, height)."
        )
    pixels, camera = rectify(pixels, camera)
    if radar is None:
        return SensorFrame(pixels, camera)
    if camera_from_radar is None:
        raise GeometryError(
            "radar was given without camera_from_radar; expected the (4, 4) transform from the "
            "radar's frame (x forward, y left, z up) to the camera's (x right, y down, z forward)."
        )
    if not isinstance(camera_from_radar, RigidTransform):
        camera_from_radar = RigidTransform.from_matrix(camera_from_radar)
    return SensorFrame(pixels, camera, (RadarSweep(_points(radar), camera_from_radar),))


def _rgb(image: ArrayLike) -> Any:
    pixels = np.asarray(image)
    if pixels.dtype != np.uint8 or pixels.shape[2:] not in ((), (3,)) or pixels.ndim < 2:
        raise GeometryError(
            f"image is {pixels.shape} {pixels.dtype}; expected (H, W, 3) RGB or (H, W) grey, uint8."
        )
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    return np.ascontiguousarray(pixels)


def _points(radar: RadarPoints | ArrayLike) -> RadarPoints:
    if isinstance(radar, RadarPoints):
        return radar
    table = np.asarray(radar)
    return radar_points(table) if table.dtype.names else RadarPoints.from_columns(table)
