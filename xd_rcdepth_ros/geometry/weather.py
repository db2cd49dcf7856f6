# SPDX-License-Identifier: Apache-2.0
"""Fog, rain and night put onto daylight images: simple physics for training and tests.

The image alone is changed; radar and lidar stay as they were measured in clear air.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.geometry.frame import SensorFrame
from xd_rcdepth_ros.geometry.sky import SKY

RGBImage = NDArray[np.uint8]
_FAR_M = 200.0  # taken where depth is not known, such as in the sky
_GAMMA = 2.2
_FULL_WELL_ELECTRONS = 4000.0
_READ_NOISE_ELECTRONS = 4.0
_STREAKS_PER_MEGAPIXEL = 60.0  # at a rate of 1 mm/h
_CAMERA_HEIGHT_M = 1.5  # of a car's camera, where nothing is known
_SHRINK = 8  # depth is completed on a grid that is coarser by this factor


def _through_air(
    image: RGBImage, depth_m: NDArray[np.floating], extinction_per_m: float
) -> RGBImage:
    """Mix the image with the air's light (Koschmieder): I t + A (1 - t), t = e^(-b d)."""
    depth = np.nan_to_num(depth_m.astype(np.float32), nan=_FAR_M, posinf=_FAR_M, neginf=0.0)
    clear = np.exp(np.float32(-extinction_per_m) * depth)[..., None]
    # The air is as bright as the bright parts of the scene.
    air = np.float32(np.percentile(image[::3, ::3].mean(axis=2), 80))
    return np.asarray(np.clip(air + (image - air) * clear, 0, 255), np.uint8)


def add_fog(image: RGBImage, depth_m: NDArray[np.floating], visibility_m: float) -> RGBImage:
    """Return the image in fog.

    Args:
        image: (H, W, 3) uint8 RGB.
        depth_m: (H, W), metres; NaN where unknown is taken as far.
        visibility_m: Meteorological visibility: contrast is 5 % at that distance.
    """
    return _through_air(image, depth_m, np.log(20.0) / visibility_m)


