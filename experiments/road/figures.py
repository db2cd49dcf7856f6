# SPDX-License-Identifier: Apache-2.0
"""Score models on every set of the road: depth, the worth of radar, their own error, the sky.

    python experiments/road/figures.py models/student.safetensors --recordings out/recordings

Each set is scored by ``xd-rcdepth evaluate`` (0-80 m, CaFNet protocol, means over images). Writes
experiments/road/figures.json, or the file given by --json, and prints a table.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from xd_rcdepth_ros.cli import main as cli


@dataclass(frozen=True)
class Set:
    """One set that models are scored on.

    Attributes:
        name: Its name in the figures.
        path: Its bags, below the folder of recordings.
        split: Only bags of this split.
        role: What it is to the training.
        every: Only every n-th frame.
    """

    name: str
    path: str
    split: str | None
    role: str
    every: int = 1


SETS = (
    Set("astyx_val", "astyx", "val", "chooses the best"),
    Set("kitti_udacity", "kitti/kitti-udacity-traffic", None, "chooses the best"),
    Set("simulated_val", "simulated/val", None, "chooses the best"),
    Set("drive", "drive_nuscenes_layout", None, "never seen"),
    Set("camvid_val", "camvid", "val", "held back, sky"),
    Set("ddad", "ddad", None, "learnt from"),
    Set("aimotive_rear", "aimotive_rear", None, "learnt from"),
)


def evaluate(model: Path, data: Path, chosen: Set, *more: str) -> dict[str, Any]:
    """Return what ``xd-rcdepth evaluate`` says of a model on a set."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "figures.json"
        command = ["evaluate", "--model", str(model), "--data", str(data / chosen.path)]
        command += ["--json", str(file), "--every", str(chosen.every), *more]
        if chosen.split:
            command += ["--split", chosen.split]
        if cli.main(command):
            raise SystemExit(f"xd-rcdepth {' '.join(command)} failed")
        result: dict[str, Any] = json.loads(file.read_text())
        return result


def figures_of(model: Path, data: Path, chosen: Set) -> dict[str, Any]:
    """Return the figures of one model on one set."""
    result = evaluate(model, data, chosen, "--baselines")
    caps = result["caps"]["80"]
    row_median = result["baselines"].get("row_median", {}).get("caps", {}).get("80", {})
    return {
        "role": chosen.role,
        "frames": result["frames"],
        "mae_m": caps["mae_m"],
        "rmse_m": caps["rmse_m"],
        "abs_rel": caps["abs_rel"],
        "row_median_mae_m": row_median.get("mae_m"),
        "no_radar_mae_m": result["baselines"]
        .get("model_without_radar", {})
        .get("caps", {})
        .get("80", {})
        .get("mae_m"),
        "calibration": result.get("calibration"),
        "sky": result.get("sky"),
    }


def main() -> None:
    """Score the models and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--recordings", type=Path, default=Path("out/recordings"))
    parser.add_argument("--sets", nargs="+", default=[s.name for s in SETS])
    parser.add_argument("--json", type=Path, default=Path(__file__).with_name("figures.json"))
    args = parser.parse_args()
    table = Table("model", "set", "MAE m", "row median", "without radar", "within scale", "half")
    figures: dict[str, dict[str, Any]] = {}
    for model in args.models:
        figures[model.stem] = {}
        for chosen in (s for s in SETS if s.name in args.sets):
            found = figures_of(model, args.recordings, chosen)
            figures[model.stem][chosen.name] = found
            known = found["calibration"] or {}
            values = [found["mae_m"], found["row_median_mae_m"], found["no_radar_mae_m"]]
            values += [known.get("within_scale"), known.get("trusted_half")]
            shown = ("-" if value is None else f"{value:.2f}" for value in values)
            table.add_row(model.stem, chosen.name, *shown)
    args.json.write_text(json.dumps(figures, indent=1) + "\n")
    Console().print(table)


if __name__ == "__main__":
    main()
