# SPDX-License-Identifier: Apache-2.0
"""Everything that stands: ground, terrain, and what lines the road, made piece by piece.

A drive is cut into pieces of 60 m. What stands on a piece depends on the drive's seed and the
piece's number alone, so any part of a long drive can be made without the rest.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from xd_rcdepth_ros.simulation.assets import buildings, street, vegetation
from xd_rcdepth_ros.simulation.assets.vehicles import size_m, vehicle
from xd_rcdepth_ros.simulation.mesh import Material, Mesh, surface
from xd_rcdepth_ros.simulation.noise import noise
from xd_rcdepth_ros.simulation.road import CROSSING_HALF_WIDTH_M, Road

PIECE_M = 60.0
STRIP_M = 42.0  # half width of the finely meshed ground
KERB_M = 0.13


class Surroundings:
    """Maker of static meshes along one road.

    Args:
        road: The road.
        seed: Seed of what stands beside it.
        season: ``summer``, ``autumn`` or ``winter``.
    """

    def __init__(self, road: Road, seed: int, season: str = "summer") -> None:
        self.road, self.seed, self.season = road, seed, season
        self._piece = lru_cache(maxsize=16)(self._make_piece)

    def mesh(self, start_m: float, end_m: float) -> Mesh:
        """Return what stands between two arc lengths (whole pieces), with the terrain around."""
        first, last = int(np.floor(start_m / PIECE_M)), int(np.ceil(end_m / PIECE_M))
        pieces = [self._piece(number)[0] for number in range(first, last)]
        return Mesh.join([*pieces, self._terrain(start_m, end_m)])

    def lamps_m(self, start_m: float, end_m: float) -> NDArray[np.float32]:
        """Return the positions (N, 3) of lamp heads, metres."""
        first, last = int(np.floor(start_m / PIECE_M)), int(np.ceil(end_m / PIECE_M))
        return np.concatenate([self._piece(number)[1] for number in range(first, last)])

    def _make_piece(self, number: int) -> tuple[Mesh, NDArray[np.float32]]:
        maker = _Piece(self.road, self.seed, self.season, number)
        maker.fill()
        return Mesh.join(maker.parts), np.array(maker.lamps, np.float32).reshape(-1, 3)

    def _terrain(self, start_m: float, end_m: float) -> Mesh:
        """Make fields and hills on a world grid, kept below the road's own strip."""
        cell, reach = 14.0, 650.0
        line = self.road.centerline(start_m - 150, end_m + 700, 6.0)
        low = np.floor((line[:, :2].min(0) - reach / 2) / cell)
        high = np.ceil((line[:, :2].max(0) + reach / 2) / cell)
        x = np.arange(low[0], high[0] + 1) * cell
        y = np.arange(low[1], high[1] + 1) * cell
        grid = np.stack(np.meshgrid(x, y, indexing="ij"), -1)
        away, nearest = cKDTree(line[:, :2]).query(grid.reshape(-1, 2))
        away, height = away.reshape(grid.shape[:2]), line[nearest, 2].reshape(grid.shape[:2])
        flat = grid.reshape(-1, 2).astype(np.float32)
        shape = noise(flat[:, 0], flat[:, 1], cell, 8.0, 3).reshape(away.shape) * 0.25
        shape += noise(flat[:, 0] + 900, flat[:, 1], 90.0, 24.0, 4).reshape(away.shape) * 4.0
        rise = np.clip((away - 60) / 260, 0, 1) ** 1.5
        city = self.road.place.name == "city"
        hills = rise * ((2.0 if city else 14.0) + 0.6 * shape) + 0.15 * shape * (away > 60)
        sink = np.where(away < STRIP_M + cell * 1.5, 0.9, 0.0)
        points = np.concatenate([grid, (height - sink + hills)[..., None]], -1)
        return surface(points, (0.1, 0.12, 0.05), Material.TERRAIN, grid)


