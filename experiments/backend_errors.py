# SPDX-License-Identifier: Apache-2.0
"""The depth error of the shipped student by each backend and precision, all in one run.

python experiments/backend_errors.py out/recordings/astyx [--model F]
"""

from __future__ import annotations

import argparse
from pathlib import Path

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
    args = parser.parse_args()
    predictors = {
        f"{backend} {precision}": ModelPredictor(
            DepthEstimator.load(args.model, "cpu", backend, precision)
        )
        for backend, precision in WAYS
    }
    with RecordedFrames(args.data, "val") as frames:
        cards = evaluate(frames, predictors).cards
    for name, card in cards.items():
        print(f"{name:16} MAE 0-80 m {card.mae_m():.4f} m")


if __name__ == "__main__":
    main()
