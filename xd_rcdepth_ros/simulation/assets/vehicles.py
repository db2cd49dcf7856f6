# SPDX-License-Identifier: Apache-2.0
"""Cars, vans, trucks, buses and bicycles."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from xd_rcdepth_ros.simulation.assets.people import rider
from xd_rcdepth_ros.simulation.mesh import Material, Mesh, box, surface, tube

PAINTS = np.array(
    [
        [0.75, 0.75, 0.74], [0.70, 0.71, 0.72], [0.30, 0.31, 0.33], [0.12, 0.12, 0.13],
        [0.015, 0.015, 0.018], [0.03, 0.03, 0.035], [0.02, 0.06, 0.22], [0.05, 0.12, 0.30],
        [0.42, 0.02, 0.02], [0.25, 0.02, 0.03], [0.04, 0.13, 0.07], [0.30, 0.24, 0.16],
        [0.62, 0.33, 0.03], [0.45, 0.47, 0.48],
    ]
)  # fmt: skip
_BLACK = (0.02, 0.02, 0.02)
_GLASS = (0.015, 0.02, 0.022)


@dataclass(frozen=True)
class Body:
    """Size and shape of a vehicle body.

    Attributes:
        length_m, width_m, height_m: Outer size.
        wheel_m: Wheel diameter.
        belt: (x, z) of the lower body's upper line, x from the rear (0) to the front (1), z as a
            share of the height.
        cabin: (x, z) of the window part's outline above the belt line, front last; empty for none.
        axles: Places of the axles, share of the length from the rear.
    """

    length_m: float
    width_m: float
    height_m: float
    wheel_m: float
    belt: tuple[tuple[float, float], ...]
    cabin: tuple[tuple[float, float], ...]
    axles: tuple[float, ...] = (0.19, 0.80)


BODIES = {
    "sedan": Body(
        4.7, 1.82, 1.45, 0.64,
        ((0, 0.55), (0.02, 0.66), (0.2, 0.70), (0.68, 0.67), (0.9, 0.58), (0.98, 0.48), (1, 0.38)),
        ((0.12, 0.68), (0.28, 0.97), (0.40, 1.0), (0.52, 0.98), (0.72, 0.66)),
    ),
    "hatchback": Body(
        4.1, 1.76, 1.5, 0.62,
        ((0, 0.50), (0.02, 0.62), (0.3, 0.66), (0.70, 0.64), (0.93, 0.54), (0.99, 0.45), (1, 0.36)),
        ((0.02, 0.60), (0.13, 0.95), (0.35, 1.0), (0.55, 0.98), (0.78, 0.62)),
    ),
    "suv": Body(
        4.6, 1.9, 1.72, 0.72,
        ((0, 0.5), (0.02, 0.62), (0.3, 0.65), (0.70, 0.64), (0.93, 0.58), (0.99, 0.5), (1, 0.38)),
        ((0.02, 0.6), (0.09, 0.94), (0.35, 1.0), (0.57, 0.98), (0.75, 0.63)),
    ),
    "van": Body(
        5.4, 2.0, 2.3, 0.68,
        ((0, 0.94), (0.01, 0.99), (0.3, 1.0), (0.66, 0.985), (0.72, 0.93), (0.83, 0.60),
         (0.95, 0.5), (1, 0.36)),
        (),
    ),
    "truck": Body(8.5, 2.5, 3.6, 0.98, (), (), (0.17, 0.28, 0.86)),
    "bus": Body(
        11.5, 2.55, 3.1, 0.96,
        ((0, 0.95), (0.01, 0.99), (0.5, 1.0), (0.985, 0.98), (1, 0.90)), (), (0.25, 0.76),
    ),
}  # fmt: skip


def _loft(line: np.ndarray, bottom_m: np.ndarray, half_m: np.ndarray, tuck: float) -> Mesh:
    """Span a hull over stations: (x, top z), bottom z and half width a station, rounded corners."""
    round_m = np.minimum(0.16, (line[:, 1] - bottom_m) * 0.3)
    rows = []
    for (x, top), low, half, corner in zip(line, bottom_m, half_m, round_m, strict=True):
        upper = half * tuck
        y = [half * 0.97, half, half * 0.99, upper, upper - corner, 0.0]
        z = [low, low + (top - low) * 0.25, low + (top - low) * 0.6, top - corner, top, top + 0.015]
        side = np.stack([np.full(6, x), np.array(y), np.array(z)], axis=1)
        rows.append(np.concatenate([side, side[-2::-1] * [1, -1, 1]]))
    rings = np.stack(rows)
    ends = []
    for ring in rings[[0, -1]]:
        outline = np.concatenate([ring, ring[:1]])
        ends.append(np.stack([outline, outline * [1, 0, 0] + [0, 0, ring[:, 2].mean()]]))
    return Mesh.join([surface(rings), *(surface(e, smooth=False) for e in ends)])


def _wheel(x: float, y: float, diameter: float, far: bool) -> Mesh:
    radius, width = diameter / 2, 0.22
    if far:
        size = (diameter * 0.9, width, diameter)
        return box(size, (x, y, radius), _BLACK, Material.RUBBER)
    tire = tube(
        (x, y - width / 2, radius), (x, y + width / 2, radius), radius, sides=12,
        color=_BLACK, material=Material.RUBBER, caps=True,
    )  # fmt: skip
    outside = np.sign(y) * width / 2
    rim = tube(
        (x, y + outside, radius), (x, y + outside * 1.12, radius), radius * 0.62,
        sides=8, color=(0.35, 0.35, 0.36), caps=True,
    )  # fmt: skip
    return Mesh.join([tire, rim])


def _lights(body: Body, front_z: float, rear_z: float) -> list[Mesh]:
    half, wide = body.width_m / 2, body.width_m * 0.16
    parts = []
    for side in (-1, 1):
        y = side * (half - wide / 2 - 0.06)
        parts.append(
            box(
                (0.05, wide, 0.13),
                (body.length_m / 2 - 0.03, y, front_z),
                (0.8, 0.8, 0.78),
                Material.HEADLIGHT,
            )
        )
        parts.append(
            box(
                (0.05, wide, 0.15),
                (-body.length_m / 2 + 0.02, y, rear_z),
                (0.35, 0.01, 0.01),
                Material.TAILLIGHT,
            )
        )
    for x in (body.length_m / 2 + 0.01, -body.length_m / 2 - 0.01):
        parts.append(box((0.02, 0.52, 0.11), (x, 0, 0.45), (0.8, 0.8, 0.78), Material.SIGN))
    return parts  # fmt: skip


def _car(body: Body, far: bool) -> Mesh:
    belt = np.array(body.belt)
    x = (belt[:, 0] - 0.5) * body.length_m
    taper = 1 - 0.10 * np.abs(2 * belt[:, 0] - 1) ** 4
    bottom = np.full(len(belt), 0.22)
    bottom[[0, -1]] = 0.32
    hull = _loft(
        np.stack([x, belt[:, 1] * body.height_m], 1), bottom, body.width_m / 2 * taper, 0.93
    ).painted((0.5, 0.5, 0.5), Material.PAINT)
    parts = [hull, box((body.length_m * 0.9, body.width_m * 0.86, 0.16), (0, 0, 0.24), _BLACK)]
    if body.cabin:
        parts += _cabin(body, far)
    return Mesh.join(parts)


def _cabin(body: Body, far: bool) -> list[Mesh]:
    """Make the window part: glass all round, with a painted roof and pillars."""
    line = np.array(body.cabin) * [body.length_m, body.height_m] - [body.length_m / 2, 0]
    low, high = body.width_m / 2 * 0.90, body.width_m / 2 * 0.70
    base = line[[0, -1], 1].min()
    share = (line[:, 1] - base) / (body.height_m - base)
    half = low + (high - low) * np.clip(share, 0, 1)
    left = np.stack([line[:, 0], half, line[:, 1]], 1)
    right = left * [1, -1, 1]
    foot = np.stack([line[:, 0], np.full(len(line), low), np.full(len(line), base - 0.02)], 1)
    top = surface(np.stack([right, left], 1), (0.5,) * 3, Material.PAINT)
    rear_and_front = (top.vertices_m[..., 2].min(1) < base + 0.8 * (body.height_m - base)) & (
        np.ptp(top.vertices_m[..., 2], axis=1) > 0.08
    )
    top.material[rear_and_front] = Material.GLASS
    top.color[rear_and_front] = _GLASS
    sides = [
        surface(np.stack([foot * m, left * m], 1), _GLASS, Material.GLASS, smooth=False)
        for m in ([1, 1, 1], [1, -1, 1])
    ]
    if far:
        return [top, *sides]
    pillars = []
    for mirror in (1, -1):
        for a, b in ((0, 1), (len(line) - 2, len(line) - 1)):
            pillars.append(
                tube(
                    left[a] * [1, mirror, 1],
                    left[b] * [1, mirror, 1],
                    0.045,
                    sides=5,
                    color=(0.5,) * 3,
                    material=Material.PAINT,
                )
            )
        x = line[len(line) // 2, 0] - 0.1
        pillars.append(
            tube(
                (x, mirror * (low + 0.005), base),
                (x, mirror * (high + 0.012), body.height_m - 0.06),
                0.045,
                sides=5,
                color=_BLACK,
                material=Material.PLAIN,
            )
        )
        pillars.append(
            box(
                (0.1, 0.2, 0.13),
                (line[-1, 0] - 0.35, mirror * (body.width_m / 2 + 0.05), base),
                (0.5,) * 3,
                Material.PAINT,
            )
        )
    return [top, *sides, *pillars]  # fmt: skip


def _windows(body: Body, rows: tuple[float, float], front: bool) -> list[Mesh]:
    """Make flat window bands a little outside the hull of a van or bus."""
    low, high = rows
    middle, height = (low + high) / 2 * body.height_m, (high - low) * body.height_m
    start = body.length_m * (-0.47 if front else 0.21)
    end = body.length_m * (0.46 if front else 0.31)
    panes = np.linspace(start, end, 7 if front else 2)
    parts = [
        box(
            (b - a - 0.12, 0.02, height),
            ((a + b) / 2, side * body.width_m / 2 * 0.995, middle),
            _GLASS,
            Material.GLASS,
        )
        for side in (-1, 1)
        for a, b in itertools.pairwise(panes)
    ]
    for x in (-body.length_m / 2 - 0.01, body.length_m / 2 + 0.01)[: 2 if front else 1]:
        parts.append(
            box((0.02, body.width_m * 0.82, height * 1.2), (x, 0, middle), _GLASS, Material.GLASS)
        )
    return parts  # fmt: skip


def _truck(body: Body) -> Mesh:
    cab, nose = 2.1, body.length_m / 2
    half = body.width_m / 2
    box_length = body.length_m - cab - 0.35
    parts = [
        box(
            (cab, body.width_m * 0.96, 2.35), (nose - cab / 2, 0, 1.75), (0.5,) * 3, Material.PAINT
        ),
        box((0.04, body.width_m * 0.86, 0.85), (nose + 0.01, 0, 2.3), _GLASS, Material.GLASS),
        box(
            (box_length, body.width_m, body.height_m - 1.15),
            (-nose + box_length / 2, 0, (body.height_m + 1.15) / 2),
            material=Material.CARGO,
        ),
        box((body.length_m * 0.96, 0.9, 0.25), (0, 0, 0.9), _BLACK),
        box((0.08, body.width_m * 0.9, 0.14), (-nose + 0.1, 0, 0.55), _BLACK, Material.METAL),
    ]
    for side in (-1, 1):
        parts.append(
            box((0.9, 0.03, 0.7), (nose - 0.8, side * half * 0.965, 2.25), _GLASS, Material.GLASS)
        )
        parts.append(
            box((3.0, 0.03, 0.5), (-0.6, side * half * 0.97, 0.7), (0.2,) * 3, Material.METAL)
        )
    return Mesh.join(parts)  # fmt: skip


def vehicle(kind: str, paint: int, far: bool = False) -> Mesh:
    """Return a vehicle mesh: origin on the ground below its middle, facing x.

    Args:
        kind: ``sedan``, ``hatchback``, ``suv``, ``van``, ``truck``, ``bus`` or ``bicycle``.
        paint: Index of its paint (any whole number).
        far: True for one with simpler wheels and no pillars.
    """
    if kind == "bicycle":
        return rider(paint % 16, far)
    return _painted(kind, paint % len(PAINTS), far)


@lru_cache(maxsize=256)
def _painted(kind: str, paint: int, far: bool) -> Mesh:
    mesh = _unpainted(kind, far).repainted(Material.PAINT, PAINTS[paint])
    cargo = PAINTS[(paint * 5 + 1) % len(PAINTS)] * 0.8 + 0.12
    return mesh.repainted(Material.CARGO, cargo)


@lru_cache(maxsize=32)
def _unpainted(kind: str, far: bool) -> Mesh:
    body = BODIES[kind]
    parts = [_truck(body) if kind == "truck" else _car(body, far)]
    if kind == "bus":
        parts += _windows(body, (0.45, 0.83), True)
    elif kind == "van":
        parts += _windows(body, (0.58, 0.84), False)
        parts.append(_windscreen(body))
    front_z = {"truck": 0.85, "bus": 0.75, "van": 0.85}.get(kind, body.height_m * 0.42)
    rear_z = {"truck": 0.75, "bus": 0.9, "van": 0.95}.get(kind, body.height_m * 0.54)
    parts += _lights(body, front_z, rear_z)
    track = body.width_m / 2 - 0.14
    for axle in body.axles:
        x = (axle - 0.5) * body.length_m
        parts += [_wheel(x, side * track, body.wheel_m, far) for side in (-1, 1)]
    return Mesh.join(parts)


def _windscreen(body: Body) -> Mesh:
    x = (np.array([0.735, 0.82]) - 0.5) * body.length_m + 0.03
    z = np.array([0.90, 0.63]) * body.height_m
    half = body.width_m / 2 * np.array([0.78, 0.86])
    points = [[[x[i], s * half[i], z[i]] for s in (-1, 1)] for i in (0, 1)]
    return surface(np.array(points), _GLASS, Material.GLASS, smooth=False)


def size_m(kind: str) -> tuple[float, float, float]:
    """Return length, width and height of a kind of vehicle, metres."""
    if kind == "bicycle":
        return 1.8, 0.6, 1.75
    body = BODIES[kind]
    return body.length_m, body.width_m, body.height_m
