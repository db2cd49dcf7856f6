# SPDX-License-Identifier: Apache-2.0
"""The road: an endless smooth centre line with hills, and the cross-section of each kind of place.

Road coordinates: s metres along the centre line, t metres to its left. Driving is on the right, so
the own lanes have negative t.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Place:
    """Cross-section and surroundings of a road.

    Attributes:
        name: ``city``, ``suburb``, ``country`` or ``motorway``.
        lanes: Lanes a direction.
        lane_width_m: Width of a lane.
        parking_m: Width of the parking strip on each side, 0 for none.
        pavement_m: Width of the raised pavement, 0 for none.
        median_m: Width of the strip between the directions.
        speed_mps: Usual speed of the own car.
        curviness: Scales the bends.
        crossings_every_m: Mean distance of crossing roads, 0 for none.
        building_density: 0 to 1, share of the roadside that is built on.
        setback_m: Distance of the buildings from the pavement, (least, most).
        trees: Trees for each 60 m and side.
        lamps: True if street lamps stand along the road.
        rails: True if guard rails run along the road.
    """

    name: str
    lanes: int
    lane_width_m: float
    parking_m: float
    pavement_m: float
    median_m: float
    speed_mps: float
    curviness: float
    crossings_every_m: float
    building_density: float
    setback_m: tuple[float, float]
    trees: float
    lamps: bool
    rails: bool

    @property
    def half_width_m(self) -> float:
        """Half of the paved width, from the centre line to the kerb or shoulder."""
        return self.median_m / 2 + self.lanes * self.lane_width_m + self.edge_m

    @property
    def edge_m(self) -> float:
        """Width of the strip beside the outer lane: parking, or hard shoulder."""
        return self.parking_m if self.parking_m else (2.5 if self.name == "motorway" else 0.5)

    def lane_center_m(self, lane: int) -> float:
        """Return the offset of a lane's middle from the median, counted outwards from 0."""
        return self.median_m / 2 + (lane + 0.5) * self.lane_width_m


PLACES = {
    "city": Place(
        "city", 1, 3.4, 2.2, 3.2, 0.0, 10.0, 0.6, 150.0, 0.95, (0.5, 2.0), 3.0, True, False
    ),
    "suburb": Place(
        "suburb", 1, 3.3, 2.1, 1.8, 0.0, 11.0, 1.0, 170.0, 0.6, (4.0, 9.0), 4.0, True, False
    ),
    "country": Place(
        "country", 1, 3.5, 0.0, 0.0, 0.0, 20.0, 1.2, 0.0, 0.07, (10.0, 30.0), 7.0, False, False
    ),
    "motorway": Place(
        "motorway", 2, 3.75, 0.0, 0.0, 3.0, 29.0, 0.45, 0.0, 0.04, (25.0, 45.0), 5.0, False, True
    ),
}


class Road:
    """Centre line of one drive.

    Args:
        seed: Seed of the bends and hills.
        place: Cross-section and curviness.
        length_m: How far the drive goes; the road reaches 1.2 km beyond both ends.
        bends: False gives a straight, level road.
    """

    def __init__(self, seed: int, place: Place, length_m: float, bends: bool = True) -> None:
        rng = np.random.default_rng([seed, 11])
        self.place = place
        self.seed = seed
        waves = np.array([700.0, 380.0, 190.0]) * rng.uniform(0.85, 1.2, 3)
        swings = np.array([0.45, 0.22, 0.07]) * rng.uniform(0.5, 1.0, 3) * place.curviness
        self._bends = (2 * np.pi / waves, swings * bends, rng.uniform(0, 2 * np.pi, 3))
        hills = np.array([600.0, 260.0]) * rng.uniform(0.8, 1.2, 2)
        slopes = np.array([0.025, 0.01]) * rng.uniform(0.3, 1.0, 2)
        slopes *= 0.4 if place.name == "city" else 1.0
        self._hills = (2 * np.pi / hills, slopes * bends, rng.uniform(0, 2 * np.pi, 2))
        self._s = np.arange(-1200.0, length_m + 1200.0, 0.25)
        heading = self.heading(self._s)
        step = np.stack([np.cos(heading), np.sin(heading)], axis=1) * 0.25
        middle = (step[1:] + step[:-1]) / 2
        self._xy = np.concatenate([np.zeros((1, 2)), np.cumsum(middle, axis=0)])
        self._xy -= self._xy[np.searchsorted(self._s, 0.0)]
        self.crossings_m = self._find_crossings(length_m)

    def _find_crossings(self, length_m: float) -> FloatArray:
        spacing = self.place.crossings_every_m
        if not spacing:
            return np.zeros(0)
        rng = np.random.default_rng([self.seed, 12])
        count = int((length_m + 700) / spacing) + 1
        return 95.0 + spacing * (np.arange(count) + rng.uniform(-0.15, 0.15, count))

    def heading(self, s_m: ArrayLike) -> FloatArray:
        """Return the direction of the centre line, radians from the x axis."""
        rate, swing, phase = self._bends
        s = np.asarray(s_m, float)[..., None]
        at_start = (swing * np.sin(phase)).sum()
        heading: FloatArray = (swing * np.sin(rate * s + phase)).sum(-1) - at_start
        return heading

    def curvature(self, s_m: ArrayLike) -> FloatArray:
        """Return the change of heading, radians a metre."""
        rate, swing, phase = self._bends
        s = np.asarray(s_m, float)[..., None]
        curvature: FloatArray = (swing * rate * np.cos(rate * s + phase)).sum(-1)
        return curvature

    def height(self, s_m: ArrayLike) -> FloatArray:
        """Return the height of the centre line, metres."""
        rate, slope, phase = self._hills
        s = np.asarray(s_m, float)[..., None]
        height: FloatArray = (slope / rate * (np.sin(rate * s + phase) - np.sin(phase))).sum(-1)
        return height

    def slope(self, s_m: ArrayLike) -> FloatArray:
        """Return the climb, metres of height a metre of way."""
        rate, slope, phase = self._hills
        s = np.asarray(s_m, float)[..., None]
        climb: FloatArray = (slope * np.cos(rate * s + phase)).sum(-1)
        return climb

    def point(self, s_m: ArrayLike, t_m: ArrayLike = 0.0, z_m: ArrayLike = 0.0) -> FloatArray:
        """Return world positions (..., 3), metres, of road coordinates and heights above it."""
        s, t, z = np.broadcast_arrays(
            np.asarray(s_m, float), np.asarray(t_m, float), np.asarray(z_m, float)
        )
        heading = self.heading(s)
        x = np.interp(s, self._s, self._xy[:, 0]) - np.sin(heading) * t
        y = np.interp(s, self._s, self._xy[:, 1]) + np.cos(heading) * t
        return np.stack([x, y, self.height(s) + z], axis=-1)

    def near_crossing(self, s_m: ArrayLike, within_m: float) -> NDArray[np.bool_]:
        """Return True where a crossing road's middle is less than ``within_m`` away."""
        s = np.asarray(s_m, float)
        if not len(self.crossings_m):
            return np.zeros(s.shape, bool)
        near: NDArray[np.bool_] = np.abs(s[..., None] - self.crossings_m).min(-1) < within_m
        return near

    def centerline(self, start_m: float, end_m: float, step_m: float) -> FloatArray:
        """Return points (N, 3), metres, of a part of the centre line."""
        return self.point(np.arange(start_m, end_m, step_m))


CROSSING_HALF_WIDTH_M = 3.4
