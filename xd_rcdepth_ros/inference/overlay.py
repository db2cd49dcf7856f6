# SPDX-License-Identifier: Apache-2.0
"""Pictures for people: coloured depth, radar returns and saliency over the camera image (RGB)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.geometry import RadarRaster

RGBImage = NDArray[np.uint8]


def _colour(values: NDArray[np.floating], colour_map: int) -> RGBImage:
    """Colour values in [0, 1] of any shape; adds a last axis of 3."""
    levels = np.clip(np.nan_to_num(values) * 255, 0, 255).astype(np.uint8)
    table = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], colour_map)[:, 0, ::-1]
    return np.asarray(np.asarray(table)[levels], np.uint8)


def _nearness(depth_m: NDArray[np.floating], max_depth_m: float) -> NDArray[np.float64]:
    """Return 1 at 2 m and 0 at the maximum, on a log scale: near things deserve the colours."""
    with np.errstate(invalid="ignore", divide="ignore"):
        log_depth = np.log(np.clip(depth_m, 2.0, max_depth_m) / 2.0)
    return np.asarray(1 - log_depth / np.log(max_depth_m / 2.0), np.float64)


def colorize_depth(depth_m: NDArray[np.floating], max_depth_m: float = 80.0) -> RGBImage:
    """Colour a depth map: near is bright, far is dark, invalid is black.

    Args:
        depth_m: (H, W), metres; NaN where invalid, +-Inf out of range (REP-117).
        max_depth_m: Depth of the darkest colour, metres.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    picture = _colour(_nearness(depth_m, max_depth_m), cv2.COLORMAP_MAGMA)
    picture[np.isnan(depth_m)] = 0
    return picture


def draw_radar(image: RGBImage, raster: RadarRaster, max_depth_m: float = 80.0) -> RGBImage:
    """Draw radar returns over an image as dots coloured by depth, nearest on top.

    Args:
        image: (H, W, 3) uint8 RGB, on the raster's pixel grid.
        raster: Radar returns on that grid.
        max_depth_m: Depth of the last colour, metres.
    """
    picture = np.ascontiguousarray(image * 0.6).astype(np.uint8)
    colours = _colour(_nearness(raster.depth_m, max_depth_m), cv2.COLORMAP_TURBO)
    radius = max(2, round(image.shape[0] / 130))
    for index in np.argsort(-raster.depth_m):
        centre = (int(raster.pixels[index, 0]), int(raster.pixels[index, 1]))
        cv2.circle(picture, centre, radius + 1, (0, 0, 0), -1, cv2.LINE_AA)
        cv2.circle(picture, centre, radius, colours[index].tolist(), -1, cv2.LINE_AA)
    return picture


def overlay_heatmap(image: RGBImage, heat: NDArray[np.floating]) -> RGBImage:
    """Lay a map in [0, 1] over an image of the same height and width; 0 leaves it grey.

    Args:
        image: (H, W, 3) uint8 RGB.
        heat: (H, W) in [0, 1].
    """
    share = np.clip(np.nan_to_num(heat), 0, 1)[..., None]
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None].repeat(3, axis=2)
    colours = _colour(heat, cv2.COLORMAP_JET)
    mixed: RGBImage = ((1 - 0.7 * share) * grey + 0.7 * share * colours).astype(np.uint8)
    return mixed
