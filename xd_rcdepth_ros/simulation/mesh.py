# SPDX-License-Identifier: Apache-2.0
"""Triangle meshes with what light, lidar and radar ask of a surface, and their building blocks.

Local frame of every object: x forward, y left, z up, origin on the ground (REP-103), metres.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float32]


class Material(IntEnum):
    """What a surface is made of; camera, lidar and radar each have a table by it."""

    GROUND = 0  # road, verge and pavement; uv = (arc length, lateral offset) in metres
    TERRAIN = 1  # fields and hills; uv = world x, y in metres
    FACADE = 2  # uv = (along the wall, height) in metres
    ROOF = 3
    PLAIN = 4
    PAINT = 5  # glossy car body
    GLASS = 6
    FOLIAGE = 7
    BARK = 8
    HEADLIGHT = 9
    TAILLIGHT = 10
    RUBBER = 11
    METAL = 12
    SIGN = 13  # retroreflecting
    LAMP = 14  # street lamp, lit at night
    CLOTH = 15  # people
    CARGO = 16  # sheet metal boxes of trucks
    SIGNAL = 17  # lit disc of a traffic light


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles and what belongs to each.

    Attributes:
        vertices_m: (N, 3, 3) float32, corners, metres.
        normals: (N, 3, 3) float32, shading normals at the corners, unit length, side free.
        uv: (N, 3, 2) float32, surface coordinates at the corners, metres.
        color: (N, 3) float32, linear RGB albedo in 0..1.
        material: (N,) uint8, ``Material``.
        object_id: (N,) int32, which object; what a static id means is free, moving ids are
            indices of the traffic list.
    """

    vertices_m: Array
    normals: Array
    uv: Array
    color: Array
    material: NDArray[np.uint8]
    object_id: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.vertices_m)

    @classmethod
    def empty(cls) -> Mesh:
        """Return a mesh without triangles."""
        return from_triangles(np.zeros((0, 3, 3)))

    @classmethod
    def join(cls, parts: Sequence[Mesh]) -> Mesh:
        """Put several meshes into one."""
        if not parts:
            return cls.empty()
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))

    def placed(
        self,
        position_m: ArrayLike,
        heading_rad: float = 0.0,
        scale: float | ArrayLike = 1.0,
        pitch_rad: float = 0.0,
    ) -> Mesh:
        """Return the mesh scaled, pitched (nose up), turned about z and moved to a position."""
        size = np.broadcast_to(np.asarray(scale, np.float32), 3)
        rotation = heading_rotation(heading_rad, pitch_rad).astype(np.float32)
        move = np.asarray(position_m, np.float32)
        normals = self.normals
        if not np.all(size == size[0]):
            normals = normals / size
            normals = normals / np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-9)
        return replace(
            self,
            vertices_m=((self.vertices_m * size) @ rotation.T + move).astype(
                np.float32, copy=False
            ),
            normals=(normals @ rotation.T).astype(np.float32, copy=False),
        )

    def painted(self, color: ArrayLike, material: Material | None = None) -> Mesh:
        """Return the mesh with one colour (and material)."""
        colors = np.broadcast_to(np.asarray(color, np.float32), (len(self), 3)).copy()
        kinds = self.material if material is None else np.full(len(self), material, np.uint8)
        return replace(self, color=colors, material=kinds)

    def repainted(self, material: Material, color: ArrayLike) -> Mesh:
        """Return the mesh with another colour on the triangles of one material."""
        colors = self.color.copy()
        colors[self.material == material] = np.asarray(color, np.float32)
        return replace(self, color=colors)

    def owned(self, object_id: int) -> Mesh:
        """Return the mesh as part of one object."""
        return replace(self, object_id=np.full(len(self), object_id, np.int32))


def heading_rotation(heading_rad: float, pitch_rad: float = 0.0) -> NDArray[np.float64]:
    """Return the rotation (3, 3): pitch (nose up) about y first, then heading about z."""
    c, s = np.cos(heading_rad), np.sin(heading_rad)
    cp, sp = np.cos(pitch_rad), np.sin(pitch_rad)
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])
    rotation: NDArray[np.float64] = turn @ np.array([[cp, 0, -sp], [0, 1.0, 0], [sp, 0, cp]])
    return rotation


def from_triangles(
    vertices_m: NDArray[np.floating],
    color: ArrayLike = (0.5, 0.5, 0.5),
    material: Material = Material.PLAIN,
    normals: NDArray[np.floating] | None = None,
    uv: NDArray[np.floating] | None = None,
) -> Mesh:
    """Make a mesh from corners (N, 3, 3); flat normals unless given."""
    vertices = np.ascontiguousarray(vertices_m, np.float32)
    count = len(vertices)
    if normals is None:
        flat = _cross(vertices[:, 1] - vertices[:, 0], vertices[:, 2] - vertices[:, 0])
        flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)
        normals = np.repeat(flat[:, None], 3, axis=1)
    return Mesh(
        vertices,
        np.ascontiguousarray(normals, np.float32),
        np.zeros((count, 3, 2), np.float32) if uv is None else np.asarray(uv, np.float32),
        np.broadcast_to(np.asarray(color, np.float32), (count, 3)).copy(),
        np.full(count, material, np.uint8),
        np.zeros(count, np.int32),
    )


