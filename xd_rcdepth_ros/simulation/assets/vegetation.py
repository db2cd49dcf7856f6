# SPDX-License-Identifier: Apache-2.0
"""Trees, bushes and hedges: a dark core with a cloud of leaves around it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.simulation.mesh import (
    Material,
    Mesh,
    ellipsoid,
    from_triangles,
    tube,
)

_GREENS = np.array(
    [[0.08, 0.14, 0.035], [0.11, 0.165, 0.04], [0.065, 0.115, 0.04], [0.14, 0.17, 0.045]]
)
_AUTUMN = np.array([[0.22, 0.12, 0.03], [0.17, 0.07, 0.025], [0.25, 0.18, 0.04]])
VARIANTS = 6


def _leaves(
    rng: np.random.Generator,
    center_m: NDArray[np.floating],
    radii_m: NDArray[np.floating],
    count: int,
    size_m: float,
    color: NDArray[np.floating],
) -> Mesh:
    """Scatter leaf triangles through the outer part of an ellipsoid."""
    direction = rng.standard_normal((count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    place = center_m + direction * radii_m * rng.uniform(0.72, 1.08, (count, 1))
    corners = rng.standard_normal((count, 3, 3)) * size_m * 0.55
    outward = direction / radii_m
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    normals = outward + 0.45 * rng.standard_normal((count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    mesh = from_triangles(
        place[:, None] + corners,
        material=Material.FOLIAGE,
        normals=np.repeat(normals[:, None], 3, axis=1),
    )
    # Leaves inside and below get less of the sky.
    light = 0.75 + 0.35 * direction[:, 2:] + 0.22 * rng.standard_normal((count, 1))
    mesh.color[:] = color * np.clip(light, 0.3, 1.5)
    return mesh


@lru_cache(maxsize=64)
def broadleaf(variant: int, season: str = "summer", far: bool = False) -> Mesh:
    """Return a broad-leaved tree about 8 m high."""
    rng = np.random.default_rng([variant, 41])
    colors = _AUTUMN if season == "autumn" else _GREENS
    color = colors[rng.integers(len(colors))] * rng.uniform(0.8, 1.25)
    stem = rng.uniform(2.0, 3.0)
    bark = np.array([0.09, 0.07, 0.05]) * rng.uniform(0.7, 1.3)
    parts = [tube((0, 0, -0.3), (0, 0, stem + 0.8), 0.19, 0.12, 7, bark, Material.BARK)]
    blobs = 3 if far else 6
    for _ in range(blobs):
        spread = rng.uniform(-1, 1, 3) * [1.5, 1.5, 1.7]
        center = np.array([0, 0, stem + 2.6]) + spread
        radii = rng.uniform(1.1, 1.9, 3) * (1.25 if far else 1.0)
        parts.append(tube((0, 0, stem), center, 0.08, 0.03, 4, bark, Material.BARK))
        if season == "winter":
            for _ in range(4 if far else 14):
                tip = center + rng.standard_normal(3) * radii * 0.7
                parts.append(tube(center, tip, 0.025, 0.008, 3, bark, Material.BARK))
            continue
        parts.append(ellipsoid(radii * 0.74, center, color * 0.42, Material.FOLIAGE, 5, 8))
        parts.append(_leaves(rng, center, radii, 50 if far else 210, 0.55 if far else 0.32, color))
    return Mesh.join(parts)


@lru_cache(maxsize=32)
def conifer(variant: int, far: bool = False) -> Mesh:
    """Return a spruce about 9 m high."""
    rng = np.random.default_rng([variant, 42])
    color = np.array([0.045, 0.085, 0.04]) * rng.uniform(0.8, 1.3)
    parts = [tube((0, 0, -0.3), (0, 0, 8.5), 0.16, 0.03, 6, (0.07, 0.05, 0.035), Material.BARK)]
    for level in np.linspace(1.3, 8.4, 5 if far else 8):
        radius = 0.28 * (9.4 - level)
        parts.append(
            tube((0, 0, level - 0.25), (0, 0, level + 1.2), radius * 0.7, 0.02, 7,
                 color * 0.5, Material.FOLIAGE)
        )  # fmt: skip
        radii = np.array([radius, radius, 0.45])
        count = int((25 if far else 85) * radius)
        parts.append(_leaves(rng, np.array([0, 0, level]), radii, count, 0.3, color))
    return Mesh.join(parts)


@lru_cache(maxsize=32)
def bush(variant: int, season: str = "summer") -> Mesh:
    """Return a bush about 1.2 m high."""
    rng = np.random.default_rng([variant, 43])
    colors = _AUTUMN if season == "autumn" else _GREENS
    color = colors[rng.integers(len(colors))] * rng.uniform(0.7, 1.2)
    parts = []
    for _ in range(3):
        center = np.array([*rng.uniform(-0.4, 0.4, 2), rng.uniform(0.4, 0.7)])
        radii = rng.uniform(0.4, 0.7, 3)
        parts.append(ellipsoid(radii * 0.8, center, color * 0.45, Material.FOLIAGE, 4, 7))
        parts.append(_leaves(rng, center, radii, 110, 0.14, color))
    return Mesh.join(parts)


@lru_cache(maxsize=16)
def hedge(variant: int, length_m: float = 6.0) -> Mesh:
    """Return a straight hedge along x, about 1.4 m high."""
    rng = np.random.default_rng([variant, 44])
    color = _GREENS[rng.integers(len(_GREENS))] * rng.uniform(0.7, 1.1)
    parts = []
    for x in np.arange(-length_m / 2 + 0.5, length_m / 2, 1.0):
        center, radii = np.array([x, 0, 0.65]), np.array([0.75, 0.42, 0.75])
        parts.append(ellipsoid(radii * 0.85, center, color * 0.5, Material.FOLIAGE, 4, 7))
        parts.append(_leaves(rng, center, radii, 90, 0.15, color))
    return Mesh.join(parts)
