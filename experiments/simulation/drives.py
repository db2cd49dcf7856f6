# SPDX-License-Identifier: Apache-2.0
"""Simulate many short drives of all places, weathers and lights, with both kinds of radar.

    python experiments/simulation/drives.py out/recordings/simulated
    python experiments/simulation/drives.py out/recordings/sparse --radar sparse --train 40

Writes <folder>/train and <folder>/val, a bag a drive; drives that are there already are kept.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.progress import track

from xd_rcdepth_ros.simulation import Drive, DriveSettings, write_bag

FRAMES = 8
FIRST_SEED = {"train": 1000, "val": 9000}
SECONDS_BETWEEN_FRAMES = 1.4


def settings(seed: int, radars: Sequence[str], frames: int) -> DriveSettings:
    """Return what the drive of a seed is like; its frames lie some 15 m apart in town."""
    rng = np.random.default_rng(seed)
    rate_hz = 1 / SECONDS_BETWEEN_FRAMES
    return DriveSettings(
        seed=seed,
        frames=frames,
        weather=str(rng.choice(["clear", "overcast", "fog", "rain"], p=[0.5, 0.3, 0.08, 0.12])),
        time_of_day=str(rng.choice(["day", "dusk", "night"], p=[0.6, 0.1, 0.3])),
        radar=str(rng.choice(radars)),
        focal_px=454.5,
        camera_hz=rate_hz,
        radar_hz=8 * rate_hz,
        lidar_hz=rate_hz,
    )


def main() -> None:
    """Write what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--train", type=int, default=80, help="drives to learn from")
    parser.add_argument("--val", type=int, default=6, help="drives that choose the best")
    parser.add_argument(
        "--radar", nargs="+", default=["sparse", "imaging"], help="drawn from these"
    )
    parser.add_argument("--frames", type=int, default=FRAMES, help="of each drive")
    args = parser.parse_args()
    for split in ("val", "train"):
        first = FIRST_SEED[split]
        for seed in track(range(first, first + getattr(args, split)), f"{split} drives"):
            bag = args.folder / split / f"drive-{seed}"
            if not bag.exists():
                bag.parent.mkdir(parents=True, exist_ok=True)
                write_bag(Drive(settings(seed, args.radar, args.frames)), bag)


if __name__ == "__main__":
    main()