def surface(
    points_m: NDArray[np.floating],
    color: ArrayLike = (0.5, 0.5, 0.5),
    material: Material = Material.PLAIN,
    uv: NDArray[np.floating] | None = None,
    smooth: bool = True,
) -> Mesh:
    """Span a grid of points (A, B, 3) with triangles.

    Args:
        points_m: (A, B, 3); repeat the first row or column at the end to close the surface.
        color: Linear RGB albedo.
        material: Material of all triangles.
        uv: (A, B, 2) surface coordinates.
        smooth: Interpolate normals over the grid; else every triangle is flat.
    """
    points = np.asarray(points_m, np.float32)
    corners = _grid_triangles(points)
    normals = None
    if smooth:
        along = np.gradient(points, axis=0)
        across = np.gradient(points, axis=1)
        for grid, axis in ((along, 0), (across, 1)):  # closed grids wrap round
            first, last = np.take(points, 0, axis), np.take(points, -1, axis)
            if np.allclose(first, last):
                around = np.take(points, 1, axis) - np.take(points, -2, axis)
                index = (slice(None), [0, -1]) if axis else ([0, -1],)
                grid[index] = np.stack([around, around], axis) / 2
        normal = _cross(along, across)
        length = np.linalg.norm(normal, axis=-1, keepdims=True)
        normal = normal / np.maximum(length, 1e-12)
        normals = _grid_triangles(normal)
    mesh = from_triangles(
        corners, color, material, normals, None if uv is None else _grid_triangles(np.asarray(uv))
    )
    edges = mesh.vertices_m[:, 1:] - mesh.vertices_m[:, :1]
    keep = np.linalg.norm(_cross(edges[:, 0], edges[:, 1]), axis=1) > 1e-9
    return Mesh(*(getattr(mesh, f.name)[keep] for f in fields(Mesh)))


def _cross(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return cross products (..., 3); NumPy's own is slow on small arrays."""
    x, y, z = (a[..., i] * b[..., j] - a[..., j] * b[..., i] for i, j in ((1, 2), (2, 0), (0, 1)))
    return np.stack([x, y, z], axis=-1)


def _grid_triangles(grid: NDArray[np.floating]) -> NDArray[np.floating]:
    a, b, c, d = grid[:-1, :-1], grid[1:, :-1], grid[1:, 1:], grid[:-1, 1:]
    width = grid.shape[-1]
    lower, upper = np.stack([a, b, c], 2), np.stack([a, c, d], 2)
    return np.concatenate([lower.reshape(-1, 3, width), upper.reshape(-1, 3, width)])


def box(
    size_m: ArrayLike,
    center_m: ArrayLike = (0, 0, 0),
    color: ArrayLike = (0.5, 0.5, 0.5),
    material: Material = Material.PLAIN,
) -> Mesh:
    """Make a box; uv of its faces are metres along the face."""
    size, center = np.asarray(size_m, float), np.asarray(center_m, float)
    faces, coordinates = [], []
    for axis in range(3):
        b, c = [(1, 2), (0, 2), (0, 1)][axis]
        for side in (-0.5, 0.5):
            quad = np.zeros((2, 2, 3))
            quad[..., axis] = side
            quad[..., b] = np.array([[-0.5, -0.5], [0.5, 0.5]])
            quad[..., c] = np.array([[-0.5, 0.5], [-0.5, 0.5]])
            faces.append(_grid_triangles(quad * size + center))
            coordinates.append(_grid_triangles((quad * size + size / 2)[..., [b, c]]))
    return from_triangles(np.concatenate(faces), color, material, uv=np.concatenate(coordinates))


def tube(
    start_m: ArrayLike,
    end_m: ArrayLike,
    radius_m: float,
    end_radius_m: float | None = None,
    sides: int = 8,
    color: ArrayLike = (0.5, 0.5, 0.5),
    material: Material = Material.METAL,
    caps: bool = False,
) -> Mesh:
    """Make a straight tube or cone between two points."""
    start, end = np.asarray(start_m, float), np.asarray(end_m, float)
    axis = (end - start) / max(float(np.linalg.norm(end - start)), 1e-9)
    side = _cross(axis, np.array([1.0, 0, 0] if abs(axis[0]) < 0.9 else [0, 1.0, 0]))
    side /= np.linalg.norm(side)
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    ring = np.cos(angle)[:, None] * side + np.sin(angle)[:, None] * _cross(axis, side)
    end_radius = radius_m if end_radius_m is None else end_radius_m
    rows = [start + ring * radius_m, end + ring * end_radius]
    mesh = surface(np.stack(rows), color, material)
    if not caps:
        return mesh
    ends = [
        surface(
            np.stack([r, np.broadcast_to(r[:-1].mean(0), r.shape)]), color, material, None, False
        )
        for r in rows
    ]
    return Mesh.join([mesh, *ends])


def ellipsoid(
    radii_m: ArrayLike,
    center_m: ArrayLike = (0, 0, 0),
    color: ArrayLike = (0.5, 0.5, 0.5),
    material: Material = Material.PLAIN,
    rows: int = 5,
    sides: int = 8,
) -> Mesh:
    """Make an ellipsoid."""
    latitude = np.linspace(-np.pi / 2, np.pi / 2, rows + 1)[:, None]
    longitude = np.linspace(0, 2 * np.pi, sides + 1)[None, :]
    unit = np.stack(
        [
            np.cos(latitude) * np.cos(longitude),
            np.cos(latitude) * np.sin(longitude),
            np.sin(latitude) + 0 * longitude,
        ],
        axis=-1,
    )
    radii = np.asarray(radii_m, float)
    mesh = surface(unit * radii + np.asarray(center_m, float), color, material)
    normals = (mesh.vertices_m - np.asarray(center_m, np.float32)) / (radii**2).astype(np.float32)
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-9)
    return replace(mesh, normals=normals.astype(np.float32))
