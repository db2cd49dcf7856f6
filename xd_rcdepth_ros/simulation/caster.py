# SPDX-License-Identifier: Apache-2.0
"""Casting rays into a world: one Embree tree for what stands, one for what moves."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.simulation.mesh import Array, Mesh

NOTHING_M = np.float32(1e30)  # rays that hit nothing have at least this length


@dataclass(frozen=True, eq=False)
class Hits:
    """Where rays ended. Arrays have one row a ray.

    Attributes:
        distance: (N,) float32, in units of the ray's direction vector; ``inf`` without a hit.
        triangle: (N,) int32, index into the mesh the ray hit, -1 without a hit.
        second, third: (N,) float32, weights of the triangle's second and third corner.
        moving: (N,) bool, True where the triangle belongs to the moving mesh.
    """

    distance: Array
    triangle: NDArray[np.int32]
    second: Array
    third: Array
    moving: NDArray[np.bool_]

    def select(self, which: NDArray[np.int64] | slice) -> Hits:
        """Return the hits of some rays."""
        if isinstance(which, slice):
            return Hits(*(getattr(self, field.name)[which] for field in fields(self)))
        return Hits(*(getattr(self, field.name).take(which, axis=0) for field in fields(self)))

    @property
    def hit(self) -> NDArray[np.bool_]:
        """(N,) bool, True where the ray hit something."""
        return self.triangle >= 0


@dataclass(frozen=True, eq=False)
class Surface:
    """What is at the hits, as columns: a whole row of x, then y, then z.

    NumPy works several times faster on (3, N) than on (N, 3), and light needs a lot of it.

    Attributes:
        position_m: (3, N) metres, cast frame.
        normal: (3, N) unit normals that face the ray.
        uv: (2, N) surface coordinates, metres.
        color: (3, N) albedo.
        material: (N,) ``Material``.
        object_id: (N,).
        moving: (N,) bool.
    """

    position_m: Array
    normal: Array
    uv: Array
    color: Array
    material: NDArray[np.uint8]
    object_id: NDArray[np.int32]
    moving: NDArray[np.bool_]


class Tree:
    """An Embree tree over one mesh."""

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh
        self.records = _records(mesh)
        self._scene = None
        if len(mesh):
            try:
                from embreex.mesh_construction import TriangleMesh
                from embreex.rtcore_scene import EmbreeScene
            except ImportError as error:
                raise ConfigurationError(
                    "the drive simulator casts rays with embreex, which is not installed here; "
                    "install it with: pip install embreex"
                ) from error
            self._scene = EmbreeScene(robust=False)
            TriangleMesh(self._scene, mesh.vertices_m)
            self.first(np.zeros((1, 3), np.float32), np.ones((1, 3), np.float32), 1e-3)  # build now

    def first(
        self, origins: Array, directions: Array, reach: float | Array
    ) -> dict[str, Any] | None:
        """Return Embree's answer for the nearest hit within ``reach``, None for an empty mesh."""
        if self._scene is None:
            return None
        hits: dict[str, Any] = self._scene.run(
            origins, directions, dists=reach, query="INTERSECT", output=1
        )
        return hits

    def blocked(self, origins: Array, directions: Array, reach: float) -> NDArray[np.bool_]:
        """Return (N,) True where anything lies within ``reach`` of a ray's start."""
        if self._scene is None:
            return np.zeros(len(origins), bool)
        hit: NDArray[np.bool_] = (
            self._scene.run(origins, directions, dists=reach, query="OCCLUDED") == 0
        )
        return hit