class _Piece:
    """What stands on one piece of road, while it is being made."""

    def __init__(self, road: Road, seed: int, season: str, number: int) -> None:
        self.road, self.place, self.season, self.number = road, road.place, season, number
        self.rng = np.random.default_rng([seed, 51, number + 1000])
        self.start_m = number * PIECE_M
        self.parts: list[Mesh] = []
        self.lamps: list[NDArray[np.float64]] = []
        self._ids = 0
        self._built: list[tuple[float, float, float, float]] = []  # s and t ranges of buildings

    def fill(self) -> None:
        self._ground()
        place = self.place
        for side in (-1, 1):
            if place.building_density:
                self._buildings(side)
            self._trees(side)
            if place.parking_m:
                self._parked(side)
            if place.rails:
                self._rail(side * (place.half_width_m + 0.6), side)
            self._furniture(side)
        if place.median_m > 1:
            self._rail(0.0, 1)
        for crossing in self.road.crossings_m:
            if self.start_m <= crossing < self.start_m + PIECE_M:
                self._crossing(float(crossing))

    def put(
        self, mesh: Mesh, s: float, t: float, turn: float = 0.0, scale: object = 1.0, z: float = 0.0
    ) -> None:
        """Put a mesh at road coordinates, turned relative to the road."""
        position = self.road.point(s, t, z + self._raised(s, t))
        heading = float(self.road.heading(s)) + turn
        self._ids += 1
        placed = mesh.placed(position, heading, scale)  # type: ignore[arg-type]
        self.parts.append(placed.owned(self.number * 512 + self._ids))

    def _raised(self, s: float, t: float) -> float:
        on_pavement = self.place.pavement_m > 0 and abs(t) > self.place.half_width_m
        return KERB_M if on_pavement and not self.road.near_crossing(s, 5.0) else 0.0

    def _along(self, low: float, high: float, step: float, jitter: float = 0.3) -> list[float]:
        s = np.arange(low, high, step)
        return list(s + self.rng.uniform(-jitter, jitter, len(s)) * step)

    def _ground(self) -> None:
        place, half = self.place, self.place.half_width_m
        step = 2.0 if place.pavement_m else 4.0
        s = np.arange(0, PIECE_M + 0.1, step) + self.start_m
        edges = [half + 1e-3, half + 0.15, half + place.pavement_m, half + place.pavement_m + 1.5]
        side = np.array([0, half * 0.5, half, *edges, 14 + half, 26, STRIP_M])
        t = np.unique(np.concatenate([-side, side]))
        grid_s, grid_t = np.meshgrid(s, t, indexing="ij")
        z = np.zeros_like(grid_s)
        if place.pavement_m:
            raised = (np.abs(grid_t) > half) & ~self.road.near_crossing(grid_s, 5.0)
            z[raised] = KERB_M
        else:  # the verge falls away from the road, with a ditch
            away = np.abs(grid_t) - half
            z -= 0.05 * np.clip(away, 0, 1) + 0.35 * np.exp(-(((away - 3.0) / 1.5) ** 2))
        points = self.road.point(grid_s, grid_t, z)
        self.parts.append(
            surface(points, (0.2, 0.2, 0.2), Material.GROUND, np.stack([grid_s, grid_t], -1))
        )

    def _free(self, s: float, margin: float) -> bool:
        return not bool(self.road.near_crossing(s, CROSSING_HALF_WIDTH_M + margin))

    def _unbuilt(self, s: float, t: float) -> bool:
        return not any(a < s < b and abs(t - c) < reach for a, b, c, reach in self._built)

    def _buildings(self, side: int) -> None:
        place, rng = self.place, self.rng
        edge = place.half_width_m + place.pavement_m
        s = self.start_m + rng.uniform(0, 2)
        city = place.name == "city"
        while s < self.start_m + PIECE_M - 6:
            length = rng.uniform(9, 18) if city else rng.uniform(8, 13)
            length = min(length, self.start_m + PIECE_M - s)
            depth, middle = rng.uniform(9, 12), s + length / 2
            back = edge + rng.uniform(*place.setback_m) + depth / 2
            clear = self._free(middle, length / 2 + 1.5)
            if clear and rng.random() < place.building_density:
                floors = int(rng.integers(3, 7)) if city else int(rng.integers(1, 3))
                if city:
                    mesh = buildings.town_house(rng, length, depth, floors)
                elif place.name == "suburb" or rng.random() < 0.5:
                    mesh = buildings.house(rng, length, depth, floors)
                else:
                    mesh = buildings.hall(rng, length * 1.6, depth)
                self.put(mesh, middle, side * back, 0.0 if side > 0 else np.pi)
                half = length * 0.8
                self._built.append((middle - half, middle + half, side * back, depth / 2 + 2.5))
            elif place.name == "suburb" and clear and rng.random() < 0.7:
                hedge = vegetation.hedge(int(rng.integers(4)))
                self.put(hedge, middle, side * (edge + 1.0), scale=(length / 6, 1, 1))
            s += length + (rng.choice([0.0, 0.0, 3.0]) if city else rng.uniform(3, 9))

    def _trees(self, side: int) -> None:
        place, rng = self.place, self.rng
        edge = place.half_width_m + place.pavement_m
        for _ in range(int(rng.poisson(place.trees))):
            s = self.start_m + rng.uniform(0, PIECE_M)
            if not self._free(s, 3.0):
                continue
            if place.name == "city":
                t = place.half_width_m + 0.8
            elif place.name == "suburb":
                t = edge + rng.uniform(1.5, 22)
            else:
                t = edge + 3.0 + rng.gamma(1.6, 7.0)
            if t > STRIP_M - 2 or not self._unbuilt(s, side * t):
                continue
            scale = rng.uniform(0.55, 0.9) if place.name == "city" else rng.uniform(0.6, 1.35)
            self.put(self._tree(t > 20), s, side * t, rng.uniform(0, 6.28), scale)
        for _ in range(int(rng.poisson(0 if place.name == "city" else 5))):
            s = self.start_m + rng.uniform(0, PIECE_M)
            t = edge + rng.uniform(1.6, 16)
            if self._free(s, 2.0) and self._unbuilt(s, side * t):
                bush = vegetation.bush(int(rng.integers(6)), self.season)
                self.put(bush, s, side * t, rng.uniform(0, 6.28), rng.uniform(0.6, 1.5))
        if place.name in ("country", "motorway") and rng.random() < 0.6:  # the edge of a wood
            for s in self._along(self.start_m, self.start_m + PIECE_M, 5.5):
                scale = rng.uniform(0.9, 1.6)
                self.put(self._tree(True), s, side * rng.uniform(30, 40), rng.uniform(0, 6), scale)

    def _tree(self, far: bool) -> Mesh:
        rng = self.rng
        variant = int(rng.integers(vegetation.VARIANTS))
        if rng.random() < (0.35 if self.place.name in ("country", "motorway") else 0.1):
            return vegetation.conifer(variant, far)
        return vegetation.broadleaf(variant, self.season, far)

    def _parked(self, side: int) -> None:
        place, rng = self.place, self.rng
        t = side * (place.half_width_m - place.parking_m / 2)
        s = self.start_m + rng.uniform(0, 4)
        while s < self.start_m + PIECE_M - 5:
            kind = str(rng.choice(["sedan", "hatchback", "suv", "van"], p=[0.3, 0.38, 0.24, 0.08]))
            length = size_m(kind)[0]
            if rng.random() < (0.6 if place.name == "city" else 0.35) and self._free(s, length + 6):
                turn = (0.0 if side < 0 else np.pi) + rng.normal(0, 0.015)
                mesh = vehicle(kind, int(rng.integers(100)))
                self.put(mesh, s + length / 2, t + rng.normal(0, 0.08), turn)
            s += length + rng.uniform(0.8, 2.5)

    def _furniture(self, side: int) -> None:
        place, rng, start = self.place, self.rng, self.start_m
        edge = place.half_width_m
        if place.lamps:
            s = start + (15.0 if side > 0 else 45.0)
            if self._free(s, 0.5):
                self.put(street.lamp(), s, side * (edge + 0.5), 0.0 if side < 0 else np.pi)
                reach = side * (edge + 0.5 - street.LAMP_REACH_M)
                self.lamps.append(self.road.point(s, reach, street.LAMP_HEIGHT_M - 0.1))
        if rng.random() < (0.6 if place.pavement_m else 0.3):
            s = start + rng.uniform(0, PIECE_M)
            turn = 0.0 if side < 0 else np.pi
            self.put(street.sign(int(rng.integers(6))), s, side * (edge + 0.6), turn)
        if place.name in ("country", "motorway"):
            for s in (start + 0.5, start + 30.5):
                self.put(street.delineator(), s, side * (edge + 1.0), 0.0 if side < 0 else np.pi)
        if place.name == "country" and side > 0:
            self.put(street.utility_pole(), start + 30, side * (edge + 6))
        if place.name == "city":
            for thing in (street.bin_(), street.bench()):
                if rng.random() < 0.5:
                    s = start + rng.uniform(0, PIECE_M)
                    if self._free(s, 3):
                        self.put(thing, s, side * (edge + 1.0), 0.0 if side < 0 else np.pi)

    def _rail(self, t: float, side: int) -> None:
        s = np.arange(0, PIECE_M + 0.1, 4.0) + self.start_m
        # The W-beam: a corrugated profile, 0.31 m high.
        y = np.array([0, 0.08, 0.08, 0.02, 0.08, 0.08, 0]) * -side
        z = np.array([0.44, 0.50, 0.56, 0.60, 0.64, 0.70, 0.75])
        for mirror in (1, -1) if t == 0 else (1,):
            points = self.road.point(s[:, None], t + mirror * (y - side * 0.06), z)
            self.parts.append(surface(points, (0.42, 0.43, 0.44), Material.METAL))
        for post in s:
            foot, top = [[0, -0.05, -0.3], [0, 0.05, -0.3]], [[0, -0.05, 0.72], [0, 0.05, 0.72]]
            plate = surface(np.array([foot, top]), (0.4,) * 3, Material.METAL, smooth=False)
            self.put(plate, float(post), t)

    def _crossing(self, s: float) -> None:
        """Add the side roads' far parts, signs and lights of a crossing."""
        rng, edge = self.rng, self.place.half_width_m + 0.7
        if self.place.name == "city":
            state = int(rng.integers(2))
            for side, turn in ((-1, 0.0), (1, np.pi)):
                place = s + side * (CROSSING_HALF_WIDTH_M + 3.2)
                self.put(street.traffic_light(state), place, side * edge, turn)
        else:
            self.put(street.sign(2), s - CROSSING_HALF_WIDTH_M - 3.0, -edge)
