# SPDX-License-Identifier: Apache-2.0
"""Rigid transforms on plain tuples: faster than NumPy for one pose at a time.

A vector is (x, y, z); a quaternion is (x, y, z, w), of unit length.
"""

import math
from typing import NamedTuple

Vector = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]

_NEARLY_PARALLEL = 1.0 - 1e-9


class Rigid(NamedTuple):
    """Maps a point p of the child frame to the parent frame: rotate(rotation, p) + translation."""

    translation: Vector
    rotation: Quaternion


IDENTITY = Rigid((0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0))


def multiply(a: Quaternion, b: Quaternion) -> Quaternion:
    """Return the rotation that applies b first, then a."""
    ax, ay, az, aw = a
    bx, by, bz, bw = b
    return (
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
        aw * bw - ax * bx - ay * by - az * bz,
    )


def conjugate(q: Quaternion) -> Quaternion:
    """Return the opposite rotation."""
    return (-q[0], -q[1], -q[2], q[3])


def rotate(q: Quaternion, v: Vector) -> Vector:
    """Rotate a vector: v + 2 w (u x v) + 2 u x (u x v), with q = (u, w)."""
    x, y, z, w = q
    vx, vy, vz = v
    cx, cy, cz = 2 * (y * vz - z * vy), 2 * (z * vx - x * vz), 2 * (x * vy - y * vx)
    return (
        vx + w * cx + y * cz - z * cy,
        vy + w * cy + z * cx - x * cz,
        vz + w * cz + x * cy - y * cx,
    )


def normalized(q: Quaternion) -> Quaternion:
    """Scale a quaternion to unit length."""
    n = math.sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3])
    return (q[0] / n, q[1] / n, q[2] / n, q[3] / n)


def apply(transform: Rigid, point: Vector) -> Vector:
    """Move a point from the child frame to the parent frame."""
    x, y, z = rotate(transform.rotation, point)
    tx, ty, tz = transform.translation
    return (x + tx, y + ty, z + tz)


def compose(outer: Rigid, inner: Rigid) -> Rigid:
    """Chain two transforms: the result applies `inner` first, then `outer`."""
    return Rigid(apply(outer, inner.translation), multiply(outer.rotation, inner.rotation))


def inverse(transform: Rigid) -> Rigid:
    """Return the transform from the parent frame to the child frame."""
    back = conjugate(transform.rotation)
    x, y, z = rotate(back, transform.translation)
    return Rigid((-x, -y, -z), back)


def slerp(a: Quaternion, b: Quaternion, fraction: float) -> Quaternion:
    """Turn from a to b at constant speed along the shorter arc (Shoemake 1985).

    Args:
        a: rotation at fraction 0.
        b: rotation at fraction 1.
        fraction: between 0 and 1.
    """
    dot = a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3]
    sign = -1.0 if dot < 0.0 else 1.0
    dot = abs(dot)
    if dot > _NEARLY_PARALLEL:
        s, t = 1.0 - fraction, fraction
    else:
        angle = math.acos(dot)
        s = math.sin((1.0 - fraction) * angle) / math.sin(angle)
        t = math.sin(fraction * angle) / math.sin(angle)
    t *= sign
    return normalized(
        (s * a[0] + t * b[0], s * a[1] + t * b[1], s * a[2] + t * b[2], s * a[3] + t * b[3])
    )


def interpolate(a: Rigid, b: Rigid, fraction: float) -> Rigid:
    """Blend two transforms: the translation along a line, the rotation along an arc."""
    (ax, ay, az), (bx, by, bz) = a.translation, b.translation
    translation = (
        ax + fraction * (bx - ax),
        ay + fraction * (by - ay),
        az + fraction * (bz - az),
    )
    return Rigid(translation, slerp(a.rotation, b.rotation, fraction))
