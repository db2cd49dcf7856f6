# SPDX-License-Identifier: Apache-2.0
"""The depth error of the shipped student by each backend and precision, all in one run.

python experiments/backend_errors/measure.py out/recordings/astyx [--model F] [--int8]

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
        cards = evaluate(frames, predictors).cards
    for name, card in cards.items():
        print(f"{name:16} MAE 0-80 m {card.mae_m():.4f} m")
    figures = {name: round(card.mae_m(), 5) for name, card in cards.items()}
    document = {"data": str(args.data), "model": str(args.model), "mae_80_m": figures}
    (args.folder / "results.json").write_text(json.dumps(document, indent=1) + "\n")
    figure = Figure(figsize=(6, 2.5))
    axes = figure.subplots()
    axes.barh(list(figures), list(figures.values()))
    axes.set_xlabel("MAE 0-80 m [m]")
    figure.savefig(args.folder / "results.png", dpi=110, bbox_inches="tight")


if __name__ == "__main__":
    main()
