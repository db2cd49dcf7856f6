# SPDX-License-Identifier: Apache-2.0
"""Lidar points above the ground, gathered into the cells and objects that a radar tells apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.supervision.radar_noise import RadarNoise

Array = NDArray[np.float64]
_OBJECT_M = 2.5  # points within a square of this side belong to one object


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells, each at one of its points.

    Attributes:
        place: (N, 3) range (m), azimuth and elevation (rad).
        height_m: (N,) height above the ground, metres.
        objects: (N,) number of the object of each.
    """

    place: Array
    height_m: Array
    objects: NDArray[np.int64]


def ground_height(points_m: Array) -> Array:
    """Return the height (N,) of the ground below points, metres, radar or level camera frame.

    A low percentile of the heights in steps of distance. Where it rises by more than 10 %, as where
    only walls are left, the ground goes on as it was.
    """
    distance = np.hypot(points_m[:, 0], points_m[:, 1])
    edges = np.geomspace(4.0, 120.0, 16)
    centers = np.concatenate([[3.0], np.sqrt(edges[:-1] * edges[1:]), [edges[-1]]])
    step = np.digitize(distance, edges)
    order = np.argsort(step, kind="stable")
    height = points_m[order, 2]
    ends = np.searchsorted(step[order], np.arange(len(centers) + 1))
    known: list[tuple[float, float]] = []
    for center_m, start, end in zip(centers, ends[:-1], ends[1:], strict=True):
        if end - start < 10:
            continue
        low = float(np.partition(height[start:end], (end - start) // 20)[(end - start) // 20])
        if not known or low - known[-1][1] < 0.1 * (center_m - known[-1][0]):
            known.append((float(center_m), low))
    if not known:
        return np.full(len(points_m), -np.inf)
    return np.asarray(np.interp(distance, *np.transpose(known)))


def gather_cells(
    points: Array, noise: RadarNoise, azimuth_deg: float, rng: np.random.Generator
) -> Cells:
    """Gather the points that a radar of this kind may see into cells."""
    height = np.clip(points[:, 2] - ground_height(points), 0.0, 50.0)
    above = (height > 0.3) | (rng.random(len(points)) < noise.ground)
    points, height = points[above], height[above]
    place = to_polar(points)
    wide = np.where(
        place[:, 0] < noise.far_from_m, azimuth_deg, min(azimuth_deg, noise.far_azimuth_deg)
    )
    seen = (
        (place[:, 0] > 1.0)
        & (place[:, 0] < noise.range_m[1])
        & (np.abs(place[:, 1]) < np.deg2rad(wide))
        & (np.abs(place[:, 2]) < np.deg2rad(noise.elevation_deg))
    )
    points, place, height = points[seen], place[seen], height[seen]
    size = np.array([noise.cell[0], *np.deg2rad(noise.cell[1:])])
    _, first = np.unique(_keys(place / size), return_index=True)
    objects = np.unique(_keys(points[first, :2] / _OBJECT_M), return_inverse=True)[1]
    return Cells(place[first], height[first], objects.astype(np.int64))


def _keys(values: Array) -> NDArray[np.int64]:
    """Return one number for each row of values, the same for rows with the same whole parts."""
    whole = np.floor(values).astype(np.int64)
    keys = np.zeros(len(whole), np.int64)
    for column in whole.T:
        keys = keys * 8192 + column + 4096
    return keys


def to_polar(points: Array) -> Array:
    """Return range (m), azimuth and elevation (rad) of points."""
    level = np.hypot(points[:, 0], points[:, 1])
    return np.stack(
        [
            np.hypot(level, points[:, 2]),
            np.arctan2(points[:, 1], points[:, 0]),
            np.arctan2(points[:, 2], level),
        ],
        axis=1,
    )


def to_cartesian(place: Array) -> Array:
    """Return points (N, 3), metres, of ranges, azimuths and elevations."""
    distance, azimuth, elevation = place.T
    level = distance * np.cos(elevation)
    return np.stack(
        [level * np.cos(azimuth), level * np.sin(azimuth), distance * np.sin(elevation)], axis=1
    )
