# SPDX-License-Identifier: Apache-2.0
"""What it costs to draw radar, against the number of returns, sweeps and pixels."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from xd_rcdepth_ros.geometry import (
    OPTICAL_FROM_BODY,
    PinholeCamera,
    RadarPoints,
    RadarSweep,
    RigidTransform,
    rasterize_radar,
)

FORWARD = RigidTransform(OPTICAL_FROM_BODY, np.zeros(3))  # camera from radar


def radar_sweep(returns: int, seed: int = 0) -> RadarSweep:
    """Return a sweep whose returns lie in front of the camera, 5 to 80 m away, made up."""
    rng = np.random.default_rng(seed)
    distance = rng.uniform(5, 80, returns)
    sideways = distance * rng.uniform(-0.5, 0.5, returns)
    heights = rng.uniform(-1, 1, returns)
    positions = np.column_stack([distance, sideways, heights])
    return RadarSweep(RadarPoints.from_arrays(positions, rng.uniform(-5, 30, returns)), FORWARD)


def time_raster_ms(returns: int, sweeps: int, height: int, width: int, repeats: int = 30) -> float:
    """Return the median time to draw sweeps of so many returns each, milliseconds."""
    camera = PinholeCamera.from_focal(
        width, height, width, width, width / 2 - 0.5, height / 2 - 0.5
    )
    radar = tuple(radar_sweep(returns, seed) for seed in range(sweeps))
    times_s = []
    for _ in range(repeats):
        start_s = time.perf_counter()
        rasterize_radar(radar, camera, 1.0)
        times_s.append(time.perf_counter() - start_s)
    return 1000 * float(np.median(times_s))


def measure_raster(repeats: int = 30) -> dict[str, Any]:
    """Return the time of 5,000 returns x 5 sweeps at 352x704, and how it grows, milliseconds."""
    size = (352, 704)

    def ms(returns: int, sweeps: int, height: int = size[0], width: int = size[1]) -> float:
        return time_raster_ms(returns, sweeps, height, width, repeats)

    return {
        "ms": ms(5000, 5),
        "returns_a_sweep": 5000,
        "sweeps": 5,
        "by_returns_ms": {str(n): ms(n, 5) for n in (100, 1000, 5000)},
        "by_sweeps_ms": {str(n): ms(5000, n) for n in (1, 3, 5)},
        "by_grid_ms": {
            f"{h}x{w}": ms(1000, 1, h, w) for h, w in ((192, 640), (352, 704), (448, 800))
        },
    }
