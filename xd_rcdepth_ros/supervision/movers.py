# SPDX-License-Identifier: Apache-2.0
"""Which points of other times are not there now: seen through, near moving returns, or in boxes.

A lidar ray says two things: where it ended there was something, and before that there was nothing.
A point of another sweep that lies where some ray went through was a mover's; what stands still is
met again and again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from xd_rcdepth_ros.geometry import RigidTransform

FloatArray = NDArray[np.floating]
BoolArray = NDArray[np.bool_]

_CELL_M = 2.0
_NEIGHBOURS = 4
_REACH_RAD = 0.1  # neighbours further away are not looked for


@dataclass(frozen=True, eq=False)
class Box:
    """An oriented box around something that may move.

    Attributes:
        centre_m: (3,), metres, in the frame of the points.
        size_m: (3,), extent along the box's own axes, metres.
        rotation: (3, 3), from the box's axes to the frame of the points.
    """

    centre_m: FloatArray
    size_m: FloatArray
    rotation: FloatArray

    def moved(self, target_from_own: RigidTransform) -> Box:
        """Return the box in another frame."""
        return Box(
            target_from_own.apply(np.asarray(self.centre_m)[None])[0],
            self.size_m,
            target_from_own.rotation @ self.rotation,
        )

    def contains(self, points_m: FloatArray) -> BoolArray:
        """Return a mask (N,) of the points (N, 3) inside."""
        own = (points_m - self.centre_m) @ self.rotation
        return np.asarray((np.abs(own) <= np.asarray(self.size_m) / 2).all(axis=1))


@dataclass(frozen=True, eq=False)
class PlacedSweep:
    """A lidar sweep of any time in the camera's frame at the image's stamp.

    Attributes:
        points_m: (N, 3) float, metres.
        origin_m: (3,), where the lidar was, metres.
        up: (3,), unit vector upwards.
        moving_m: (M, 3), radar returns of the same time that move over ground, metres.
        boxes: Boxes of the same time around what may move, in the same frame.
    """

    points_m: FloatArray
    origin_m: FloatArray
    up: FloatArray
    moving_m: FloatArray
    boxes: tuple[Box, ...] = ()


def height_over_ground(points_m: FloatArray, up: FloatArray) -> FloatArray:
    """Return how high points (N, 3) lie over the lowest point within 2 to 4 m, metres (N,)."""
    up = up / np.linalg.norm(up)
    first = np.cross(up, [1.0, 0, 0] if abs(up[0]) < 0.9 else [0, 1.0, 0])
    first /= np.linalg.norm(first)
    plane = points_m @ np.stack([first, np.cross(up, first)], axis=1)
    height = points_m @ up
    cell = np.floor(plane / _CELL_M).astype(np.int64)
    cell -= cell.min(axis=0, initial=0) - 1
    lowest = np.full(cell.max(axis=0, initial=0) + 2, np.inf)
    np.minimum.at(lowest, (cell[:, 0], cell[:, 1]), height)
    ground = np.full(len(points_m), np.inf)
    for row in (-1, 0, 1):
        for column in (-1, 0, 1):
            ground = np.minimum(ground, lowest[cell[:, 0] + row, cell[:, 1] + column])
    over_ground: FloatArray = height - ground
    return over_ground


@dataclass(frozen=True, eq=False)
class Rays:
    """Where a sweep's rays went: directions (in a tree), lengths (N,), metres, and elevations."""

    tree: cKDTree
    ranges_m: FloatArray
    elevation_sines: FloatArray

    @classmethod
    def of(cls, sweep: PlacedSweep) -> Rays:
        """Take the rays of a sweep that is not empty."""
        rays = sweep.points_m - sweep.origin_m
        ranges = np.linalg.norm(rays, axis=1)
        directions = rays / ranges[:, None]
        return cls(cKDTree(directions), ranges, directions @ sweep.up)