def draw_streaks(
    height: int, width: int, count: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return streaks of falling rain (H, W) float32, 0 to 1, that lean away from the middle."""
    layer = np.zeros((height, width), np.float32)
    x, y = rng.uniform(0, width, count), rng.uniform(-20, height, count)
    size = rng.gamma(2.0, 5.0, count)
    for a, b, long in zip(x, y, size, strict=True):
        lean = (a - width / 2) * 0.0007 * long
        cv2.line(layer, (int(a), int(b)), (int(a + lean), int(b + long)), 1.0, 1, cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(layer, (3, 3), 0.6), np.float32)


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
    count = round(rate_mm_per_h * _STREAKS_PER_MEGAPIXEL * height * width / 1e6)
    streaks = 0.4 * draw_streaks(height, width, count, rng)[..., None]
    # As bright as the sky they refract.
    bright = np.float32(np.percentile(image[::4, ::4], 95))
    return np.clip(veiled + (bright - veiled) * streaks, 0, 255).astype(np.uint8)


def add_drops(image: RGBImage, count: int, rng: np.random.Generator) -> RGBImage:
    """Return the image through a wet lens or windscreen: blurred where drops lie.

    Args:
        image: (H, W, 3) uint8 RGB.
        count: Number of drops.
        rng: Source of their places and sizes: 1 to 8 % of the image's height.
    """
    height, width = image.shape[:2]
    cover = np.zeros((height, width), np.float32)
    for _ in range(count):
        place = (round(rng.uniform(0, width)), round(rng.uniform(0, height)))
        radius = max(1, round(height * rng.uniform(0.01, 0.08)))
        cv2.circle(cover, place, radius, 1.0, -1, cv2.LINE_AA)
    cover = np.asarray(cv2.GaussianBlur(cover, (0, 0), 0.01 * height + 0.5), np.float32)[..., None]
    small = cv2.resize(
        image, (max(width // 8, 1), max(height // 8, 1)), interpolation=cv2.INTER_AREA
    )
    blurred = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(image + (blurred - image.astype(np.float32)) * cover, np.uint8)


def complete_depth(frame: SensorFrame) -> NDArray[np.float32]:
    """Return depth (H, W), metres, everywhere, for the air to be computed with.

    Known depth is spread into gaps; where none is near, the road lies 1.5 m below the camera, and
    sky is far.
    """
    height, width = frame.image.shape[:2]
    rows = np.arange(height, dtype=np.float32)[:, None] - np.float32(frame.camera.p[1, 2])
    focal = np.float32(frame.camera.p[1, 1])
    road = np.clip(_CAMERA_HEIGHT_M * focal / np.maximum(rows, 1.0), 3.0, 80.0)
    depth = np.broadcast_to(road, (height, width)).astype(np.float32)
    if frame.depth_m is not None:
        known = np.isfinite(frame.depth_m) & (frame.depth_m > 0)
        near = np.where(known, frame.depth_m, 0).astype(np.float32)
        size = (max(width // _SHRINK, 1), max(height // _SHRINK, 1))
        coarse: NDArray[np.floating] = np.asarray(
            cv2.resize(depth, size, interpolation=cv2.INTER_AREA), np.float32
        )
        total = cv2.resize(near, size, interpolation=cv2.INTER_AREA)
        cover = cv2.resize(known.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        for sigma in (6.0, 1.5):  # from afar first, then from nearby
            weight = cv2.GaussianBlur(cover, (0, 0), sigma)
            mean = cv2.GaussianBlur(total, (0, 0), sigma) / np.maximum(weight, 1e-6)
            # A cover of a few percent is as good as a full one; none leaves what was there.
            coarse = coarse + (mean - coarse) * np.clip(weight * 20, 0, 1)
        filled = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
        depth = np.where(known, near, np.asarray(filled, np.float32))
    if frame.sky is not None:
        depth[frame.sky == SKY] = _FAR_M
    return depth


def make_night(image: RGBImage, stops: float, rng: np.random.Generator) -> RGBImage:
    """Return the image with less light: the camera's gain makes good half, and noise comes up.

    No lamps are lit: it is what a camera sees where only the light of the day has gone.

    Args:
        image: (H, W, 3) uint8 RGB.
        stops: Light is 2^stops times less.
        rng: Source of the noise: photons', and 4 electrons of reading.
    """
    electrons = (image / 255.0) ** _GAMMA * _FULL_WELL_ELECTRONS * 2.0**-stops
    noisy = _with_noise(electrons, _READ_NOISE_ELECTRONS, rng)
    bright = np.clip(noisy / _FULL_WELL_ELECTRONS * 2.0 ** (stops / 2), 0, 1)
    night: RGBImage = (bright ** (1 / _GAMMA) * 255).astype(np.uint8)
    return night


def _with_noise(
    electrons: NDArray[np.floating], read_noise: float, rng: np.random.Generator
) -> NDArray[np.floating]:
    """Return counts of electrons with the noise of photons and of reading."""
    deviation = np.sqrt(electrons + read_noise**2)
    return np.asarray(electrons + rng.normal(size=electrons.shape) * deviation)


def light_by_headlamps(
    image: RGBImage, depth_m: NDArray[np.floating], horizon: float, rng: np.random.Generator
) -> RGBImage:
    """Return the image as a camera sees it at night, from behind its own car's headlamps.

    Little light of the sky is left; the lamps light the road near the car and little above the
    horizon; other lamps shine here and there; the camera amplifies what comes, with its noise, its
    stray light and pale colours. How much of each is drawn.

    Args:
        image: (H, W, 3) uint8 RGB, by day.
        depth_m: (H, W), metres; NaN where unknown is taken as far.
        horizon: Row of the horizon, as a share of the image's height.
        rng: Source of all that is drawn.
    """
    height, width = image.shape[:2]
    depth = np.nan_to_num(depth_m.astype(np.float32), nan=_FAR_M, posinf=_FAR_M, neginf=0.0)
    across = np.linspace(-1, 1, width, dtype=np.float32)[None, :] - rng.uniform(-0.2, 0.2)
    above = np.maximum(horizon - np.linspace(0, 1, height, dtype=np.float32)[:, None], 0)
    beam = np.exp(-((across / rng.uniform(0.5, 1.5)) ** 2) - (above / rng.uniform(0.05, 0.4)) ** 2)
    reach_m = rng.uniform(8, 40)
    lit = 2.0 ** -rng.uniform(3, 9) + beam / (1 + (depth / reach_m) ** 2)
    light = (image / np.float32(255)) ** _GAMMA * lit[..., None]
    light = light + _draw_lamps(height, width, horizon, rng)
    # A pixel away from the image's middle gets less light.
    edge = (across**2 + (above - horizon + 0.5) ** 2) / 1.3
    return _amplify(light * (1 - rng.uniform(0, 0.5) * edge)[..., None], rng)


def _amplify(light: NDArray[np.floating], rng: np.random.Generator) -> RGBImage:
    """Return the image of a camera that amplifies little light: noisy, greyish, blurred, tinted."""
    exposure = rng.uniform(0.03, 0.15) / max(float(np.percentile(light[::4, ::4], 75)), 1e-4)
    full_well = rng.uniform(50, 1500)  # electrons at the amplifier's white
    electrons = np.minimum(light * exposure, 1.5) * full_well
    electrons = _with_noise(electrons, rng.uniform(1, 6), rng)
    stray = rng.uniform(0, 0.04)
    seen = np.maximum(electrons / full_well, 0).astype(np.float32) + np.float32(stray)
    seen = np.asarray(cv2.GaussianBlur(seen, (0, 0), rng.uniform(0.3, 1.0)), np.float32)
    grey = seen.mean(axis=2, keepdims=True)
    tinted = (grey + (seen - grey) * rng.uniform(0.2, 1.0)) * rng.uniform(0.85, 1.15, 3)
    return np.asarray(np.clip(tinted, 0, 1) ** (1 / _GAMMA) * 255, np.uint8)


def _draw_lamps(
    height: int, width: int, horizon: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return the light (H, W, 3) of up to eight lamps near the horizon, each with a glow."""
    layer = np.zeros((height, width, 3), np.float32)
    for _ in range(rng.integers(0, 9)):
        row = height * (horizon + rng.normal() * 0.06)
        place = (int(rng.uniform(0, width)), int(row))
        colour = rng.uniform([0.7, 0.3, 0.1], [1.0, 1.0, 1.0]) * rng.uniform(0.2, 1.0)
        cv2.circle(layer, place, int(rng.uniform(1, 4)), colour.tolist(), -1, cv2.LINE_AA)
    glow = cv2.GaussianBlur(layer, (0, 0), 0.03 * height)
    return np.asarray(layer + 0.5 * glow, np.float32)
