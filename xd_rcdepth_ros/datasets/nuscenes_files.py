# SPDX-License-Identifier: Apache-2.0
"""nuScenes' sensor files: names of channels, radar PCD with the official filters, lidar."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.errors import RecordingError
from xd_rcdepth_ros.recordings import schema

_PREFIXES = {"CAM_": "camera", "RADAR_": "radar", "LIDAR_": "lidar"}
_LIDAR_COLUMNS = 5  # x, y, z, intensity, ring


@dataclass(frozen=True)
class RadarFilter:
    """Which radar returns to keep; None keeps all. Off by default.

    Attributes:
        dynamic_properties: Allowed values of ``dyn_prop``, 0 to 7 (7: stopped).
        invalid_states: Allowed values of ``invalid_state``, 0 to 17 (0: valid).
        ambiguity_states: Allowed values of ``ambig_state``, 0 to 4 (3: unambiguous).
    """

    dynamic_properties: tuple[int, ...] | None = None
    invalid_states: tuple[int, ...] | None = None
    ambiguity_states: tuple[int, ...] | None = None

    def apply(self, points: NDArray[np.void]) -> NDArray[np.void]:
        """Return the returns (structured, nuScenes' field names) that pass."""
        keep = np.ones(len(points), bool)
        for name, allowed in (
            ("dyn_prop", self.dynamic_properties),
            ("invalid_state", self.invalid_states),
            ("ambig_state", self.ambiguity_states),
        ):
            if allowed is not None:
                if name not in (points.dtype.names or ()):
                    raise RecordingError(
                        f"radar points have no field '{name}' to filter by; they have "
                        f"{', '.join(points.dtype.names or ())}."
                    )
                keep &= np.isin(points[name], allowed)
        return points[keep]


# The filters that the official development kit applies unless told otherwise.
DEVKIT_FILTER = RadarFilter(tuple(range(7)), (0,), (3,))


def sensor_name(channel: str) -> tuple[str, str]:
    """Return kind and name of a channel: ``CAM_FRONT_LEFT`` is ``("camera", "front_left")``."""
    for prefix, kind in _PREFIXES.items():
        if channel.startswith(prefix) and len(channel) > len(prefix):
            return kind, channel[len(prefix) :].lower()
    raise RecordingError(f"channel '{channel}' is not known; expected CAM_*, RADAR_* or LIDAR_*.")


def frame_of(channel: str) -> str:
    """Return the frame of a channel, such as ``camera_front_optical``."""
    kind, name = sensor_name(channel)
    return {
        "camera": schema.camera_frame,
        "radar": schema.radar_frame,
        "lidar": schema.lidar_frame,
    }[kind](name)


def topic_of(channel: str) -> str:
    """Return the topic of a channel, such as ``/camera/front/image/compressed``."""
    kind, name = sensor_name(channel)
    return {
        "camera": schema.image_topic,
        "radar": schema.radar_topic,
        "lidar": schema.lidar_topic,
    }[kind](name)


def read_lidar(path: Path) -> NDArray[np.float32]:
    """Read a nuScenes lidar file: (N, 5) float32 of x, y, z (metres), intensity, ring."""
    try:
        data = np.fromfile(path, "<f4")
    except OSError as error:
        raise RecordingError(f"cannot read {path}: {error.strerror or error}.") from error
    if len(data) % _LIDAR_COLUMNS or path.stat().st_size % 4:
        raise RecordingError(
            f"{path} has {path.stat().st_size} bytes, no multiple of {4 * _LIDAR_COLUMNS} "
            "(x y z intensity ring, float32): it is cut off or no nuScenes lidar file."
        )
    return data.reshape(-1, _LIDAR_COLUMNS)
