# SPDX-License-Identifier: Apache-2.0
"""People on foot and on bicycles."""

from __future__ import annotations

import itertools
from functools import lru_cache

import numpy as np

from xd_rcdepth_ros.simulation.mesh import Material, Mesh, ellipsoid, tube

CLOTHES = np.array(
    [
        [0.03, 0.04, 0.07], [0.02, 0.02, 0.02], [0.25, 0.05, 0.05], [0.08, 0.12, 0.25],
        [0.45, 0.43, 0.40], [0.10, 0.20, 0.10], [0.50, 0.35, 0.08], [0.30, 0.30, 0.32],
    ]
)  # fmt: skip
_SKIN = np.array([[0.60, 0.38, 0.28], [0.35, 0.20, 0.13], [0.16, 0.09, 0.06]])


def _limb(
    points: list[tuple[float, float, float]], radius: float, color: np.ndarray, sides: int = 6
) -> Mesh:
    parts = []
    for i, (a, b) in enumerate(itertools.pairwise(points)):
        start, end = radius * (1 - 0.15 * i), radius * (0.85 - 0.15 * i)
        parts.append(tube(a, b, start, end, sides, color, Material.CLOTH))
    return Mesh.join(parts)


def pedestrian(look: int, phase: float, far: bool = False) -> Mesh:
    """Return a walking person, facing x.

    Args:
        look: Which clothes, skin and height (any whole number).
        phase: Moment of the step, radians.
        far: True for one with few triangles.
    """
    body, leg, arm, height = _person(look, far)
    swing = 0.42 * np.sin(phase)
    parts = [body]
    for side in (-1, 1):
        hip = (0, side * 0.09 * height, 0.92 * height)
        shoulder = (0, side * 0.22 * height, 1.42 * height)
        parts.append(leg.placed(hip, pitch_rad=side * swing))
        parts.append(arm.placed(shoulder, pitch_rad=-0.8 * side * swing))
    return Mesh.join(parts)


@lru_cache(maxsize=128)
def standing(look: int) -> Mesh:
    """Return a person far away in the middle of a step, facing x; always the same mesh."""
    return pedestrian(look, 0.9, far=True)


@lru_cache(maxsize=256)
def _person(look: int, far: bool) -> tuple[Mesh, Mesh, Mesh, float]:
    """Return body, leg (from the hip), arm (from the shoulder) and height of a person."""
    rng = np.random.default_rng([look, 31])
    coat, trousers = CLOTHES[rng.integers(len(CLOTHES), size=2)]
    skin = _SKIN[rng.integers(len(_SKIN))]
    hair = np.array([[0.03, 0.02, 0.015], [0.15, 0.09, 0.04], [0.35, 0.33, 0.3]])[rng.integers(3)]
    rows, sides = (3, 5) if far else (5, 8)
    cloth = Material.CLOTH
    body = [
        ellipsoid((0.13, 0.20, 0.34), (0.0, 0, 1.18), coat, cloth, rows, sides),
        ellipsoid((0.13, 0.165, 0.2), (0.0, 0, 0.92), trousers, cloth, rows, sides),
        ellipsoid((0.10, 0.085, 0.125), (0.03, 0, 1.62), skin, cloth, rows, sides),
    ]
    if not far:
        body.append(ellipsoid((0.105, 0.095, 0.115), (0.0, 0, 1.66), hair, cloth, rows, sides))
        body.append(tube((0, 0, 1.42), (0.02, 0, 1.55), 0.055, 0.05, 6, skin, cloth))
        leg = _limb([(0, 0, 0), (0.05, 0, -0.42), (0, 0, -0.84), (0.17, 0, -0.87)], 0.085, trousers)
        arm = _limb([(0, 0, 0), (-0.03, 0.03, -0.3), (0.07, 0.02, -0.52)], 0.055, coat)
    else:
        leg = _limb([(0, 0, 0), (0.02, 0, -0.88)], 0.075, trousers, 4)
        arm = _limb([(0, 0, 0), (0.05, 0.02, -0.52)], 0.05, coat, 4)
    height, still = float(rng.uniform(0.88, 1.06)), (0.0, 0.0, 0.0)
    whole = Mesh.join(body)
    return (
        whole.placed(still, scale=height),
        leg.placed(still, scale=height),
        arm.placed(still, scale=height),
        height,
    )


@lru_cache(maxsize=32)
def rider(look: int, far: bool = False) -> Mesh:
    """Return a person on a bicycle, facing x; ``far`` one has few triangles."""
    rng = np.random.default_rng([look, 32])
    coat, trousers = CLOTHES[rng.integers(len(CLOTHES), size=2)]
    frame = np.array([0.05, 0.05, 0.06])
    parts = [
        ellipsoid((0.15, 0.19, 0.33), (-0.08, 0, 1.22), coat, Material.CLOTH),
        ellipsoid((0.11, 0.09, 0.13), (0.06, 0, 1.66), _SKIN[0], Material.CLOTH),
        ellipsoid((0.15, 0.10, 0.10), (0.04, 0, 1.73), (0.6, 0.6, 0.6), Material.PLAIN),
    ]
    for x in (-0.53, 0.53):
        angle = np.linspace(0, 2 * np.pi, 7 if far else 13)
        rim = np.stack([x + 0.33 * np.cos(angle), 0 * angle, 0.34 + 0.33 * np.sin(angle)], 1)
        parts += [
            tube(a, b, 0.022, sides=3 if far else 4, color=(0.02,) * 3, material=Material.RUBBER)
            for a, b in itertools.pairwise(rim)
        ]
    bars = [
        ((-0.53, 0, 0.34), (-0.15, 0, 0.85)), ((-0.15, 0, 0.85), (0.38, 0, 0.85)),
        ((0.38, 0, 0.95), (0.53, 0, 0.34)), ((-0.05, 0, 0.3), (0.38, 0, 0.8)),
        ((-0.53, 0, 0.34), (-0.05, 0, 0.3)), ((-0.05, 0, 0.3), (-0.17, 0, 0.9)),
        ((0.36, -0.25, 1.02), (0.36, 0.25, 1.02)),
    ]  # fmt: skip
    parts += [tube(a, b, 0.025, sides=3 if far else 5, color=frame) for a, b in bars]
    for side in (-1, 1):
        foot = (-0.02 + side * 0.12, side * 0.12, 0.32 + side * 0.12)
        knee = (0.22, side * 0.12, 0.72 + side * 0.08)
        parts.append(_limb([(-0.15, side * 0.1, 0.95), knee, foot], 0.085, trousers))
        parts.append(
            _limb([(0.0, side * 0.2, 1.45), (0.2, side * 0.26, 1.2), (0.36, side * 0.23, 1.04)],
                  0.05, coat)
        )  # fmt: skip
    parts.append(ellipsoid((0.03, 0.04, 0.05), (-0.62, 0, 0.75), (0.4, 0, 0), Material.TAILLIGHT))
    return Mesh.join(parts)
