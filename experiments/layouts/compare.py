# SPDX-License-Identifier: Apache-2.0
"""Compare layouts of the student: what each costs, and its error after the same short training.

    python experiments/encoder_weights.py out/weights
    python experiments/layouts/compare.py          # recordings as in ../road/student.yaml

layouts.yaml names the layouts, student.yaml says how all are trained: the same frames in the same
order, the same number of steps. Each is then scored on frames that it has not learnt from, and
timed with OpenVINO at 352x704, all in turns. Runs that were interrupted go on. Writes results.json
and results.png beside this script.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from xd_rcdepth_ros.benchmark.compute import count_gmac
from xd_rcdepth_ros.cli import main as cli
from xd_rcdepth_ros.evaluation.data import RecordedFrames
from xd_rcdepth_ros.evaluation.evaluator import evaluate
from xd_rcdepth_ros.evaluation.model import ModelPredictor
from xd_rcdepth_ros.inference import DepthEstimator
from xd_rcdepth_ros.inference.backends.agreement import made_up_frame
from xd_rcdepth_ros.inference.backends.base import Backend
from xd_rcdepth_ros.inference.backends.checked import quantised_file
from xd_rcdepth_ros.inference.backends.graph import to_openvino
from xd_rcdepth_ros.inference.backends.openvino import OpenVINOBackend
from xd_rcdepth_ros.network import load_checkpoint
from xd_rcdepth_ros.training.config import read_config
from xd_rcdepth_ros.training.progress import Progress
from xd_rcdepth_ros.training.runs import run

SETS = {  # name in the figures: bags, split
    "astyx_val": ("astyx", "val"),
    "kitti_udacity": ("kitti/kitti-udacity-traffic", None),
    "drive": ("drive_nuscenes_layout", None),
}
GRID = (352, 704)
PRECISIONS = ("fp32", "bf16", "int8")


def train(name: str, layout: dict[str, Any], base: Path, settings: dict[str, Any]) -> Path:
    """Train one layout to its end and return its model file."""
    output = Path(settings.get("output", "out/layouts")) / name
    config = read_config(base, {**settings, **layout, "output": str(output)})

    def report(progress: Progress) -> None:
        steps = f"{progress.step}/{progress.steps_total}"
        print(f"{name}: {progress.state.value} {steps}, {progress.remaining_s / 60:.0f} min left")

    result = run(config, report=report)
    if result.model is None:
        raise SystemExit(f"{name}: training ended without a model")
    return result.model


def score(models: dict[str, Path], recordings: Path, every: int) -> dict[str, dict[str, float]]:
    """Return each model's MAE, 0-80 m by the CaFNet rule, metres, by model and set."""
    predictors = {
        name: ModelPredictor(DepthEstimator.load(file, "cpu", "torch"))
        for name, file in models.items()
    }
    found: dict[str, dict[str, float]] = {name: {} for name in models}
    for chosen, (path, split) in SETS.items():
        with RecordedFrames(recordings / path, split) as frames:
            for name, card in evaluate(frames, predictors, every=every).cards.items():
                found[name][chosen] = round(float(card.to_json()["caps"]["80"]["mae_m"]), 3)
    return found


def quantise(file: Path) -> str | None:
    """Make the int8 graph of a model; return why there is none."""
    target = quantised_file(file)
    command = ["export", "--format", "openvino", "--precision", "int8"]
    command += ["--model", str(file), "--out", str(target)]
    if not target.exists() and cli.main(command):
        return "its depth moves too far, or NNCF is not installed"
    return None


