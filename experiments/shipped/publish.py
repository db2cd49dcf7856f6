# SPDX-License-Identifier: Apache-2.0
"""Score the model of a run, write the figures into its header, and put it among the shipped ones.

    python experiments/shipped/publish.py out/shipped/student/student.safetensors \
        models/student.safetensors --start out/weights/refined_student.safetensors --share 0.75

With ``--start``, the weights are averaged with those that the run started from, which keeps part of
what these know of other cameras (after WiSE-FT, arXiv 2109.01903).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from torch import nn

from xd_rcdepth_ros.evaluation.data import RecordedFrames
from xd_rcdepth_ros.geometry import SensorFrame
from xd_rcdepth_ros.inference import DepthEstimator
from xd_rcdepth_ros.network import load_checkpoint, save_checkpoint

CAP_M = 80.0


def errors(prediction_m: np.ndarray, truth_m: np.ndarray) -> tuple[float, float]:
    """Return MAE and RMSE of one image by the CaFNet rule, metres; NaN without truth."""
    known = (truth_m > 1e-3) & (truth_m < CAP_M)
    if not known.any():
        return np.nan, np.nan
    gap = prediction_m.clip(1e-3, CAP_M)[known] - truth_m[known]
    return float(np.abs(gap).mean()), float(np.sqrt((gap**2).mean()))


def score(model: DepthEstimator, frames: Iterable[SensorFrame], exact: bool) -> dict[str, float]:
    """Return the means over images of a model's errors, with radar and without, metres.

    Args:
        model: The model.
        frames: Frames with truth.
        exact: The truth is the exact depth of every pixel, not that of the lidar sweep.
    """
    rows = []
    for frame in frames:
        truth_m = frame.depth_m if exact else frame.lidar_depth()
        assert truth_m is not None
        row: list[float] = []
        for given in (frame, replace(frame, radar=())):
            row += errors(model.estimate(given, output_size="input").depth_m, truth_m)
        rows.append(row)
    names = ("mae_m", "rmse_m", "radar_zeroed_mae_m", "radar_zeroed_rmse_m")
    means = [round(float(mean), 4) for mean in np.nanmean(rows, axis=0)]
    return {**dict(zip(names, means, strict=True)), "images": len(rows)}


def average(network: nn.Module, start: Path, share: float) -> nn.Module:
    """Return a network whose weights lie between those of ``start`` (share 0) and its own (1)."""
    other, _ = load_checkpoint(start)
    theirs = other.state_dict()
    mixed = {
        name: torch.lerp(theirs[name], own, share) if own.is_floating_point() else own
        for name, own in network.state_dict().items()
    }
    network.load_state_dict(mixed)
    return network


def main() -> None:
    """Score and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--recordings", type=Path, default=Path("out/recordings"))
    parser.add_argument("--start", type=Path, help="model file that the run started from")
    parser.add_argument("--share", type=float, default=0.75, help="share of the run's own weights")
    args = parser.parse_args()
    network, header = load_checkpoint(args.model)
    if args.start:
        network = average(network, args.start, args.share)
    save_checkpoint(args.out, network, header)
    model = DepthEstimator.load(args.out, device="cpu", backend="torch")
    metrics: dict[str, object] = {
        "protocol": "0-80 m, prediction clamped, mean of per-image values, full image; astyx_val "
        "on the lidar sweep, simulated_val on the exact depth of drives not trained on",
    }
    for name, folder, split, exact in (
        ("astyx_val", args.recordings / "astyx", "val", False),
        ("simulated_val", args.recordings / "simulated" / "val", None, True),
    ):
        with RecordedFrames(folder, split) as frames:
            numbered = (frames[i] for i in track(range(len(frames)), name))
            metrics[name] = score(model, numbered, exact)
    save_checkpoint(args.out, network, replace(header, metrics=metrics))
    results = Path(__file__).with_name(f"{args.out.stem}.json")
    results.write_text(json.dumps(metrics, indent=1) + "\n")
    print(results.read_text())


if __name__ == "__main__":
    main()
