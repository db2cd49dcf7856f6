# SPDX-License-Identifier: Apache-2.0
"""The camera: rays through pixels, finer ones at edges. Depth is exact at pixel centres."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.geometry import PinholeCamera, RigidTransform
from xd_rcdepth_ros.simulation.caster import World
from xd_rcdepth_ros.simulation.film import develop
from xd_rcdepth_ros.simulation.materials import Materials
from xd_rcdepth_ros.simulation.shading import LEAVES, Lights, Shader
from xd_rcdepth_ros.simulation.weather import Conditions

Array = NDArray[np.float32]
_SUBPIXELS = np.array([[0.5, 0.5]], np.float32)
_TILE = 1 << 14  # rays shaded at a time: their arrays stay in the processor's cache


class CameraSimulator:
    """Renders pictures of one drive.

    Args:
        camera: Intrinsics, without distortion.
        materials: Looks.
        conditions: Light and air.
    """

    def __init__(self, camera: PinholeCamera, materials: Materials, conditions: Conditions) -> None:
        self.camera, self.conditions = camera, conditions
        self._shader = Shader(materials, conditions, float(camera.k[0, 0]))
        u, v = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
        k = camera.k
        rays = np.stack([(u - k[0, 2]) / k[0, 0], (v - k[1, 2]) / k[1, 1], np.ones_like(u, float)])
        self._rays = rays.reshape(3, -1).astype(np.float32)
        self._focal = np.array([[k[0, 0]], [k[1, 1]], [1]], np.float32)

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
            axis at pixel centres, +Inf where there is sky.
        """
        shape = (self.camera.height, self.camera.width)
        rotation = pose.rotation.astype(np.float32)
        origin = pose.translation_m.astype(np.float32)
        directions = _turned(self._rays, rotation)
        may_move = self._may_move(world, pose)
        hits = world.cast(origin, directions, may_move=may_move)
        depth = hits.distance  # the rays have z = 1 in the camera's frame
        open_sky = self._open_sky(world, origin, directions, depth, shape)
        count = len(directions)
        radiance, normal = (np.empty((3, count), np.float32) for _ in range(2))
        label = np.empty(count, np.int32)
        for start in range(0, count, _TILE):
            tile = slice(start, start + _TILE)
            radiance[:, tile], label[tile], normal[:, tile] = self._shader.light(
                world, hits.select(tile), origin, directions[tile], open_sky[tile], lights
            )
        edge = _edges(
            depth.reshape(shape), label.reshape(shape), normal.reshape(3, *shape),
            radiance[1].reshape(shape),
        )  # fmt: skip
        for start in range(0, len(edge), _TILE):
            part = edge[start : start + _TILE]
            total = np.minimum(radiance.take(part, 1), 3.0)
            for offset in _SUBPIXELS:
                shift = np.array([[offset[0]], [offset[1]], [0]], np.float32) / self._focal
                rays = _turned(self._rays.take(part, 1) + shift, rotation)
                finer = world.cast(origin, rays, may_move=may_move.take(part))
                light, *_ = self._shader.light(
                    world, finer, origin, rays, open_sky.take(part), lights
                )
                total += np.minimum(light, 3.0)
            radiance[:, part] = total / (len(_SUBPIXELS) + 1)
        image = develop(radiance.reshape(3, *shape), self.conditions, rng)
        depth[~hits.hit] = np.inf
        return image, depth.reshape(shape)

    def _may_move(self, world: World, pose: RigidTransform) -> NDArray[np.bool_]:
        """Return (H * W,) True for pixels inside the bounding boxes of what moves."""
        camera, mesh = self.camera, world.moving.mesh
        mask = np.zeros((camera.height, camera.width), bool)
        if not len(mesh):
            return mask.ravel()
        points = (mesh.vertices_m.reshape(-1, 3) - pose.translation_m) @ pose.rotation
        starts = np.flatnonzero(np.diff(mesh.object_id, prepend=-1)) * 3
        near = np.minimum.reduceat(points[:, 2], starts)
        z = np.maximum(points[:, 2], 0.1)
        u = points[:, 0] / z * camera.k[0, 0] + camera.k[0, 2]
        v = points[:, 1] / z * camera.k[1, 1] + camera.k[1, 2]
        boxes = [f.reduceat(x, starts) for x in (u, v) for f in (np.minimum, np.maximum)]
        for low_z, left, right, top, bottom in zip(near, *boxes, strict=True):
            if low_z < 0.3:  # the box of what reaches behind the camera means nothing
                if low_z > -12:
                    mask[:] = True
                continue
            columns = slice(max(0, int(left) - 2), max(0, int(right) + 3))
            mask[max(0, int(top) - 2) : max(0, int(bottom) + 3), columns] = True
        return mask.ravel()

    def _open_sky(
        self, world: World, origin: Array, directions: Array, depth: Array, shape: tuple[int, int]
    ) -> Array:
        """Return how open (H * W,) the surroundings of surfaces are, smoothed.

        Of each 3 x 3 pixels one sends one short ray; neighbours send theirs elsewhere, and a blur
        joins them.
        """
        rows = directions.reshape(*shape, 3)[1::3, 1::3]
        h, w = rows.shape[:2]
        rows, reach = rows.reshape(-1, 3), depth.reshape(shape)[1::3, 1::3].ravel()
        result = np.ones(h * w, np.float32)
        near = np.flatnonzero(reach < 45)
        # Start a little before the surface, so that its own curve does not count as a wall.
        way = reach.take(near) * np.float32(0.998) - np.float32(0.03)
        points = origin + rows.take(near, 0) * way[:, None]
        points[:, 2] += 0.02
        pattern = _hemisphere(h, w).take(near, 0)
        result[near] = ~world.blocked(points, pattern, 2.2)
        open_sky = cv2.blur(cv2.blur(result.reshape(h, w), (4, 4)), (4, 4))
        whole = cv2.resize(open_sky, shape[::-1], interpolation=cv2.INTER_LINEAR)
        return np.asarray(whole, np.float32).ravel()