def time_ms(models: dict[str, Path], turns: int) -> dict[str, dict[str, float]]:
    """Return the median time of each model by precision, milliseconds; all take turns."""
    image, radar = made_up_frame(*GRID)
    rivals: dict[tuple[str, str], Backend] = {}
    times: dict[tuple[str, str], list[float]] = {}
    for name, file in models.items():
        graph = to_openvino(load_checkpoint(file)[0].eval())
        for precision in PRECISIONS:
            if precision == "int8":
                if not quantised_file(file).exists():
                    continue
                backend = DepthEstimator.load(file, "cpu", "openvino", precision, GRID).backend
            else:  # without the check of its accuracy, which a short training may not pass
                backend = OpenVINOBackend(graph, precision)
            rivals[name, precision], times[name, precision] = backend, []
    for _ in range(turns):
        for key, rival in rivals.items():
            rival.run(image, radar)  # wakes the threads
            start_s = time.perf_counter()
            for _ in range(3):
                rival.run(image, radar)
            times[key].append(1000 * (time.perf_counter() - start_s) / 3)
    found: dict[str, dict[str, float]] = {name: {} for name in models}
    for (name, precision), values in times.items():
        found[name][precision] = round(float(np.median(values)), 1)
    return found


def plot(layouts: dict[str, dict[str, Any]], file: Path) -> None:
    """Draw error against time, one panel a set."""
    figure = Figure(figsize=(3.6 * len(SETS), 3.4))
    for axes, chosen in zip(figure.subplots(1, len(SETS), squeeze=False)[0], SETS, strict=True):
        for name, row in layouts.items():
            x, y = row["median_ms"].get("bf16", row["median_ms"]["fp32"]), row["mae_m"][chosen]
            axes.plot(x, y, "o", color="#d95f02" if name == "lean" else "#1b6ca8")
            axes.annotate(name.replace("_", " "), (x, y), xytext=(5, 5), textcoords="offset points")
        axes.margins(0.25)
        axes.set_xlabel("OpenVINO bf16, 352x704 [ms]")
        axes.set_title(chosen.replace("_", " "))
    figure.axes[0].set_ylabel("MAE 0-80 m [m]")
    figure.tight_layout()
    figure.savefig(file, dpi=110)


def main() -> None:
    """Train, score and time all layouts."""
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=here, help="of layouts.yaml and results")
    parser.add_argument("--recordings", type=Path, default=Path("out/recordings"))
    parser.add_argument("--every", type=int, default=1, help="score every n-th frame")
    parser.add_argument("--turns", type=int, default=15, help="of timing, three frames each")
    parser.add_argument("--set", action="append", default=[], help="KEY=VALUE for all trainings")
    args = parser.parse_args()
    settings = {k: yaml.safe_load(v) for k, _, v in (item.partition("=") for item in args.set)}
    layouts = yaml.safe_load((args.folder / "layouts.yaml").read_text())
    models = {
        name: train(name, layout, here / "student.yaml", settings)
        for name, layout in layouts.items()
    }
    maes = score(models, args.recordings, args.every)
    refused = {name: quantise(file) for name, file in models.items()}
    times = time_ms(models, args.turns)
    rows = {}
    table = Table("layout", "parameters", "GMAC", *SETS, *(f"{p} ms" for p in PRECISIONS))
    for name, file in models.items():
        network, _ = load_checkpoint(file)
        parameters = sum(p.numel() for p in network.parameters())
        gmac = round(count_gmac(network, *GRID), 2)
        rows[name] = {
            "layout": layouts[name]["student"],
            "parameters": parameters,
            "gmac_352x704": gmac,
            "mae_m": maes[name],
            "median_ms": times[name],
            "no_int8": refused[name],
        }
        cells = [*(f"{value:.2f}" for value in maes[name].values())]
        cells += [str(times[name].get(precision, "-")) for precision in PRECISIONS]
        table.add_row(name, f"{parameters:,}", f"{gmac:.2f}", *cells)
    Console().print(table)
    text = json.dumps({"every": args.every, "layouts": rows}, indent=1)
    (args.folder / "results.json").write_text(text + "\n")
    plot(rows, args.folder / "results.png")


if __name__ == "__main__":
    main()
