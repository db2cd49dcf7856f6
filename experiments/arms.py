# SPDX-License-Identifier: Apache-2.0
"""Compare ways to train the student: direct, with each distillation, with both.

    xd-rcdepth convert astyx ../shared/data/astyx --out out/recordings/astyx
    python experiments/encoder_weights.py
    git show b1fee02:models/student.safetensors > out/weights/first_student.safetensors
    python experiments/arms.py experiments/astyx --teacher out/weights/first_student.safetensors

A folder says in student.yaml what all arms share, and in arms.yaml what differs. All arms of one
seed share the initial weights, the order of the frames, their variants, the number of steps and the
rule that chooses the best validation. Runs that were interrupted go on; finished ones are not
repeated. Writes results.json and results.png into the folder after each run. On two cores it is
fastest to run one process a seed, each with OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from rich.console import Console
from torch import nn

from xd_rcdepth_ros.benchmark.compute import count_gmac
from xd_rcdepth_ros.evaluation.data import RecordedFrames
from xd_rcdepth_ros.evaluation.evaluator import evaluate
from xd_rcdepth_ros.evaluation.model import ModelPredictor
from xd_rcdepth_ros.evaluation.protocol import Protocol, Truth
from xd_rcdepth_ros.inference import DepthEstimator
from xd_rcdepth_ros.network import Student, load_checkpoint
from xd_rcdepth_ros.training.config import RunConfig, read_config
from xd_rcdepth_ros.training.progress import Progress
from xd_rcdepth_ros.training.runs import run

PAPER_GAIN = 0.0797


def figures_of(model: Path, config: RunConfig, protocol: Protocol) -> dict[str, Any]:
    """Score a model on a run's validation frames by the CaFNet rule, with radar and without."""
    given = ModelPredictor(DepthEstimator.load(model, device="cpu", backend="torch"))
    blind = replace(given, radar=False)
    (source,) = config.validation
    with RecordedFrames(source.path, source.split) as frames:
        predictors = {"model": blind if config.zero_radar else given, "without_radar": blind}
        evaluation = evaluate(frames, predictors, protocol)
    result = {name: card.to_json() for name, card in evaluation.cards.items()}
    caps = result["model"]["caps"]
    return {
        "mae_80_m": caps["80"]["mae_m"],
        "rmse_80_m": caps["80"]["rmse_m"],
        "abs_rel_80": caps["80"]["abs_rel"],
        "mae_50_m": caps["50"]["mae_m"],
        "radar_zeroed_mae_80_m": result["without_radar"]["caps"]["80"]["mae_m"],
        "between_points_mae_m": result["model"]["between_points"].get("mae_m"),
    }


def size_of(network: nn.Module, config: RunConfig) -> dict[str, Any]:
    """Return what a network is, and what it costs on the run's grid."""
    height, width = config.size
    return {
        "network": type(network).__name__,
        "parameters": sum(p.numel() for p in network.parameters()),
        f"gmac_{height}x{width}": round(count_gmac(network, height, width), 4),
    }


def train(config: RunConfig, name: str, console: Console) -> tuple[Path, dict[str, Any]]:
    """Run one arm to its end; return its model file and what the run says of itself."""
    last = [0.0]

    def report(progress: Progress) -> None:
        if time.monotonic() - last[0] > 30:
            last[0] = time.monotonic()
            losses = " ".join(f"{k} {v:.3f}" for k, v in progress.losses.items())
            console.print(
                f"{name}: step {progress.step}/{progress.steps_total} {losses} "
                f"val {progress.validation_mae_m:.3f} m, {progress.remaining_s / 60:.1f} min left",
                highlight=False,
            )

    result = run(config, report=report)
    assert result.model is not None
    return result.model, {
        "steps": result.progress.step,
        "grid_validation_mae_m": result.progress.best_validation_mae_m,
        "seconds_of_last_call": round(result.progress.elapsed_s),
        "data_wait_share": round(result.progress.data_wait_share, 4),
    }


def summary(arms: dict[str, dict[str, list[Any]]]) -> dict[str, Any]:
    """Return mean, spread and gain over direct training of each arm."""
    means = {name: float(np.mean(arm["mae_80_m"])) for name, arm in arms.items()}
    result = {}
    for name, arm in arms.items():
        values = arm["mae_80_m"]
        result[name] = {
            "mean_mae_80_m": round(means[name], 4),
            "spread_m": round(max(values) - min(values), 4),
            "seeds": len(values),
        }
        if "direct" in means:
            direct = dict(zip(arms["direct"]["seed"], arms["direct"]["mae_80_m"], strict=True))
            pairs = zip(arm["seed"], values, strict=True)
            gains = [1 - value / direct[seed] for seed, value in pairs if seed in direct]
            if gains:
                result[name]["gain_over_direct"] = round(float(np.mean(gains)), 4)
    return result


