# SPDX-License-Identifier: Apache-2.0
"""Pictures of one scored frame: camera with radar, depth, ground truth, error; their colours."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from xd_rcdepth_ros.evaluation.protocol import Protocol
from xd_rcdepth_ros.geometry import SensorFrame
from xd_rcdepth_ros.inference import colorize_depth, draw_radar
from xd_rcdepth_ros.report.page import Scale
from xd_rcdepth_ros.report.pictures import RGBImage, fit_width

ERROR_SPAN_M = 10.0
_ERROR_COLOURS = np.array([(59, 76, 192), (221, 221, 221), (180, 4, 38)])  # too near to too far
_BACKGROUND = 26


def thicken(values: NDArray[np.float32], radius_px: float) -> NDArray[np.float32]:
    """Spread sparse values over the pixels around them, so that people can see them.

    Args:
        values: (H, W), NaN where unknown.
        radius_px: Greatest distance, pixels; the nearest value is taken.
    """
    unknown = np.isnan(values)
    if unknown.all():
        return values
    distance, nearest = distance_transform_edt(unknown, return_indices=True)
    return np.where(distance <= radius_px, values[tuple(nearest)], np.nan).astype(np.float32)


def error_picture(
    prediction: NDArray[np.float32], truth: NDArray[np.float32], span_m: float = ERROR_SPAN_M
) -> RGBImage:
    """Colour prediction minus truth: blue is too near, red too far, dark where not scored.

    Args:
        prediction: (H, W), metres.
        truth: (H, W), metres, NaN where it is not scored.
        span_m: Error of the strongest colour, metres.
    """
    error = np.nan_to_num(prediction, nan=0.0, posinf=1e6, neginf=0.0) - truth
    level = np.nan_to_num(error / span_m)
    colours = [np.interp(level, (-1, 0, 1), colour) for colour in _ERROR_COLOURS.T]
    picture: RGBImage = np.stack(colours, axis=-1).astype(np.uint8)
    picture[np.isnan(truth)] = _BACKGROUND
    return picture


def error_scale(width: int = 512, height: int = 16) -> Scale:
    """Return the colours of ``error_picture``."""
    row_m = np.linspace(-ERROR_SPAN_M, ERROR_SPAN_M, width, dtype=np.float32)
    error_m = np.tile(row_m, (height, 1))
    strip = error_picture(error_m, np.zeros_like(error_m))
    span = f"{ERROR_SPAN_M:g} m"
    ticks = [(0.0, f"{span} too near"), (0.5, "right"), (1.0, f"{span} too far")]
    return Scale("Error", strip, ticks)


def depth_scale(max_depth_m: float, width: int = 512, height: int = 16) -> Scale:
    """Return the depth colours from near to far."""
    depths_m = 2.0 * (max_depth_m / 2.0) ** np.linspace(0, 1, width)
    strip = colorize_depth(np.repeat(depths_m[None], height, axis=0), max_depth_m)
    return Scale("Depth", strip, _depth_ticks(max_depth_m))


def radar_scale(max_depth_m: float, width: int = 512, height: int = 16) -> Scale:
    """Return the radar dots' colours from near to far."""
    levels = np.linspace(255, 0, width).astype(np.uint8).reshape(1, -1)
    strip = cv2.applyColorMap(levels, cv2.COLORMAP_TURBO)[..., ::-1]
    return Scale("Radar returns", np.repeat(strip, height, axis=0), _depth_ticks(max_depth_m))


def _depth_ticks(max_depth_m: float) -> list[tuple[float, str]]:
    span = np.log(max_depth_m / 2)  # the overlays' colours go by the logarithm, from 2 m
    inner = [t for t in (2.0, 5.0, 10.0, 20.0, 40.0, 80.0) if t < 0.8 * max_depth_m]
    return [(float(np.log(t / 2) / span), f"{t:g} m") for t in (*inner, max_depth_m)]


def frame_pictures(
    frame: SensorFrame,
    prediction: NDArray[np.float32],
    protocol: Protocol,
    max_width: int = 960,
) -> dict[str, RGBImage]:
    """Return the pictures of one frame by name, at most ``max_width`` pixels wide."""
    cap = protocol.main_cap_m
    truth = protocol.ground_truth(frame)
    truth[~(truth < cap)] = np.nan
    scored = np.where(np.isnan(truth), np.nan, prediction).astype(np.float32)
    seen = truth
    if np.isfinite(truth).mean() < 0.3:  # sparse: each point is drawn over its neighbours
        radius = max(1.5, frame.camera.height / 160)
        seen, scored = thicken(truth, radius), thicken(scored, radius)
    pictures = {
        "camera": draw_radar(frame.image, frame.radar_raster(), cap),
        "depth": colorize_depth(prediction, cap),
        "truth": colorize_depth(seen, cap),
        "error": error_picture(scored, seen),
    }
    if frame.camera.width > max_width:
        pictures = {name: fit_width(picture, max_width) for name, picture in pictures.items()}
    return pictures
