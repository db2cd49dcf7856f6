# SPDX-License-Identifier: Apache-2.0
"""Rotations and rigid transforms under upstream's names, computed by transforms3d.

Quaternions are in the order x, y, z, w (transforms3d has w first); matrices are homogeneous (4, 4);
angles are in rad. Euler sequences are named by four letters: s for axes that stay where they are
(static) or r for axes that turn along (rotating), then the axes; "sxyz" is roll, pitch, yaw.
"""

from functools import reduce

import numpy as np
from numpy.typing import ArrayLike, NDArray
from transforms3d import euler, quaternions

FloatArray = NDArray[np.float64]

__all__ = [
    "concatenate_matrices",
    "euler_from_matrix",
    "euler_from_quaternion",
    "euler_matrix",
    "identity_matrix",
    "inverse_matrix",
    "quaternion_about_axis",
    "quaternion_conjugate",
    "quaternion_from_euler",
    "quaternion_from_matrix",
    "quaternion_inverse",
    "quaternion_matrix",
    "quaternion_multiply",
    "translation_from_matrix",
    "translation_matrix",
]


def _w_first(quaternion: ArrayLike) -> FloatArray:
    return np.roll(np.asarray(quaternion, dtype=np.float64), 1)


def _w_last(quaternion: ArrayLike) -> FloatArray:
    return np.roll(np.asarray(quaternion, dtype=np.float64), -1)


def _homogeneous(rotation: ArrayLike) -> FloatArray:
    matrix = np.identity(4)
    matrix[:3, :3] = rotation
    return matrix


def quaternion_matrix(quaternion: ArrayLike) -> FloatArray:
    """Return the (4, 4) matrix of a rotation; the quaternion may have any length but 0."""
    return _homogeneous(quaternions.quat2mat(_w_first(quaternion)))


def quaternion_from_matrix(matrix: ArrayLike) -> FloatArray:
    """Return the quaternion of a (4, 4) matrix's rotation; its w is not negative."""
    return _w_last(quaternions.mat2quat(np.asarray(matrix, dtype=np.float64)[:3, :3]))


def quaternion_about_axis(angle: float, axis: ArrayLike) -> FloatArray:
    """Return the turn by an angle about an axis of any length."""
    return _w_last(quaternions.axangle2quat(np.asarray(axis, dtype=np.float64), angle))


def quaternion_multiply(quaternion1: ArrayLike, quaternion0: ArrayLike) -> FloatArray:
    """Return the rotation that applies quaternion0 first, then quaternion1."""
    return _w_last(quaternions.qmult(_w_first(quaternion1), _w_first(quaternion0)))


def quaternion_conjugate(quaternion: ArrayLike) -> FloatArray:
    """Return (-x, -y, -z, w)."""
    return _w_last(quaternions.qconjugate(_w_first(quaternion)))


def quaternion_inverse(quaternion: ArrayLike) -> FloatArray:
    """Return the opposite rotation; the quaternion has to be of unit length."""
    return _w_last(quaternions.qinverse(_w_first(quaternion)))


def quaternion_from_euler(ai: float, aj: float, ak: float, axes: str = "sxyz") -> FloatArray:
    """Return the rotation by three angles about the axes of a sequence."""
    return _w_last(euler.euler2quat(ai, aj, ak, axes))


def euler_from_quaternion(quaternion: ArrayLike, axes: str = "sxyz") -> tuple[float, float, float]:
    """Return the angles of a rotation."""
    return euler.quat2euler(_w_first(quaternion), axes)


def euler_matrix(ai: float, aj: float, ak: float, axes: str = "sxyz") -> FloatArray:
    """Return the (4, 4) matrix of the rotation by three angles about the axes of a sequence."""
    return _homogeneous(euler.euler2mat(ai, aj, ak, axes))


def euler_from_matrix(matrix: ArrayLike, axes: str = "sxyz") -> tuple[float, float, float]:
    """Return the angles of the rotation in a (4, 4) or (3, 3) matrix."""
    return euler.mat2euler(np.asarray(matrix, dtype=np.float64)[:3, :3], axes)


def identity_matrix() -> FloatArray:
    """Return the matrix that changes nothing."""
    return np.identity(4)


def translation_matrix(direction: ArrayLike) -> FloatArray:
    """Return the matrix that moves by a vector (3,)."""
    matrix = np.identity(4)
    matrix[:3, 3] = np.asarray(direction)[:3]
    return matrix


def translation_from_matrix(matrix: ArrayLike) -> FloatArray:
    """Return the vector (3,) by which a matrix moves."""
    return np.array(matrix, dtype=np.float64)[:3, 3]


def inverse_matrix(matrix: ArrayLike) -> FloatArray:
    """Return the matrix that undoes another."""
    return np.linalg.inv(np.asarray(matrix, dtype=np.float64))


def concatenate_matrices(*matrices: ArrayLike) -> FloatArray:
    """Return the product of matrices; the last one is applied first."""
    return reduce(np.matmul, (np.asarray(matrix) for matrix in matrices), np.identity(4))
