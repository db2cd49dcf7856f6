# SPDX-License-Identifier: Apache-2.0
"""Contract of tf2_geometry_msgs: the geometry messages in another frame."""

import math
from copy import deepcopy

import numpy as np
import pytest

tf2_ros = pytest.importorskip("tf2_ros", reason="tf2_ros is not installed")
tf2_geometry_msgs = pytest.importorskip(
    "tf2_geometry_msgs", reason="tf2_geometry_msgs is not installed"
)

from geometry_msgs.msg import (  # noqa: E402
    PointStamped,
    PoseStamped,
    PoseWithCovarianceStamped,
    TransformStamped,
    TwistStamped,
    Vector3Stamped,
)
from rclpy.time import Time  # noqa: E402


@pytest.fixture
def to_map() -> TransformStamped:
    """base stands at (10, 0, 0) in map and looks left, along +y."""
    message = TransformStamped()
    message.header.frame_id, message.child_frame_id = "map", "base"
    message.header.stamp.sec = 3
    message.transform.translation.x = 10.0
    message.transform.rotation.z = message.transform.rotation.w = math.sqrt(0.5)
    return message


def numbers(message) -> list[float]:
    return [getattr(message, axis) for axis in "xyzw" if hasattr(message, axis)]


def test_point_is_turned_and_moved(to_map):
    point = PointStamped()
    point.point.x, point.point.z = 2.0, 1.0
    moved = tf2_geometry_msgs.do_transform_point(point, to_map)
    assert np.allclose(numbers(moved.point), (10, 2, 1))
    assert moved.header == to_map.header


def test_vector_is_turned_only(to_map):
    vector = Vector3Stamped()
    vector.vector.x, vector.vector.z = 2.0, 1.0
    moved = tf2_geometry_msgs.do_transform_vector3(vector, to_map)
    assert np.allclose(numbers(moved.vector), (0, 2, 1))
    assert moved.header == to_map.header


def test_nothing_handed_in_is_changed(to_map, only_here):
    only_here(tf2_geometry_msgs)
    before = deepcopy(to_map)
    tf2_geometry_msgs.do_transform_vector3(Vector3Stamped(), to_map)
    assert to_map == before


def test_pose_is_turned_and_moved(to_map):
    pose = PoseStamped()
    pose.pose.position.x = 2.0
    pose.pose.orientation.z = pose.pose.orientation.w = math.sqrt(0.5)
    moved = tf2_geometry_msgs.do_transform_pose_stamped(pose, to_map)
    assert np.allclose(numbers(moved.pose.position), (10, 2, 0))
    assert np.allclose(numbers(moved.pose.orientation), (0, 0, 1, 0))
    assert moved.header == to_map.header
    assert tf2_geometry_msgs.do_transform_pose(pose.pose, to_map) == moved.pose


def test_covariance_turns_along(to_map):
    pose = PoseWithCovarianceStamped()
    covariance = np.zeros((6, 6))
    covariance[0, 0], covariance[1, 1], covariance[5, 5], covariance[0, 5] = 4.0, 1.0, 0.2, 0.5
    pose.pose.covariance = covariance.ravel()
    moved = tf2_geometry_msgs.do_transform_pose_with_covariance_stamped(pose, to_map)
    turned = np.array(moved.pose.covariance).reshape(6, 6)
    wanted = np.zeros((6, 6))
    wanted[0, 0], wanted[1, 1], wanted[5, 5], wanted[1, 5] = 1.0, 4.0, 0.2, 0.5
    assert np.allclose(turned, wanted)


def test_buffer_transforms_registered_types(to_map):
    buffer = tf2_ros.Buffer()
    buffer.set_transform_static(to_map, "test")
    point = PointStamped()
    point.header.frame_id = "base"
    point.header.stamp.sec = 5
    point.point.x = 1.0
    moved = buffer.transform(point, "map")
    assert np.allclose(numbers(moved.point), (10, 1, 0))
    assert moved.header.frame_id == "map"
    assert moved.header.stamp.sec == 5
    later = buffer.transform_full(point, "map", Time(seconds=6), "map")
    assert np.allclose(numbers(later.point), (10, 1, 0))
    assert later.header.stamp.sec == 6
    with pytest.raises(tf2_ros.TypeException, match="TwistStamped"):
        buffer.transform(TwistStamped(), "map")
    point.header.frame_id = "nowhere"
    with pytest.raises(tf2_ros.LookupException, match="nowhere"):
        buffer.transform(point, "map")
