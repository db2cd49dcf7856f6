# SPDX-License-Identifier: Apache-2.0
"""Rotations as quaternions x, y, z, w."""

import math

import numpy as np
from numpy.typing import ArrayLike

from tf_transformations.vector import unit_vector

_EPS = 4.0 * np.finfo(np.float64).eps


def quaternion_about_axis(angle: float, axis: ArrayLike) -> np.ndarray:
    """Return the turn by an angle (rad) about an axis of any length."""
    return np.append(math.sin(angle / 2.0) * unit_vector(axis), math.cos(angle / 2.0))


def quaternion_multiply(quaternion1: ArrayLike, quaternion0: ArrayLike) -> np.ndarray:
    """Return the rotation that applies quaternion0 first, then quaternion1."""
    a, b = np.asarray(quaternion1, dtype=np.float64), np.asarray(quaternion0, dtype=np.float64)
    vector = a[3] * b[:3] + b[3] * a[:3] + np.cross(a[:3], b[:3])
    return np.append(vector, a[3] * b[3] - a[:3] @ b[:3])


def quaternion_conjugate(quaternion: ArrayLike) -> np.ndarray:
    """Return (-x, -y, -z, w)."""
    return np.asarray(quaternion, dtype=np.float64) * (-1.0, -1.0, -1.0, 1.0)


def quaternion_inverse(quaternion: ArrayLike) -> np.ndarray:
    """Return the quaternion whose product with the given one is (0, 0, 0, 1)."""
    q = np.asarray(quaternion, dtype=np.float64)
    return quaternion_conjugate(q) / (q @ q)


def quaternion_matrix(quaternion: ArrayLike) -> np.ndarray:
    """Return the (4, 4) rotation of a quaternion of any length; of length 0, the identity."""
    q = np.asarray(quaternion, dtype=np.float64)
    matrix = np.identity(4)
    if q @ q < _EPS:
        return matrix
    x, y, z, w = q / math.sqrt(q @ q)
    matrix[:3, :3] = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
        (2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
        (2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)),
    )
    return matrix


def quaternion_from_matrix(matrix: ArrayLike) -> np.ndarray:
    """Return the rotation of a (4, 4) or (3, 3) matrix; w is not negative.

    The matrix tells all products of two components; the row of the greatest square is the
    quaternion but for its length (Shepperd 1978).
    """
    m = np.asarray(matrix, dtype=np.float64)
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = m[:3, :3]
    products = np.array(
        (
            (1 + xx - yy - zz, yx + xy, zx + xz, zy - yz),
            (yx + xy, 1 - xx + yy - zz, zy + yz, xz - zx),
            (zx + xz, zy + yz, 1 - xx - yy + zz, yx - xy),
            (zy - yz, xz - zx, yx - xy, 1 + xx + yy + zz),
        )
    )
    q = unit_vector(products[np.argmax(np.diag(products))])
    return -q if q[3] < 0.0 else q


def quaternion_slerp(
    quat0: ArrayLike,
    quat1: ArrayLike,
    fraction: float,
    spin: int = 0,
    shortestpath: bool = True,
) -> np.ndarray:
    """Turn from quat0 (fraction 0) to quat1 (fraction 1) at constant speed (Shoemake 1985).

    Args:
        quat0: (4,), of any length.
        quat1: (4,), of any length.
        fraction: how far to go.
        spin: additional half turns on the way.
        shortestpath: take the shorter of the two arcs.
    """
    a, b = unit_vector(quat0), unit_vector(quat1)
    if fraction == 0.0:
        return a
    if fraction == 1.0:
        return b
    dot = float(a @ b)
    if abs(abs(dot) - 1.0) < _EPS:
        return a
    if shortestpath and dot < 0.0:
        a_to_b, dot = -b, -dot
    else:
        a_to_b = b
    angle = math.acos(dot) + spin * math.pi
    if abs(angle) < _EPS:
        return a
    weights = math.sin((1.0 - fraction) * angle), math.sin(fraction * angle)
    return (weights[0] * a + weights[1] * a_to_b) / math.sin(angle)


def random_quaternion(rand: ArrayLike | None = None) -> np.ndarray:
    """Return a rotation drawn evenly from all rotations (Shoemake 1992).

    Args:
        rand: three numbers from [0, 1) to make it from; drawn if None.
    """
    drawn = np.random.default_rng().random(3) if rand is None else np.asarray(rand)
    share, first, second = (float(value) for value in drawn)
    a, b = math.sqrt(1.0 - share), math.sqrt(share)
    first, second = 2.0 * math.pi * first, 2.0 * math.pi * second
    return np.array(
        (a * math.sin(first), a * math.cos(first), b * math.sin(second), b * math.cos(second))
    )


def random_rotation_matrix(rand: ArrayLike | None = None) -> np.ndarray:
    """Return a (4, 4) rotation drawn evenly from all rotations."""
    return quaternion_matrix(random_quaternion(rand))
