# SPDX-License-Identifier: Apache-2.0
"""Town houses, houses with gardens, halls."""

from __future__ import annotations

import itertools

import numpy as np

from xd_rcdepth_ros.simulation.mesh import Material, Mesh, box, surface

WALLS = np.array(
    [
        [0.62, 0.57, 0.47], [0.55, 0.48, 0.36], [0.70, 0.68, 0.62], [0.48, 0.33, 0.24],
        [0.38, 0.19, 0.13], [0.60, 0.50, 0.42], [0.45, 0.46, 0.46], [0.66, 0.60, 0.42],
        [0.52, 0.40, 0.33], [0.33, 0.35, 0.37],
    ]
)  # fmt: skip
ROOFS = np.array([[0.24, 0.09, 0.06], [0.13, 0.10, 0.09], [0.09, 0.09, 0.10], [0.30, 0.14, 0.09]])
FLOOR_M = 3.1


def _walls(length: float, depth: float, height: float, base: float, color: np.ndarray) -> Mesh:
    """Make four walls with uv along the wall; the front (towards -y) starts at u = 0."""
    corners = [(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5), (-0.5, -0.5)]
    parts, u = [], 0.0
    for (x0, y0), (x1, y1) in itertools.pairwise(corners):
        size = np.hypot((x1 - x0) * length, (y1 - y0) * depth)
        foot = np.array([[x0 * length, y0 * depth], [x1 * length, y1 * depth]])
        points = np.stack([np.column_stack([foot, np.full(2, z)]) for z in (-base, height)])
        uv = np.array([[[u, -base], [u + size, -base]], [[u, height], [u + size, height]]])
        parts.append(surface(points, color, Material.FACADE, uv, smooth=False))
        u += size + 7.0
    return Mesh.join(parts)


def town_house(rng: np.random.Generator, length_m: float, depth_m: float, floors: int) -> Mesh:
    """Return a flat-roofed town house; its front is at y = -depth / 2."""
    color = WALLS[rng.integers(len(WALLS))] * rng.uniform(0.75, 1.1)
    height = floors * FLOOR_M + 0.8
    parts = [
        _walls(length_m, depth_m, height, 3.0, color),
        box((length_m, depth_m, 0.2), (0, 0, height - 0.6), (0.2, 0.2, 0.2), Material.ROOF),
        box((length_m + 0.1, 0.35, 0.35), (0, -depth_m / 2 - 0.05, height), color * 0.8),
        box((length_m, 0.14, 0.25), (0, -depth_m / 2 - 0.05, FLOOR_M + 0.25), color * 0.7),
    ]
    style = rng.random()
    if style < 0.4:
        parts.append(_mansard(length_m, depth_m, height, ROOFS[rng.integers(len(ROOFS))]))
    elif style < 0.7 and floors > 2:
        parts += _balconies(rng, length_m, depth_m, floors)
    if rng.random() < 0.5:
        x = rng.uniform(-0.35, 0.35) * length_m
        awning = np.array([[0.5, 0.06, 0.05], [0.08, 0.2, 0.1], [0.1, 0.15, 0.35], [0.6, 0.5, 0.3]])
        parts.append(box((3.2, 0.9, 0.12), (x, -depth_m / 2 - 0.45, 2.75), awning[rng.integers(4)]))
    return Mesh.join(parts)


def _mansard(length: float, depth: float, height: float, color: np.ndarray) -> Mesh:
    low = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]]) * [length / 2, depth / 2]
    high = low * (1 - np.array([1.6 / length, 3.0 / depth]))
    rows = [
        np.column_stack([low, np.full(5, height)]),
        np.column_stack([high, np.full(5, height + 2.6)]),
    ]
    roof = surface(np.stack(rows), color, Material.ROOF, smooth=False)
    lid = surface(np.stack([rows[1][[0, 1]], rows[1][[3, 2]]]), color, Material.ROOF, smooth=False)
    return Mesh.join([roof, lid])


def _balconies(rng: np.random.Generator, length: float, depth: float, floors: int) -> list[Mesh]:
    shade = rng.uniform(0.25, 0.7)
    columns = np.arange(-length / 2 + 2.5, length / 2 - 1.5, rng.choice([4.8, 6.4]))
    parts = []
    for floor in range(1, floors):
        for x in columns:
            y, z = -depth / 2 - 0.55, floor * FLOOR_M + 0.3
            parts.append(box((2.4, 1.1, 0.16), (x, y, z), (0.5,) * 3))
            parts.append(box((2.4, 0.05, 0.95), (x, y - 0.55, z + 0.5), (shade,) * 3))
    return parts


def house(rng: np.random.Generator, length_m: float, depth_m: float, floors: int) -> Mesh:
    """Return a house with a pitched roof; its front is at y = -depth / 2."""
    color = WALLS[rng.integers(len(WALLS))] * rng.uniform(0.85, 1.15)
    roof = ROOFS[rng.integers(len(ROOFS))] * rng.uniform(0.8, 1.2)
    height = floors * FLOOR_M
    rise = 0.36 * (depth_m if rng.random() < 0.5 else length_m)
    along_x = rng.random() < 0.6
    half_l, half_d = length_m / 2, depth_m / 2
    over = 0.45
    if along_x:
        eaves = [(-half_l - over, -half_d - over), (half_l + over, -half_d - over)]
        ridge, back = [(e[0], 0.0) for e in eaves], [(e[0], half_d + over) for e in eaves]
        gables = [[(s * half_l, -half_d), (s * half_l, 0), (s * half_l, half_d)] for s in (-1, 1)]
    else:
        eaves = [(-half_l - over, -half_d - over), (-half_l - over, half_d + over)]
        ridge, back = [(0.0, e[1]) for e in eaves], [(half_l + over, e[1]) for e in eaves]
        gables = [[(-half_l, s * half_d), (0, s * half_d), (half_l, s * half_d)] for s in (-1, 1)]
    low = height - over * rise / (half_d if along_x else half_l)
    rows = [
        [(*p, z) for p in line] for line, z in ((eaves, low), (ridge, height + rise), (back, low))
    ]
    parts = [
        _walls(length_m, depth_m, height, 3.0, color),
        surface(np.array(rows), roof, Material.ROOF, smooth=False),
    ]
    for a, b, c in gables:
        points = np.array([[(*a, height), (*c, height)], [(*b, height + rise - 0.05)] * 2])
        parts.append(surface(points, color, Material.PLAIN, smooth=False))
    if rng.random() < 0.6:
        x = rng.uniform(-0.3, 0.3) * length_m
        parts.append(box((0.6, 0.6, 1.6), (x, 0.1, height + rise), (0.22, 0.12, 0.09)))
    return Mesh.join(parts)


def hall(rng: np.random.Generator, length_m: float, depth_m: float) -> Mesh:
    """Return a barn, store or factory hall without windows."""
    color = np.array([[0.55, 0.56, 0.57], [0.25, 0.33, 0.42], [0.42, 0.16, 0.1]])[rng.integers(3)]
    height = rng.uniform(5.0, 9.0)
    walls = _walls(length_m, depth_m, height, 3.0, color)
    walls.material[:] = Material.ROOF
    lid = box((length_m + 0.6, depth_m + 0.6, 0.4), (0, 0, height), color * 0.5, Material.ROOF)
    return Mesh.join([walls, lid])
