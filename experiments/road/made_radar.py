# SPDX-License-Identifier: Apache-2.0
"""Gives a model radar made from lidar instead of recorded radar, and none: does it help as much?

The model should never have been taught with made radar. Errors are mean absolute ones against
lidar, 0 to 80 m.

    python experiments/road/made_radar.py MODEL RECORDINGS
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np

from xd_rcdepth_ros.geometry import SensorFrame
from xd_rcdepth_ros.inference import DepthEstimator
from xd_rcdepth_ros.recordings.bags import find_recordings
from xd_rcdepth_ros.recordings.reader import Recording
from xd_rcdepth_ros.supervision.lidar_radar import sweep_from_lidar

# Recordings, their split, and every how many-th frame is looked at.
SETS = (
    ("aimotive_rear", None, 3),
    ("astyx", "val", 17),
    ("kitti/kitti-udacity-traffic", None, 4),
    ("kitti/kitti-odometry-04", None, 12),
)


def mean_error_m(estimator: DepthEstimator, frame: SensorFrame) -> float:
    """Return the mean absolute error against the frame's lidar, metres, 0 to 80 m."""
    truth = frame.lidar_depth()
    told = estimator.estimate(frame, output_size="input").depth_m
    known = (truth < 80) & np.isfinite(told)  # NaN is not below 80
    return float(np.abs(told[known] - truth[known]).mean())


def radars_of(recording: Recording, number: int) -> dict[str, SensorFrame]:
    """Return a frame with each radar: none, as recorded where there is one, and both made kinds."""
    frame = recording.frame(number)
    velocity = recording.index.transforms.velocity(frame.camera.frame_id, frame.stamp_ns)
    frames = {"none": replace(frame, radar=())}
    if frame.radar:
        frames["recorded"] = frame
    for kind in ("sparse", "imaging"):
        sweep = sweep_from_lidar(frame, kind, np.random.default_rng(number), velocity)
        frames[kind] = replace(frame, radar=(sweep,))
    return frames


def main() -> None:
    """Print the mean errors by set and radar."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("recordings", type=Path)
    arguments = parser.parse_args()
    estimator = DepthEstimator.load(arguments.model)
    for name, split, step in SETS:
        errors: dict[str, list[float]] = defaultdict(list)
        for bag in find_recordings(arguments.recordings / name, split):
            with Recording(bag) as recording:
                for number in range(0, len(recording), step):
                    for radar, frame in radars_of(recording, number).items():
                        errors[radar].append(mean_error_m(estimator, frame))
        means = ", ".join(f"{radar} {np.mean(values):.2f} m" for radar, values in errors.items())
        print(f"{name}, {len(errors['none'])} frames: {means}", flush=True)


if __name__ == "__main__":
    main()
