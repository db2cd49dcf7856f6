# SPDX-License-Identifier: Apache-2.0
"""RigidTransform and PoseTrack."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation, Slerp

from xd_rcdepth_ros.errors import GeometryError, TransformUnavailableError
from xd_rcdepth_ros.geometry import PoseTrack, RigidTransform

QUARTER_TURN = RigidTransform.from_quaternion([0, 0, np.sqrt(0.5), np.sqrt(0.5)], [1, 2, 3])

quaternions = st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: np.linalg.norm(q) > 0.1)
translations = st.tuples(*[st.floats(-50, 50)] * 3)
transforms = st.builds(RigidTransform.from_quaternion, quaternions, translations)


def test_quarter_turn_about_z():
    # x goes to y, then the translation is added
    np.testing.assert_allclose(QUARTER_TURN.apply(np.array([[1.0, 0, 0]])), [[1, 3, 3]], atol=1e-12)


@given(transforms, transforms)
def test_product_applies_right_one_first(a, b):
    points = np.array([[1.0, 2, 3], [-4, 5, 6]])
    np.testing.assert_allclose((a @ b).apply(points), a.apply(b.apply(points)), atol=1e-9)


@given(transforms)
def test_inverse_and_matrix(a):
    np.testing.assert_allclose((a @ a.inverse()).matrix, np.eye(4), atol=1e-9)
    np.testing.assert_allclose(RigidTransform.from_matrix(a.matrix).matrix, a.matrix)


@given(transforms)
def test_quaternion_round_trip_agrees_with_scipy(a):
    # A copy: SciPy 1.11 refuses arrays that cannot be written.
    expected = Rotation.from_matrix(a.rotation.copy()).as_quat()
    np.testing.assert_allclose(np.abs(a.quaternion_xyzw @ expected), 1.0, atol=1e-9)


@given(transforms, transforms, st.floats(0, 1))
def test_interpolation_agrees_with_scipys_slerp(a, b, share):
    between = a.interpolate(b, share)
    rotations = Rotation.from_matrix(np.stack([a.rotation, b.rotation]))
    angle = (rotations[0].inv() * rotations[1]).magnitude()
    if angle < 3.1:  # half turns have two shortest ways
        expected = Slerp([0, 1], rotations)(share).as_matrix()
        np.testing.assert_allclose(between.rotation, expected, atol=1e-6)
    expected_m = (1 - share) * a.translation_m + share * b.translation_m
    np.testing.assert_allclose(between.translation_m, expected_m, atol=1e-9)


@pytest.mark.parametrize(
    "rotation", [np.eye(3) * 1.1, np.diag([1.0, 1, -1]), np.full((3, 3), np.nan), np.eye(2)]
)
def test_refuses_what_is_not_rigid(rotation):
    with pytest.raises(GeometryError):
        RigidTransform(rotation, np.zeros(3))


def test_refuses_a_quaternion_without_direction():
    with pytest.raises(GeometryError, match="no direction"):
        RigidTransform.from_quaternion([0, 0, 0, 0], [0, 0, 0])


class TestPoseTrack:
    @staticmethod
    def driving():
        """10 m/s along x, given out of order."""
        stamps = [2_000, 0, 1_000]
        return PoseTrack(stamps, [RigidTransform(np.eye(3), [s / 100, 0, 0]) for s in stamps])

    def test_interpolates_between_neighbours(self):
        np.testing.assert_allclose(self.driving().at(1_500).translation_m, [15, 0, 0])
        np.testing.assert_allclose(self.driving().at(0).translation_m, [0, 0, 0])
        np.testing.assert_allclose(self.driving().at(2_000).translation_m, [20, 0, 0])

    def test_extrapolates_only_as_far_as_allowed(self):
        np.testing.assert_allclose(self.driving().at(2_100, 100).translation_m, [21, 0, 0])
        with pytest.raises(TransformUnavailableError, match="0 to 2000"):
            self.driving().at(2_101, 100)

    def test_empty_track_says_so(self):
        with pytest.raises(TransformUnavailableError, match="empty"):
            PoseTrack([], []).at(0)
