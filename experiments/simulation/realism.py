# SPDX-License-Identifier: Apache-2.0
"""Hold the simulated radars against two real recordings, side by side.

    python experiments/simulation/realism.py --astyx DIR --drive DIR

Prints the table of docs/simulation.md, and writes results.json and results.png beside this script.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from xd_rcdepth_ros.datasets.astyx import convert_astyx
from xd_rcdepth_ros.datasets.nuscenes import convert_nuscenes
from xd_rcdepth_ros.geometry import SensorFrame
from xd_rcdepth_ros.recordings.reader import Recording
from xd_rcdepth_ros.simulation import Drive, DriveSettings
from xd_rcdepth_ros.simulation.realism import RadarFigures, measure

Convert = Callable[[Path, Path], list[Path]]
# Places and weather as the real sets have them: Astyx towns and country roads, winter, daylight;
# the drive a motorway at night.
ASTYX_LIKE = [
    {"place": place, "season": season, "weather": weather}
    for place in ("suburb", "country", "city", "suburb", "country")
    for season, weather in (("winter", "clear"), ("summer", "overcast"))
]


def recorded(convert: Convert, root: Path, every: int = 1) -> Iterator[SensorFrame]:
    """Convert a data set and read every n-th frame of each bag, the nearest radar sweep each."""
    with tempfile.TemporaryDirectory() as folder:
        for bag in convert(root, Path(folder) / "bags"):
            with Recording(bag) as recording:
                yield from islice(recording.frames(), 0, None, every)


def simulated(settings: list[dict[str, Any]], **common: Any) -> Iterator[SensorFrame]:
    """Simulate a few frames of several drives, seconds apart."""
    for seed, choice in enumerate(settings):
        drive = Drive(DriveSettings(seed=100 + seed, **choice, **common))
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


def plot(result: dict[str, dict[str, Any]], file: Path) -> None:
    """Draw the percentiles of the radar's and lidar's depths of each column."""
    figure = Figure(figsize=(8, 4))
    panels = figure.subplots(1, 2, sharey=True)
    for axes, key in zip(panels, ("radar_depth_m", "lidar_depth_m"), strict=True):
        axes.boxplot([figures[key] for figures in result.values()], whis=(0, 100))
        axes.set_xticklabels(list(result), rotation=45, ha="right")
        axes.set_ylabel(f"{key}: percentiles 5, 25, 50, 75, 95")
    figure.savefig(file, dpi=110, bbox_inches="tight")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--astyx", type=Path)
    parser.add_argument("--drive", type=Path)
    parser.add_argument("--every", type=int, default=4, help="take every n-th frame of Astyx")
    parser.add_argument("--frames", type=int, default=8, help="simulated frames a drive")
    parser.add_argument("--drives", type=int, default=10, help="simulated drives a column, at most")
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent)
    arguments = parser.parse_args()
    columns: dict[str, RadarFigures] = {}
    common = {"frames": arguments.frames, "camera_hz": 0.5, "radar_hz": 13.0, "lidar_hz": 10.0}
    if arguments.astyx:
        columns["Astyx"] = measure(recorded(convert_astyx, arguments.astyx, arguments.every))
    columns["simulated imaging"] = measure(
        simulated(ASTYX_LIKE[: arguments.drives], radar="imaging", lidar="vlp16", width=1024,
                  height=309, focal_px=909.0, **common)
    )  # fmt: skip
    if arguments.drive:
        columns["motorway drive"] = measure(recorded(convert_nuscenes, arguments.drive))
    motorway = [{"place": "motorway", "time_of_day": "night"}] * min(8, arguments.drives)
    columns["simulated sparse, motorway"] = measure(
        simulated(motorway, radar="sparse", lidar="pandar64", width=1280, height=704,
                  focal_px=1010.0, **common)
    )  # fmt: skip
    mixed = [{"place": p} for p in ("city", "suburb", "country", "motorway")] * 2
    mixed = mixed[: arguments.drives]
    columns["simulated sparse, all places"] = measure(simulated(mixed, radar="sparse", **common))
    print(table(columns))
    result = {
        name: {k: None if v != v else v for k, v in figures.as_dict().items()}  # JSON has no NaN
        for name, figures in columns.items()
    }
    (arguments.folder / "results.json").write_text(json.dumps(result, indent=1) + "\n")
    plot(result, arguments.folder / "results.png")


if __name__ == "__main__":
    main()
