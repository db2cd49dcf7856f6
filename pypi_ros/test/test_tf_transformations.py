# SPDX-License-Identifier: Apache-2.0
"""Contract of tf_transformations: quaternions x, y, z, w; matrices (4, 4); angles in rad."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

tf = pytest.importorskip("tf_transformations", reason="tf_transformations is not installed")

SEQUENCES = [
    frame + "".join(axes)
    for frame in "sr"
    for axes in product("xyz", repeat=3)
    if axes[0] != axes[1] != axes[2]
]
HALF = math.pi / 2
angles = st.floats(-math.pi, math.pi)
coordinates = st.floats(-100, 100)
vectors = st.tuples(coordinates, coordinates, coordinates)
directions = vectors.filter(lambda v: np.linalg.norm(v) > 0.1)
quaternions = (
    st.tuples(*[st.floats(-1, 1)] * 4)
    .filter(lambda q: np.linalg.norm(q) > 0.1)
    .map(lambda q: np.array(q) / np.linalg.norm(q))
)


def same_rotation(a, b) -> bool:
    return np.allclose(a, b, atol=1e-7) or np.allclose(a, np.negative(b), atol=1e-7)


def about(axis: str, angle: float) -> np.ndarray:
    """The right-handed turn about x, y or z, written out."""
    c, s = math.cos(angle), math.sin(angle)
    matrix = np.identity(4)
    i = "xyz".index(axis)
    j, k = (i + 1) % 3, (i + 2) % 3
    matrix[j, j], matrix[j, k], matrix[k, j], matrix[k, k] = c, -s, s, c
    return matrix


def test_known_values():
    half_root = math.sqrt(0.5)
    # yaw of 90 degrees: x points to where y was
    assert np.allclose(tf.quaternion_from_euler(0, 0, HALF), (0, 0, half_root, half_root))
    matrix = tf.quaternion_matrix((0, 0, half_root, half_root))
    assert np.allclose(matrix @ (1, 0, 0, 1), (0, 1, 0, 1))
    assert np.allclose(tf.quaternion_about_axis(HALF, (0, 0, 5)), (0, 0, half_root, half_root))
    assert np.allclose(tf.euler_from_quaternion((0, 0, half_root, half_root)), (0, 0, HALF))
    assert np.allclose(tf.quaternion_from_euler(0.3, 0, 0), (math.sin(0.15), 0, 0, math.cos(0.15)))
    assert np.allclose(tf.quaternion_multiply((1, -2, 3, 4), (-5, 6, 7, 8)), (-44, -14, 48, 28))
    assert np.allclose(tf.quaternion_matrix((0, 0, 0, 0)), np.identity(4))
    assert np.allclose(tf.quaternion_matrix((0, 0, 0, 3)), np.identity(4))


def test_sxyz_is_roll_pitch_yaw():
    wanted = about("z", 0.3) @ about("y", 0.2) @ about("x", 0.1)
    assert np.allclose(tf.euler_matrix(0.1, 0.2, 0.3), wanted)
    assert np.allclose(tf.euler_from_matrix(wanted), (0.1, 0.2, 0.3))


@pytest.mark.parametrize("axes", SEQUENCES)
def test_all_24_sequences(axes):
    """Static axes are applied one after the other; rotating ones in the opposite order."""
    turns = [about(axis, angle) for axis, angle in zip(axes[1:], (0.4, 0.9, -1.2), strict=True)]
    if axes[0] == "s":
        turns.reverse()
    wanted = turns[0] @ turns[1] @ turns[2]
    assert np.allclose(tf.euler_matrix(0.4, 0.9, -1.2, axes), wanted)
    quaternion = tf.quaternion_from_euler(0.4, 0.9, -1.2, axes)
    assert np.allclose(tf.quaternion_matrix(quaternion), wanted)
    angles = tf.euler_from_matrix(wanted, axes)
    assert np.allclose(tf.euler_from_quaternion(quaternion, axes), angles)
    if axes[1] != axes[3] or angles[1] > 0:
        assert np.allclose(angles, (0.4, 0.9, -1.2))
    else:  # the other way to the same rotation
        assert np.allclose(angles, (0.4 - math.pi, -0.9, -1.2 + math.pi))


@pytest.mark.parametrize("axes", SEQUENCES)
def test_gimbal_lock_still_gives_the_rotation(axes):
    for triple in product((-HALF, 0.0, HALF, math.pi), repeat=3):
        matrix = tf.euler_matrix(*triple, axes)
        again = tf.euler_matrix(*tf.euler_from_matrix(matrix, axes), axes)
        assert np.allclose(again, matrix, atol=1e-6)


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(SEQUENCES), angles, angles, angles)
def test_angles_go_round(axes, ai, aj, ak):
    matrix = tf.euler_matrix(ai, aj, ak, axes)
    assert np.allclose(matrix[:3, :3] @ matrix[:3, :3].T, np.identity(3))
    again = tf.euler_matrix(*tf.euler_from_matrix(matrix, axes), axes)
    assert np.allclose(again, matrix, atol=1e-6)


@settings(deadline=None, max_examples=100)
@given(quaternions)
def test_quaternion_to_matrix_and_back(q):
    back = tf.quaternion_from_matrix(tf.quaternion_matrix(q))
    assert same_rotation(back, q)
    assert back[3] >= 0


@settings(deadline=None, max_examples=100)
@given(quaternions, quaternions)
def test_products_of_quaternions_are_products_of_matrices(a, b):
    product_matrix = tf.quaternion_matrix(a) @ tf.quaternion_matrix(b)
    assert np.allclose(tf.quaternion_matrix(tf.quaternion_multiply(a, b)), product_matrix)


@settings(deadline=None)
@given(quaternions)
def test_conjugate_and_inverse(q):
    assert np.allclose(tf.quaternion_conjugate(q), (-q[0], -q[1], -q[2], q[3]))
    assert np.allclose(tf.quaternion_multiply(q, tf.quaternion_inverse(q)), (0, 0, 0, 1))


@settings(deadline=None)
@given(vectors, quaternions)
def test_matrices_are_put_together_and_undone(move, q):
    matrix = tf.concatenate_matrices(tf.translation_matrix(move), tf.quaternion_matrix(q))
    assert np.allclose(tf.translation_from_matrix(matrix), move)
    assert np.allclose(matrix @ tf.inverse_matrix(matrix), tf.identity_matrix(), atol=1e-6)
    assert np.allclose(tf.concatenate_matrices(matrix), matrix)
