# SPDX-License-Identifier: Apache-2.0
"""Transforms between two frames at two times."""

import numpy as np
import pytest

from xd_rcdepth_ros.errors import TransformUnavailableError
from xd_rcdepth_ros.geometry import RigidTransform
from xd_rcdepth_ros.recordings.transforms import TransformTree

S = 1_000_000_000


def shift(x, y=0.0, z=0.0):
    return RigidTransform(np.eye(3), np.array([x, y, z]))


def tree():
    result = TransformTree()
    result.add_static("map", "odom", shift(1000, 2000))
    result.add_static("base_link", "camera", shift(2))
    result.add_static("/base_link", "/radar", shift(3))
    for second in range(3):
        result.add("odom", "base_link", second * S, shift(10 * second))
    return result


def test_motion_between_the_stamps_counts():
    # The car drives 10 m/s: a point 5 m ahead of the radar at 1 s is, seen from the camera at
    # 1.5 s, 5 + 3 - 2 metres ahead less the 5 m driven.
    transform, moved = tree().lookup("camera", 3 * S // 2, "radar", S)
    assert moved
    np.testing.assert_allclose(transform.apply(np.array([[5.0, 0, 0]])), [[1, 0, 0]], atol=1e-12)


def test_without_motion_only_the_mounting_counts():
    transform, moved = tree().lookup("camera", 3 * S // 2, "radar", S, ego_motion=False)
    assert not moved
    np.testing.assert_allclose(transform.translation_m, [1, 0, 0])


def test_times_without_odometry_fall_back_to_the_mounting():
    transform, moved = tree().lookup("camera", 9 * S, "radar", S)
    assert not moved
    np.testing.assert_allclose(transform.translation_m, [1, 0, 0])


def test_a_little_extrapolation_is_allowed():
    transform, moved = tree().lookup("camera", 2 * S + S // 20, "radar", 2 * S)
    assert moved
    np.testing.assert_allclose(transform.translation_m, [0.5, 0, 0], atol=1e-9)


def test_static_sensors_without_any_odometry():
    lone = TransformTree()
    lone.add_static("base_link", "camera", shift(2))
    lone.add_static("camera", "radar", shift(1))
    transform, moved = lone.lookup("camera", 0, "radar", 5)
    assert not moved
    np.testing.assert_allclose(transform.translation_m, [1, 0, 0])


def test_unconnected_frames_are_named():
    with pytest.raises(TransformUnavailableError, match=r"'camera' and 'lidar'.*base_link.*radar"):
        tree().lookup("camera", 0, "lidar", 0)


def test_a_loop_is_named():
    loop = TransformTree()
    loop.add_static("a", "b", shift(1))
    loop.add_static("b", "a", shift(1))
    with pytest.raises(TransformUnavailableError, match="loop"):
        loop.lookup("a", 0, "b", 0)


def test_velocity_is_in_the_frames_own_axes():
    turned = RigidTransform(np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]]), np.zeros(3))
    drive = tree()
    drive.add_static("base_link", "sideways", turned)  # its y points forward
    np.testing.assert_allclose(drive.velocity("camera", S), [10, 0, 0], atol=1e-9)
    np.testing.assert_allclose(drive.velocity("sideways", S), [0, 10, 0], atol=1e-9)
    np.testing.assert_allclose(drive.velocity("camera", 0), [10, 0, 0], atol=1e-9)  # at the start
    assert drive.velocity("camera", 60 * S) is None
