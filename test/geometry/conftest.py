# SPDX-License-Identifier: Apache-2.0
"""A frame with everything in it."""

import numpy as np
import pytest

from xd_rcdepth_ros.geometry import (
    SKY_VALUES,
    LidarSweep,
    PinholeCamera,
    RadarPoints,
    RadarSweep,
    RigidTransform,
    SensorFrame,
)

# Radar looks along x, camera along z: camera x = -radar y, camera y = -radar z.
CAMERA_FROM_RADAR = RigidTransform(np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]]), [0.1, 0.2, 0.3])


@pytest.fixture
def frame():
    rng = np.random.default_rng(1)
    camera = PinholeCamera.from_focal(96, 48, 60, 55, 50.2, 21.3)
    position = rng.uniform([4, -12, -3], [60, 12, 3], (400, 3))
    points = RadarPoints.from_arrays(
        position, rng.normal(10, 5, 400), rng.normal(0, 9, (400, 2)), rng.normal(0, 9, (400, 2))
    )
    depth = rng.uniform(2, 80, (48, 96)).astype(np.float32)
    depth[rng.random(depth.shape) < 0.3] = np.nan
    return SensorFrame(
        rng.integers(0, 255, (48, 96, 3), dtype=np.uint8),
        camera,
        (RadarSweep(points, CAMERA_FROM_RADAR),),
        lidar=LidarSweep(position.astype(np.float32), CAMERA_FROM_RADAR),
        depth_m=depth,
        sky=rng.choice(np.array(SKY_VALUES, np.uint8), depth.shape),
    )