def collect(folder: Path, arms: Iterable[str], protocol: Protocol) -> dict[str, Any]:
    """Return the figures of all runs that have ended."""
    results: dict[str, Any] = {"arms": {}, "protocol": protocol.statement()}
    results["teacher"] = json.loads((folder / "teacher.json").read_text())
    results["student"] = json.loads((folder / "student.json").read_text())
    for name in arms:
        for file in sorted(folder.glob(f"{name}-[0-9]/figures.json")):
            arm = results["arms"].setdefault(name, {})
            for key, value in json.loads(file.read_text()).items():
                arm.setdefault(key, []).append(value)
    results["summary"] = summary(results["arms"])
    return results


def write(file: Path, values: dict[str, Any]) -> None:
    """Write figures; the name appears only when they are complete."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(f".{os.getpid()}.partial")
    partial.write_text(json.dumps(values, indent=1) + "\n")
    partial.replace(file)


def plot(results: dict[str, Any], data: str, file: Path) -> None:
    """Draw each arm's figures, the teacher's, and the paper's gain."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    titles = {"mae_80_m": f"MAE 0-80 m, {data} [m]", "between_points_mae_m": "between the points"}
    arms, teacher = results["arms"], results["teacher"]
    keys = [key for key in titles if teacher[key] is not None]
    figure, panels = plt.subplots(len(keys), figsize=(8, 3.6 * len(keys)), squeeze=False)
    for key, axes in zip(keys, panels[:, 0], strict=True):
        for place, (name, arm) in enumerate(arms.items()):
            colour = "#d95f02" if name == "both" else "#1b6ca8"
            mean = np.mean(arm[key])
            axes.bar(place, mean, color=colour, width=0.65, alpha=0.85)
            axes.plot([place] * len(arm[key]), arm[key], "k.", markersize=7)
            axes.text(place, mean / 2, f"{mean:.2f}", ha="center", color="w")
        axes.axhline(teacher[key], color="#555", ls="--", label=f"teacher {teacher[key]:.2f} m")
        if key == "mae_80_m" and "direct" in arms:
            goal = np.mean(arms["direct"][key]) * (1 - PAPER_GAIN)
            axes.axhline(goal, color="#2a9d55", ls=":", label="direct - 7.97 %")
        axes.set_xticks(range(len(arms)), [name.replace("_", "\n") for name in arms])
        axes.set_ylabel(titles[key])
        axes.legend(loc="lower right")
    panels[0, 0].set_title("Student by way of training; dots are seeds")
    figure.tight_layout()
    figure.savefig(file, dpi=110)
    plt.close(figure)


def main() -> None:
    """Train and score all arms."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="of student.yaml, arms.yaml and the results")
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--arms", default="arms", help="what differs: NAME.yaml in the folder")
    parser.add_argument("--only", nargs="+", help="these arms only")
    parser.add_argument("--results", help="NAME.json in the folder; 'results', or that of --arms")
    parser.add_argument("--output", type=Path, help="of the runs; out/FOLDER")
    parser.add_argument("--truth", type=Truth, choices=list(Truth), default=Truth.AUTO)
    parser.add_argument("--data", default="Astyx val", help="name of the validation data")
    parser.add_argument("--set", action="append", default=[], help="KEY=VALUE for all arms")
    args = parser.parse_args()
    console = Console()
    base, output = args.folder / "student.yaml", args.output or Path("out") / args.folder.name
    stem = args.results or ("results" if args.arms == "arms" else args.arms)
    results_file = args.folder / f"{stem}.json"
    arms = yaml.safe_load((args.folder / f"{args.arms}.yaml").read_text())
    common = {k: yaml.safe_load(v) for k, _, v in (item.partition("=") for item in args.set)}
    protocol = Protocol(truth=args.truth)
    teacher_file = output / "teacher.json"
    if not teacher_file.exists():
        shared = read_config(base, common)
        network, _ = load_checkpoint(args.teacher)
        scored = figures_of(args.teacher, shared, protocol)
        write(teacher_file, {"file": args.teacher.name, **size_of(network, shared), **scored})
        write(output / "student.json", size_of(Student(shared.student), shared))
    for seed in args.seeds:
        for name in args.only or arms:
            folder = output / f"{name}-{seed}"
            values = {"teacher": str(args.teacher), "seed": seed, "output": str(folder)}
            values |= {**common, **arms[name]}
            config = read_config(base, values)
            figures = folder / "figures.json"
            if not figures.exists():
                model, told = train(config, f"{name} {seed}", console)
                scored = figures_of(model, config, protocol)
                write(figures, {"seed": seed, **scored, **told})
            console.print(name, seed, figures.read_text(), highlight=False)
            results = collect(output, arms, protocol)
            write(results_file, results)
            plot(results, args.data, results_file.with_suffix(".png"))


if __name__ == "__main__":
    main()
