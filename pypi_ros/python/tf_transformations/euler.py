# SPDX-License-Identifier: Apache-2.0
"""Euler angles (rad) about any of 24 sequences of axes.

A sequence is named by four letters: s for axes that stay where they are (static) or r for axes
that turn along (rotating), then the axes. "sxyz" turns about x, then y, then z of the fixed
frame, which is roll, pitch, yaw. Static axes are rotating axes in the opposite order.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from tf_transformations.quaternion import (
    quaternion_about_axis,
    quaternion_matrix,
    quaternion_multiply,
)

_EPS = 4.0 * np.finfo(np.float64).eps


def _rotating(axes: str) -> tuple[tuple[int, int, int], bool]:
    """Return the sequence as indices of rotating axes, and whether the angles swap ends."""
    letters = axes[1:]
    if (
        len(axes) != 4
        or axes[0] not in "sr"
        or any(letter not in "xyz" for letter in letters)
        or letters[1] in (letters[0], letters[2])
    ):
        raise ValueError(f'Euler axes are named like "sxyz" or "rzyx"; got "{axes}"')
    static = axes[0] == "s"
    i, j, k = ("xyz".index(letter) for letter in (letters[::-1] if static else letters))
    return (i, j, k), static


def quaternion_from_euler(ai: float, aj: float, ak: float, axes: str = "sxyz") -> np.ndarray:
    """Return the rotation by three angles about the axes of a sequence."""
    indices, static = _rotating(axes)
    angles = (ak, aj, ai) if static else (ai, aj, ak)
    first, second, third = (
        quaternion_about_axis(angle, np.identity(3)[index])
        for angle, index in zip(angles, indices, strict=True)
    )
    return quaternion_multiply(quaternion_multiply(first, second), third)


def euler_matrix(ai: float, aj: float, ak: float, axes: str = "sxyz") -> np.ndarray:
    """Return the (4, 4) rotation by three angles about the axes of a sequence."""
    return quaternion_matrix(quaternion_from_euler(ai, aj, ak, axes))


def euler_from_matrix(matrix: ArrayLike, axes: str = "sxyz") -> tuple[float, float, float]:
    """Return the angles of a (4, 4) or (3, 3) rotation.

    Where the first and the last axis fall together, one of the two angles is 0: the last of a
    static sequence, the first of a rotating one.
    """
    (i, j, k), static = _rotating(axes)
    m = np.asarray(matrix, dtype=np.float64)
    third = 3 - i - j  # the axis that is neither the first nor the second
    sign = 1.0 if (j - i) % 3 == 1 else -1.0
    if i == k:
        sine = math.hypot(m[i, j], m[i, third])
        second = sign * math.atan2(sine, m[i, i])  # of the two solutions, the one of upstream
        first = math.atan2(sign * m[j, i], -m[third, i])
        last = math.atan2(sign * m[i, j], m[i, third])
        degenerate = sine <= _EPS
    else:
        cosine = math.hypot(m[i, i], m[i, j])
        second = math.atan2(sign * m[i, k], cosine)
        first = math.atan2(-sign * m[j, k], m[k, k])
        last = math.atan2(-sign * m[i, j], m[i, i])
        degenerate = cosine <= _EPS
    if degenerate:
        first = 0.0
        last = (
            math.atan2(-sign * m[j, third], m[j, j])
            if i == k
            else math.atan2(sign * m[j, i], m[j, j])
        )
    return (last, second, first) if static else (first, second, last)


def euler_from_quaternion(quaternion: ArrayLike, axes: str = "sxyz") -> tuple[float, float, float]:
    """Return the angles of a rotation."""
    return euler_from_matrix(quaternion_matrix(quaternion), axes)
