# SPDX-License-Identifier: Apache-2.0
"""The radar: rays gather the echo of surfaces into resolution cells; strong cells become returns.

Rays are spread evenly over the field of view. Each gives an echo by its surface's material, its
angle and the area it stands for. Echoes that share a cell of range, azimuth (and elevation) and
range rate add up to one, whose place is their mean. A cell is found with a chance that grows with
its signal-to-noise ratio. Mirror images, clutter and noise come on top.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from xd_rcdepth_ros.geometry import RadarPoints, RigidTransform
from xd_rcdepth_ros.simulation.caster import World, dot
from xd_rcdepth_ros.simulation.mesh import Material
from xd_rcdepth_ros.simulation.radar_models import RadarModel

Array = NDArray[np.float32]

# Echo of a square metre that faces the radar, dB, and how fast it falls off with the angle
# (exponent of the cosine). Rough things scatter all round, smooth ones mirror away.
_ECHO_DB = np.full(len(Material), -10.0, np.float32)
_FALLOFF = np.full(len(Material), 2.0, np.float32)
for _material, _db, _power in (
    (Material.GROUND, -30.0, 1.2), (Material.TERRAIN, -20.0, 1.0), (Material.FACADE, -4.0, 3.0),
    (Material.ROOF, -10.0, 3.0), (Material.PLAIN, -5.0, 2.0), (Material.PAINT, 4.0, 2.0),
    (Material.GLASS, -12.0, 4.0), (Material.FOLIAGE, -14.0, 0.3), (Material.BARK, -3.0, 1.0),
    (Material.HEADLIGHT, 8.0, 1.0), (Material.TAILLIGHT, 8.0, 1.0), (Material.RUBBER, -4.0, 1.0),
    (Material.METAL, -4.0, 0.7), (Material.SIGN, 8.0, 2.0), (Material.LAMP, -6.0, 1.0),
    (Material.CLOTH, -5.0, 0.5), (Material.CARGO, 3.0, 2.5), (Material.SIGNAL, -5.0, 1.0),
):  # fmt: skip
    _ECHO_DB[_material], _FALLOFF[_material] = _db, _power
# What goes on behind the first hit: a road mirrors radar waves, leaves let them through.
_MIRROR_DB, _LEAVES_DB = -8.0, -5.0


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
def _rays(model: RadarModel) -> tuple[Array, Array, Array]:
    """Return ray directions (N, 3), radar frame, the solid angle (N,) and the gate (N, 2), metres.

    A second, finer set of rays looks straight ahead beyond the gate, where the first is too coarse.
    """
    parts = []
    near = model.far_from_m
    for shrink, low, high in ((1.0, 0.0, near), (0.35, near, model.range_m)):
        wide = model.azimuth_deg if shrink == 1 else model.far_azimuth_deg
        tall = model.elevation_deg if shrink == 1 else model.elevation_deg * 0.4
        da, de = np.deg2rad(np.array(model.ray_step_deg) * shrink)
        azimuth = np.arange(-np.deg2rad(wide), np.deg2rad(wide), da)
        elevation = np.arange(-np.deg2rad(tall), np.deg2rad(tall), de)
        a, e = (x.ravel() for x in np.meshgrid(azimuth, elevation))
        rays = np.stack([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)], axis=1)
        parts.append((rays, np.full(len(a), da * de), np.tile([low, high], (len(a), 1))))
    return tuple(np.concatenate(x).astype(np.float32) for x in zip(*parts, strict=True))  # type: ignore[return-value]


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
    echoes = _echoes(model, world, pose, velocity_mps, actor_velocity_mps, rng)
    cells = _cells(model, echoes)
    return _detect(model, cells, velocity_mps, rng)


@dataclass(frozen=True, eq=False)
class _Echoes:
    """Echoes of rays, or sums of them, by direction (N, 3) in the radar's frame."""

    direction: NDArray[Any]
    range_m: NDArray[Any]
    rate_mps: NDArray[Any]
    section_m2: NDArray[Any]
    moving: NDArray[Any]

    def select(self, which: NDArray[Any]) -> _Echoes:
        return _Echoes(*(getattr(self, f.name)[which] for f in fields(self)))

    @classmethod
    def join(cls, parts: Sequence[_Echoes]) -> _Echoes:
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))


