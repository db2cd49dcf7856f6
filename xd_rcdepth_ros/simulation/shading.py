# SPDX-License-Identifier: Apache-2.0
"""The light that leaves surfaces: sun and shadow, sky, lamps, mirror images, and the air."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.simulation.caster import Hits, Surface, World, dot
from xd_rcdepth_ros.simulation.materials import Look, Materials
from xd_rcdepth_ros.simulation.mesh import Material
from xd_rcdepth_ros.simulation.weather import Conditions

Array = NDArray[np.float32]
LEAVES = -2  # one label for all leaves: their edges are too many to be smoothed


@dataclass(frozen=True, eq=False)
class Lights:
    """Lamps near the camera, in the cast frame.

    Attributes:
        lamps_m: (L, 3) street lamps.
        beams_m: (B, 3) headlights of vehicles, the own ones first.
        beam_forward: (B, 3) unit directions of the headlights.
    """

    lamps_m: Array
    beams_m: Array
    beam_forward: Array


class Shader:
    """Light of one drive.

    Args:
        materials: Looks.
        conditions: Light and air.
        focal_px: Focal length of the camera, pixels; says how large a pixel is.
    """

    def __init__(self, materials: Materials, conditions: Conditions, focal_px: float) -> None:
        self.materials, self.conditions = materials, conditions
        self._focal_px = np.float32(focal_px)

    def light(
        self,
        world: World,
        hits: Hits,
        origin: Array,
        directions: Array,
        open_sky: Array,
        lights: Lights,
    ) -> tuple[Array, NDArray[np.int32], Array]:
        """Return the light along rays.

        Args:
            world: What there is.
            hits: What the rays hit.
            origin: (3,) of the rays, metres.
            directions: (N, 3), any length.
            open_sky: (N,) 0 to 1, how open the surroundings of the hits are.
            lights: Lamps.

        Returns:
            Light (3, N); a label (N,) of the material and object, -1 for sky; normals (3, N).
        """
        ways = np.ascontiguousarray(directions.T)
        length = np.sqrt(dot(ways, ways))
        unit = (ways / length).astype(np.float32, copy=False)
        radiance = np.empty((3, len(directions)), np.float32)
        label = np.full(len(directions), -1, np.int32)
        normal = np.zeros((3, len(directions)), np.float32)
        sky = np.flatnonzero(~hits.hit)
        if len(sky):
            radiance[:, sky] = self._sky(unit.take(sky, axis=1))
        found = np.flatnonzero(hits.hit)
        if not len(found):
            return radiance, label, normal
        if len(sky):
            hits, ways, unit = hits.select(found), directions.take(found, 0), unit.take(found, 1)
            length, open_sky = length.take(found), open_sky.take(found)
        else:
            ways = directions
        surface = world.surface(hits, origin, ways)
        distance = (hits.distance * length).astype(np.float32, copy=False)
        light = self._shade(world, surface, unit, distance, open_sky, lights)
        radiance[:, found] = self.conditions.air(light, distance, unit)
        label[found] = np.where(
            surface.material == Material.FOLIAGE,
            LEAVES,
            surface.object_id * len(Material) + surface.material,
        )
        normal[:, found] = surface.normal
        return radiance, label, normal

    def _sky(self, unit: Array) -> Array:
        sky = self.conditions.sky(unit)
        if self.conditions.weather == "fog":
            return self.conditions.air(sky, np.full(unit.shape[1], 1e4, np.float32), unit)
        return sky

    def _shade(
        self,
        world: World,
        surface: Surface,
        unit: Array,
        distance: Array,
        open_sky: Array,
        lights: Lights,
    ) -> Array:
        """Return the light (3, N) that leaves surfaces towards the camera."""
        conditions = self.conditions
        view_cos = -dot(unit, surface.normal)
        pixel_m = distance / self._focal_px
        look = self.materials.look(surface, pixel_m)
        light: Array = conditions.ambient(surface.normal)
        light *= open_sky
        if conditions.sun.any():
            light += conditions.sun[:, None] * self._sunlight(world, surface, pixel_m)
        if conditions.lamps_on and conditions.time_of_day != "day":
            self._add_lamplight(surface, lights, light)
        light *= look.albedo
        light += look.emission
        self._add_reflection(world, surface, unit, distance, look, view_cos, open_sky, light)
        if conditions.night:
            self._retroreflect(surface, distance, light)
        return light

    def _sunlight(self, world: World, surface: Surface, pixel_m: Array) -> Array:
        """Return how much (N,) of the sun's light falls on surfaces."""
        to_sun = self.conditions.to_sun
        facing = to_sun @ surface.normal
        leaf = surface.material == Material.FOLIAGE
        facing = np.where(leaf, (facing + np.float32(0.5)) * np.float32(1 / 1.5), facing)
        strength: Array = np.maximum(facing, 0)
        leaves = np.flatnonzero(leaf)
        if len(leaves):  # crowns shade themselves in patches too small to be worth a ray
            x, y, z = surface.position_m.take(leaves, 1)
            patches = np.sin(9 * x + 4 * y) + np.sin(8 * y + 11 * z) + np.sin(10 * z - 7 * x)
            strength[leaves] *= np.clip(0.8 + 0.35 * patches, 0.35, 1.0)
        faces = (facing > 0) & ~leaf
        even = np.arange(0, len(faces), 2)
        shaded = np.zeros(len(faces), bool)

        def trace(which: NDArray[np.int64]) -> None:
            start = surface.position_m.take(which, 1)
            start += surface.normal.take(which, 1) * np.float32(0.015)
            start += to_sun[:, None] * np.float32(0.02)
            shaded[which] = world.blocked(np.ascontiguousarray(start.T), to_sun)

        trace(even[faces[::2]])
        # A point between two of the same thing that are both lit or both shaded is so too.
        odd = np.arange(1, len(faces) - 1, 2)
        left, right = slice(0, len(faces) - 2, 2), slice(2, None, 2)
        kind = surface.object_id * len(Material) + surface.material
        same = (kind[left] == kind[odd]) & (kind[right] == kind[odd])
        same &= (shaded[left] == shaded[right][: len(odd)]) & faces[left] & faces[right][: len(odd)]
        for axis in surface.position_m:
            same &= np.abs(axis[left] - axis[right][: len(odd)]) < 4 * pixel_m[odd]
        shaded[odd[same]] = shaded[left][same]
        rest = np.ones(len(faces), bool)
        rest[even], rest[odd[same]] = False, False
        trace(np.flatnonzero(rest & faces))
        strength[faces & shaded] = 0
        return strength

    def _add_lamplight(self, surface: Surface, lights: Lights, light: Array) -> None:
        for lamp in lights.lamps_m:
            near = np.abs(surface.position_m[0] - lamp[0]) < 22
            near &= np.abs(surface.position_m[1] - lamp[1]) < 22
            which = np.flatnonzero(near)
            if not len(which):
                continue
            way = lamp[:, None] - surface.position_m.take(which, 1)
            square = dot(way, way) + np.float32(0.3)
            facing = dot(way, surface.normal.take(which, 1)) / np.sqrt(square)
            down = np.maximum(way[2], 0) / np.sqrt(square)
            power = 42.0 * down * np.clip(facing * 0.9 + 0.1, 0, 1) / square
            light[:, which] += power * np.array([[1.0], [0.80], [0.52]], np.float32)
        for number, (beam, forward) in enumerate(
            zip(lights.beams_m, lights.beam_forward, strict=True)
        ):
            reach = 120.0 if number == 0 else 30.0
            way = surface.position_m - beam[:, None]
            near = (np.abs(way[0]) < reach) & (np.abs(way[1]) < reach) & (forward @ way > 0)
            which = np.flatnonzero(near)
            if not len(which):
                continue
            way = way.take(which, 1)
            square = dot(way, way) + 1
            way /= np.sqrt(square)
            up = way[2] - forward[2]
            aside = np.arccos(np.clip(way[0] * forward[0] + way[1] * forward[1], -1, 1))
            wide = np.exp(-((aside * np.float32(1 / 0.42)) ** 2))
            cut = 0.04 + 0.96 / (1 + np.exp(np.clip((up + 0.012) * 260, -30, 30)))
            facing = -dot(way, surface.normal.take(which, 1))
            power = 150.0 * wide * cut * np.clip(facing * 0.9 + 0.1, 0, 1) / square
            light[:, which] += power * np.array([[1.0], [0.93], [0.80]], np.float32)

    def _add_reflection(
        self,
        world: World,
        surface: Surface,
        unit: Array,
        distance: Array,
        look: Look,
        view_cos: Array,
        open_sky: Array,
        light: Array,
    ) -> None:
        """Add mirror images: the sky in paint and glass, and the surroundings in a wet road."""
        glossy = np.flatnonzero(look.gloss > 0.02)
        grazing = 1 - np.clip(view_cos.take(glossy), 0, 1)
        grazing = grazing * (grazing * grazing) * (grazing * grazing)
        share = look.gloss.take(glossy) * (0.05 + 0.95 * grazing)
        seen = share > 0.05
        which, share = glossy[seen], share[seen]
        if not len(which):
            return
        conditions = self.conditions
        cosine = np.clip(view_cos.take(which), 0, 1)
        mirrored = unit.take(which, 1) + 2 * cosine * surface.normal.take(which, 1)
        image = conditions.sky(mirrored, clouds=False)
        below = mirrored[2] < 0.05
        image[:, below] = conditions.ground[:, None] * np.float32(0.6)
        image *= open_sky.take(which)
        if conditions.sun.any():
            spark = np.clip(conditions.to_sun @ mirrored, 0, 1) ** 300
            image += conditions.sun[:, None] * (spark * 8)
        ground = np.flatnonzero(surface.material.take(which) == Material.GROUND)
        if len(ground):
            share[ground] = share[ground] * np.float32(0.75) - look.gloss.take(which[ground]) * 0.02
            image[:, ground] = self._mirror(
                world,
                surface.position_m.take(which[ground], 1),
                mirrored.take(ground, 1),
                distance.take(which[ground]),
            )
        before = light.take(which, 1)
        light[:, which] = before + (image - before * np.float32(0.5)) * share

    def _mirror(self, world: World, start: Array, mirrored: Array, distance: Array) -> Array:
        """Return the light (3, N) that a wet road sees in mirrored directions."""
        conditions = self.conditions
        mirrored[:2] += 0.02 * np.sin(start[0] * 37.0) * np.sin(start[1] * 41.0)
        mirrored[2] = np.maximum(mirrored[2], 0.003)
        mirrored /= np.sqrt(dot(mirrored, mirrored))
        origin = np.ascontiguousarray(start.T) + np.array([0, 0, 0.03], np.float32)
        rays = np.ascontiguousarray(mirrored.T)
        hits = world.cast(origin, rays, 150.0)
        image = conditions.sky(mirrored, clouds=False)
        found = np.flatnonzero(hits.hit)
        if not len(found):
            return image
        part = hits.select(found)
        seen = world.surface(part, origin.take(found, 0), rays.take(found, 0))
        look = self.materials.look(seen, (distance.take(found) + part.distance) / self._focal_px)
        light = look.albedo * conditions.ambient(seen.normal) + look.emission
        image[:, found] = conditions.air(light, part.distance, mirrored.take(found, 1))
        return image

    def _retroreflect(self, surface: Surface, distance: Array, light: Array) -> None:
        which = np.flatnonzero(surface.material == Material.SIGN)
        back = 260.0 / (distance[which] ** 2 + 200.0)
        light[:, which] += surface.color.take(which, 1) * back
