# SPDX-License-Identifier: Apache-2.0
"""Average the models of runs, write the figures into the header, and put it among the shipped ones.

python experiments/shipped/publish.py out/shipped/{joined,dense,student}/student.safetensors \
        --out models/student.safetensors
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from rich.progress import Progress
from torch import nn

from xd_rcdepth_ros.evaluation.data import RecordedFrames
from xd_rcdepth_ros.evaluation.evaluator import evaluate
from xd_rcdepth_ros.evaluation.model import ModelPredictor
from xd_rcdepth_ros.evaluation.protocol import Protocol, Truth
from xd_rcdepth_ros.inference import DepthEstimator
from xd_rcdepth_ros.network import ModelHeader, load_checkpoint, save_checkpoint


def score(model: DepthEstimator, frames: RecordedFrames, truth: Truth) -> dict[str, float]:
    """Return the means over images of a model's errors, 0-80 m, with radar and without, metres."""
    given = ModelPredictor(model)
    predictors = {"": given, "radar_zeroed_": replace(given, radar=False)}
    with Progress(transient=True) as progress:
        bar = progress.add_task(f"scoring {len(frames)} frames", total=len(frames))
        result = evaluate(
            frames, predictors, Protocol(truth=truth), on_frame=lambda: progress.advance(bar)
        )
    figures: dict[str, float] = {}
    for prefix, card in result.cards.items():
        errors = card.to_json()["caps"]["80"]
        figures |= {f"{prefix}{name}": round(errors[name], 4) for name in ("mae_m", "rmse_m")}
    return {**figures, "images": len(result.cards[""].frames)}


def average(models: Sequence[Path]) -> tuple[nn.Module, ModelHeader]:
    """Return the mean of the weights of models, in the last one's network, and its header.

    They must lie in one basin: runs that continue the same weights (model soups,
    https://arxiv.org/abs/2203.05482).
    """
    loaded = [load_checkpoint(model) for model in models]
    network, header = loaded[-1]
    states = [other.state_dict() for other, _ in loaded]
    mean = {
        name: torch.stack([state[name] for state in states]).mean(0)
        if own.is_floating_point()
        else own
        for name, own in network.state_dict().items()
    }
    network.load_state_dict(mean)
    return network, header


def main() -> None:
    """Score and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", type=Path, nargs="+", help="runs' model files, averaged")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recordings", type=Path, default=Path("out/recordings"))
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent, help="of the figures")
    args = parser.parse_args()
    network, header = average(args.models)
    save_checkpoint(args.out, network, header)
    model = DepthEstimator.load(args.out, device="cpu", backend="torch")
    metrics: dict[str, object] = {
        "protocol": "0-80 m, prediction clamped, mean of per-image values, full image; astyx_val "
        "on the lidar sweep, simulated_val on the exact depth of drives not trained on",
    }
    for name, folder, split, truth in (
        ("astyx_val", args.recordings / "astyx", "val", Truth.LIDAR),
        ("simulated_val", args.recordings / "simulated" / "val", None, Truth.DEPTH),
    ):
        with RecordedFrames(folder, split) as frames:
            metrics[name] = score(model, frames, truth)
    save_checkpoint(args.out, network, replace(header, metrics=metrics))
    results = args.folder / f"{args.out.stem}.json"
    results.write_text(json.dumps(metrics, indent=1) + "\n")
    print(results.read_text())


if __name__ == "__main__":
    main()
