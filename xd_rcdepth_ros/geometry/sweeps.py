# SPDX-License-Identifier: Apache-2.0
"""One sweep of a radar or a lidar, and how it lies to the camera."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.geometry.pose import RigidTransform
from xd_rcdepth_ros.geometry.radar import RadarPoints

_MIRROR_CAMERA = np.diag([-1.0, 1.0, 1.0])  # camera x points right
_MIRROR_SENSOR = np.diag([1.0, -1.0, 1.0])  # radar and lidar y points left


def _mirrored_transform(camera_from_sensor: RigidTransform) -> RigidTransform:
    return RigidTransform(
        _MIRROR_CAMERA @ camera_from_sensor.rotation @ _MIRROR_SENSOR,
        _MIRROR_CAMERA @ camera_from_sensor.translation_m,
    )


def _scaled_transform(camera_from_sensor: RigidTransform, factor: float) -> RigidTransform:
    translation_m = camera_from_sensor.translation_m * factor
    return replace(camera_from_sensor, translation_m=translation_m)


@dataclass(frozen=True, eq=False)
class RadarSweep:
    """One radar sweep and how it lies to the camera.

    Attributes:
        points: Returns in the radar's frame.
        camera_from_radar: Transform from the radar's frame at the sweep's stamp to the camera's
            frame at the image's stamp (ego motion included where it is known).
        stamp_ns: Stamp of the sweep, nanoseconds.
        name: Which radar, such as ``front``.
        ego_motion: True if the transform includes the motion between the two stamps.
    """

    points: RadarPoints
    camera_from_radar: RigidTransform
    stamp_ns: int = 0
    name: str = "front"
    ego_motion: bool = False

    def velocity_along_camera_mps(self) -> NDArray[np.float32]:
        """Return each return's velocity (N, 2), m/s, along the camera's forward and left axes.

        Radars measure in their own plane, so the velocity out of it is taken as 0. Forward is the
        optical axis (camera z), left is camera -x.
        """
        forward, left = self.camera_from_radar.rotation[2], -self.camera_from_radar.rotation[0]
        axes = np.stack([forward[:2], left[:2]])
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite stays so
            return np.asarray((axes @ self.points.velocity_mps.T).T, np.float32)

    def flip(self) -> RadarSweep:
        """Return the sweep of the world mirrored left to right."""
        transform = _mirrored_transform(self.camera_from_radar)
        return replace(self, points=self.points.mirrored(), camera_from_radar=transform)

    def scale(self, factor: float) -> RadarSweep:
        """Return the sweep of a world that is larger by a factor."""
        transform = _scaled_transform(self.camera_from_radar, factor)
        return replace(self, points=self.points.scaled(factor), camera_from_radar=transform)


@dataclass(frozen=True, eq=False)
class LidarSweep:
    """One lidar sweep, used as ground truth only.

    Attributes:
        points_m: (N, 3) float32, metres, lidar frame.
        camera_from_lidar: Transform to the camera's frame at the image's stamp.
        stamp_ns: Stamp of the sweep, nanoseconds.
    """

    points_m: NDArray[np.float32]
    camera_from_lidar: RigidTransform
    stamp_ns: int = 0

    def flip(self) -> LidarSweep:
        """Return the sweep of the world mirrored left to right."""
        transform = _mirrored_transform(self.camera_from_lidar)
        points = self.points_m * np.array([1, -1, 1], np.float32)
        return replace(self, points_m=points, camera_from_lidar=transform)

    def scale(self, factor: float) -> LidarSweep:
        """Return the sweep of a world that is larger by a factor."""
        transform = _scaled_transform(self.camera_from_lidar, factor)
        points = self.points_m * np.float32(factor)
        return replace(self, points_m=points, camera_from_lidar=transform)