class World:
    """What stands and what moves, at one moment.

    Args:
        static: Tree over everything that stands; shared by many moments.
        moving: Mesh of everything that moves, at its place at this moment.
    """

    def __init__(self, static: Tree, moving: Mesh | None = None) -> None:
        self.static = static
        self.moving = Tree(Mesh.empty() if moving is None else moving)

    def cast(
        self,
        origins: Array,
        directions: Array,
        reach: float = float(NOTHING_M),
        may_move: NDArray[np.bool_] | None = None,
    ) -> Hits:
        """Follow rays to their first hit.

        Args:
            origins: (N, 3) or (3,), metres.
            directions: (N, 3), any length: distances come out in units of it.
            reach: Longest distance, in the same unit.
            may_move: (N,) False for rays that are known to miss all that moves; saves time.
        """
        count = len(directions)
        directions = np.ascontiguousarray(directions, np.float32)
        origins = np.broadcast_to(np.asarray(origins, np.float32), directions.shape)
        answer = self.static.first(origins, directions, reach)
        if answer is None:
            distance = np.full(count, reach, np.float32)
            triangle = np.full(count, -1, np.int32)
            second, third = np.zeros(count, np.float32), np.zeros(count, np.float32)
        else:
            distance, triangle = answer["tfar"], answer["primID"]
            second, third = answer["u"], answer["v"]
        moving = np.zeros(count, bool)
        if len(self.moving.mesh):
            rays = np.arange(count) if may_move is None else np.flatnonzero(may_move)
            answer = self.moving.first(
                origins[rays], directions.take(rays, axis=0), distance.take(rays)
            )
            assert answer is not None
            found = np.flatnonzero(answer["primID"] >= 0)
            which = rays.take(found)
            for target, key in (
                (triangle, "primID"), (second, "u"), (third, "v"), (distance, "tfar"),
            ):  # fmt: skip
                target[which] = answer[key].take(found)
            moving[which] = True
        distance[triangle < 0] = np.inf
        return Hits(distance, triangle, second, third, moving)

    def blocked(
        self, origins: Array, directions: Array, reach: float = float(NOTHING_M)
    ) -> NDArray[np.bool_]:
        """Return (N,) True where a ray meets anything within ``reach``."""
        directions = np.ascontiguousarray(
            np.broadcast_to(np.asarray(directions, np.float32), origins.shape)
        )
        origins = np.ascontiguousarray(origins, np.float32)
        result = self.static.blocked(origins, directions, reach)
        if len(self.moving.mesh):
            open_rays = np.flatnonzero(~result)
            result[open_rays] = self.moving.blocked(
                origins[open_rays], directions[open_rays], reach
            )
        return result

    def surface(self, hits: Hits, origins: Array, directions: Array) -> Surface:
        """Return what lies at the hits; every ray must have hit.

        Args:
            hits: Result of ``cast`` for exactly these rays, all with a hit.
            origins: (N, 3) or (3,), metres.
            directions: (N, 3).
        """
        which = np.flatnonzero(hits.moving)
        if len(self.static.mesh):
            rows = self.static.records.take(np.where(hits.moving, 0, hits.triangle), axis=0)
            if len(which):
                rows[which] = self.moving.records.take(hits.triangle[which], axis=0)
        else:
            rows = self.moving.records.take(hits.triangle, axis=0)
        second, third = hits.second, hits.third
        first = 1 - second - third
        uv, normal = np.empty((2, len(rows)), np.float32), np.empty((3, len(rows)), np.float32)
        for column, target in enumerate((*uv, *normal)):
            np.multiply(rows[:, column], first, out=target)
            target += rows[:, column + 5] * second
            target += rows[:, column + 10] * third
        toward = directions.T
        facing = dot(normal, toward)
        normal *= -np.sign(facing) / np.sqrt(np.maximum(dot(normal, normal), 1e-12))
        return Surface(
            position_m=toward * hits.distance + np.asarray(origins, np.float32).T.reshape(3, -1),
            normal=normal,
            uv=uv,
            color=np.ascontiguousarray(rows[:, 15:18].T),
            material=rows[:, 18].astype(np.uint8),
            object_id=rows[:, 19].astype(np.int32),
            moving=hits.moving,
        )


def dot(a: Array, b: Array) -> Array:
    """Return the scalar products (N,) of vectors (3, N)."""
    product: Array = a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
    return product


def _records(mesh: Mesh) -> Array:
    """Return one row (20,) a triangle: uv and normal of each corner, colour, material, object.

    One row is one stretch of memory, so that looking up a hit costs one cache miss and not five.
    """
    corners = np.concatenate([mesh.uv, mesh.normals], axis=2).reshape(len(mesh), 15)
    kind = np.stack([mesh.material, mesh.object_id], axis=1).astype(np.float32)  # below 2^24: exact
    return np.concatenate([corners, mesh.color, kind], axis=1)
