# SPDX-License-Identifier: Apache-2.0
"""Light and air: where the sun is, what the sky looks like, how far one sees, what is wet.

Colours are linear RGB; a value of 1 is what the camera shows as white at exposure 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.simulation.noise import noise

Array = NDArray[np.float32]
WEATHERS = ("clear", "overcast", "fog", "rain")
TIMES_OF_DAY = ("day", "dusk", "night")


@dataclass(frozen=True, eq=False)
class Conditions:
    """Light and air of one drive.

    Attributes:
        weather: One of ``WEATHERS``.
        time_of_day: One of ``TIMES_OF_DAY``.
        to_sun: (3,) unit vector to the sun, world frame.
        sun: (3,) light of the sun on a surface that faces it; zero if it is hidden.
        zenith, horizon: (3,) sky colours.
        ground: (3,) light that comes back from the ground.
        cloud_cover: 0 to 1.
        extinction_per_m: Share of light lost a metre, for the camera and the lidar.
        wet: 0 to 1, how wet the road is.
        lamps_on: True if lamps and headlights are lit.
        exposure: Factor from light to the picture.
        noise_level: Deviation of the sensor noise, of 255.
    """

    weather: str
    time_of_day: str
    to_sun: Array
    sun: Array
    zenith: Array
    horizon: Array
    ground: Array
    cloud_cover: float
    extinction_per_m: float
    wet: float
    lamps_on: bool
    exposure: float
    noise_level: float

    @property
    def night(self) -> bool:
        """True if lamps are the main light."""
        return self.time_of_day == "night"

    def sky(self, directions: Array, clouds: bool = True) -> Array:
        """Return the light (3, N) from directions (3, N), unit vectors in the world frame."""
        up = np.clip(directions[2], 0.0, 1.0)
        color: Array = _column(self.horizon) + _column(self.zenith - self.horizon) * np.sqrt(up)
        toward = np.clip(self.to_sun @ directions, 0.0, 1.0)
        if self.sun.any():
            near = toward * toward
            near = near * near * near
            glow = 0.035 * near + 0.12 * near**10 + 5.0 * (toward > 0.99985)
            color += _column(self.sun) * glow
        if clouds and self.cloud_cover > 0:
            self._add_clouds(color, directions, up, toward)
        return color

    def _add_clouds(self, color: Array, directions: Array, up: Array, toward: Array) -> None:
        scale = 1.0 / (up + np.float32(0.12))
        u, v = directions[0] * scale, directions[1] * scale
        blur = np.float32(0.004) * scale
        shape = noise(u, v, blur, 0.035, 7) + np.float32(0.35) * noise(u + 3, v, blur, 0.012, 8)
        limit = np.float32(1.2 - 2.4 * self.cloud_cover)
        cover = np.clip((shape - limit) * 0.9 + 0.2, 0.0, 1.0) * np.clip(up * 12, 0.0, 0.9)
        shade = 1.0 - 0.28 * np.clip(shape - limit - 0.4, 0, 1.2)
        sunlit = 0.12 + 0.10 * toward * toward
        light = (_column(self.horizon) * np.float32(0.95) + _column(self.sun) * sunlit) * shade
        color += (light - color) * cover

    def ambient(self, normals: Array) -> Array:
        """Return the light (3, N) from the whole sky and ground on surfaces with these normals."""
        up = 0.5 + 0.5 * normals[2]
        sky = 0.45 * self.zenith + 0.55 * self.horizon
        sky = sky + (sky.mean() - sky) * np.float32(0.5)  # the camera's white balance
        light: Array = _column(self.ground) + _column(sky - self.ground) * up
        return light

    def air(self, color: Array, distance_m: Array, directions: Array) -> Array:
        """Return colours after the air between them and the camera.

        Args:
            color: (3, N) light that leaves the surface; overwritten.
            distance_m: (N,) length of the way, metres.
            directions: (3, N) unit vectors, world frame.
        """
        through = np.exp(np.float32(-self.extinction_per_m) * distance_m)
        veil = _column(self.horizon) * np.float32(0.9 if self.weather == "fog" else 0.85)
        if self.sun.any():
            toward = np.clip(self.to_sun @ directions, 0.0, 1.0)
            toward *= toward
            toward *= toward
            veil = veil + _column(self.sun * np.float32(0.05)) * toward
        color -= veil
        color *= through
        color += veil
        return color


def _column(vector: Array) -> Array:
    return vector.reshape(3, 1)


def make_conditions(
    weather: str, time_of_day: str, seed: int, road_heading_rad: float = 0.0
) -> Conditions:
    """Make the light and air of a drive.

    Raises:
        ConfigurationError: A name is not known.
    """
    if weather not in WEATHERS or time_of_day not in TIMES_OF_DAY:
        raise ConfigurationError(
            f"no such light: weather {weather!r} (known: {', '.join(WEATHERS)}), time of day "
            f"{time_of_day!r} (known: {', '.join(TIMES_OF_DAY)})."
        )
    rng = np.random.default_rng([seed, 61])
    height = rng.uniform(0.45, 0.95) if time_of_day == "day" else rng.uniform(0.06, 0.16)
    side = road_heading_rad + rng.choice([-1, 1]) * rng.uniform(0.7, 2.6)
    to_sun = np.array(
        [np.cos(height) * np.cos(side), np.cos(height) * np.sin(side), np.sin(height)]
    )
    zenith, horizon = np.array([0.16, 0.30, 0.62]), np.array([0.62, 0.74, 0.90])
    sun = np.array([2.6, 2.35, 1.95])
    cloud, exposure, noise_level = rng.uniform(0.15, 0.5), 0.62, 1.6
    extinction, wet = 0.0007, 0.0
    if time_of_day == "dusk":
        zenith, horizon = np.array([0.10, 0.17, 0.34]), np.array([0.75, 0.52, 0.38])
        sun, exposure, noise_level = np.array([1.5, 0.85, 0.42]), 0.95, 2.2
    if weather != "clear":
        grey = float(horizon.mean())
        zenith, horizon = np.full(3, grey * 0.62), np.full(3, grey * 0.86)
        zenith, horizon = zenith * [0.97, 1.0, 1.05], horizon * [0.98, 1.0, 1.03]
        sun, cloud, exposure = np.zeros(3), 0.75, exposure * 1.5
    if weather == "fog":
        extinction = 3.0 / rng.uniform(70, 180)
        zenith, cloud = horizon * 0.97, 0.0
    if weather == "rain":
        extinction, wet = rng.uniform(0.004, 0.009), rng.uniform(0.75, 1.0)
        zenith, horizon, exposure = zenith * 0.8, horizon * 0.8, exposure * 1.1
    if time_of_day == "night":
        sun, cloud, exposure, noise_level = np.zeros(3), 0.0, 1.5, 4.0
        zenith, horizon = np.array([0.002, 0.003, 0.006]), np.array([0.010, 0.009, 0.010])
        if weather in ("fog", "rain"):
            horizon = horizon * 2.0
    ground = (0.14 * (horizon * 0.5 + zenith * 0.5) + 0.10 * sun * to_sun[2]) * [1.0, 0.95, 0.85]
    return Conditions(
        weather=weather,
        time_of_day=time_of_day,
        to_sun=to_sun.astype(np.float32),
        sun=sun.astype(np.float32),
        zenith=zenith.astype(np.float32),
        horizon=horizon.astype(np.float32),
        ground=np.asarray(ground, np.float32),
        cloud_cover=float(cloud),
        extinction_per_m=float(extinction),
        wet=float(wet),
        lamps_on=time_of_day != "day" or weather in ("fog", "rain"),
        exposure=exposure,
        noise_level=noise_level,
    )
