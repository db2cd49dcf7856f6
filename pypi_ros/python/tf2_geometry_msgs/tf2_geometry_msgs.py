# SPDX-License-Identifier: Apache-2.0
"""The geometry messages seen from another frame. Nothing that is handed in is changed."""

from collections.abc import Sequence
from copy import deepcopy

import numpy as np
from geometry_msgs.msg import (
    PointStamped,
    Pose,
    PoseStamped,
    PoseWithCovarianceStamped,
    TransformStamped,
    Vector3Stamped,
)
from tf2_py.rigid import Rigid, apply, compose, normalized, rotate
from tf2_ros import TransformRegistration


def _rigid(transform: TransformStamped) -> Rigid:
    t, r = transform.transform.translation, transform.transform.rotation
    return Rigid((t.x, t.y, t.z), normalized((r.x, r.y, r.z, r.w)))


def do_transform_point(point: PointStamped, transform: TransformStamped) -> PointStamped:
    """Return the point in the target frame: rotated and moved."""
    p = point.point
    result = PointStamped(header=deepcopy(transform.header))
    result.point.x, result.point.y, result.point.z = apply(_rigid(transform), (p.x, p.y, p.z))
    return result


def do_transform_vector3(vector3: Vector3Stamped, transform: TransformStamped) -> Vector3Stamped:
    """Return the free vector in the target frame: rotated, not moved."""
    v = vector3.vector
    result = Vector3Stamped(header=deepcopy(transform.header))
    x, y, z = rotate(_rigid(transform).rotation, (v.x, v.y, v.z))
    result.vector.x, result.vector.y, result.vector.z = x, y, z
    return result


def do_transform_pose(pose: Pose, transform: TransformStamped) -> Pose:
    """Return the pose in the target frame."""
    p, o = pose.position, pose.orientation
    moved = compose(_rigid(transform), Rigid((p.x, p.y, p.z), (o.x, o.y, o.z, o.w)))
    result = Pose()
    result.position.x, result.position.y, result.position.z = moved.translation
    turned = result.orientation
    turned.x, turned.y, turned.z, turned.w = moved.rotation
    return result


def do_transform_pose_stamped(pose: PoseStamped, transform: TransformStamped) -> PoseStamped:
    """Return the stamped pose in the target frame."""
    return PoseStamped(
        header=deepcopy(transform.header), pose=do_transform_pose(pose.pose, transform)
    )


def transform_covariance(cov_in: Sequence[float], transform: TransformStamped) -> np.ndarray:
    """Turn a covariance of (x, y, z, rotation about x, y, z): R C R^T for each 3x3 block.

    Args:
        cov_in: 36 values, row by row.
        transform: only its rotation is used.

    Returns:
        (36,) float64.
    """
    turn = _rigid(transform).rotation
    axes = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    rotation = np.array([rotate(turn, axis) for axis in axes]).T
    both = np.kron(np.eye(2), rotation)
    return (both @ np.asarray(cov_in, dtype=np.float64).reshape(6, 6) @ both.T).ravel()


def do_transform_pose_with_covariance_stamped(
    pose: PoseWithCovarianceStamped, transform: TransformStamped
) -> PoseWithCovarianceStamped:
    """Return the pose and its covariance in the target frame."""
    result = PoseWithCovarianceStamped(header=deepcopy(transform.header))
    result.pose.pose = do_transform_pose(pose.pose.pose, transform)
    result.pose.covariance = transform_covariance(pose.pose.covariance, transform)
    return result


TransformRegistration().add(PointStamped, do_transform_point)
TransformRegistration().add(Vector3Stamped, do_transform_vector3)
TransformRegistration().add(PoseStamped, do_transform_pose_stamped)
TransformRegistration().add(PoseWithCovarianceStamped, do_transform_pose_with_covariance_stamped)