def _echoes(
    model: RadarModel,
    world: World,
    pose: RigidTransform,
    velocity: NDArray[Any],
    actors: NDArray[Any],
    rng: np.random.Generator,
) -> _Echoes:
    """Cast the rays, and those that go on behind a road or leaves."""
    rays, solid_angle, gate = _rays(model)
    jitter = rng.uniform(-0.5, 0.5, 2) * np.deg2rad(model.ray_step_deg)
    rays = rays + np.array([0, jitter[0], jitter[1]], np.float32)
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    directions = rays @ pose.rotation.astype(np.float32).T
    origins = np.broadcast_to(pose.translation_m.astype(np.float32), directions.shape)
    travelled = np.zeros(len(rays), np.float32)
    loss = np.ones(len(rays), np.float32)
    parts = []
    for bounce in range(2):
        hits = world.cast(origins, directions, model.range_m)
        found = np.flatnonzero(hits.hit)
        if not len(found):
            break
        part = hits.select(found)
        rays, directions, origins = rays[found], directions[found], origins[found]
        solid_angle, gate, loss = solid_angle[found], gate[found], loss[found]
        surface = world.surface(part, origins, directions)
        distance = travelled[found] + part.distance
        cosine = np.clip(-dot(directions.T, surface.normal), 0.01, 1.0)
        area = np.minimum(solid_angle * distance**2 / cosine, 4.0)
        echo = 10 ** (_ECHO_DB[surface.material] / 10) * cosine ** _FALLOFF[surface.material]
        speckle = rng.exponential(1.0, len(found))
        target = np.zeros((len(found), 3))
        if len(actors):
            index = np.clip(surface.object_id, 0, len(actors) - 1)
            target[surface.moving] = actors[index[surface.moving]]
        # A standing thing's mirror image stands too: for the own speed the first leg counts.
        rate = np.einsum("ij,ij->i", directions, target) - rays @ velocity
        inside = (distance >= gate[:, 0]) & (distance < gate[:, 1])
        everything = _Echoes(rays, distance, rate, echo * area * loss * speckle, surface.moving)
        parts.append(everything.select(inside))
        if bounce:
            break
        mirror = surface.material == Material.GROUND
        through = surface.material == Material.FOLIAGE
        onward = np.flatnonzero(mirror | through)
        normal = surface.normal.T[onward]
        turned = directions[onward] + 2 * cosine[onward, None] * normal
        directions = np.where(mirror[onward, None], turned, directions[onward]).astype(np.float32)
        origins = surface.position_m.T[onward] + directions * np.float32(0.05)
        travelled, rays, gate = distance[onward], rays[onward], gate[onward]
        solid_angle = solid_angle[onward]
        decibel = np.where(mirror[onward], _MIRROR_DB, _LEAVES_DB)
        loss = (10 ** (decibel / 10)).astype(np.float32)
    if not parts:
        nothing = np.zeros(0)
        return _Echoes(np.zeros((0, 3)), nothing, nothing, nothing, nothing > 0)
    return _Echoes.join(parts)


