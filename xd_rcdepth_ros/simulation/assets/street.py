# SPDX-License-Identifier: Apache-2.0
"""What stands along a road: lamps, signs, traffic lights, posts, rails, bins."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from xd_rcdepth_ros.simulation.mesh import (
    Material,
    Mesh,
    box,
    ellipsoid,
    from_triangles,
    tube,
)

LAMP_HEIGHT_M = 7.2
LAMP_REACH_M = 1.6
_GREY = (0.28, 0.29, 0.30)


@lru_cache(maxsize=1)
def lamp() -> Mesh:
    """Return a street lamp whose arm reaches towards +y."""
    top = (0, 0.15, LAMP_HEIGHT_M - 0.3)
    end = (0, LAMP_REACH_M, LAMP_HEIGHT_M)
    return Mesh.join(
        [
            tube((0, 0, -0.3), top, 0.085, 0.055, 8, _GREY),
            tube(top, end, 0.05, 0.04, 6, _GREY),
            box((0.26, 0.7, 0.12), end, (0.3, 0.3, 0.31), Material.METAL),
            box((0.2, 0.55, 0.04), (0, LAMP_REACH_M, LAMP_HEIGHT_M - 0.08), (0.8, 0.8, 0.75),
                Material.LAMP),
        ]
    )  # fmt: skip


def _disk(radius: float, z: float, x: float, color: tuple[float, ...], corners: int = 20) -> Mesh:
    start = np.pi / 2 if corners == 3 else np.pi / corners
    angle = np.linspace(0, 2 * np.pi, corners + 1) + start
    rim = np.stack([np.full(len(angle), x), radius * np.cos(angle), z + radius * np.sin(angle)], 1)
    center = np.broadcast_to([x, 0, z], (corners, 3))
    return from_triangles(np.stack([center, rim[:-1], rim[1:]], 1), color, Material.SIGN)


@lru_cache(maxsize=8)
def sign(kind: int) -> Mesh:
    """Return a traffic sign on a post, its face towards -x."""
    z, red, white = 2.3, (0.55, 0.02, 0.02), (0.75, 0.75, 0.75)
    blue, yellow = (0.02, 0.10, 0.42), (0.8, 0.55, 0.02)
    faces = [
        [_disk(0.32, z, -0.05, red), _disk(0.24, z, -0.055, white)],
        [_disk(0.40, z, -0.05, red, 3), _disk(0.27, z, -0.055, white, 3)],
        [_disk(0.36, z, -0.05, white, 4), _disk(0.29, z, -0.055, yellow, 4)],
        [_disk(0.36, z, -0.05, red, 8), _disk(0.07, z, -0.055, white, 4)],
        [box((0.02, 0.62, 0.62), (-0.05, 0, z), blue, Material.SIGN),
         box((0.02, 0.2, 0.36), (-0.062, 0, z), white, Material.SIGN)],
        [box((0.02, 1.5, 0.5), (-0.05, 0, z), yellow, Material.SIGN),
         box((0.02, 1.1, 0.08), (-0.062, 0, z + 0.06), (0.02,) * 3, Material.SIGN)],
    ][kind % 6]  # fmt: skip
    backing = [
        face.painted((0.35, 0.36, 0.37), Material.METAL).placed((0.03, 0, 0)) for face in faces[:1]
    ]
    return Mesh.join(
        [tube((0, 0, -0.3), (0, 0, z + 0.3), 0.035, sides=6, color=_GREY), *backing, *faces]
    )


@lru_cache(maxsize=4)
def traffic_light(state: int) -> Mesh:
    """Return a traffic light that faces -x; state 0 red, 1 green."""
    parts = [
        tube((0, 0, -0.3), (0, 0, 3.4), 0.06, 0.05, 8, _GREY),
        box((0.25, 0.3, 0.95), (-0.05, 0, 2.9), (0.02, 0.025, 0.02)),
    ]
    colors = [(0.9, 0.05, 0.03), (0.9, 0.5, 0.03), (0.05, 0.8, 0.35)]
    for i, color in enumerate(colors):
        lit = i == (0, 2)[state]
        parts.append(
            ellipsoid((0.05, 0.1, 0.1), (-0.19, 0, 3.2 - 0.3 * i),
                      color if lit else np.array(color) * 0.05,
                      Material.SIGNAL if lit else Material.PLAIN)
        )  # fmt: skip
    return Mesh.join(parts)


@lru_cache(maxsize=1)
def delineator() -> Mesh:
    """Return a white roadside post with a reflector, facing -x."""
    return Mesh.join(
        [
            box((0.08, 0.12, 1.05), (0, 0, 0.5), (0.72, 0.72, 0.70)),
            box((0.085, 0.125, 0.22), (0, 0, 0.83), (0.03,) * 3),
            box((0.02, 0.06, 0.16), (-0.045, 0, 0.83), (0.8, 0.8, 0.8), Material.SIGN),
        ]
    )


@lru_cache(maxsize=1)
def bin_() -> Mesh:
    """Return a litter bin."""
    return tube((0, 0, 0), (0, 0, 0.95), 0.24, 0.27, 10, (0.05, 0.12, 0.07), caps=True)


@lru_cache(maxsize=1)
def bench() -> Mesh:
    """Return a bench along x."""
    wood = (0.25, 0.14, 0.07)
    parts = [
        box((1.7, 0.42, 0.06), (0, 0, 0.45), wood),
        box((1.7, 0.06, 0.4), (0, 0.22, 0.7), wood),
    ]
    parts += [box((0.06, 0.4, 0.45), (x, 0, 0.22), _GREY) for x in (-0.7, 0.7)]
    return Mesh.join(parts)


@lru_cache(maxsize=1)
def utility_pole() -> Mesh:
    """Return a wooden pole with a cross-bar along y."""
    return Mesh.join(
        [
            tube((0, 0, -0.3), (0, 0, 8.4), 0.15, 0.11, 8, (0.12, 0.085, 0.06), Material.BARK),
            box((0.12, 2.0, 0.14), (0, 0, 7.7), (0.12, 0.085, 0.06), Material.BARK),
        ]
    )
