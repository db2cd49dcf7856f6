# SPDX-License-Identifier: Apache-2.0
"""Pictures of a replayed drive: panels, labelled sheets, errors and their colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.geometry import SensorFrame
from xd_rcdepth_ros.inference.overlay import draw_radar
from xd_rcdepth_ros.report.page import Picture, Scale
from xd_rcdepth_ros.report.pictures import RGBImage, data_uri, fit_width, jpeg

MAX_DEPTH_M = 80.0
MAX_ERROR_M = 10.0
_WHITE = (255, 255, 255)


@dataclass(frozen=True)
class Panel:
    """One picture and what it shows.

    Attributes:
        label: A few words, drawn into PNG files.
        caption: One sentence, for the report.
        image: (H, W, 3) uint8 RGB.
    """

    label: str
    caption: str
    image: RGBImage

    def on_page(self) -> Picture:
        """Return it as a page carries it."""
        return Picture(self.label, self.caption, data_uri(jpeg(fit_width(self.image, 800))))


def camera_picture(frame: SensorFrame) -> RGBImage:
    """Return the camera's image with the radar returns as dots coloured by depth."""
    return draw_radar(frame.image, frame.radar_raster(), MAX_DEPTH_M)


def error_picture(
    image: RGBImage,
    depth_m: NDArray[np.floating],
    truth_m: NDArray[np.floating],
    cap_m: float = MAX_DEPTH_M,
) -> RGBImage:
    """Colour the absolute error where the truth is known, over the darkened grey image.

    Args:
        image: (H, W, 3) uint8 RGB.
        depth_m: (H, W), metres.
        truth_m: (H, W), metres, NaN where unknown; sparse truth is drawn as dots.
        cap_m: Largest truth that is shown, metres.

    Returns:
        (H, W, 3) uint8 RGB; blue is right, red is wrong by ``MAX_ERROR_M`` or more.
    """
    with np.errstate(invalid="ignore"):
        known = (truth_m > 0) & (truth_m < cap_m)
    off = np.abs(np.clip(np.nan_to_num(depth_m, nan=0.0), 0.0, cap_m) - truth_m)
    level = np.zeros(truth_m.shape, np.uint8)
    level[known] = error_levels(off[known])
    if known.mean() < 0.2:  # a lidar's points are single pixels: make them dots
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
        level = np.asarray(cv2.dilate(level, kernel), np.uint8)
        known = cv2.dilate(known.astype(np.uint8), kernel) > 0
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None].repeat(3, axis=2)
    picture = (grey * 0.35).astype(np.uint8)
    picture[known] = cv2.applyColorMap(level, cv2.COLORMAP_TURBO)[known][:, ::-1]
    return picture


def error_levels(error_m: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return the place of absolute errors (metres) on the colour scale, 20 (none) to 255."""
    share = np.clip(error_m / MAX_ERROR_M, 0, 1)
    # The colour scale begins at 20: turbo's darkest blues look black.
    level: NDArray[np.uint8] = (20 + 235 * share).astype(np.uint8)
    return level


def error_scale(width: int = 512, height: int = 16) -> Scale:
    """Return the error colours from none to ``MAX_ERROR_M``."""
    levels = error_levels(np.linspace(0, MAX_ERROR_M, width))
    strip = cv2.applyColorMap(levels.reshape(1, -1), cv2.COLORMAP_TURBO)[..., ::-1]
    ticks = [(t / MAX_ERROR_M, f"{t} m") for t in (0, 2, 4, 6)]
    ticks.append((1.0, f"{MAX_ERROR_M:g} m or more"))
    return Scale("Absolute error", np.repeat(strip, height, axis=0), ticks)


def sheet(panels: Sequence[Panel], width: int = 640, columns: int = 2) -> RGBImage:
    """Return panels side by side, each ``width`` pixels wide and with its label drawn in."""
    gap = 4
    tiles = [_labelled(fit_width(p.image, width), p.label) for p in panels]
    height = max(tile.shape[0] for tile in tiles)
    rows = -(-len(tiles) // columns)
    size = (rows * (height + gap) - gap, columns * (width + gap) - gap, 3)
    canvas = np.full(size, 255, np.uint8)
    for index, tile in enumerate(tiles):
        top, left = index // columns * (height + gap), index % columns * (width + gap)
        canvas[top : top + tile.shape[0], left : left + width] = tile
    return canvas


def _labelled(image: RGBImage, label: str) -> RGBImage:
    picture = image.copy()
    size = max(10, round(picture.shape[1] / 32))
    margin = size // 2
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, size / 30
    (text_width, _), _ = cv2.getTextSize(label, font, scale, 1)
    box = picture[: size + 2 * margin, : text_width + 2 * margin]
    box[:] = (box * 0.3).astype(np.uint8)
    place = (margin, margin + round(0.85 * size))
    cv2.putText(picture, label, place, font, scale, _WHITE, 1, cv2.LINE_AA)
    return picture
