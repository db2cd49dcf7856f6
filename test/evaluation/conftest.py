# SPDX-License-Identifier: Apache-2.0
"""Frames of a flat road whose depth is known, and a small model file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from xd_rcdepth_ros.geometry import (
    LidarSweep,
    PinholeCamera,
    RadarPoints,
    RadarSweep,
    RigidTransform,
    SensorFrame,
)
from xd_rcdepth_ros.network import ModelHeader, Student, save_checkpoint
from xd_rcdepth_ros.recordings.schema import camera_frame, lidar_frame, radar_frame
from xd_rcdepth_ros.recordings.writer import DriveWriter

WIDTH, HEIGHT, FOCAL = 128, 64, 100.0
# Sensors look forward (x), left (y), up (z); the camera's axes are right, down, forward.
CAMERA_FROM_SENSOR = RigidTransform(
    np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]]), np.array([0.0, 0.2, -0.1])
)

FrameMaker = Callable[..., SensorFrame]


@pytest.fixture
def make_frame() -> FrameMaker:
    """Return a maker of frames: a road 1.5 m below the camera, radar and lidar points on demand."""

    def make(
        seed: int = 0,
        returns: int = 12,
        lidar_points: int | None = 200,
        dense: bool = True,
        tags: Sequence[str] = (),
        ego_speed_mps: float | None = None,
        name: str = "",
    ) -> SensorFrame:
        rng = np.random.default_rng(seed)
        camera = PinholeCamera.from_focal(WIDTH, HEIGHT, FOCAL, FOCAL, 63.5, 31.5)
        rows = np.arange(HEIGHT)[:, None] - camera.k[1, 2]
        with np.errstate(divide="ignore"):
            road = np.where(rows > 0, 1.5 * FOCAL / np.where(rows > 0, rows, 1), 60.0)
        depth = np.repeat(np.clip(road, 1, 60), WIDTH, axis=1).astype(np.float32)
        depth += rng.uniform(0, 0.5, depth.shape).astype(np.float32)
        position = np.column_stack(
            [rng.uniform(5, 60, returns), rng.uniform(-4, 4, returns), rng.uniform(-1, 1, returns)]
        )
        azimuth = np.arctan2(position[:, 1], position[:, 0])
        measured, compensated = None, None
        if ego_speed_mps is not None:
            measured = -ego_speed_mps * np.cos(azimuth)
            compensated = np.zeros(returns)
        radar = RadarPoints.from_arrays(
            position,
            rcs_dbsm=rng.uniform(-5, 20, returns),
            velocity_mps=measured,
            velocity_compensated_mps=compensated,
        )
        lidar = None
        if lidar_points is not None:
            uv = np.column_stack(
                [rng.integers(0, WIDTH, lidar_points), rng.integers(0, HEIGHT, lidar_points)]
            )
            in_camera = camera.unproject(uv, depth[uv[:, 1], uv[:, 0]])
            in_lidar = CAMERA_FROM_SENSOR.inverse().apply(in_camera).astype(np.float32)
            lidar = LidarSweep(in_lidar, CAMERA_FROM_SENSOR)
        image = rng.integers(60, 200, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        return SensorFrame(
            image,
            camera,
            (RadarSweep(radar, CAMERA_FROM_SENSOR),),
            stamp_ns=seed,
            lidar=lidar,
            depth_m=depth if dense else None,
            name=name or f"road {seed}",
            tags=frozenset(tags),
        )

    return make


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model file with random weights, made for the frames above."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("model") / "random.safetensors"
    header = ModelHeader(
        "xd_rcdepth_student",
        focal_length_px=FOCAL,
        input_size=(HEIGHT, WIDTH),
        row_median_depth_m=tuple(np.linspace(60, 5, HEIGHT).tolist()),
        licence="made by a test",
    )
    save_checkpoint(path, Student(), header)
    return path


@pytest.fixture
def write_drive(make_frame: FrameMaker) -> Callable[..., Path]:
    """Return a writer of drive bags that hold such frames, one every 0.1 s."""

    def write(
        path: Path,
        frames: int = 3,
        split: str = "val",
        tags: Sequence[str] = (),
        radar_late_ns: int = 0,
        storage: str = "mcap",
        **options: Any,
    ) -> Path:
        with DriveWriter(path, storage, info={"split": split, "tags": list(tags)}) as writer:
            writer.static_transform(camera_frame("front"), radar_frame("front"), CAMERA_FROM_SENSOR)
            writer.static_transform(camera_frame("front"), lidar_frame("top"), CAMERA_FROM_SENSOR)
            for number in range(frames):
                frame = make_frame(number, **options)
                stamp_ns = 1_000_000_000 + number * 100_000_000
                _, jpeg = cv2.imencode(".jpg", frame.image[..., ::-1])
                writer.image("front", stamp_ns, jpeg.tobytes())
                writer.camera_info("front", stamp_ns, frame.camera)
                writer.radar("front", stamp_ns + radar_late_ns, frame.radar[0].points)
                if frame.lidar is not None:
                    writer.lidar("top", stamp_ns, frame.lidar.points_m)
                if frame.depth_m is not None:
                    writer.depth("front", stamp_ns, frame.depth_m)
        return path

    return write
