# SPDX-License-Identifier: Apache-2.0
"""Score a teacher in single precision and in bf16, on every second validation frame.

python experiments/small_grid/teacher_precision.py out/small_grid/teacher/teacher.safetensors
"""

import argparse
from pathlib import Path

import numpy as np

from xd_rcdepth_ros.evaluation.data import RecordedFrames
from xd_rcdepth_ros.evaluation.evaluator import evaluate
from xd_rcdepth_ros.evaluation.model import ModelPredictor
from xd_rcdepth_ros.inference import DepthEstimator


def main() -> None:
    """Print the MAE at 0-80 m by precision."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, default=Path("out/recordings/astyx"))
    args = parser.parse_args()
    predictors = {
        precision: ModelPredictor(
            DepthEstimator.load(args.model, device="cpu", backend="torch", precision=precision)
        )
        for precision in ("fp32", "bf16")
    }
    with RecordedFrames(args.data, "val") as frames:
        cards = evaluate(frames, predictors, every=2).cards
    for precision, card in cards.items():
        print(f"{precision}: MAE {card.mae_m() or np.nan:.3f} m, {len(card.frames)} frames")


if __name__ == "__main__":
    main()
