# SPDX-License-Identifier: Apache-2.0
"""Radar messages of every kind to RadarPoints."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.errors import GeometryError, MessageError
from xd_rcdepth_ros.geometry import RadarPoints
from xd_rcdepth_ros.recordings.pointcloud import decode_cloud, radar_points
from xd_rcdepth_ros.ros.conversions import frame_name
from xd_rcdepth_ros.ros.parameters.radars import RadarInput


def message_type(radar_type: str) -> type[Any]:
    """Return the message class of a radar input type.

    Raises:
        MessageError: The package that defines it is not installed.
    """
    if radar_type == "point_cloud2":
        from sensor_msgs.msg import PointCloud2

        cloud: type[Any] = PointCloud2
        return cloud
    try:
        from radar_msgs.msg import RadarScan, RadarTracks
    except ImportError as error:
        raise MessageError(
            f"radar type {radar_type} needs the package radar_msgs, which cannot be imported: "
            f"{error}. Install it, or use point_cloud2."
        ) from error
    types: dict[str, type[Any]] = {"radar_scan": RadarScan, "radar_tracks": RadarTracks}
    return types[radar_type]


def decode_radar(message: Any, radar: RadarInput) -> RadarPoints:
    """Return the returns of a radar message.

    Args:
        message: PointCloud2, RadarScan or RadarTracks, as ``radar.type`` says.
        radar: How this radar is read.

    Raises:
        MessageError: Mapped fields are missing, or sizes contradict each other; the text lists the
            fields that are there.
    """
    try:
        if radar.type == "point_cloud2":
            return radar_points(decode_cloud(message), radar.fields)
        if radar.type == "radar_scan":
            # Drivers differ in the sign of the Doppler velocity; the map may turn it.
            sign = -1.0 if radar.fields.radial_speed.startswith("-") else 1.0
            return _scan_points(message, sign)
        return _track_points(message)
    except (GeometryError, ValueError, TypeError) as error:
        raise MessageError(
            f"radar message of frame '{frame_name(message.header.frame_id)}' cannot be read: "
            f"{error}."
        ) from error


def _scan_points(message: Any, doppler_sign: float) -> RadarPoints:
    columns = _columns(
        message.returns, ("range", "azimuth", "elevation", "doppler_velocity", "amplitude")
    )
    range_m, azimuth, elevation, doppler_mps, amplitude_db = columns
    position_m = range_m * np.stack(
        [
            np.cos(elevation) * np.cos(azimuth),
            np.cos(elevation) * np.sin(azimuth),
            np.sin(elevation),
        ]
    )
    return RadarPoints.from_arrays(position_m.T, amplitude_db, doppler_sign * doppler_mps)


def _track_points(message: Any) -> RadarPoints:
    positions = _columns([t.position for t in message.tracks], ("x", "y", "z"))
    velocities = _columns([t.velocity for t in message.tracks], ("x", "y"))
    return RadarPoints.from_arrays(positions.T, velocity_mps=velocities.T)


def _columns(items: Any, names: tuple[str, ...]) -> NDArray[np.float64]:
    values = np.array([[getattr(item, name) for name in names] for item in items], np.float64)
    return values.reshape(-1, len(names)).T
