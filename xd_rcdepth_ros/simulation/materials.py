# SPDX-License-Identifier: Apache-2.0
"""What surfaces look like: albedo, gloss and own light of every material, from its coordinates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.simulation.caster import Surface
from xd_rcdepth_ros.simulation.mesh import Material
from xd_rcdepth_ros.simulation.noise import band, hashed, noise, stripe
from xd_rcdepth_ros.simulation.road import CROSSING_HALF_WIDTH_M, Road
from xd_rcdepth_ros.simulation.weather import Conditions

Array = NDArray[np.float32]
_WHITE = np.array([[0.62], [0.62], [0.60]], np.float32)
_GRASS = {
    "summer": np.array([[0.085], [0.125], [0.035]], np.float32),
    "autumn": np.array([[0.12], [0.12], [0.04]], np.float32),
    "winter": np.array([[0.13], [0.125], [0.075]], np.float32),
}


# Six free numbers of each house, by its object id.
_HOUSES = np.random.default_rng(81).random((6, 4096), np.float32)


@dataclass(frozen=True, eq=False)
class Look:
    """How surfaces answer light: albedo (3, N), gloss (N,) 0 to 1, emission (3, N)."""

    albedo: Array
    gloss: Array
    emission: Array


class Materials:
    """The looks of one drive.

    Args:
        road: Road, for the markings.
        conditions: Light and air.
        season: ``summer``, ``autumn`` or ``winter``.
    """

    def __init__(self, road: Road, conditions: Conditions, season: str) -> None:
        self.road, self.conditions = road, conditions
        self.grass = _GRASS[season]
        self._special: dict[Material, Callable[[Surface, NDArray[Any], Array, Look], None]] = {
            Material.GROUND: self._ground,
            Material.TERRAIN: self._terrain,
            Material.FACADE: self._facade,
            Material.ROOF: self._roof,
        }

    def look(self, surface: Surface, pixel_m: Array) -> Look:
        """Return the looks at surface points.

        Args:
            surface: N points.
            pixel_m: (N,) size of a pixel at the point's distance, metres, across the view.
        """
        count = len(pixel_m)
        look = Look(surface.color, np.zeros(count, np.float32), np.zeros((3, count), np.float32))
        for material, paint in self._special.items():
            which = np.flatnonzero(surface.material == material)
            if len(which):
                paint(surface, which, pixel_m, look)
        look.gloss[surface.material == Material.PAINT] = 0.55
        look.gloss[surface.material == Material.GLASS] = 1.0
        look.gloss[surface.material == Material.METAL] = 0.2
        self._lamps(surface, look)
        return look

    def _lamps(self, surface: Surface, look: Look) -> None:
        """Light the lamps: signals always, vehicles' only if they drive, street lamps if dark."""
        conditions = self.conditions
        lit = [(Material.SIGNAL, (2.5, 2.5, 2.5), True)]
        if conditions.lamps_on:
            strength = 1.0 if conditions.night else 0.5
            lit.append(
                (Material.HEADLIGHT, (7.0 * strength, 6.6 * strength, 5.8 * strength), False)
            )
            lit.append((Material.TAILLIGHT, (1.5 * strength, 0.06, 0.04), False))
            if conditions.time_of_day != "day":
                lit.append((Material.LAMP, (6.0, 4.6, 2.8), True))
        for material, light, standing in lit:
            which = np.flatnonzero((surface.material == material) & (surface.moving | standing))
            if len(which):
                glow = np.array(light, np.float32)[:, None]
                if material == Material.SIGNAL:
                    glow = glow * surface.color.take(which, axis=1)
                look.emission[:, which] = glow

    def _footprints(
        self, surface: Surface, which: NDArray[Any], pixel_m: Array
    ) -> tuple[Array, Array]:
        """Return the pixel size along s (stretched by the flat view) and along t, metres."""
        across = pixel_m[which]
        # distance / height is how much a pixel is stretched along the view on level ground
        stretch = np.clip(across * (454.0 / 1.5), 1.0, 60.0)
        return across * stretch, across

    def _ground(self, surface: Surface, which: NDArray[Any], pixel_m: Array, look: Look) -> None:
        s, t = surface.uv.take(which, axis=1)
        along, across = self._footprints(surface, which, pixel_m)
        near, away = self._from_crossing(s), np.abs(t)
        side_road = band(near, -CROSSING_HALF_WIDTH_M, CROSSING_HALF_WIDTH_M, along)
        on_road = band(away, -1.0, self.road.place.half_width_m, across)
        asphalt = np.maximum(on_road, side_road)
        color = np.zeros((3, len(which)), np.float32)
        columns = np.stack([s, t, near, along, across]).astype(np.float32, copy=False)
        beside, over = np.flatnonzero(asphalt < 0.999), np.flatnonzero(asphalt > 0.001)
        if len(beside):
            color[:, beside] = self._verge(*columns.take(beside, axis=1))
        if len(over):
            road, puddle = self._asphalt(*columns.take(over, axis=1))
            share = asphalt.take(over)
            color[:, over] += (road - color.take(over, axis=1)) * share
            look.gloss[which[over]] = puddle * share
        look.albedo[:, which] = np.clip(color, 0.01, 0.9)

    def _asphalt(
        self, s: Array, t: Array, near: Array, along: Array, across: Array
    ) -> tuple[Array, Array]:
        """Return the colour (3, N) of the roadway, and how much (N,) water stands on it."""
        place = self.road.place
        away, blur = np.abs(t), np.sqrt(along * across)
        stone = (0.095 + 0.011 * noise(s, t, blur, 0.025, 1)) * (
            1 + 0.07 * noise(s, t, blur, 0.5, 2) + 0.05 * noise(s * 0.2, t, blur, 0.4, 3)
        )
        lane = np.mod(away - place.median_m / 2, place.lane_width_m) - place.lane_width_m / 2
        stone *= 1 - 0.10 * np.exp(-(((np.abs(lane) - 0.8) / 0.28) ** 2))  # worn by the wheels
        patch = hashed(np.floor(s / 9.0), np.floor(t / 1.7)) < 0.05
        stone = np.where(patch, stone * 0.84, stone)
        road = stone * np.array([[1.0], [0.99], [0.97]], np.float32)
        paint = self._markings(s, t, near, along, across)
        worn = np.clip(1.0 - 0.14 * np.abs(noise(s, t, blur, 0.06, 5)), 0.4, 1.0)
        road += (_WHITE - road) * (paint * worn)
        wet = self.conditions.wet
        if not wet:
            return road, np.zeros(len(s), np.float32)
        puddle = np.clip(0.75 + 0.3 * noise(s * 0.5, t, blur, 0.6, 6), 0.3, 1.0) * wet
        return road * (1 - 0.45 * puddle), puddle

    def _from_crossing(self, s: Array) -> Array:
        """Return the signed distance from the nearest crossing's middle, far if there is none."""
        crossings = self.road.crossings_m
        if not len(crossings):
            return np.full(len(s), 1e4, np.float32)
        after = np.clip(np.searchsorted(crossings, s), 1, max(1, len(crossings) - 1))
        before = s - crossings[after - 1]
        behind = s - crossings[np.minimum(after, len(crossings) - 1)]
        return np.where(np.abs(before) < np.abs(behind), before, behind).astype(np.float32)

    def _verge(self, s: Array, t: Array, near: Array, along: Array, across: Array) -> Array:
        """Return the colour (3, N) of what lies beside the asphalt."""
        place, half = self.road.place, self.road.place.half_width_m
        away, blur = np.abs(t), np.sqrt(along * across)
        rough = 1 + 0.22 * noise(s, t, blur, 0.05, 1) + 0.16 * noise(s, t, blur, 0.7, 2)
        dry = np.clip(0.25 + 0.18 * noise(s, t, blur, 2.5, 4), 0, 0.5)
        straw = np.array([[0.17], [0.15], [0.07]], np.float32)
        color: Array = (self.grass + (straw - self.grass) * dry) * rough
        if place.pavement_m:
            end = half + place.pavement_m + (1.2 if place.name == "city" else 0.0)
            tile = stripe(s, 0.03, 0.5, along) + stripe(t, 0.03, 0.5, across)
            grey = 0.27 * (1 + 0.08 * noise(s, t, blur, 0.06, 2) + 0.05 * noise(s, t, blur, 0.5, 5))
            grey *= 1 - 0.35 * np.clip(tile, 0, 1)
            slab = grey * np.array([[1.0], [0.97], [0.92]], np.float32)
            color += (slab - color) * band(away, half, end, across)
            color += (np.float32(0.36) - color) * band(away, half - 0.01, half + 0.16, across)
        else:
            gravel = 0.22 * (1 + 0.2 * noise(s, t, blur, 0.04, 5))
            color += (gravel - color) * (0.8 * band(away, half, half + 0.7, across))
        return color

    def _markings(self, s: Array, t: Array, near: Array, along: Array, across: Array) -> Array:
        """Return how much (N,) of a pixel is white paint."""
        place = self.road.place
        away = np.abs(t)
        outer = place.median_m / 2 + place.lanes * place.lane_width_m
        paint = np.zeros(len(s), np.float32)
        if place.median_m:
            paint += band(away, place.median_m / 2 - 0.1, place.median_m / 2 + 0.1, across)
        else:
            solid = 0.0 if place.name != "country" else hashed(np.floor(s / 90.0)) < 0.35
            dashes = np.maximum(stripe(s, 3.0, 9.0, along), solid)
            paint += band(t, -0.06, 0.06, across) * dashes
        for lane in range(1, place.lanes):
            at = place.median_m / 2 + lane * place.lane_width_m
            paint += band(away, at - 0.08, at + 0.08, across) * stripe(s, 6.0, 18.0, along)
        if place.parking_m:
            paint += band(away, outer - 0.05, outer + 0.05, across) * stripe(s, 0.6, 1.2, along)
            paint += band(away, outer, place.half_width_m, across) * stripe(s, 0.1, 5.6, along)
        else:
            paint += band(away, outer - 0.07, outer + 0.07, across)
        open_road = 1 - band(near, -CROSSING_HALF_WIDTH_M - 5, CROSSING_HALF_WIDTH_M + 5, along)
        paint *= open_road
        inside = band(away, 0, place.half_width_m - 0.2, across)
        zebra = band(np.abs(near), CROSSING_HALF_WIDTH_M + 1.2, CROSSING_HALF_WIDTH_M + 4.2, along)
        paint += zebra * stripe(t + 0.25, 0.5, 1.0, across) * inside
        stop = band(near, -CROSSING_HALF_WIDTH_M - 5.4, -CROSSING_HALF_WIDTH_M - 5.0, along)
        paint += stop * band(t, -outer, -0.1, across)
        beyond = np.clip(away - place.half_width_m, 0, 1)
        paint += band(near, -0.06, 0.06, along) * stripe(t, 2.0, 5.0, across) * beyond
        return np.clip(paint, 0, 1)

    def _terrain(self, surface: Surface, which: NDArray[Any], pixel_m: Array, look: Look) -> None:
        x, y = surface.uv.take(which, axis=1)
        blur = pixel_m[which] * 6.0
        bend = 9.0 * noise(x, y, blur, 6.0, 3)
        field = hashed(np.floor((x + bend) / 130.0), np.floor((y + bend) / 90.0))
        tints = np.array([[1.25], [1.1], [1.0]], np.float32)
        soil = np.array([[0.20, 0.14], [0.17, 0.10], [0.07, 0.065]], np.float32)
        colors = np.concatenate([self.grass, self.grass * tints, soil], axis=1)
        rough = 1 + 0.15 * noise(x, y, blur, 0.3, 1) + 0.15 * noise(x, y, blur, 3.0, 2)
        look.albedo[:, which] = colors.take((field * 4).astype(int) % 4, axis=1) * rough

    def _roof(self, surface: Surface, which: NDArray[Any], pixel_m: Array, look: Look) -> None:
        x, y, z = surface.position_m.take(which, axis=1)
        blur = pixel_m[which] * 1.5
        rows = 1 - 0.3 * stripe(z, 0.05, 0.22, blur)
        rough = 1 + 0.08 * noise(x + y, z * 2, blur, 0.2, 2)
        look.albedo[:, which] *= rows * rough

    def _facade(self, surface: Surface, which: NDArray[Any], pixel_m: Array, look: Look) -> None:
        u, v = surface.uv.take(which, axis=1)
        blur = pixel_m[which] * 1.4
        house = surface.object_id[which]
        pick = _HOUSES.take(house, axis=1, mode="wrap")
        shop = (self.road.place.name == "city") & (pick[5] < 0.65) & (v < 3.3)
        pitch = np.where(shop, 3.4, 2.1 + 1.5 * pick[0]).astype(np.float32)
        width = pitch * np.where(shop, 0.82, 0.36 + 0.26 * pick[1])
        low = np.where(shop, 0.45, 0.8 + 0.2 * pick[2]).astype(np.float32)
        tall = np.where(shop, 2.05, 1.35 + 0.5 * pick[3]).astype(np.float32)
        u0 = u - (pitch - width) / 2
        pane = _stripe_of(u0, width, pitch, blur) * _stripe_of(v - low, tall, 3.1, blur)
        frame = _stripe_of(u0 + 0.09, width + 0.18, pitch, blur)
        frame = frame * _stripe_of(v - low + 0.09, tall + 0.18, 3.1, blur)
        bars = stripe(np.mod(u0, pitch) - width / 2 + 0.03, 0.06, 50.0, blur)
        pane = pane * (1 - np.clip(bars, 0, 1) * ~shop)
        wall = surface.color.take(which, axis=1)
        brick = wall[0] > 2.0 * wall[2]
        joint = np.clip(stripe(v, 0.015, 0.085, blur), 0, 1) * (0.2 * brick)
        wall += (np.float32(0.4) - wall) * joint
        wall *= 1 + 0.04 * noise(u, v, blur, 0.05, 1) + 0.05 * noise(u, v, blur, 0.8, 2)
        wall *= np.clip(0.75 + 0.25 * v / 1.2, 0.75, 1.0)
        board = shop * band(v, 2.6, 3.15, blur)
        sign = np.stack([pick[1], pick[2] * 0.8, pick[3]]) ** 2 * np.float32(0.5)
        wall += (sign - wall) * board
        trim = np.where(pick[4] < 0.6, 0.55, 0.16).astype(np.float32)
        wall += (trim - wall) * np.clip(frame - pane, 0, 1)
        cell = hashed(np.floor(u0 / pitch), np.floor(v / 3.1), house)
        room = np.where(cell < 0.25, 0.30, 0.045).astype(np.float32)  # curtains, or dark
        wall += (room - wall) * pane
        look.albedo[:, which] = wall
        look.gloss[which] = pane * 0.9
        if self.conditions.lamps_on:
            bright = pane * ((cell > 0.68) | (shop & (cell > 0.3)))
            tone = np.stack([np.ones_like(cell), 0.58 + 0.2 * pick[1], 0.2 + 0.35 * pick[2]])
            tone *= 0.7 + 0.6 * np.mod(v, 3.1) / 3.1  # ceiling lamps
            level = 0.13 if self.conditions.night else 0.2
            look.emission[:, which] = tone * (bright * level * (0.5 + cell))


def _stripe_of(x: Array, width: Array, period: Array | float, blur: Array) -> Array:
    """Like ``stripe`` with a width and period for each point."""
    half = blur * np.float32(0.5)

    def filled(y: Array) -> Array:
        whole = np.floor(y / period)
        length: Array = (whole * width + np.minimum(y - whole * period, width)).astype(np.float32)
        return length

    low, high = (x - half).astype(np.float32), (x + half).astype(np.float32)
    share: Array = np.clip((filled(high) - filled(low)) / blur, 0.0, 1.0).astype(np.float32)
    return share
