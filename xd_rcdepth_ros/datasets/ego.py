# SPDX-License-Identifier: Apache-2.0
"""The car's own velocity from its poses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.geometry import PoseTrack


def body_velocity(
    track: PoseTrack, stamp_ns: int, first_ns: int, last_ns: int, half_window_ns: int = 50_000_000
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return linear (3,) m/s and angular (3,) rad/s velocity in the body's frame.

    Central differences over +-50 ms, one-sided at the ends: sensors stamp at irregular times, and
    differences between neighbouring stamps a millisecond apart would amplify the poses' noise.

    Args:
        track: Poses fixed_from_body.
        stamp_ns: Time wanted, nanoseconds.
        first_ns: First stamp of the track.
        last_ns: Last stamp of the track.
        half_window_ns: Half of the window, nanoseconds.
    """
    start = max(first_ns, stamp_ns - half_window_ns)
    end = min(last_ns, stamp_ns + half_window_ns)
    if end <= start:
        return np.zeros(3), np.zeros(3)
    seconds = (end - start) / 1e9
    before, now, after = track.at(start), track.at(stamp_ns), track.at(end)
    moved = (after.translation_m - before.translation_m) / seconds
    turned = now.rotation.T @ (_rotation_vector(after.rotation @ before.rotation.T) / seconds)
    return now.rotation.T @ moved, turned


def _rotation_vector(rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return axis x angle (3,), radians, of a small rotation (less than half a turn)."""
    antisymmetric = np.array(
        [
            rotation[2, 1] - rotation[1, 2],
            rotation[0, 2] - rotation[2, 0],
            rotation[1, 0] - rotation[0, 1],
        ]
    )
    sine = np.linalg.norm(antisymmetric) / 2
    if sine < 1e-12:
        return np.zeros(3)
    angle = np.arctan2(sine, (np.trace(rotation) - 1) / 2)
    return np.asarray(antisymmetric * (angle / (2 * sine)), np.float64)
