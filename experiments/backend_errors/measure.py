# SPDX-License-Identifier: Apache-2.0
"""The depth error of the shipped student by each backend and precision, all in one run.

python experiments/backend_errors/measure.py out/recordings/astyx [--model F] [--every 7] [--int8]

With --int8 a quantised file must lie beside the model file; see docs/inference.md.

Writes results.json and results.png beside this script.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from matplotlib.figure import Figure

from xd_rcdepth_ros.evaluation.data import RecordedFrames
from xd_rcdepth_ros.evaluation.evaluator import evaluate
from xd_rcdepth_ros.evaluation.model import ModelPredictor
from xd_rcdepth_ros.inference import DepthEstimator, shipped_model

WAYS = (
    ("torch", "fp32"),
    ("torch", "bf16"),
    ("openvino", "fp32"),
    ("openvino", "bf16"),
    ("onnx", "fp32"),
)


def main() -> None:
    """Score and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", type=Path, default=shipped_model())
    parser.add_argument("--every", type=int, default=1, help="score every n-th frame of val")
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent)
    parser.add_argument("--int8", action="store_true")
    args = parser.parse_args()
    ways = (*WAYS, ("openvino", "int8")) if args.int8 else WAYS
    predictors = {
        f"{backend} {precision}": ModelPredictor(
            DepthEstimator.load(args.model, "cpu", backend, precision)
        )
        for backend, precision in ways
    }
    with RecordedFrames(args.data, "val") as frames:
        evaluation = evaluate(frames, predictors, every=args.every)
    figures = {}
    for name, card in evaluation.cards.items():
        figures[name] = round(float(card.to_json()["caps"]["80"]["mae_m"]), 5)
        print(f"{name:16} MAE 0-80 m {figures[name]:.4f} m")
    document = {
        "data": args.data.name,
        "model_sha256": predictors["torch fp32"].estimator.info.sha256,
        "frames": len(next(iter(evaluation.cards.values())).frames),
        "mae_80_m": figures,
    }
    (args.folder / "results.json").write_text(json.dumps(document, indent=1) + "\n")
    figure = Figure(figsize=(6, 2.5))
    axes = figure.subplots()
    first = figures["torch fp32"]
    axes.barh(list(figures), [1000 * (value - first) for value in figures.values()])
    axes.set_xlabel(f"MAE 0-80 m less that of torch fp32 ({first:.3f} m) [mm]")
    figure.savefig(args.folder / "results.png", dpi=110, bbox_inches="tight")


if __name__ == "__main__":
    main()
