# SPDX-License-Identifier: Apache-2.0
"""The camera: rays through pixels, light on what they hit, air, and the sensor. Depth is exact."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.geometry import PinholeCamera, RigidTransform
from xd_rcdepth_ros.recordings.simulation.caster import Surface, World
from xd_rcdepth_ros.recordings.simulation.materials import Materials
from xd_rcdepth_ros.recordings.simulation.mesh import Material
from xd_rcdepth_ros.recordings.simulation.weather import Conditions

Array = NDArray[np.float32]
_SUBPIXELS = np.array([[-0.25, -0.25], [0.25, -0.25], [-0.25, 0.25], [0.25, 0.25]], np.float32)


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


class CameraSimulator:
    """Renders pictures of one drive.

    Args:
        camera: Intrinsics, without distortion.
        materials: Looks.
        conditions: Light and air.
    """

    def __init__(self, camera: PinholeCamera, materials: Materials, conditions: Conditions) -> None:
        self.camera, self.materials, self.conditions = camera, materials, conditions
        u, v = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
        self._pixels = np.stack([u, v], -1).reshape(-1, 2).astype(np.float32)
        self._tone = _tone_curve()

    def render(
        self, world: World, pose: RigidTransform, lights: Lights, rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], Array]:
        """Take a picture.

        Args:
            world: What there is, at the moment of the picture.
            pose: From the camera's optical frame to the cast frame.
            lights: Lamps.
            rng: For sensor noise and rain.

        Returns:
            Picture (H, W, 3) uint8 RGB, and exact depth (H, W) float32 in metres along the optical
            axis at pixel centres, NaN where there is sky.
        """
        shape = (self.camera.height, self.camera.width)
        rotation = pose.rotation.astype(np.float32)
        origin = pose.translation_m.astype(np.float32)
        directions = self._rays(self._pixels) @ rotation.T
        hits = world.cast(origin, directions)
        depth = hits.distance.copy()  # the rays have z = 1 in the camera's frame
        found = np.flatnonzero(hits.hit)
        open_sky = self._open_sky(world, origin, directions, depth, shape)
        surface, radiance = self._trace(world, hits, origin, directions, open_sky, lights, shape)
        edge = _edges(depth, surface, found, shape)
        self._refine(world, origin, rotation, edge, radiance, open_sky, lights, shape)
        image = self._develop(radiance.reshape(*shape, 3), rng)
        depth[~hits.hit] = np.nan
        return image, depth.reshape(shape)

    def _rays(self, pixels: Array) -> Array:
        k = self.camera.k
        x = (pixels[:, 0] - k[0, 2]) / k[0, 0]
        y = (pixels[:, 1] - k[1, 2]) / k[1, 1]
        return np.stack([x, y, np.ones_like(x)], axis=1).astype(np.float32)

    def _open_sky(
        self, world: World, origin: Array, directions: Array, depth: Array, shape: tuple[int, int]
    ) -> Array:
        """Return how open (h, w) the surroundings of surfaces are, at half the size, smoothed.

        Each point sends one short ray; neighbours send theirs elsewhere, and a blur joins them.
        """
        h, w = shape[0] // 2, shape[1] // 2
        rows = directions.reshape(*shape, 3)[::2, ::2][:h, :w].reshape(-1, 3)
        reach = depth.reshape(shape)[::2, ::2][:h, :w].ravel()
        result = np.ones(h * w, np.float32)
        near = np.flatnonzero(reach < 70)
        points = origin + rows[near] * (reach[near, None] * np.float32(0.999))
        points[:, 2] += 0.02
        pattern = _hemisphere(h, w)[near]
        result[near] = ~world.blocked(points, pattern, 2.2)
        open_sky = cv2.blur(result.reshape(h, w), (4, 4))
        return cv2.resize(open_sky, shape[::-1], interpolation=cv2.INTER_LINEAR).ravel()

    def _trace(self, world, hits, origin, directions, open_sky, lights, shape):  # type: ignore[no-untyped-def]
        """Return the surfaces that were hit and the light (N, 3) along all rays."""
        length = np.sqrt(np.einsum("ij,ij->i", directions, directions))
        unit = directions / length[:, None]
        radiance = np.empty((len(directions), 3), np.float32)
        found = np.flatnonzero(hits.hit)
        sky = np.flatnonzero(~hits.hit)
        radiance[sky] = self._sky(unit[sky])
        part = type(hits)(
            hits.distance[found], hits.triangle[found], hits.barycentric[found], hits.moving[found]
        )
        surface = world.surface(part, origin, directions[found])
        distance = part.distance * length[found]
        light = self._shade(world, surface, unit[found], distance, open_sky[found], lights)
        radiance[found] = self.conditions.air(light, distance, unit[found])
        return surface, radiance

    def _sky(self, unit: Array) -> Array:
        sky = self.conditions.sky(unit)
        if self.conditions.weather == "fog":
            return self.conditions.air(sky, np.full(len(unit), 1e4, np.float32), unit)
        return sky

    def _shade(
        self, world: World, surface: Surface, unit: Array, distance: Array, open_sky: Array,
        lights: Lights,
    ) -> Array:  # fmt: skip
        """Return the light (N, 3) that leaves surfaces towards the camera."""
        conditions = self.conditions
        pixel_m = distance / np.float32(self.camera.k[0, 0])
        view_cos = -np.einsum("ij,ij->i", unit, surface.normal)
        look = self.materials.look(surface, pixel_m, view_cos)
        light = conditions.ambient(surface.normal) * open_sky[:, None]
        if conditions.sun.any():
            light += self._sunlight(world, surface)
        if conditions.lamps_on and conditions.time_of_day != "day":
            light += self._lamplight(surface, lights)
        color = look.albedo * light + look.emission
        self._reflect(world, surface, unit, distance, look, view_cos, open_sky, color)
        if conditions.night:
            self._retroreflect(surface, distance, color)
        return color

    def _sunlight(self, world: World, surface: Surface) -> Array:
        conditions = self.conditions
        facing = surface.normal @ conditions.to_sun
        leaf = surface.material == Material.FOLIAGE
        facing = np.where(leaf, (facing + 0.5) / 1.5, facing)
        lit = np.flatnonzero(facing > 0)
        start = surface.position_m[lit] + conditions.to_sun * 0.02 + surface.normal[lit] * 0.015
        shadow = world.blocked(start, conditions.to_sun)
        shadow = shadow & ~(leaf[lit] & (lit % 3 == 0))  # leaves let some light through
        strength = np.zeros(len(facing), np.float32)
        strength[lit] = facing[lit] * ~shadow
        return strength[:, None] * conditions.sun

    def _lamplight(self, surface: Surface, lights: Lights) -> Array:
        light = np.zeros_like(surface.position_m)
        for lamp in lights.lamps_m:
            which = np.flatnonzero(np.abs(surface.position_m[:, 0] - lamp[0]) < 22)
            which = which[np.abs(surface.position_m[which, 1] - lamp[1]) < 22]
            way = lamp - surface.position_m[which]
            square = np.einsum("ij,ij->i", way, way) + 0.3
            down = np.clip(way[:, 2], 0, None) / np.sqrt(square)
            facing = np.einsum("ij,ij->i", way, surface.normal[which]) / np.sqrt(square)
            power = 15.0 * down * np.clip(facing * 0.9 + 0.1, 0, 1) / square
            light[which] += power[:, None] * np.array([1.0, 0.80, 0.52], np.float32)
        for number, (beam, forward) in enumerate(
            zip(lights.beams_m, lights.beam_forward, strict=True)
        ):
            reach = 120.0 if number == 0 else 30.0
            way = surface.position_m - beam
            which = np.flatnonzero((np.abs(way[:, 0]) < reach) & (np.abs(way[:, 1]) < reach))
            way = way[which]
            square = np.einsum("ij,ij->i", way, way) + 1.0
            way /= np.sqrt(square)[:, None]
            up = way[:, 2] - forward[2]
            ahead = way[:, 0] * forward[0] + way[:, 1] * forward[1]
            wide = np.exp(-((np.arccos(np.clip(ahead, -1, 1)) / 0.42) ** 2)) * (ahead > 0)
            cut = 0.04 + 0.96 / (1 + np.exp(np.clip((up + 0.012) * 260, -30, 30)))
            facing = -np.einsum("ij,ij->i", way, surface.normal[which])
            power = 150.0 * wide * cut * np.clip(facing * 0.9 + 0.1, 0, 1) / square
            light[which] += power[:, None] * np.array([1.0, 0.93, 0.80], np.float32)
        return light

    def _reflect(self, world, surface, unit, distance, look, view_cos, open_sky, color):  # type: ignore[no-untyped-def]
        """Add mirror images: the sky in paint and glass, and the surroundings in a wet road."""
        which = np.flatnonzero(look.gloss > 0.02)
        if not len(which):
            return
        conditions = self.conditions
        normal, view = surface.normal[which], unit[which]
        mirrored = view + 2 * view_cos[which, None] * normal
        share = look.gloss[which] * (0.05 + 0.95 * (1 - np.clip(view_cos[which], 0, 1)) ** 5)
        image = conditions.sky(mirrored, clouds=False)
        below = mirrored[:, 2] < 0.05
        image[below] = conditions.ground * 0.6
        image *= open_sky[which, None]
        if conditions.sun.any():
            spark = np.clip(mirrored @ conditions.to_sun, 0, 1) ** 300
            image += (spark * 8)[:, None] * conditions.sun
        ground = np.flatnonzero(surface.material[which] == Material.GROUND)
        if len(ground):
            image[ground] = self._mirror(world, surface.position_m[which[ground]], mirrored[ground],
                                         distance[which[ground]])  # fmt: skip
        color[which] += (image - color[which] * 0.5) * share[:, None]

    def _mirror(self, world: World, start: Array, mirrored: Array, distance: Array) -> Array:
        """Return the light (N, 3) that a wet road sees in mirrored directions."""
        conditions = self.conditions
        wave = np.sin(start[:, 0] * 37.0) * np.sin(start[:, 1] * 41.0)
        mirrored = mirrored + 0.012 * wave[:, None]
        mirrored[:, 2] = np.maximum(mirrored[:, 2], 0.003)
        mirrored /= np.linalg.norm(mirrored, axis=1, keepdims=True)
        origin = start + np.array([0, 0, 0.03], np.float32)
        hits = world.cast(origin, mirrored, 150.0)
        image = conditions.sky(mirrored, clouds=False)
        found = np.flatnonzero(hits.hit)
        if not len(found):
            return image
        part = type(hits)(
            hits.distance[found], hits.triangle[found], hits.barycentric[found], hits.moving[found]
        )
        seen = world.surface(part, origin[found], mirrored[found])
        way = distance[found] + part.distance
        look = self.materials.look(
            seen, way / np.float32(self.camera.k[0, 0]), np.ones(len(found), np.float32)
        )
        light = look.albedo * conditions.ambient(seen.normal) + look.emission
        image[found] = conditions.air(light, part.distance, mirrored[found])
        return image

    def _retroreflect(self, surface: Surface, distance: Array, color: Array) -> None:
        which = np.flatnonzero(surface.material == Material.SIGN)
        back = 260.0 / (distance[which] ** 2 + 200.0)
        color[which] += surface.color[which] * back[:, None]

    def _refine(self, world, origin, rotation, edge, radiance, open_sky, lights, shape):  # type: ignore[no-untyped-def]
        """Replace the light of pixels at edges by the mean over their parts."""
        if not len(edge):
            return
        total = np.zeros((len(edge), 3), np.float32)
        for offset in _SUBPIXELS:
            directions = self._rays(self._pixels[edge] + offset) @ rotation.T
            hits = world.cast(origin, directions)
            _, part = self._trace(world, hits, origin, directions, open_sky[edge], lights, shape)
            total += np.minimum(part, 3.0)
        radiance[edge] = total / len(_SUBPIXELS)

    def _develop(self, radiance: Array, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Turn light (H, W, 3) into a picture: lens glow, exposure, tone, rain and noise."""
        conditions = self.conditions
        light = radiance * np.float32(conditions.exposure)
        if conditions.lamps_on or conditions.sun.any():
            light += _glow(light, 1.0 if conditions.night or conditions.wet else 0.35)
        if conditions.weather == "rain":
            _draw_rain(light, rng, conditions)
        light *= _vignette(*light.shape[:2])
        index = np.sqrt(np.minimum(light, 15.99) * np.float32(1 / 16)) * np.float32(4095)
        picture = self._tone[index.astype(np.uint16)]
        grain = _grain()
        top, left = rng.integers(0, 64, 2)
        h, w = picture.shape[:2]
        rows, cols = (np.arange(h) + top) % 512, (np.arange(w) + left) % 1024
        picture = picture + grain[rows][:, cols] * np.float32(conditions.noise_level)
        return np.clip(picture + 0.5, 0, 255).astype(np.uint8)


