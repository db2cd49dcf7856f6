# SPDX-License-Identifier: Apache-2.0
"""Hold the simulated radars against two real recordings, side by side.

Usage: python experiments/simulation_realism.py --astyx DIR --drive DIR [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from xd_rcdepth_ros.datasets.nuscenes import convert_nuscenes
from xd_rcdepth_ros.geometry import (
    LidarSweep,
    PinholeCamera,
    RadarPoints,
    RadarSweep,
    RigidTransform,
    SensorFrame,
)
from xd_rcdepth_ros.recordings.reader import Recording
from xd_rcdepth_ros.simulation import Drive, DriveSettings
from xd_rcdepth_ros.simulation.realism import RadarFigures, measure

# Places and weather as the real sets have them: Astyx towns and country roads, winter, daylight;
# the drive a motorway at night.
ASTYX_LIKE = [
    {"place": place, "season": season, "weather": weather}
    for place in ("suburb", "country", "city", "suburb", "country")
    for season, weather in (("winter", "clear"), ("summer", "overcast"))
]


def astyx_frames(root: Path, every: int) -> Iterator[SensorFrame]:
    """Read frames of the Astyx layout."""
    names = (root / "train.txt").read_text().split() + (root / "val.txt").read_text().split()
    for name in names[::every]:
        calibration = json.loads((root / "calibration" / f"{name}.json").read_text())
        data = {s["sensor_uid"]: s["calib_data"] for s in calibration["sensors"]}
        poses = {k: RigidTransform.from_matrix(v["T_to_ref_COS"]) for k, v in data.items()}
        image = cv2.imread(str(root / "camera_front" / f"{name}.jpg"))[..., ::-1]
        camera = PinholeCamera(image.shape[1], image.shape[0], np.array(data["camera_front"]["K"]))
        radar = np.loadtxt(root / "radar_6455" / f"{name}.txt", skiprows=2, ndmin=2)
        lidar = np.loadtxt(root / "lidar_vlp16" / f"{name}.txt", skiprows=1, usecols=(0, 1, 2))
        from_ref = poses["camera_front"].inverse()
        yield SensorFrame(
            np.ascontiguousarray(image),
            camera,
            (RadarSweep(RadarPoints.from_arrays(radar[:, :3], radar[:, 4], radar[:, 3]),
                        from_ref @ poses["radar_6455"]),),
            lidar=LidarSweep(lidar.astype(np.float32), from_ref @ poses["lidar_vlp16"]),
        )  # fmt: skip


def drive_frames(root: Path) -> Iterator[SensorFrame]:
    """Read frames of a nuScenes-layout drive, the nearest radar sweep each."""
    with tempfile.TemporaryDirectory() as folder:
        for bag in convert_nuscenes(root, Path(folder) / "bags"):
            with Recording(bag) as recording:
                yield from recording.frames()


def simulated(settings: list[dict], **common: object) -> Iterator[SensorFrame]:
    """Simulate a few frames of several drives, seconds apart."""
    for seed, choice in enumerate(settings):
        drive = Drive(DriveSettings(seed=100 + seed, **choice, **common))  # type: ignore[arg-type]
        yield from drive.frames(workers=1)


def table(columns: dict[str, RadarFigures]) -> str:
    """Return the figures as a Markdown table."""
    rows = {name: figures.as_dict() for name, figures in columns.items()}
    lines = ["| | " + " | ".join(rows) + " |", "|---" * (len(rows) + 1) + "|"]
    for key in next(iter(rows.values())):
        cells = [r[key] for r in rows.values()]
        text = [" / ".join(map(str, c)) if isinstance(c, tuple) else str(c) for c in cells]
        lines.append(f"| {key} | " + " | ".join(text) + " |")
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--astyx", type=Path)
    parser.add_argument("--drive", type=Path)
    parser.add_argument("--every", type=int, default=4, help="take every n-th frame of Astyx")
    parser.add_argument("--frames", type=int, default=8, help="simulated frames a drive")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    columns: dict[str, RadarFigures] = {}
    common = {"frames": arguments.frames, "camera_hz": 0.5, "radar_hz": 13.0, "lidar_hz": 10.0}
    if arguments.astyx:
        columns["Astyx"] = measure(astyx_frames(arguments.astyx, arguments.every))
    columns["simulated imaging"] = measure(
        simulated(ASTYX_LIKE, radar="imaging", lidar="vlp16", width=1024, height=309,
                  focal_px=909.0, **common)
    )  # fmt: skip
    if arguments.drive:
        columns["motorway drive"] = measure(drive_frames(arguments.drive))
    motorway = [{"place": "motorway", "time_of_day": "night"}] * 8
    columns["simulated sparse, motorway"] = measure(
        simulated(motorway, radar="sparse", lidar="pandar64", width=1280, height=704,
                  focal_px=1010.0, **common)
    )  # fmt: skip
    mixed = [{"place": p} for p in ("city", "suburb", "country", "motorway")] * 2
    columns["simulated sparse, all places"] = measure(simulated(mixed, radar="sparse", **common))
    print(table(columns))
    if arguments.json:
        result = {name: figures.as_dict() for name, figures in columns.items()}
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