@dataclass(frozen=True)
class FreeSpace:
    """How strictly points are held against the rays of other sweeps.

    Attributes:
        reach_m: A ray speaks about points that it passes within this distance, metres.
        tolerance_m: A ray that goes on for less than this beyond a point confirms it, metres.
        tolerance_share: The same as a share of the point's distance; both are added.
        ground_m: Points this near to the ground are never removed: rays graze it everywhere.
        silence_deg: A sweep without any return this near to a point's direction, though it looks
            there, saw through it too (into the sky); None: silence says nothing.
        silence_range_m: Silence only speaks about points nearer than this, metres: what is far
            returns little.
    """

    reach_m: float = 0.2
    tolerance_m: float = 0.4
    tolerance_share: float = 0.03
    ground_m: float = 0.3
    silence_deg: float | None = 2.0
    silence_range_m: float = 40.0

    def verdicts(
        self,
        points_m: FloatArray,
        sweep: PlacedSweep,
        rays: Rays,
        elevation_sines: tuple[float, float],
    ) -> NDArray[np.int8]:
        """Return what a sweep says about points (N, 3): 1 there, -1 seen through, 0 nothing.

        Args:
            points_m: (N, 3), metres.
            sweep: The sweep.
            rays: Its rays.
            elevation_sines: Lowest and highest elevation that the lidar looks to.
        """
        offset = points_m - sweep.origin_m
        distance = np.linalg.norm(offset, axis=1)
        direction = offset / distance[:, None]
        gap, index = rays.tree.query(direction, k=_NEIGHBOURS, distance_upper_bound=_REACH_RAD)
        near = gap * distance[:, None] <= self.reach_m
        found = np.append(rays.ranges_m, np.nan)[np.minimum(index, len(rays.ranges_m))]
        tolerance = (self.tolerance_m + self.tolerance_share * distance)[:, None]
        beyond = found - distance[:, None]
        confirmed = (near & (np.abs(beyond) <= tolerance)).any(axis=1)
        stopped = (near & (beyond <= tolerance)).any(axis=1)
        through = (near & (beyond > tolerance)).any(axis=1) & ~stopped
        if self.silence_deg is not None:
            sine = direction @ sweep.up
            looked = (sine > elevation_sines[0]) & (sine < elevation_sines[1])
            silent = gap[:, 0] > np.radians(self.silence_deg)
            through |= looked & silent & (distance < self.silence_range_m)
        verdict: NDArray[np.int8] = confirmed.astype(np.int8) - through.astype(np.int8)
        return verdict


def contradicted(
    sweeps: Sequence[PlacedSweep], main: int, rule: FreeSpace | None = None
) -> list[BoolArray]:
    """Find the points of each sweep that other sweeps saw through.

    The main sweep decides where it speaks; elsewhere the majority of the other sweeps does.

    Args:
        sweeps: Sweeps in one frame.
        main: Number of the sweep of the image's own time; none of its points is ever removed.
        rule: How strictly.

    Returns:
        A mask (N,) a sweep.
    """
    rule = rule or FreeSpace()
    if not sweeps:
        return []
    points = np.concatenate([sweep.points_m for sweep in sweeps])
    owner = np.repeat(np.arange(len(sweeps)), [len(sweep.points_m) for sweep in sweeps])
    suspects = owner != main
    if len(points):
        suspects &= height_over_ground(points, sweeps[main].up) > rule.ground_m
    suspect = np.flatnonzero(suspects)
    votes = np.zeros(len(suspect), np.int64)
    seen = {number: Rays.of(sweep) for number, sweep in enumerate(sweeps) if len(sweep.points_m)}
    lowest = min((rays.elevation_sines.min() for rays in seen.values()), default=0.0)
    highest = max((rays.elevation_sines.max() for rays in seen.values()), default=0.0)
    for number, rays in seen.items():
        if not len(suspect):
            break
        verdict = rule.verdicts(points[suspect], sweeps[number], rays, (lowest, highest))
        verdict[owner[suspect] == number] = 0
        votes += verdict.astype(np.int64) * (len(sweeps) if number == main else 1)
    removed = np.zeros(len(points), bool)
    removed[suspect[votes < 0]] = True
    borders = np.cumsum([len(sweep.points_m) for sweep in sweeps])[:-1]
    return np.split(removed, borders)


def near_moving_returns(sweep: PlacedSweep, radius_m: float, ground_m: float = 0.3) -> BoolArray:
    """Return a mask (N,) of points over ground near a moving radar return, seen from above."""
    if not len(sweep.moving_m) or not len(sweep.points_m):
        return np.zeros(len(sweep.points_m), bool)
    flat = np.eye(3) - np.outer(sweep.up, sweep.up)
    gap, _ = cKDTree(sweep.moving_m @ flat).query(sweep.points_m @ flat)
    over_ground = height_over_ground(sweep.points_m, sweep.up) > ground_m
    return np.asarray((gap <= radius_m) & over_ground)


def in_boxes(sweep: PlacedSweep) -> BoolArray:
    """Return a mask (N,) of points inside a box of their sweep."""
    inside = np.zeros(len(sweep.points_m), bool)
    for box in sweep.boxes:
        inside |= box.contains(sweep.points_m)
    return inside
