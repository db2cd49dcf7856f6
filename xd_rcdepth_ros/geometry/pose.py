# SPDX-License-Identifier: Apache-2.0
"""Rigid transforms between frames, and their interpolation in time.

A transform named ``target_from_source`` takes points of the source frame to the target frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xd_rcdepth_ros.errors import GeometryError, TransformUnavailableError

FloatArray = NDArray[np.float64]
# Camera axes (x right, y down, z forward) of a body's (x forward, y left, z up), REP-103.
OPTICAL_FROM_BODY = np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]])


@dataclass(frozen=True, eq=False)
class RigidTransform:
    """A rotation followed by a translation.

    Attributes:
        rotation: (3, 3) float64, orthonormal, determinant +1.
        translation_m: (3,) float64, metres.
    """

    rotation: FloatArray
    translation_m: FloatArray

    def __post_init__(self) -> None:
        rotation = np.array(self.rotation, dtype=np.float64)
        translation = np.array(self.translation_m, dtype=np.float64)
        if rotation.shape != (3, 3) or translation.shape != (3,):
            raise GeometryError(
                f"rigid transform needs rotation (3, 3) and translation (3,); got "
                f"{rotation.shape} and {translation.shape}."
            )
        error = np.abs(rotation @ rotation.T - np.eye(3)).max()
        # Calibration files carry 6 to 8 digits, so allow their rounding, and nothing like a scale.
        if not error < 1e-3 or np.linalg.det(rotation) < 0 or not np.isfinite(translation).all():
            raise GeometryError(
                f"not a rigid transform: rotation {rotation.tolist()} deviates from orthonormal by "
                f"{error:.2g}, translation {translation.tolist()}."
            )
        rotation.flags.writeable = False
        translation.flags.writeable = False
        object.__setattr__(self, "rotation", rotation)
        object.__setattr__(self, "translation_m", translation)

    @classmethod
    def identity(cls) -> RigidTransform:
        """Return the transform that changes nothing."""
        return cls(np.eye(3), np.zeros(3))

    @classmethod
    def from_matrix(cls, matrix: ArrayLike) -> RigidTransform:
        """Make a transform from a (4, 4) homogeneous matrix."""
        m = np.asarray(matrix, dtype=np.float64)
        if m.shape != (4, 4):
            raise GeometryError(f"homogeneous matrix has shape {m.shape}; expected (4, 4).")
        return cls(m[:3, :3], m[:3, 3])

    @classmethod
    def from_quaternion(
        cls, quaternion_xyzw: ArrayLike, translation_m: ArrayLike
    ) -> RigidTransform:
        """Make a transform from a quaternion in ROS order (x, y, z, w) and a translation."""
        q = np.asarray(quaternion_xyzw, dtype=np.float64)
        norm = np.linalg.norm(q)
        if q.shape != (4,) or not np.isfinite(norm) or norm < 1e-6:
            raise GeometryError(f"quaternion (x, y, z, w) = {q.tolist()} has no direction.")
        x, y, z, w = q / norm
        rotation = np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
            ]
        )
        return cls(rotation, np.asarray(translation_m, dtype=np.float64))

    @property
    def matrix(self) -> FloatArray:
        """(4, 4) float64 homogeneous matrix."""
        m = np.eye(4)
        m[:3, :3] = self.rotation
        m[:3, 3] = self.translation_m
        return m

    @property
    def quaternion_xyzw(self) -> FloatArray:
        """(4,) float64 unit quaternion in ROS order (x, y, z, w), w >= 0."""
        r = self.rotation
        # The largest of the four squared components is never near zero, so dividing by it is safe.
        squares = np.array(
            [
                1 + r[0, 0] - r[1, 1] - r[2, 2],
                1 - r[0, 0] + r[1, 1] - r[2, 2],
                1 - r[0, 0] - r[1, 1] + r[2, 2],
                1 + r[0, 0] + r[1, 1] + r[2, 2],
            ]
        )
        products = np.array(
            [
                [squares[0], r[0, 1] + r[1, 0], r[0, 2] + r[2, 0], r[2, 1] - r[1, 2]],
                [r[0, 1] + r[1, 0], squares[1], r[1, 2] + r[2, 1], r[0, 2] - r[2, 0]],
                [r[0, 2] + r[2, 0], r[1, 2] + r[2, 1], squares[2], r[1, 0] - r[0, 1]],
                [r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1], squares[3]],
            ]
        )
        q: FloatArray = products[int(squares.argmax())]
        q = q / np.linalg.norm(q)
        return q if q[3] >= 0 else -q

    def inverse(self) -> RigidTransform:
        """Return the transform the other way round."""
        inverse_rotation = self.rotation.T
        return RigidTransform(inverse_rotation, -inverse_rotation @ self.translation_m)

    def __matmul__(self, other: RigidTransform) -> RigidTransform:
        """Return the transform that applies ``other`` first, then this one."""
        return RigidTransform(
            self.rotation @ other.rotation,
            self.rotation @ other.translation_m + self.translation_m,
        )

    def apply(self, points_m: NDArray[np.floating]) -> FloatArray:
        """Return points (N, 3), metres, moved from the source frame to the target frame."""
        # Rows of coordinates: a product with long rows is several times as fast as one with short.
        rows = np.asarray(points_m, dtype=np.float64).T
        return (self.rotation @ rows + self.translation_m[:, None]).T

    def interpolate(self, other: RigidTransform, share: float) -> RigidTransform:
        """Return the transform at ``share`` of the way to another: lerp and slerp.

        Args:
            other: Transform at share 1.
            share: 0 gives this transform, 1 the other; values outside extrapolate.
        """
        a, b = self.quaternion_xyzw, other.quaternion_xyzw
        cosine = float(a @ b)
        if cosine < 0:  # take the short way round
            b, cosine = -b, -cosine
        angle = np.arccos(min(cosine, 1.0))
        if angle < 1e-8:
            q = (1 - share) * a + share * b
        else:
            q = (np.sin((1 - share) * angle) * a + np.sin(share * angle) * b) / np.sin(angle)
        t = (1 - share) * self.translation_m + share * other.translation_m
        return RigidTransform.from_quaternion(q, t)


class PoseTrack:
    """Poses of one moving frame, ordered by time.

    Args:
        stamps_ns: Stamps in nanoseconds, in any order; of equal stamps the last one counts.
        poses: One ``fixed_from_moving`` transform a stamp.
    """

    def __init__(self, stamps_ns: Sequence[int], poses: Sequence[RigidTransform]) -> None:
        if len(stamps_ns) != len(poses):
            raise GeometryError(f"{len(stamps_ns)} stamps but {len(poses)} poses.")
        ordered = dict(sorted(zip(stamps_ns, poses, strict=True), key=lambda pair: pair[0]))
        self._stamps_ns = np.fromiter(ordered.keys(), dtype=np.int64, count=len(ordered))
        self._poses = list(ordered.values())

    def __len__(self) -> int:
        return len(self._poses)

    def at(self, stamp_ns: int, max_extrapolation_ns: int = 0) -> RigidTransform:
        """Return the pose at a stamp, interpolated between its two neighbours.

        Args:
            stamp_ns: Wanted time, nanoseconds.
            max_extrapolation_ns: How far beyond either end the last motion is carried on.

        Raises:
            TransformUnavailableError: The track is empty, or the stamp lies too far outside.
        """
        stamps = self._stamps_ns
        if len(stamps) == 0:
            raise TransformUnavailableError("the pose track is empty; record odometry or /tf.")
        if not stamps[0] - max_extrapolation_ns <= stamp_ns <= stamps[-1] + max_extrapolation_ns:
            raise TransformUnavailableError(
                f"no pose at {stamp_ns} ns: the track covers {stamps[0]} to {stamps[-1]} ns."
            )
        if len(stamps) == 1:
            return self._poses[0]
        after = int(np.clip(np.searchsorted(stamps, stamp_ns), 1, len(stamps) - 1))
        start, end = int(stamps[after - 1]), int(stamps[after])
        share = (stamp_ns - start) / (end - start)
        return self._poses[after - 1].interpolate(self._poses[after], share)
