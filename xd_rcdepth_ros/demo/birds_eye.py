# SPDX-License-Identifier: Apache-2.0
"""A picture of a frame from above: where depth, lidar and radar say that things stand."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.geometry import SensorFrame
from xd_rcdepth_ros.report.pictures import RGBImage

FORWARD_M, SIDE_M = 60.0, 15.0  # what is shown: ahead of the camera, and to each side
LOWEST_M, HIGHEST_M = -1.0, 1.5  # over the camera: the road and what hangs over it are left out
_STRIDE = 2
_DEPTH, _LIDAR, _RADAR = (70, 150, 255), (235, 235, 235), (255, 140, 0)
_GROUND, _LINE = (18, 22, 28), (52, 60, 72)
LEGEND = "depth blue, lidar white, radar orange"


def draw_birds_eye(frame: SensorFrame, depth_m: NDArray[np.floating], width: int = 640) -> RGBImage:
    """Draw the points of a frame from above: the camera looks from the left edge to the right.

    Args:
        frame: Camera, lidar and radar of the frame.
        depth_m: (H, W), metres, at the image's resolution.
        width: Of the picture, pixels; it is half as high.

    Returns:
        (width / 2, width, 3) uint8 RGB; lines every 10 m, the left of the car is up.
    """
    scale = width / FORWARD_M
    height = round(2 * SIDE_M * scale)
    picture = np.full((height, width, 3), _GROUND, np.uint8)
    for line_m in np.arange(10.0, FORWARD_M, 10.0):
        picture[:, round(line_m * scale)] = _LINE
    for line_m in np.arange(-10.0, SIDE_M, 10.0):
        picture[round((line_m + SIDE_M) * scale)] = _LINE

    rows, columns = np.mgrid[0 : depth_m.shape[0] : _STRIDE, 0 : depth_m.shape[1] : _STRIDE]
    depths = depth_m[::_STRIDE, ::_STRIDE]
    known = np.isfinite(depths) & (depths > 0)
    uv = np.stack([columns[known], rows[known]], axis=1)
    row, column = _cells(frame.camera.unproject(uv, depths[known]), scale, height)
    picture[row, column] = _DEPTH
    if frame.lidar is not None:
        points = frame.lidar.camera_from_lidar.apply(frame.lidar.points_m)
        row, column = _cells(points, scale, height)
        picture[row, column] = _LIDAR
    for sweep in frame.radar:
        # Many radars measure no height: each return counts, whatever its own.
        points = sweep.camera_from_radar.apply(sweep.points.position_m) * [1.0, 0.0, 1.0]
        for row, column in zip(*_cells(points, scale, height), strict=True):
            cv2.circle(picture, (int(column), int(row)), 4, _RADAR, -1, cv2.LINE_AA)
    return picture


def _cells(
    points_m: NDArray[np.floating], scale: float, height: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return row and column of those points (N, 3), camera frame, that the picture shows."""
    with np.errstate(invalid="ignore"):
        column = np.floor(points_m[:, 2] * scale)
        row = np.floor((points_m[:, 0] + SIDE_M) * scale)
        shown = (points_m[:, 2] >= 0) & (points_m[:, 2] < FORWARD_M) & (row >= 0) & (row < height)
        shown &= (-points_m[:, 1] >= LOWEST_M) & (-points_m[:, 1] <= HIGHEST_M)
    return row[shown].astype(np.intp), column[shown].astype(np.intp)
