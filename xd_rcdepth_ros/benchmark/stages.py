# SPDX-License-Identifier: Apache-2.0
"""How long a frame takes, by stage and backend; the backends take turns, so ratios are fair.

Whatever else the machine does in the meantime slows all of them alike. CPU time is taken beside
the clock's, since other load hardly moves it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.benchmark.raster import FORWARD
from xd_rcdepth_ros.geometry import (
    PinholeCamera,
    RadarPoints,
    RadarSweep,
    SensorFrame,
)
from xd_rcdepth_ros.inference.backends.agreement import made_up_frame
from xd_rcdepth_ros.inference.estimator import DepthEstimator

STAGES = ("preprocess", "rasterize", "network", "postprocess", "total")
TURN = 5


@dataclass
class Series:
    """Times of one backend.

    Attributes:
        estimator: What runs.
        stages_ms: Milliseconds of each frame by stage; ``total`` is the whole frame.
        cpu_ms: Milliseconds that all threads of the process computed for each frame.
        depth_m: Depth of the last frame, metres.
    """

    estimator: DepthEstimator
    stages_ms: dict[str, list[float]] = field(
        default_factory=lambda: {stage: [] for stage in STAGES}
    )
    cpu_ms: list[float] = field(default_factory=list)
    depth_m: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))

    def turn(self, frame: SensorFrame, frames: int) -> None:
        """Run a few frames; one before them, which is not counted, wakes the threads."""
        self.estimator.estimate(frame)
        for _ in range(frames):
            start_s, start_cpu_s = time.perf_counter(), time.process_time()
            result = self.estimator.estimate(frame)
            self.stages_ms["total"].append(1000 * (time.perf_counter() - start_s))
            self.cpu_ms.append(1000 * (time.process_time() - start_cpu_s))
            for stage, value in result.timings_ms.items():
                self.stages_ms[stage].append(value)
            self.depth_m = result.depth_m


def benchmark_frame(
    height: int, width: int, focal_length_px: float | None, returns: int = 150
) -> SensorFrame:
    """Return a frame whose image is halved to a grid of this size.

    Args:
        height: Rows of the network's grid, pixels, a multiple of 32.
        width: Columns of it.
        focal_length_px: Focal length that the network expects; None for one of ``width``.
        returns: Radar returns in view.
    """
    image, _ = made_up_frame(2 * height, 2 * width)
    focal_px = 2 * (focal_length_px or float(width))
    camera = PinholeCamera.from_focal(
        2 * width, 2 * height, focal_px, focal_px, width - 0.5, height - 0.5
    )
    rng = np.random.default_rng(0)
    distance = rng.uniform(5, 80, returns)
    half_width = 0.9 * width / focal_px
    positions = np.column_stack(
        [distance, distance * rng.uniform(-half_width, half_width, returns), np.zeros(returns)]
    )
    points = RadarPoints.from_arrays(positions, rng.uniform(-5, 30, returns))
    return SensorFrame(image, camera, (RadarSweep(points, FORWARD),))


def measure(
    estimators: Sequence[DepthEstimator],
    frame: SensorFrame,
    frames: int,
    progress: Callable[[int], None] = lambda done: None,
) -> list[dict[str, Any]]:
    """Time estimators on a frame, a few frames of each in turn.

    Args:
        estimators: What to time; ratios and differences are to the first of them.
        frame: The frame.
        frames: Frames of each estimator.
        progress: Told the number of frames done, of each.

    Returns:
        For each: backend, device, precision, threads; milliseconds (p50, p95) by stage; frames a
        second; CPU milliseconds a frame; how many times as fast as the first by clock and by CPU
        time, and the largest difference of depth to it, m.
    """
    series = [Series(estimator) for estimator in estimators]
    done = 0
    while done < frames:
        count = min(TURN, frames - done)
        for one in series:
            one.turn(frame, count)
        done += count
        progress(done)
    first = series[0]
    return [_summary(one, first) for one in series]


def _summary(series: Series, first: Series) -> dict[str, Any]:
    info = series.estimator.info
    total_ms = series.stages_ms["total"]
    return {
        "backend": info.backend,
        "device": info.device,
        "precision": info.precision,
        "threads": info.threads,
        "note": info.backend_note,
        "frames": len(total_ms),
        "stages_ms": {
            stage: {
                "p50": float(np.percentile(values, 50)),
                "p95": float(np.percentile(values, 95)),
            }
            for stage, values in series.stages_ms.items()
        },
        "frames_per_second": 1000 / float(np.mean(total_ms)),
        "times_as_fast": float(np.median(first.stages_ms["total"]) / np.median(total_ms)),
        "cpu_ms": {q: float(np.percentile(series.cpu_ms, int(q[1:]))) for q in ("p50", "p95")},
        "times_as_fast_by_cpu": float(np.median(first.cpu_ms) / np.median(series.cpu_ms)),
        "largest_difference_m": _largest_difference_m(series.depth_m, first.depth_m),
    }


def _largest_difference_m(depth_m: NDArray[np.float32], other_m: NDArray[np.float32]) -> float:
    """Return the largest difference where both maps tell a depth, metres; 0 where none does."""
    both = np.isfinite(depth_m) & np.isfinite(other_m)
    return float(np.abs(depth_m[both] - other_m[both]).max(initial=0.0))