def _cells(model: RadarModel, echoes: _Echoes) -> _Echoes:
    """Add up the echoes that share a resolution cell, and keep the cells that are peaks."""
    direction, section = echoes.direction, echoes.section_m2
    if not len(section):
        return echoes
    place = np.stack(
        [
            echoes.range_m / model.cell_range_m,
            np.arctan2(direction[:, 1], direction[:, 0]) / np.deg2rad(model.cell_azimuth_deg),
            np.arcsin(direction[:, 2]) / np.deg2rad(model.cell_elevation_deg),
            echoes.rate_mps / model.cell_rate_mps,
        ],
        axis=1,
    )
    keys = np.floor(place).astype(np.int64)
    keys -= keys.min(0)
    flat = np.zeros(len(keys), np.int64)
    for column in keys.T:
        flat = flat * (int(column.max()) + 1) + column
    _, cell = np.unique(flat, return_inverse=True)
    total = np.bincount(cell, section)

    def mean(values: NDArray[Any]) -> NDArray[Any]:
        return np.bincount(cell, section * values) / total

    center = np.stack([mean(column) for column in place.T], axis=1)
    pointing = np.stack([mean(column) for column in direction.T], axis=1)
    pointing /= np.linalg.norm(pointing, axis=1, keepdims=True)
    cells = _Echoes(
        pointing, mean(echoes.range_m), mean(echoes.rate_mps), total, mean(echoes.moving) > 0.5
    )
    pairs = cKDTree(center).query_pairs(1.0, output_type="ndarray")
    weaker = np.where(total[pairs[:, 0]] < total[pairs[:, 1]], pairs[:, 0], pairs[:, 1])
    peak = np.ones(len(total), bool)
    peak[weaker] = False
    return cells.select(peak)


def _detect(
    model: RadarModel, cells: _Echoes, velocity: NDArray[Any], rng: np.random.Generator
) -> RadarScan:
    """Choose the cells that are found, and add mirror images and clutter."""
    section_db = 10 * np.log10(np.maximum(cells.section_m2, 1e-9))
    snr = section_db + model.reference_db - 40 * np.log10(np.maximum(cells.range_m, 1) / 100)
    margin = np.minimum(snr, section_db - model.least_dbsm)
    chance = 1 / (1 + np.exp(-np.clip(margin / model.softness_db, -30, 30)))
    kept = np.flatnonzero(rng.random(len(snr)) < chance)
    kept = kept[np.argsort(-snr[kept], kind="stable")[: model.most]]
    direction, ranges, rate = (x[kept] for x in (cells.direction, cells.range_m, cells.rate_mps))
    section_db, snr, moving = section_db[kept], snr[kept], cells.moving[kept]
    real = np.ones(len(kept), bool)

    # A mirror image: the echo goes round over a wall, rail or the own bumper, so it comes late.
    strong = np.flatnonzero((snr > 10) & (rng.random(len(kept)) < model.ghosts))
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
    noise_range = model.range_m * rng.uniform(0.02, 1, number)
    noise_rate = -noise_direction @ velocity + rng.normal(0, 3.0, number)

    direction = np.concatenate([direction, ghost_direction, noise_direction])
    ranges = np.concatenate([ranges, ranges[strong] * stretch, noise_range])
    rate = np.concatenate([rate, rate[strong] * np.where(twice, 2.0, 1.0), noise_rate])
    section_db = np.concatenate(
        [section_db, section_db[strong] - rng.uniform(8, 15, len(strong)),
         rng.normal(-5, 5, number)]
    )  # fmt: skip
    snr = np.concatenate([snr, snr[strong] - 12, np.zeros(number)])
    moving = np.concatenate([moving, moving[strong], np.zeros(number, bool)])
    real = np.concatenate([real, np.zeros(len(strong) + number, bool)])
    inside = ranges < model.range_m
    return _measure(
        model, direction[inside], ranges[inside], rate[inside], section_db[inside], snr[inside],
        moving[inside], real[inside], velocity, rng,
    )  # fmt: skip


def _measure(
    model: RadarModel, direction: NDArray[Any], ranges: NDArray[Any], rate: NDArray[Any],
    section_db: NDArray[Any], snr: NDArray[Any], moving: NDArray[Any], real: NDArray[Any],
    velocity: NDArray[Any], rng: np.random.Generator,
) -> RadarScan:  # fmt: skip
    """Add noise and write the returns down as the radar reports them."""
    count = len(ranges)
    # Weak returns are measured worse.
    worse = np.clip(10 ** (-(snr - 6) / 20), 0.5, 2.0)
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
