# SPDX-License-Identifier: Apache-2.0
"""The lidar: rings of rays, with range noise, lost returns and weather."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.geometry import RigidTransform
from xd_rcdepth_ros.simulation.caster import World, dot
from xd_rcdepth_ros.simulation.mesh import Material
from xd_rcdepth_ros.simulation.weather import Conditions

Array = NDArray[np.float32]


@dataclass(frozen=True)
class LidarModel:
    """A spinning lidar.

    Attributes:
        elevation_deg: Elevation of each ring, lowest first.
        step_deg: Azimuth step.
        range_m: Greatest range on a surface of 10 % reflectivity, metres.
        limit_m: Greatest range at all, metres.
        noise_m: Deviation of the range noise, metres.
        loss: Share of returns lost for no reason.
    """

    elevation_deg: tuple[float, ...]
    step_deg: float
    range_m: float
    limit_m: float
    noise_m: float
    loss: float


LIDARS = {
    "hdl32": LidarModel(tuple(np.linspace(-30.67, 10.67, 32)), 0.332, 55.0, 105.0, 0.02, 0.02),
    "vlp16": LidarModel(tuple(np.linspace(-15, 15, 16)), 0.2, 33.0, 100.0, 0.02, 0.02),
    "pandar64": LidarModel(
        (*np.linspace(-25, -6, 12), *np.linspace(-5.8, 3, 44), *np.linspace(4, 15, 8)),
        0.2, 110.0, 200.0, 0.015, 0.01,
    ),
}  # fmt: skip

# Reflectivity near 900 nm, 0 to 1; retroreflectors count more.
_REFLECTIVITY = np.full(len(Material), 0.3, np.float32)
for _material, _value in (
    (Material.GROUND, 0.16), (Material.TERRAIN, 0.35), (Material.FACADE, 0.35),
    (Material.ROOF, 0.3), (Material.PAINT, 0.25), (Material.GLASS, 0.03),
    (Material.FOLIAGE, 0.4), (Material.BARK, 0.3), (Material.HEADLIGHT, 0.5),
    (Material.TAILLIGHT, 1.5), (Material.RUBBER, 0.05), (Material.METAL, 0.35),
    (Material.SIGN, 6.0), (Material.LAMP, 0.3), (Material.CLOTH, 0.3),
):  # fmt: skip
    _REFLECTIVITY[_material] = _value


@dataclass(frozen=True, eq=False)
class LidarScan:
    """One sweep, as if taken at one moment (motion-compensated).

    Attributes:
        points_m: (N, 3) float32, metres, lidar frame (x forward, y left, z up).
        intensity: (N,) float32, 0 to 255.
        ring: (N,) uint16, 0 lowest.
    """

    points_m: Array
    intensity: Array
    ring: NDArray[np.uint16]


@lru_cache(maxsize=4)
def _rays(model: LidarModel) -> tuple[Array, NDArray[np.uint16]]:
    azimuth = np.deg2rad(np.arange(-180.0, 180.0, model.step_deg))
    elevation = np.deg2rad(np.array(model.elevation_deg))
    ring = np.repeat(np.arange(len(elevation)), len(azimuth))
    a, e = np.tile(azimuth, len(elevation)), elevation[ring]
    rays = np.stack([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)], axis=1)
    return rays.astype(np.float32), ring.astype(np.uint16)


def scan_lidar(
    model: LidarModel,
    world: World,
    pose: RigidTransform,
    conditions: Conditions,
    rng: np.random.Generator,
) -> LidarScan:
    """Take one sweep.

    Args:
        model: Kind of lidar.
        world: What there is at the sweep's moment.
        pose: From the lidar's frame to the cast frame.
        conditions: Air (fog and rain scatter and hide) and how wet the road is.
        rng: For noise and losses.
    """
    rays, ring = _rays(model)
    directions = rays @ pose.rotation.astype(np.float32).T
    origin = pose.translation_m.astype(np.float32)
    hits = world.cast(origin, directions, model.limit_m)
    found = np.flatnonzero(hits.hit)
    part = hits.select(found)
    surface = world.surface(part, origin, directions[found])
    cosine = -dot(np.ascontiguousarray(directions[found].T), surface.normal)
    distance = part.distance
    painted = np.array([Material.PAINT, Material.PLAIN, Material.CLOTH, Material.FACADE])
    bright = np.where(np.isin(surface.material, painted), surface.color.mean(0) * 1.2 + 0.05, 1.0)
    power = _REFLECTIVITY[surface.material] * np.where(bright == 1.0, 1.0, bright / 0.35)
    power = power * np.clip(cosine, 0.02, 1.0)
    if conditions.wet:  # a wet road mirrors the pulse away
        power = np.where(surface.material == Material.GROUND, power * 0.35, power)
    air = np.exp(-2 * conditions.extinction_per_m * distance)
    # A return is seen while its power over the square of the distance is enough.
    reach = model.range_m * np.sqrt(np.maximum(power, 1e-6) / 0.1 * air)
    chance = 1 / (1 + np.exp(np.clip((distance / reach - 1) * 10, -30, 30)))
    kept = rng.random(len(found)) < chance * (1 - model.loss)
    ranges = distance + rng.normal(0, model.noise_m, len(found)).astype(np.float32)
    intensity = np.clip(power * air * 110, 1, 255)
    if conditions.extinction_per_m > 0.003:  # now and then a pulse comes back from the air itself
        share = min(0.5, conditions.extinction_per_m * 6)
        in_air = rng.random(len(found)) < share * np.minimum(1, distance / 40)
        early = rng.exponential(4.0, len(found)).astype(np.float32) + 1.5
        in_air &= early < distance
        ranges = np.where(in_air, early, ranges)
        intensity = np.where(in_air, 2.0, intensity)
        kept |= in_air & (rng.random(len(found)) < 0.3)
    points = rays[found] * ranges[:, None]
    kept &= ranges > 1.0
    return LidarScan(
        points[kept].astype(np.float32), intensity[kept].astype(np.float32), ring[found][kept]
    )
