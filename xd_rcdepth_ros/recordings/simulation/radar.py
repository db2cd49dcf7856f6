# SPDX-License-Identifier: Apache-2.0
"""The radar: rays gather the echo of surfaces into resolution cells; strong cells become returns.

Rays are spread evenly over the field of view. Each gives an echo by its surface's material, its
angle and the area it stands for. Echoes that share a cell of range, azimuth (and elevation) and
range rate add up to one, whose place is their mean. A cell is found with a chance that grows with
its signal-to-noise ratio. Mirror images, clutter and noise come on top.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.geometry import RadarPoints, RigidTransform
from xd_rcdepth_ros.recordings.simulation.caster import World, dot
from xd_rcdepth_ros.recordings.simulation.mesh import Material

Array = NDArray[np.float32]


@dataclass(frozen=True)
class RadarModel:
    """A kind of radar.

    Attributes:
        azimuth_deg, elevation_deg: Half field of view.
        ray_step_deg: Distance of the rays.
        range_m: Greatest range, metres.
        cell_range_m, cell_azimuth_deg, cell_elevation_deg, cell_rate_mps: Resolution.
        noise_range_m, noise_azimuth_deg, noise_elevation_deg, noise_rate_mps: Deviations.
        threshold_db: Signal-to-noise ratio at which half of the cells are found.
        reference_dbsm: Cross-section that has 0 dB signal-to-noise ratio at 100 m.
        softness_db: How slowly the chance grows with the ratio.
        most: Greatest number of returns; the strongest are kept.
        clutter: Mean number of returns that are nothing.
        ghosts: Chance that a strong return has a mirror image.
        flat: True if elevation is not measured: z is 0.
        fold_mps: Span that range rates are folded into, centred on 0; 0 for none.
    """

    azimuth_deg: float
    elevation_deg: float
    ray_step_deg: tuple[float, float]
    range_m: float
    cell_range_m: float
    cell_azimuth_deg: float
    cell_elevation_deg: float
    cell_rate_mps: float
    noise_range_m: float
    noise_azimuth_deg: float
    noise_elevation_deg: float
    noise_rate_mps: float
    threshold_db: float
    reference_dbsm: float
    softness_db: float
    most: int
    clutter: float
    ghosts: float
    flat: bool
    fold_mps: float = 0.0


RADARS = {
    "sparse": RadarModel(
        60.0, 9.0, (0.5, 0.6), 200.0, 1.8, 3.5, 90.0, 0.4, 0.12, 0.5, 0.0, 0.08,
        11.0, -6.0, 4.0, 125, 3.0, 0.08, True,
    ),
    "imaging": RadarModel(
        55.0, 12.0, (0.4, 0.5), 110.0, 0.6, 1.2, 2.0, 0.4, 0.10, 0.35, 0.5, 0.06,
        6.0, -22.0, 4.0, 6000, 40.0, 0.08, False,
    ),
}  # fmt: skip

# Echo of a square metre that faces the radar, dB, and how fast it falls off with the angle
# (exponent of the cosine). Rough things scatter all round, smooth ones mirror away.
_ECHO_DB = np.full(len(Material), -10.0, np.float32)
_FALLOFF = np.full(len(Material), 2.0, np.float32)
for _material, _db, _power in (
    (Material.GROUND, -24.0, 1.2), (Material.TERRAIN, -16.0, 1.0), (Material.FACADE, -6.0, 3.0),
    (Material.ROOF, -12.0, 3.0), (Material.PLAIN, -6.0, 2.0), (Material.PAINT, 4.0, 2.0),
    (Material.GLASS, -12.0, 4.0), (Material.FOLIAGE, -14.0, 0.3), (Material.BARK, -4.0, 1.0),
    (Material.HEADLIGHT, 8.0, 1.0), (Material.TAILLIGHT, 8.0, 1.0), (Material.RUBBER, -4.0, 1.0),
    (Material.METAL, 6.0, 1.5), (Material.SIGN, 8.0, 2.0), (Material.LAMP, -6.0, 1.0),
    (Material.CLOTH, -5.0, 0.5), (Material.CARGO, 3.0, 2.5),
):  # fmt: skip
    _ECHO_DB[_material], _FALLOFF[_material] = _db, _power


@dataclass(frozen=True, eq=False)
class RadarScan:
    """One sweep.

    Attributes:
        points: Returns, radar frame; velocities are range rates times (cos, sin) of the azimuth.
        range_rate_mps: (N,) measured range rate relative to the moving radar, not folded.
        snr_db: (N,) signal-to-noise ratio.
        moving: (N,) bool, True for returns of road users.
        real: (N,) bool, False for clutter and mirror images.
    """

    points: RadarPoints
    range_rate_mps: Array
    snr_db: Array
    moving: NDArray[np.bool_]
    real: NDArray[np.bool_]


@lru_cache(maxsize=4)
def _rays(model: RadarModel) -> tuple[Array, float]:
    """Return ray directions (N, 3), radar frame, and the solid angle of each."""
    da, de = np.deg2rad(model.ray_step_deg)
    azimuth = np.arange(-np.deg2rad(model.azimuth_deg), np.deg2rad(model.azimuth_deg), da)
    elevation = np.arange(-np.deg2rad(model.elevation_deg), np.deg2rad(model.elevation_deg), de)
    a, e = (x.ravel() for x in np.meshgrid(azimuth, elevation))
    rays = np.stack([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)], axis=1)
    return rays.astype(np.float32), float(da * de)


def scan_radar(
    model: RadarModel,
    world: World,
    pose: RigidTransform,
    velocity_mps: NDArray[np.float64],
    actor_velocity_mps: NDArray[np.float64],
    rng: np.random.Generator,
) -> RadarScan:
    """Take one sweep.

    Args:
        model: Kind of radar.
        world: What there is at the sweep's moment.
        pose: From the radar's frame to the cast frame.
        velocity_mps: (3,) the radar's own velocity, radar frame.
        actor_velocity_mps: (A, 3) velocities of the moving mesh's objects, world frame.
        rng: For noise, losses and clutter.
    """
    rays, solid_angle = _rays(model)
    jitter = rng.uniform(-0.5, 0.5, 2) * np.deg2rad(model.ray_step_deg)
    rays = rays + np.array([0, jitter[0], jitter[1]], np.float32)
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    rotation = pose.rotation.astype(np.float32)
    directions = rays @ rotation.T
    origin = pose.translation_m.astype(np.float32)
    hits = world.cast(origin, directions, model.range_m)
    found = np.flatnonzero(hits.hit)
    part = hits.select(found)
    surface = world.surface(part, origin, directions[found])
    cosine = np.clip(-dot(directions[found].T, surface.normal), 0.01, 1.0)
    distance = part.distance
    echo = 10 ** (_ECHO_DB[surface.material] / 10) * cosine ** _FALLOFF[surface.material]
    area = solid_angle * distance**2 / cosine
    section = echo * np.minimum(area, 4.0) * rng.exponential(1.0, len(found))  # speckle
    target = np.zeros((len(found), 3))
    if len(actor_velocity_mps):
        index = np.clip(surface.object_id, 0, len(actor_velocity_mps) - 1)
        target = np.where(surface.moving[:, None], actor_velocity_mps[index] @ pose.rotation, 0.0)
    rate = np.einsum("ij,ij->i", rays[found], target - velocity_mps)
    direction, mean_range, mean_rate, total, moving = _cells(
        model, rays[found], distance, rate, section, surface.moving
    )
    return _detect(model, direction, mean_range, mean_rate, total, moving, velocity_mps, rng)


def _cells(model, rays, distance, rate, section, moving):  # type: ignore[no-untyped-def]
    """Add up the echoes that share a resolution cell."""
    azimuth = np.arctan2(rays[:, 1], rays[:, 0])
    elevation = np.arcsin(rays[:, 2])
    keys = np.stack(
        [
            np.floor(distance / model.cell_range_m),
            np.floor(azimuth / np.deg2rad(model.cell_azimuth_deg)),
            np.floor(elevation / np.deg2rad(model.cell_elevation_deg)),
            np.floor(rate / model.cell_rate_mps),
        ],
        axis=1,
    ).astype(np.int64)
    keys -= keys.min(0) if len(keys) else 0
    flat = np.zeros(len(keys), np.int64)
    for column in keys.T:
        flat = flat * (int(column.max(initial=0)) + 1) + column
    _, cell = np.unique(flat, return_inverse=True)
    count = int(cell.max(initial=-1)) + 1
    total = np.bincount(cell, section, count)
    mean = [
        np.bincount(cell, section * x, count) / total for x in (*rays.T, distance, rate, moving)
    ]
    direction = np.stack(mean[:3], 1)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return direction, mean[3], mean[4], total, mean[5] > 0.5


def _detect(model, direction, ranges, rate, section, moving, velocity, rng):  # type: ignore[no-untyped-def]
    """Choose the cells that are found, and add noise, mirror images and clutter."""
    section_db = 10 * np.log10(np.maximum(section, 1e-9))
    snr = section_db - model.reference_dbsm - 40 * np.log10(np.maximum(ranges, 1) / 100)
    chance = 1 / (1 + np.exp(-(snr - model.threshold_db) / model.softness_db))
    kept = np.flatnonzero(rng.random(len(snr)) < chance)
    kept = kept[np.argsort(-snr[kept], kind="stable")[: model.most]]
    direction, ranges, rate = direction[kept], ranges[kept], rate[kept]
    section_db, snr, moving = section_db[kept], snr[kept], moving[kept]
    real = np.ones(len(kept), bool)

    # A mirror image: the echo goes round over a wall, rail or the own bumper, so it comes late.
    strong = np.flatnonzero((snr > model.threshold_db + 8) & (rng.random(len(kept)) < model.ghosts))
    twice = rng.random(len(strong)) < 0.4
    stretch = np.where(twice, 2.0, 1 + rng.exponential(0.15, len(strong)))
    ghost_direction = direction[strong].copy()
    ghost_direction[:, 1] += np.where(twice, 0.0, rng.normal(0, 0.12, len(strong)))
    number = int(rng.poisson(model.clutter))
    angle = rng.uniform(-1, 1, number) * np.deg2rad(model.azimuth_deg)
    lift = rng.uniform(-1, 1, number) * np.deg2rad(model.elevation_deg)
    noise_direction = np.stack(
        [np.cos(lift) * np.cos(angle), np.cos(lift) * np.sin(angle), np.sin(lift)], 1
    )
    noise_range = model.range_m * np.sqrt(rng.uniform(0.001, 1, number))
    noise_rate = -noise_direction @ velocity + rng.normal(0, 3.0, number)

    direction = np.concatenate([direction, ghost_direction, noise_direction])
    ranges = np.concatenate([ranges, ranges[strong] * stretch, noise_range])
    rate = np.concatenate([rate, rate[strong] * np.where(twice, 2.0, 1.0), noise_rate])
    section_db = np.concatenate(
        [section_db, section_db[strong] - rng.uniform(8, 15, len(strong)),
         rng.normal(-5, 5, number)]
    )  # fmt: skip
    snr = np.concatenate([snr, snr[strong] - 12, np.full(number, model.threshold_db)])
    moving = np.concatenate([moving, moving[strong], np.zeros(number, bool)])
    real = np.concatenate([real, np.zeros(len(strong) + number, bool)])
    inside = ranges < model.range_m
    return _measure(
        model, direction[inside], ranges[inside], rate[inside], section_db[inside], snr[inside],
        moving[inside], real[inside], velocity, rng,
    )  # fmt: skip


def _measure(model, direction, ranges, rate, section_db, snr, moving, real, velocity, rng):  # type: ignore[no-untyped-def]
    """Add noise and write the returns down as the radar reports them."""
    count = len(ranges)
    # Weak returns are measured worse.
    worse = np.clip(10 ** (-(snr - model.threshold_db - 6) / 20), 0.5, 2.0)
    ranges = np.maximum(ranges + rng.normal(0, model.noise_range_m, count) * worse, 0.3)
    azimuth = np.arctan2(direction[:, 1], direction[:, 0])
    azimuth += rng.normal(0, np.deg2rad(model.noise_azimuth_deg), count) * worse
    elevation = np.arcsin(np.clip(direction[:, 2], -1, 1))
    elevation += rng.normal(0, np.deg2rad(model.noise_elevation_deg), count) * worse
    if model.flat:
        elevation = np.zeros(count)
    rate = rate + rng.normal(0, model.noise_rate_mps, count)
    level = np.cos(elevation)
    unit = np.stack([level * np.cos(azimuth), level * np.sin(azimuth), np.sin(elevation)], axis=1)
    position = unit * ranges[:, None]
    own = unit @ velocity  # what a static target's range rate would be, with the sign turned
    shown = rate
    if model.fold_mps:
        shown = np.mod(rate + model.fold_mps / 2, model.fold_mps) - model.fold_mps / 2
    points = RadarPoints.from_arrays(
        position, np.round(section_db * 2) / 2, shown.astype(np.float32),
        (rate + own).astype(np.float32),
    )  # fmt: skip
    return RadarScan(points, rate.astype(np.float32), snr.astype(np.float32), moving, real)
