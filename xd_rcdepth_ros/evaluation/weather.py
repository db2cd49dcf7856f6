# SPDX-License-Identifier: Apache-2.0
"""Fog, rain and night put onto daylight images: simple physics, for tests of robustness only.

The image alone is changed; radar and lidar stay as they were measured in clear air.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

RGBImage = NDArray[np.uint8]
_FAR_M = 200.0  # taken where depth is not known, such as in the sky
_GAMMA = 2.2
_FULL_WELL_ELECTRONS = 4000.0
_READ_NOISE_ELECTRONS = 4.0
_STREAKS_PER_MEGAPIXEL = 60.0  # at a rate of 1 mm/h


def _through_air(
    image: RGBImage, depth_m: NDArray[np.floating], extinction_per_m: float
) -> RGBImage:
    """Mix the image with the air's light (Koschmieder): I t + A (1 - t), t = e^(-b d)."""
    depth = np.nan_to_num(depth_m, nan=_FAR_M, posinf=_FAR_M, neginf=0.0)
    clear = np.exp(-extinction_per_m * depth)[..., None]
    air = np.percentile(image.mean(axis=2), 80)  # as bright as the bright parts of the scene
    mixed: RGBImage = np.clip(image * clear + air * (1 - clear), 0, 255).astype(np.uint8)
    return mixed


def add_fog(image: RGBImage, depth_m: NDArray[np.floating], visibility_m: float) -> RGBImage:
    """Return the image in fog.

    Args:
        image: (H, W, 3) uint8 RGB.
        depth_m: (H, W), metres; NaN where unknown is taken as far.
        visibility_m: Meteorological visibility: contrast is 5 % at that distance.
    """
    return _through_air(image, depth_m, np.log(20.0) / visibility_m)


def add_rain(
    image: RGBImage,
    depth_m: NDArray[np.floating],
    rate_mm_per_h: float,
    rng: np.random.Generator,
) -> RGBImage:
    """Return the image in rain: a veil by the attenuation 1.076 R^0.67 dB/km, and streaks.

    Args:
        image: (H, W, 3) uint8 RGB.
        depth_m: (H, W), metres; NaN where unknown is taken as far.
        rate_mm_per_h: Rate of rain R.
        rng: Source of the streaks' places.
    """
    extinction = 1.076 * rate_mm_per_h**0.67 * np.log(10) / 10 / 1000
    veiled = _through_air(image, depth_m, extinction)
    height, width = image.shape[:2]
    streaks = np.zeros((height, width), np.float32)
    slant = rng.uniform(-0.15, 0.15)
    for _ in range(round(rate_mm_per_h * _STREAKS_PER_MEGAPIXEL * height * width / 1e6)):
        x, y = rng.uniform(0, width), rng.uniform(-0.1 * height, height)
        length = height * rng.uniform(0.03, 0.12)
        end = (round(x + slant * length), round(y + length))
        strength = float(rng.uniform(0.15, 0.6))
        cv2.line(streaks, (round(x), round(y)), end, strength, 1, cv2.LINE_AA)
    streaks = np.asarray(cv2.GaussianBlur(streaks, (3, 3), 0), np.float32)[..., None]
    return (veiled * (1 - streaks) + 220 * streaks).astype(np.uint8)


def make_night(image: RGBImage, stops: float, rng: np.random.Generator) -> RGBImage:
    """Return the image with less light: the camera's gain makes good half, and noise comes up.

    No lamps are lit: it is what a camera sees where only the light of the day has gone.

    Args:
        image: (H, W, 3) uint8 RGB.
        stops: Light is 2^stops times less.
        rng: Source of the noise: photons', and 4 electrons of reading.
    """
    electrons = (image / 255.0) ** _GAMMA * _FULL_WELL_ELECTRONS * 2.0**-stops
    deviation = np.sqrt(electrons + _READ_NOISE_ELECTRONS**2)
    noisy = electrons + rng.normal(size=image.shape) * deviation
    bright = np.clip(noisy / _FULL_WELL_ELECTRONS * 2.0 ** (stops / 2), 0, 1)
    night: RGBImage = (bright ** (1 / _GAMMA) * 255).astype(np.uint8)
    return night
