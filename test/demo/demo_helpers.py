# SPDX-License-Identifier: Apache-2.0
"""What several tests of the demo make: a frame, and a drive over a flat road."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from xd_rcdepth_ros.geometry import PinholeCamera, RigidTransform, SensorFrame
from xd_rcdepth_ros.recordings.writer import DriveWriter

WIDTH, HEIGHT, FOCAL = 160, 96, 100.0
PERIOD_NS = 100_000_000
START_NS = 1_000_000_000_000
# Sensors look forward (x), left (y), up (z); the camera's axes are right, down, forward.
BASE_FROM_CAMERA = RigidTransform(
    np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]), np.array([0.0, 0.0, 1.5])
)


def frame_of(width: int, height: int) -> SensorFrame:
    """Return a grey frame without radar."""
    camera = PinholeCamera.from_focal(width, height, 50, 50, (width - 1) / 2, (height - 1) / 2)
    return SensorFrame(np.full((height, width, 3), 90, np.uint8), camera)


def write_drive(
    path: Path,
    frames: int,
    depth: bool = True,
    strength: str = "rcs",
    radar: bool = True,
    broken: int | None = None,
) -> Path:
    """Write a drive at 10 m/s over a flat road, with a radar return of 7 dB 20 m ahead.

    Args:
        path: Folder of the bag.
        frames: Number of images.
        depth: Write the road's depth too.
        strength: Name of the radar's field for that.
        radar: Write the radar.
        broken: Number of an image that is cut off.
    """
    camera = PinholeCamera.from_focal(
        WIDTH, HEIGHT, FOCAL, FOCAL, (WIDTH - 1) / 2, 40.0, "camera_front_optical"
    )
    rows = np.arange(HEIGHT, dtype=np.float32)[:, None]
    with np.errstate(divide="ignore"):
        road = np.where(rows > 40, 1.5 * FOCAL / (rows - 40), np.nan)
    road = np.repeat(road, WIDTH, axis=1).astype(np.float32)
    with DriveWriter(path) as writer:
        writer.static_transform("base_link", "camera_front_optical", BASE_FROM_CAMERA)
        writer.static_transform("base_link", "radar_front", RigidTransform.identity())
        for number in range(frames):
            stamp = START_NS + number * PERIOD_NS
            x = 10.0 * number * PERIOD_NS / 1e9
            pose = RigidTransform(np.eye(3), np.array([x, 0.0, 0.0]))
            writer.transform("odom", "base_link", stamp, pose)
            points = np.zeros(1, [(n, "<f4") for n in ("x", "y", "z", strength, "vx", "vy")])
            points["x"], points[strength] = 20.0, 7.0
            if radar:
                writer.radar("front", stamp, points)
            writer.camera_info("front", stamp, camera)
            image = np.full((HEIGHT, WIDTH, 3), 40 + number, np.uint8)
            data = cv2.imencode(".jpg", image)[1].tobytes()
            writer.image("front", stamp, data[:100] if number == broken else data)
            if depth:
                writer.depth("front", stamp, road)
    return path