def _edges(depth: Array, surface: Surface, found: NDArray, shape: tuple[int, int]) -> NDArray:
    """Return the indices of pixels where something else begins within the pixel's neighbourhood."""
    inverse = (1.0 / depth).astype(np.float32).reshape(shape)
    label = np.full(shape[0] * shape[1], -1, np.int32)
    label[found] = surface.material.astype(np.int32) + 64 * surface.object_id
    label = label.reshape(shape)
    normal = np.zeros((shape[0] * shape[1], 3), np.float32)
    normal[found] = surface.normal
    normal = normal.reshape(*shape, 3)
    edge = np.zeros(shape, bool)
    for a, b in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:], np.s_[:-1])):
        jump = np.abs(inverse[a] - inverse[b]) > 0.06 * np.maximum(inverse[a], inverse[b])
        turn = (normal[a] * normal[b]).sum(-1) < 0.8
        different = (label[a] != label[b]) | jump | turn
        edge[a] |= different
        edge[b] |= different
    return np.flatnonzero(edge)


@lru_cache(maxsize=4)
def _hemisphere(h: int, w: int) -> Array:
    """Return directions (h * w, 3) that cover the upper half evenly over each 4 x 4 block."""
    number = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]])
    number = np.tile(number, (h // 4 + 1, w // 4 + 1))[:h, :w].ravel()
    up = np.sqrt((number + 0.5) / 16)
    angle = number * 2.399963
    out = np.sqrt(1 - up**2)
    return np.stack([out * np.cos(angle), out * np.sin(angle), up], 1).astype(np.float32)


@lru_cache(maxsize=1)
def _tone_curve() -> Array:
    x = (np.arange(4096) / 4095) ** 2 * 16
    filmic = x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14)
    filmic = np.clip(filmic, 0, 1)
    gamma = np.where(filmic < 0.0031308, filmic * 12.92, 1.055 * filmic ** (1 / 2.4) - 0.055)
    return (gamma * 255).astype(np.float32)


@lru_cache(maxsize=1)
def _grain() -> Array:
    return np.random.default_rng(71).standard_normal((512, 1024, 3)).astype(np.float32)


@lru_cache(maxsize=4)
def _vignette(h: int, w: int) -> Array:
    y, x = np.mgrid[-1 : 1 : h * 1j, -1 : 1 : w * 1j]
    return (1 - 0.10 * (x**2 + 0.6 * y**2)).astype(np.float32)[..., None]


def _glow(light: Array, strength: float) -> Array:
    h, w = light.shape[:2]
    bright = np.minimum(np.maximum(light - 1.1, 0), 6.0)
    small = cv2.resize(bright, (w // 4, h // 4), interpolation=cv2.INTER_AREA)
    halo = cv2.GaussianBlur(small, (0, 0), 1.6) * 0.35 + cv2.GaussianBlur(small, (0, 0), 7) * 0.25
    return cv2.resize(halo, (w, h), interpolation=cv2.INTER_LINEAR) * np.float32(strength)


def _draw_rain(light: Array, rng: np.random.Generator, conditions: Conditions) -> None:
    h, w = light.shape[:2]
    layer = np.zeros((h, w), np.float32)
    count = int(700 * h * w / (352 * 704))
    x, y = rng.uniform(0, w, count), rng.uniform(-20, h, count)
    size = rng.gamma(2.0, 5.0, count)
    for a, b, long in zip(x, y, size, strict=True):
        lean = (a - w / 2) * 0.0007 * long
        cv2.line(layer, (int(a), int(b)), (int(a + lean), int(b + long)), 1.0, 1, cv2.LINE_AA)
    layer = cv2.GaussianBlur(layer, (3, 3), 0.6)[..., None] * 0.28
    drop = conditions.horizon * np.float32(
        conditions.exposure * (1.0 if not conditions.night else 3)
    )
    light += (drop - light) * layer * 0.8
