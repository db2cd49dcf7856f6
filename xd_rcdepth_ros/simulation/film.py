# SPDX-License-Identifier: Apache-2.0
"""From light to picture: glow of the lens, exposure, rain in the air, tone curve and noise."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.geometry.weather import draw_streaks
from xd_rcdepth_ros.simulation.weather import Conditions

Array = NDArray[np.float32]


def develop(radiance: Array, conditions: Conditions, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Turn light (3, H, W) into a picture (H, W, 3): lens glow, exposure, tone, rain and noise."""
    light = cv2.merge(
        list(radiance * np.float32(conditions.exposure * _metering(radiance, conditions)))
    )
    if conditions.lamps_on or conditions.sun.any():
        light += _glow(light, 1.0 if conditions.night or conditions.wet else 0.35)
    if conditions.weather == "rain":
        _draw_rain(light, rng, conditions)
    light *= _vignette(*light.shape[:2])
    index = np.sqrt(np.minimum(light, 15.99) * np.float32(1 / 16)) * np.float32(4095)
    picture = _tone_curve().take(index.astype(np.uint16))
    grain = _grain(conditions.noise_level)
    top, left = rng.integers(0, 64, 2)
    h, w = picture.shape[:2]
    rows, columns = (np.arange(h) + top) % grain.shape[0], (np.arange(w) + left) % grain.shape[1]
    noise = grain.take(rows, axis=0).take(columns, axis=1)
    return np.asarray(cv2.add(picture, noise, dtype=cv2.CV_8U))


def _metering(radiance: Array, conditions: Conditions) -> float:
    """Return how the camera's automatic corrects the exposure, mostly by the lower half."""
    rows = radiance.shape[1]
    level = radiance[1, rows // 3 :: 5, ::5]
    middle = float(np.exp(np.log(np.maximum(level, 1e-3)).mean())) * conditions.exposure
    target = 0.045 if conditions.night else 0.16
    return float(np.clip((target / middle) ** 0.65, 0.6, 2.6))


@lru_cache(maxsize=1)
def _tone_curve() -> NDArray[np.uint8]:
    x = (np.arange(4096) / 4095) ** 2 * 16
    filmic = x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14)
    filmic = np.clip(filmic, 0, 1)
    gamma = np.where(filmic < 0.0031308, filmic * 12.92, 1.055 * filmic ** (1 / 2.4) - 0.055)
    return (gamma * 255 + 0.5).astype(np.uint8)


@lru_cache(maxsize=4)
def _grain(level: float) -> NDArray[np.int16]:
    noise = np.random.default_rng(71).standard_normal((512, 1024, 3)) * level
    return np.round(noise).astype(np.int16)


@lru_cache(maxsize=4)
def _vignette(h: int, w: int) -> Array:
    y, x = np.mgrid[-1 : 1 : h * 1j, -1 : 1 : w * 1j]
    factor: Array = (1 - 0.10 * (x**2 + 0.6 * y**2)).astype(np.float32)[..., None]
    return factor


def _glow(light: Array, strength: float) -> Array:
    h, w = light.shape[:2]
    bright = np.minimum(np.maximum(light - 1.1, 0), 6.0)
    small = cv2.resize(bright, (w // 4, h // 4), interpolation=cv2.INTER_AREA)
    halo = cv2.GaussianBlur(small, (0, 0), 1.6) * 0.35 + cv2.GaussianBlur(small, (0, 0), 7) * 0.25
    glow: Array = cv2.resize(halo, (w, h), interpolation=cv2.INTER_LINEAR) * np.float32(strength)
    return glow


def _draw_rain(light: Array, rng: np.random.Generator, conditions: Conditions) -> None:
    h, w = light.shape[:2]
    count = int(700 * h * w / (352 * 704))
    layer = draw_streaks(h, w, count, rng)[..., None] * np.float32(0.28)
    drop = conditions.horizon * np.float32(
        conditions.exposure * (1.0 if not conditions.night else 3)
    )
    light += (drop - light) * layer * 0.8
