# SPDX-License-Identifier: Apache-2.0
"""Casting rays into a world: one Embree tree for what stands, one for what moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.recordings.simulation.mesh import Array, Mesh

NOTHING_M = np.float32(1e30)  # rays that hit nothing have at least this length


@dataclass(frozen=True, eq=False)
class Hits:
    """Where rays ended. Arrays have one row a ray.

    Attributes:
        distance: (N,) float32, in units of the ray's direction vector; ``inf`` without a hit.
        triangle: (N,) int64, index into the mesh the ray hit, -1 without a hit.
        barycentric: (N, 2) float32, weights of the triangle's second and third corner.
        moving: (N,) bool, True where the triangle belongs to the moving mesh.
    """

    distance: Array
    triangle: NDArray[np.int64]
    barycentric: Array
    moving: NDArray[np.bool_]

    @property
    def hit(self) -> NDArray[np.bool_]:
        """(N,) bool, True where the ray hit something."""
        return self.triangle >= 0


@dataclass(frozen=True, eq=False)
class Surface:
    """What is at the hits: position (N, 3) m, unit normal facing the ray, uv (N, 2) m, and so on."""

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
            self._scene = EmbreeScene()
            TriangleMesh(self._scene, mesh.vertices_m)
            self.first(np.zeros((1, 3), np.float32), np.ones((1, 3), np.float32), 1e-3)  # build now

    def first(self, origins: Array, directions: Array, reach: float | Array) -> dict | None:
        """Return Embree's answer for the nearest hit within ``reach``, None for an empty mesh."""
        if self._scene is None:
            return None
        return self._scene.run(origins, directions, dists=reach, query="INTERSECT", output=1)

    def blocked(self, origins: Array, directions: Array, reach: float) -> NDArray[np.bool_]:
        """Return (N,) True where anything lies within ``reach`` of a ray's start."""
        if self._scene is None:
            return np.zeros(len(origins), bool)
        return self._scene.run(origins, directions, dists=reach, query="OCCLUDED") == 0


class World:
    """What stands and what moves, at one moment.

    Args:
        static: Tree over everything that stands; shared by many moments.
        moving: Mesh of everything that moves, at its place at this moment.
    """

    def __init__(self, static: Tree, moving: Mesh | None = None) -> None:
        self.static = static
        self.moving = Tree(Mesh.empty() if moving is None else moving)

    def cast(self, origins: Array, directions: Array, reach: float = float(NOTHING_M)) -> Hits:
        """Follow rays to their first hit.

        Args:
            origins: (N, 3) or (1, 3), metres.
            directions: (N, 3), any length: distances come out in units of it.
            reach: Longest distance, in the same unit.
        """
        count = len(directions)
        directions = np.ascontiguousarray(directions, np.float32)
        origins = np.ascontiguousarray(
            np.broadcast_to(np.asarray(origins, np.float32), directions.shape)
        )
        distance = np.full(count, reach, np.float32)
        triangle = np.full(count, -1, np.int64)
        barycentric = np.zeros((count, 2), np.float32)
        moving = np.zeros(count, bool)
        for tree, is_moving in ((self.static, False), (self.moving, True)):
            answer = tree.first(origins, directions, distance.copy())
            if answer is None:
                continue
            found = answer["primID"] >= 0
            if not is_moving:
                triangle = answer["primID"].astype(np.int64)
                barycentric = np.stack([answer["u"], answer["v"]], axis=1)
                distance = answer["tfar"]
            else:
                which = np.flatnonzero(found)
                triangle[which] = answer["primID"][which]
                barycentric[which, 0] = answer["u"][which]
                barycentric[which, 1] = answer["v"][which]
                distance[which] = answer["tfar"][which]
                moving[which] = True
        return Hits(np.where(triangle >= 0, distance, np.inf), triangle, barycentric, moving)

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
            origins: (N, 3) or (1, 3), metres.
            directions: (N, 3).
        """
        b = hits.barycentric
        weights = np.stack([1 - b[:, 0] - b[:, 1], b[:, 0], b[:, 1]], axis=1)

        def gather(mesh: Mesh, index: NDArray[np.int64], w: Array) -> list[NDArray]:
            uv, normals = mesh.uv[index], mesh.normals[index]
            return [
                uv[:, 0] * w[:, :1] + uv[:, 1] * w[:, 1:2] + uv[:, 2] * w[:, 2:],
                normals[:, 0] * w[:, :1] + normals[:, 1] * w[:, 1:2] + normals[:, 2] * w[:, 2:],
                mesh.color[index],
                mesh.material[index],
                mesh.object_id[index],
            ]

        which = np.flatnonzero(hits.moving)
        if len(self.static.mesh):
            values = gather(self.static.mesh, np.where(hits.moving, 0, hits.triangle), weights)
            if len(which):
                part = gather(self.moving.mesh, hits.triangle[which], weights[which])
                for whole, piece in zip(values, part, strict=True):
                    whole[which] = piece
        else:
            values = gather(self.moving.mesh, hits.triangle, weights)
        uv, normal, color, material, object_id = values
        facing = np.einsum("ij,ij->i", normal, directions)
        length = np.sqrt(np.einsum("ij,ij->i", normal, normal))
        normal = normal * (-np.sign(facing) / np.maximum(length, 1e-9))[:, None]
        position = directions * hits.distance[:, None] + origins
        return Surface(position, normal, uv, color, material, object_id, hits.moving)