def _turned(vectors: Array, rotation: Array) -> Array:
    """Return vectors (3, N) turned, as (N, 3).

    By hand: a matrix product would wake the linear algebra library's threads for next to nothing.
    """
    result = np.empty((vectors.shape[1], 3), np.float32)
    for axis, row in enumerate(rotation):
        result[:, axis] = row[0] * vectors[0] + row[1] * vectors[1] + row[2] * vectors[2]
    return result


def _edges(
    depth: Array, label: NDArray[np.int32], normal: Array, light: Array
) -> NDArray[np.int64]:
    """Return the indices of pixels (of an image (H, W)) next to which something else begins.

    Where both sides look the same, nothing is gained by a finer look, so that is left out.
    """
    inverse = (1.0 / depth).astype(np.float32)
    edge = np.zeros(depth.shape, bool)
    for a, b in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:], np.s_[:-1])):
        jump = np.abs(inverse[a] - inverse[b]) > 0.06 * np.maximum(inverse[a], inverse[b])
        turn = normal[0][a] * normal[0][b] + normal[1][a] * normal[1][b]
        turn = turn + normal[2][a] * normal[2][b] < 0.8
        different = (label[a] != label[b]) | ((jump | turn) & (label[a] >= 0))
        different &= np.abs(light[a] - light[b]) > 0.14 * np.maximum(light[a], light[b])
        edge[a] |= different
        edge[b] |= different
    return np.flatnonzero(edge & ((label != LEAVES) | _beside_sky(label)))


def _beside_sky(label: NDArray[np.int32]) -> NDArray[np.bool_]:
    return cv2.dilate((label == -1).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0


@lru_cache(maxsize=4)
def _hemisphere(h: int, w: int) -> Array:
    """Return directions (h * w, 3) that cover the upper half evenly over each 4 x 4 block."""
    number = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]])
    number = np.tile(number, (h // 4 + 1, w // 4 + 1))[:h, :w].ravel()
    up = np.sqrt((number + 0.5) / 16)
    angle = number * 2.399963
    out = np.sqrt(1 - up**2)
    return np.stack([out * np.cos(angle), out * np.sin(angle), up], 1).astype(np.float32)
