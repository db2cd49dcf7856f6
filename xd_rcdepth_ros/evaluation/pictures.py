# SPDX-License-Identifier: Apache-2.0
"""Pictures of one scored frame: camera with radar, depth, ground truth, error."""

from __future__ import annotations

import base64

import cv2
import matplotlib
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from xd_rcdepth_ros.evaluation.protocol import Protocol
from xd_rcdepth_ros.geometry import SensorFrame
from xd_rcdepth_ros.inference import colorize_depth, draw_radar

RGBImage = NDArray[np.uint8]
ERROR_COLOURS = "coolwarm"  # blue: said too near, red: said too far
ERROR_SPAN_M = 10.0
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
    level = np.nan_to_num(np.clip(error / (2 * span_m) + 0.5, 0, 1))
    picture: RGBImage = (matplotlib.colormaps[ERROR_COLOURS](level)[..., :3] * 255).astype(np.uint8)
    picture[np.isnan(truth)] = _BACKGROUND
    return picture


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
    scale = min(1.0, max_width / frame.camera.width)
    if scale < 1:
        size = (round(frame.camera.width * scale), round(frame.camera.height * scale))
        for name, picture in pictures.items():
            shrunk = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
            pictures[name] = np.asarray(shrunk, np.uint8)
    return pictures


def jpeg_uri(picture: RGBImage, quality: int = 85) -> str:
    """Return a picture as a data URI, so that a page needs no other file."""
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode()
