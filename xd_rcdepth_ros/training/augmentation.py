# SPDX-License-Identifier: Apache-2.0
"""Varies frames for training. Geometry moves image, intrinsics, radar, lidar and depth together.

Where an image is enlarged the world shrinks as much: the metric scale hangs on the focal length,
and no other is to be learnt. All randomness comes from a generator that is given, so a frame's
variant can be made again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.geometry import SensorFrame
from xd_rcdepth_ros.geometry.weather import (
    add_drops,
    add_fog,
    add_rain,
    complete_depth,
    light_by_headlamps,
)
from xd_rcdepth_ros.supervision.lidar_radar import sparsify


@dataclass(frozen=True)
class AugmentationConfig:
    """What is varied.

    Attributes:
        flip: Probability of the mirror image.
        shift_px: Greatest shift of the image on the grid, up or down, pixels, where it does not
            fill the grid.
        zoom: Greatest relative enlargement or reduction of the image; all depths are divided by it,
            as everything then looks nearer or farther by that much.
        scale: Greatest relative change of the world's size, radar and depths alike, under the same
            image: as if the camera stood higher or lower over larger or smaller things. Radar alone
            tells it, so frames without returns keep their size.
        gain: Greatest relative change of each colour's gain.
        gamma: Greatest relative change of gamma.
        dark: Probability of a dark, noisy image.
        night: Probability that an image is lit by the car's headlamps alone.
        weather: Probability of fog (visibility 40 to 400 m) or rain (2 to 50 mm/h) on the image.
        sparsify: Probability that an imaging radar's sweep becomes one of a sparse radar.
        thin: Probability that radar loses most of its returns.
        no_radar: Probability that radar loses all of them.
        join: Probability that a sample is joined of two frames of its source, one left of a random
            column and the other right of it.
    """

    flip: float = 0.5
    shift_px: int = 0
    zoom: float = 0.0
    scale: float = 0.0
    gain: float = 0.2
    gamma: float = 0.3
    dark: float = 0.0
    night: float = 0.0
    weather: float = 0.0
    sparsify: float = 0.0
    thin: float = 0.0
    no_radar: float = 0.0
    join: float = 0.0

    def __post_init__(self) -> None:
        for key in ("flip", "dark", "night", "weather", "sparsify", "thin", "no_radar", "join"):
            if not 0 <= getattr(self, key) <= 1:
                raise ConfigurationError(
                    f"augmentation.{key} is {getattr(self, key)}; expected a probability, 0 to 1."
                )
        for key in ("gain", "gamma", "zoom", "scale"):
            if not 0 <= getattr(self, key) < 1:
                raise ConfigurationError(
                    f"augmentation.{key} is {getattr(self, key)}; expected 0 or more, less than 1."
                )
        if self.shift_px < 0:
            raise ConfigurationError(
                f"augmentation.shift_px is {self.shift_px}; expected 0 or more pixels."
            )


def augment(
    frame: SensorFrame,
    size: tuple[int, int],
    config: AugmentationConfig,
    rng: np.random.Generator,
) -> SensorFrame:
    """Return a variant of a frame on the training grid.

    Args:
        frame: At the focal length of the training.
        size: (height, width) of the grid, pixels.
        config: What is varied.
        rng: Source of all randomness.
    """
    if rng.random() < config.flip:
        frame = frame.flip()
    if config.zoom:
        frame = frame.zoom(_draw_factor(config.zoom, rng))
    if config.sparsify and rng.random() < config.sparsify:
        frame = replace(frame, radar=tuple(sparsify(sweep, rng) for sweep in frame.radar))
    frame = thin_radar(frame, config, rng)
    if config.scale and any(len(sweep.points) for sweep in frame.radar):
        frame = frame.scale_world(_draw_factor(config.scale, rng))
    if config.weather and rng.random() < config.weather:
        frame = replace(frame, image=add_weather(frame, rng))
    if config.night and rng.random() < config.night:
        frame = replace(frame, image=add_night(frame, rng))
    frame = lay_on_grid(frame, size, config.shift_px, rng)
    return replace(frame, image=vary_colour(frame.image, config, rng))


def _draw_factor(change: float, rng: np.random.Generator) -> float:
    """Draw a factor between 1 / (1 + change) and 1 + change; either way is as likely."""
    most = np.log1p(change)
    return float(np.exp(rng.uniform(-most, most)))


def lay_on_grid(
    frame: SensorFrame, size: tuple[int, int], shift_px: int, rng: np.random.Generator
) -> SensorFrame:
    """Crop or pad a frame to the grid.

    A part is cut at random from an image that is larger than the grid. A smaller one stands on the
    grid's bottom row and in the middle, as in live use, but for the vertical shift.
    """
    height, width = size
    rows, columns = frame.camera.height, frame.camera.width
    top = int(rng.integers(0, max(rows - height, 0) + 1))
    left = int(rng.integers(0, max(columns - width, 0) + 1))
    frame = frame.crop(left, top, min(columns, width), min(rows, height))
    above, beside = height - frame.camera.height, width - frame.camera.width
    below = int(rng.integers(0, min(shift_px, above) + 1))
    return frame.pad(beside // 2, above - below, beside - beside // 2, below)


def thin_radar(
    frame: SensorFrame, config: AugmentationConfig, rng: np.random.Generator
) -> SensorFrame:
    """Return the frame with fewer returns, as from another radar, or none, now and then."""
    draw = rng.random()
    if draw < config.no_radar:
        return replace(frame, radar=())
    if draw >= config.no_radar + config.thin:
        return frame
    share = rng.uniform(0.02, 0.5)
    sweeps = tuple(
        replace(sweep, points=sweep.points.select(rng.random(len(sweep.points)) < share))
        for sweep in frame.radar
    )
    return replace(frame, radar=sweeps)


def add_weather(frame: SensorFrame, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return a frame's image in fog, or in rain and behind drops."""
    depth = complete_depth(frame)
    if rng.random() < 0.5:
        return add_fog(frame.image, depth, float(np.exp(rng.uniform(np.log(40), np.log(400)))))
    image = add_rain(frame.image, depth, float(np.exp(rng.uniform(np.log(2), np.log(50)))), rng)
    return add_drops(image, int(rng.integers(0, 13)), rng)


def add_night(frame: SensorFrame, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return a frame's image at night. A mounted camera's horizon lies near its principal point."""
    horizon = float(frame.camera.p[1, 2]) / frame.camera.height
    return light_by_headlamps(frame.image, complete_depth(frame), horizon, rng)


def vary_colour(
    image: NDArray[np.uint8], config: AugmentationConfig, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Return an image (H, W, 3) with other gains and gamma; now and then dark and noisy."""
    gain = rng.uniform(1 - config.gain, 1 + config.gain, 3)
    gamma = 1 + rng.uniform(-config.gamma, config.gamma)
    dark = rng.uniform(0.15, 0.6) if rng.random() < config.dark else 1.0
    levels = np.linspace(0, 1, 256)[:, None]
    table = np.clip(levels * gain, 0, 1) ** gamma * dark
    varied = np.stack([table[image[..., c], c] for c in range(3)], axis=-1)
    if dark < 1:
        varied += rng.normal(0, 0.02, image.shape)
    return np.asarray(np.clip(varied * 255, 0, 255).round(), np.uint8)
