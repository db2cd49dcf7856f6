# SPDX-License-Identifier: Apache-2.0
"""Radar made from lidar, for data sets that have none: a noise model fitted to real radars.

Lidar points above the ground are gathered into cells, cells into objects. Returns are drawn from
the cells, so that their ranges are spread as a real radar's and few objects hold most of them. Then
come what a radar sees and the lidar does not, ghosts, clutter, and errors of range and angle.
``experiments/road/fit_radar.py`` measures the same on real radars (docs/radar_from_lidar.md).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.geometry import (
    OPTICAL_FROM_BODY,
    RadarPoints,
    RadarSweep,
    RigidTransform,
    SensorFrame,
)
from xd_rcdepth_ros.supervision.radar_cells import Cells, gather_cells, to_cartesian
from xd_rcdepth_ros.supervision.radar_noise import RADARS, RadarNoise

Array = NDArray[np.float64]
_MOST_POINTS = 8000  # more than that make no other radar, but take longer


RADAR_KINDS = (*RADARS, "mixed")


def sweep_from_lidar(
    frame: SensorFrame,
    kind: str | RadarNoise,
    rng: np.random.Generator,
    velocity_mps: Array | None = None,
) -> RadarSweep:
    """Make the sweep of a radar beside the camera from the frame's lidar.

    Args:
        frame: A frame with a lidar sweep.
        kind: ``sparse``, ``imaging``, ``mixed`` for either, or the noise of another kind.
        rng: Source of all randomness.
        velocity_mps: (3,) the camera's own velocity over ground, camera axes, m/s; None draws a
            plausible speed.

    Raises:
        ConfigurationError: The kind is not known, or the frame has no lidar.
    """
    known = isinstance(kind, RadarNoise) or kind in RADAR_KINDS
    if not known or frame.lidar is None:
        raise ConfigurationError(
            f"cannot make radar of kind {kind!r} for {frame.name or 'a frame'} with "
            f"{'no ' if frame.lidar is None else ''}lidar; expected a frame with lidar and one of "
            f"{', '.join(RADAR_KINDS)}."
        )
    if kind == "mixed":
        kind = str(rng.choice(list(RADARS)))
    noise = RADARS[kind] if isinstance(kind, str) else kind
    mounting = draw_mounting(rng)
    if velocity_mps is None:
        velocity_mps = np.array([0.0, 0.0, draw_speed(rng)])
    camera = frame.camera
    radar_from_camera = mounting.inverse()
    in_camera = frame.lidar.camera_from_lidar.apply(frame.lidar.points_m)
    ahead = in_camera[in_camera[:, 2] > 1.0]
    across = ahead[:, 0] / ahead[:, 2] * camera.p[0, 0] + camera.p[0, 2]
    points = radar_from_camera.apply(ahead[(across > 0) & (across < camera.width)])
    half_deg = np.rad2deg(np.arctan(camera.width / 2 / camera.p[0, 0]))
    velocity = radar_from_camera.rotation @ velocity_mps
    made = radar_from_lidar(points, noise, velocity, rng, float(half_deg))
    return RadarSweep(made, mounting, frame.stamp_ns, "front")


def draw_mounting(rng: np.random.Generator) -> RigidTransform:
    """Draw camera_from_radar: a radar below and before the camera, nearly along its axis."""
    yaw, pitch, roll = np.deg2rad(rng.normal(0, (0.7, 0.7, 0.3)))
    turn = np.array([[1.0, -yaw, pitch], [yaw, 1.0, -roll], [-pitch, roll, 1.0]])
    left, _, right = np.linalg.svd(OPTICAL_FROM_BODY @ turn)
    offset = (rng.normal(0, 0.15), rng.uniform(0.0, 1.0), rng.uniform(0.0, 1.5))
    return RigidTransform(left @ right, np.array(offset))


def draw_speed(rng: np.random.Generator) -> float:
    """Draw a plausible speed of a car, m/s: it stands now and then."""
    return 0.0 if rng.random() < 0.15 else float(rng.uniform(2.0, 30.0))


def radar_from_lidar(
    points_m: NDArray[np.floating],
    noise: RadarNoise,
    velocity_mps: Array,
    rng: np.random.Generator,
    half_azimuth_deg: float = 90.0,
) -> RadarPoints:
    """Make one sweep of radar returns from lidar points.

    Args:
        points_m: (N, 3) lidar points, metres, radar frame (x forward, y left, z up).
        noise: Kind of radar.
        velocity_mps: (3,) the radar's own velocity over ground, radar frame, m/s.
        rng: Source of all randomness.
        half_azimuth_deg: Nothing is made beyond this azimuth, such as outside the image.

    Returns:
        Returns by falling strength. Velocities are range rates times (cos, sin) of the azimuth, as
        they are measured; compensated ones are those of what moves, 0 for what stands.
    """
    if len(points_m) > _MOST_POINTS:
        points_m = points_m[rng.integers(0, len(points_m), _MOST_POINTS)]
    points = np.asarray(points_m, np.float64)
    points = points[np.isfinite(points).all(axis=1)]
    unit_deg = min(rng.uniform(*noise.near_azimuth_deg), half_azimuth_deg)
    cells = gather_cells(points, noise, unit_deg, rng)
    fewest, median, most = noise.returns
    count = int(np.clip(median * np.exp(rng.normal(0, 0.4)), fewest, most))
    reflections = max(1, round(count / noise.repeats))
    numbers = [int(n) for n in rng.multinomial(reflections, _shares(noise, len(cells.place)))]
    real, strength, speed = _draw_cells(cells, noise, numbers[0], rng)
    parts = [
        (real, strength, speed),
        _draw_unseen(noise, numbers[1], unit_deg, rng),
        _draw_ghosts(real, strength, speed, numbers[2], rng),
        _draw_clutter(noise, numbers[3], unit_deg, rng),
    ]
    place, strength, speed = (np.concatenate(p) for p in zip(*parts, strict=True))
    more = round((noise.repeats - 1) * len(place))
    again = np.concatenate([np.arange(len(place)), rng.integers(0, max(len(place), 1), more)])
    place, strength, speed = _measure(place, noise, rng)[again], strength[again], speed[again]
    place = _spread(place, noise, rng)
    inside = (place[:, 0] < noise.range_m[1]) & (np.abs(place[:, 1]) < np.deg2rad(half_azimuth_deg))
    order = np.argsort(-strength[inside], kind="stable")
    place, speed = place[inside][order], speed[inside][order]
    floor, shape, scale = noise.rcs_dbsm
    rcs = floor + np.sort(rng.gamma(shape, scale, len(place)))[::-1]
    position = to_cartesian(place)
    direction = position / np.maximum(np.linalg.norm(position, axis=1, keepdims=True), 1e-6)
    rate = speed - direction @ velocity_mps + rng.normal(0, noise.rate_error_mps, len(place))
    if noise.fold_mps:
        rate = np.mod(rate + noise.fold_mps / 2, noise.fold_mps) - noise.fold_mps / 2
    return RadarPoints.from_arrays(position, rcs, rate, speed)


def _shares(noise: RadarNoise, cells: int) -> list[float]:
    """Return the shares of returns that are real, unseen by the lidar, ghosts, clutter."""
    if not cells:  # nothing that could be seen or mirrored
        return [0.0, 0.0, 0.0, noise.clutter, 1 - noise.clutter]
    others = [noise.unseen, noise.ghosts, noise.clutter]
    return [1 - sum(others), *others]


def _draw_cells(
    cells: Cells, noise: RadarNoise, count: int, rng: np.random.Generator
) -> tuple[Array, Array, Array]:
    """Draw returns from cells: place, strength, and the objects' range rate over ground."""
    if not len(cells.place) or not count:
        return np.zeros((0, 3)), np.zeros(0), np.zeros(0)
    number = int(cells.objects.max()) + 1
    gain = rng.normal(0, noise.object_spread, number)
    gain[rng.random(number) < noise.missed] -= 10.0
    moves = np.where(rng.random(number) < noise.moving, rng.normal(0, 8.0, number), 0.0)
    weight = np.exp(gain[cells.objects] - cells.height_m / noise.height_m)
    # Ranges as a real radar's where there is something to see: each step of range gets its share.
    steps = np.digitize(cells.place[:, 0], np.geomspace(2.0, noise.range_m[1], 20))
    wanted = _profile(noise, cells.place[:, 0]) * cells.place[:, 0]
    there = np.bincount(steps, weight)
    cells_there = np.bincount(steps)
    # A step with hardly any cell must not hold all returns.
    weight *= wanted * np.minimum(cells_there, 20)[steps] / there[steps]
    # One return a cell, where there are enough of them: a radar cannot tell two in a cell apart.
    again = bool(count > np.count_nonzero(weight) // 2)
    drawn = rng.choice(len(weight), count, replace=again, p=weight / weight.sum())
    strength = gain[cells.objects[drawn]] + rng.normal(0, 1.0, count)
    return cells.place[drawn], strength, moves[cells.objects[drawn]]


def _profile(noise: RadarNoise, range_m: Array) -> Array:
    """Return the density of returns at ranges: log-normal."""
    deviation = np.log(range_m / noise.range_m[0]) / noise.range_spread
    return np.asarray(np.exp(-(deviation**2) / 2) / range_m)


def _draw_range(noise: RadarNoise, count: int, rng: np.random.Generator) -> Array:
    drawn = noise.range_m[0] * np.exp(rng.normal(0, noise.range_spread, count))
    return np.clip(drawn, 2.0, noise.range_m[1])


def _draw_unseen(
    noise: RadarNoise, count: int, azimuth_deg: float, rng: np.random.Generator
) -> tuple[Array, Array, Array]:
    """Draw returns of objects that the lidar does not see: behind others, or too far for it."""
    groups = max(1, round(count / noise.group))
    group = rng.integers(0, groups, count)
    # What is hidden stands behind something: the farther of two draws.
    distance = np.maximum(*(_draw_range(noise, groups, rng) for _ in range(2)))[group]
    azimuth = rng.uniform(-azimuth_deg, azimuth_deg, groups)[group]
    height = rng.uniform(-1.0, 3.0, count)
    place = np.stack(
        [
            np.maximum(distance + rng.normal(0, 1.0, count), 2.0),
            np.deg2rad(azimuth + rng.normal(0, 0.7, count)),
            np.arctan2(height, distance),
        ],
        axis=1,
    )
    moves = np.where(rng.random(groups) < noise.moving, rng.normal(0, 8.0, groups), 0.0)
    return place, rng.normal(0, noise.object_spread, count), moves[group]


def _draw_ghosts(
    real: Array, strength: Array, speed: Array, count: int, rng: np.random.Generator
) -> tuple[Array, Array, Array]:
    """Repeat returns farther away, weaker, in about the same direction: multipath."""
    if not len(real):
        return np.zeros((0, 3)), np.zeros(0), np.zeros(0)
    drawn = rng.integers(0, len(real), count)
    place = real[drawn] * np.stack(
        [rng.uniform(1.1, 2.0, count), np.ones(count), np.ones(count)], 1
    )
    return place, strength[drawn] - 1.0, speed[drawn]


def _draw_clutter(
    noise: RadarNoise, count: int, azimuth_deg: float, rng: np.random.Generator
) -> tuple[Array, Array, Array]:
    """Draw returns from nothing, evenly over range and field of view."""
    angle = np.array([azimuth_deg, noise.elevation_deg / 2])
    place = np.column_stack(
        [
            rng.uniform(2.0, noise.range_m[1], count),
            np.deg2rad(rng.uniform(-angle, angle, (count, 2))),
        ]
    )
    moves = np.where(rng.random(count) < 0.5, rng.normal(0, 3.0, count), 0.0)
    return place, rng.normal(0, noise.object_spread, count), moves


def _measure(place: Array, noise: RadarNoise, rng: np.random.Generator) -> Array:
    """Return places as a unit of this kind measures them: off in range and azimuth."""
    count = len(place)
    distance = np.maximum(place[:, 0] + rng.normal(0, noise.error_m, count), 1.0)
    azimuth = place[:, 1] + np.deg2rad(rng.normal(0, noise.azimuth_error_deg, count))
    return np.stack([distance, azimuth, place[:, 2]], axis=1)


def _spread(place: Array, noise: RadarNoise, rng: np.random.Generator) -> Array:
    """Return places with elevations as measured; those that share a reflection are spread a bit."""
    count = len(place)
    own = 0.1 if noise.repeats > 1 else 0.0
    distance = np.maximum(place[:, 0] + rng.normal(0, own * noise.error_m, count), 1.0)
    azimuth = place[:, 1] + np.deg2rad(rng.normal(0, own * noise.azimuth_error_deg, count))
    error = rng.normal(rng.normal(*noise.elevation_bias_deg), noise.elevation_error_deg, count)
    flat = rng.random() < noise.flat
    elevation = np.zeros(count) if flat else place[:, 2] + np.deg2rad(error)
    return np.stack([distance, azimuth, elevation], axis=1)


def sparsify(sweep: RadarSweep, rng: np.random.Generator) -> RadarSweep:
    """Return an imaging radar's sweep as a sparse one gives it: few returns, strength in dBsm.

    The strongest are kept, or any; strengths keep their order and take the sparse kind's scale.

    Args:
        sweep: Sweep; one with as few returns as a sparse radar's comes back as it is.
        rng: Source of all randomness.
    """
    fewest, median, most = RADARS["sparse"].returns
    points = sweep.points
    count = int(np.clip(median * np.exp(rng.normal(0, 0.4)), fewest, most))
    if len(points) <= 2 * most:
        return sweep
    by_strength = np.argsort(-points.rcs_dbsm, kind="stable")
    chosen = by_strength[:count]
    if rng.random() < 0.5:
        chosen = by_strength[np.sort(rng.permutation(len(points))[:count])]
    floor, shape, scale = RADARS["sparse"].rcs_dbsm
    rcs = floor + np.sort(rng.gamma(shape, scale, count))[::-1]
    return replace(sweep, points=replace(points.select(chosen), rcs_dbsm=rcs.astype(np.float32)))
