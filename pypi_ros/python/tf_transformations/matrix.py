# SPDX-License-Identifier: Apache-2.0
"""Homogeneous (4, 4) matrices."""

from functools import reduce

import numpy as np
from numpy.typing import ArrayLike

from tf_transformations.euler import euler_from_matrix, euler_matrix
from tf_transformations.quaternion import quaternion_about_axis, quaternion_matrix
from tf_transformations.vector import unit_vector

Decomposed = tuple[np.ndarray, np.ndarray, tuple[float, float, float], np.ndarray, None]


def identity_matrix() -> np.ndarray:
    """Return the matrix that changes nothing."""
    return np.identity(4)


def translation_matrix(direction: ArrayLike) -> np.ndarray:
    """Return the matrix that moves by a vector."""
    matrix = np.identity(4)
    matrix[:3, 3] = np.asarray(direction)[:3]
    return matrix


def translation_from_matrix(matrix: ArrayLike) -> np.ndarray:
    """Return the vector (3,) by which a matrix moves."""
    return np.array(matrix, dtype=np.float64)[:3, 3]


def rotation_matrix(
    angle: float, direction: ArrayLike, point: ArrayLike | None = None
) -> np.ndarray:
    """Return the turn by an angle (rad) about an axis through a point, the origin if None."""
    matrix = quaternion_matrix(quaternion_about_axis(angle, np.asarray(direction)[:3]))
    return matrix if point is None else _about(matrix, point)


def scale_matrix(
    factor: float, origin: ArrayLike | None = None, direction: ArrayLike | None = None
) -> np.ndarray:
    """Return the matrix that scales away from an origin, along one direction or all."""
    matrix = np.identity(4)
    if direction is None:
        matrix[:3, :3] *= factor
    else:
        axis = unit_vector(np.asarray(direction)[:3])
        matrix[:3, :3] += (factor - 1.0) * np.outer(axis, axis)
    return matrix if origin is None else _about(matrix, origin)


def _about(matrix: np.ndarray, point: ArrayLike) -> np.ndarray:
    """Make a linear map leave a point where it is."""
    fixed = np.asarray(point, dtype=np.float64)[:3]
    matrix[:3, 3] = fixed - matrix[:3, :3] @ fixed
    return matrix


def inverse_matrix(matrix: ArrayLike) -> np.ndarray:
    """Return the matrix that undoes another."""
    return np.linalg.inv(np.asarray(matrix, dtype=np.float64))


def concatenate_matrices(*matrices: ArrayLike) -> np.ndarray:
    """Return the product of matrices; the last one is applied first."""
    return reduce(np.matmul, (np.asarray(matrix) for matrix in matrices), np.identity(4))


def is_same_transform(matrix0: ArrayLike, matrix1: ArrayLike) -> bool:
    """Tell whether two matrices do the same, but for rounding."""
    a, b = np.asarray(matrix0, dtype=np.float64), np.asarray(matrix1, dtype=np.float64)
    return bool(np.allclose(a / a[3, 3], b / b[3, 3]))


def compose_matrix(
    scale: ArrayLike | None = None,
    shear: ArrayLike | None = None,
    angles: tuple[float, float, float] | None = None,
    translate: ArrayLike | None = None,
) -> np.ndarray:
    """Return the matrix that shears, then scales, then turns, then moves.

    Args:
        scale: (3,) factors along x, y, z.
        shear: (3,) of x by y, of x by z, of y by z.
        angles: roll, pitch, yaw in rad ("sxyz").
        translate: (3,).
    """
    linear = np.identity(3)
    if shear is not None:
        linear[0, 1], linear[0, 2], linear[1, 2] = np.asarray(shear)
    if scale is not None:
        linear = np.asarray(scale)[:, np.newaxis] * linear
    matrix = np.identity(4) if angles is None else euler_matrix(*angles)
    matrix[:3, :3] = matrix[:3, :3] @ linear
    if translate is not None:
        matrix[:3, 3] = np.asarray(translate)[:3]
    return matrix


def decompose_matrix(matrix: ArrayLike) -> Decomposed:
    """Return what `compose_matrix` would make the matrix from.

    Returns:
        scale (3,), shear (3,), angles, translation (3,), and None for the perspective, which
        is not looked at. A mirroring matrix has a negative scale along x.
    """
    m = np.array(matrix, dtype=np.float64)
    rotation, upper = np.linalg.qr(m[:3, :3])
    signs = np.where(np.diag(upper) < 0.0, -1.0, 1.0)
    rotation, upper = rotation * signs, signs[:, np.newaxis] * upper
    scale = np.diag(upper).copy()
    shear = np.array((upper[0, 1] / scale[0], upper[0, 2] / scale[0], upper[1, 2] / scale[1]))
    if np.linalg.det(rotation) < 0.0:
        scale[0] = -scale[0]
        rotation[:, 0] = -rotation[:, 0]
    return scale, shear, euler_from_matrix(rotation), m[:3, 3].copy(), None
