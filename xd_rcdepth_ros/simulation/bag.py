# SPDX-License-Identifier: Apache-2.0
"""Writes a simulated drive as a drive bag."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np

from xd_rcdepth_ros import __version__
from xd_rcdepth_ros.errors import RecordingError
from xd_rcdepth_ros.geometry import RigidTransform
from xd_rcdepth_ros.recordings import schema
from xd_rcdepth_ros.recordings.writer import DriveWriter
from xd_rcdepth_ros.simulation.drive import Drive
from xd_rcdepth_ros.simulation.jobs import ordered

POSE_HZ = 50.0
JPEG_QUALITY = 92


def sensor_events(drive: Drive) -> list[tuple[int, str]]:
    """Return (stamp, sensor) of everything the sensors take, in order of time, and the poses.

    Only radar and lidar sweeps up to a tenth of a second after the last picture are taken.
    """
    end = int(drive.stamps_ns("camera")[-1]) + 100_000_000
    events = [
        (int(stamp), sensor)
        for sensor in ("camera", "radar", "lidar")
        for stamp in drive.stamps_ns(sensor)
        if stamp <= end
    ]
    first = min(stamp for stamp, _ in events) - 20_000_000
    step = int(1e9 / POSE_HZ)
    events += [(stamp, "pose") for stamp in range(first, end + 2 * step, step)]
    return sorted(events)


def write_bag(
    drive: Drive,
    path: str | Path,
    storage: str = "mcap",
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write a simulated drive as a drive bag.

    Args:
        drive: The drive.
        path: Folder that the bag becomes; must not exist.
        storage: ``mcap`` or ``sqlite3``.
        workers: Threads that simulate; the bag does not depend on it.
        progress: Called with the number of pictures written and wanted.

    Raises:
        RecordingError: The folder exists or cannot be written.
    """
    info = {
        "source": "simulation",
        "generator": f"xd_rcdepth_ros {__version__}",
        "licence": "Apache-2.0",
        "settings": asdict(drive.settings),
        "tags": sorted(drive.tags),
    }
    events = sensor_events(drive)
    done = 0
    with DriveWriter(path, storage, info=info) as writer:
        for child, transform in (
            (schema.camera_frame("front"), drive.rig.camera),
            (schema.radar_frame("front"), drive.rig.radar),
            (schema.lidar_frame("top"), drive.rig.lidar),
        ):
            writer.static_transform(schema.BASE_FRAME, child, transform)
        writer.static_transform(schema.MAP_FRAME, schema.ODOM_FRAME, RigidTransform.identity())
        for write in ordered(lambda event: _take(drive, *event), events, workers):
            done += write(writer)
            if progress is not None:
                progress(done, drive.settings.frames)


def _take(drive: Drive, stamp_ns: int, sensor: str) -> Callable[[DriveWriter], int]:
    """Simulate one event; return what writes it, which returns the number of pictures written."""
    if sensor == "pose":
        pose = drive.pose(stamp_ns)
        linear, angular = drive.ego.twist(drive.time_s(stamp_ns))

        def write_pose(writer: DriveWriter) -> int:
            writer.transform(schema.ODOM_FRAME, schema.BASE_FRAME, stamp_ns, pose)
            writer.odometry(stamp_ns, pose, linear, angular)
            return 0

        return write_pose
    if sensor == "camera":
        image, depth = drive.image(stamp_ns)
        data = encode_jpeg(image)

        def write_image(writer: DriveWriter) -> int:
            writer.camera_info("front", stamp_ns, drive.camera)
            writer.image("front", stamp_ns, data, "jpeg")
            writer.depth("front", stamp_ns, depth)
            return 1

        return write_image
    if sensor == "radar":
        points = drive.radar(stamp_ns).points

        def write_radar(writer: DriveWriter) -> int:
            writer.radar("front", stamp_ns, points)
            return 0

        return write_radar
    scan = drive.lidar(stamp_ns)

    def write_lidar(writer: DriveWriter) -> int:
        writer.lidar("top", stamp_ns, scan.points_m, scan.intensity, scan.ring)
        return 0

    return write_lidar


def encode_jpeg(image_rgb: np.ndarray, quality: int = JPEG_QUALITY) -> bytes:
    """Return an RGB picture as the bytes of a JPEG file.

    Raises:
        RecordingError: The picture cannot be encoded.
    """
    ok, data = cv2.imencode(".jpg", image_rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not ok:
        raise RecordingError(f"a picture of shape {image_rgb.shape} could not be made a JPEG.")
    return bytes(data)
