# SPDX-License-Identifier: Apache-2.0
"""Calibrate a trained model's expected error and its sky, and put it among the shipped ones.

    python experiments/road/publish.py out/road/student/student.safetensors \
        --out models/student.safetensors

Of several models of one architecture, one run's start and its end say, the mean of the weights is
taken: each is then less of what only the last steps taught (https://arxiv.org/abs/2109.01903).

A network is more right on what it was trained on, so the error that it learnt to expect there is
too small elsewhere. One factor on the scale, the geometric mean over the held-out sets of what
brings 63 % of the errors within it (as a Laplace distribution has it), goes into the head's bias.

Half of the sky's logit is where both mistakes weigh the same. A robot rather loses some sky than an
obstacle, but not as much as that leaves: the bias of the logit is moved until 0.9 % of what is no
sky in CamVid's training pictures is taken for it; in those held back it is then about 1.5 %.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from figures import SETS, Set
from rich.progress import track
from torch import nn

from xd_rcdepth_ros.evaluation.calibration import LAPLACE_WITHIN_SCALE
from xd_rcdepth_ros.evaluation.data import RecordedFrames
from xd_rcdepth_ros.evaluation.protocol import Protocol
from xd_rcdepth_ros.geometry import NOT_SKY
from xd_rcdepth_ros.inference import DepthEstimator
from xd_rcdepth_ros.network import load_checkpoint, save_checkpoint
from xd_rcdepth_ros.network.prediction import ERROR, SKY
from xd_rcdepth_ros.training.sky import sky_probability

FALSE_SKY = 0.009  # share of other labelled pixels that may be taken for sky
HELD_OUT = tuple(chosen for chosen in SETS if chosen.role == "chooses the best")


def scale_factor(model: DepthEstimator, recordings: Path, chosen: Set, every: int) -> float:
    """Return the factor that brings 63 % of a set's errors within the expected error."""
    protocol, factors = Protocol(), []
    with RecordedFrames(recordings / chosen.path, chosen.split) as frames:
        for number in track(range(0, len(frames), every), chosen.name):
            frame = frames[number]
            truth = protocol.ground_truth(frame)
            said = model.estimate(frame, output_size="input")
            if said.error is None:
                raise SystemExit("the model does not say its error; there is nothing to calibrate.")
            known = (truth > 0) & (truth < protocol.main_cap_m) & np.isfinite(said.depth_m)
            share = np.abs(said.depth_m - truth)[known] / said.depth_m[known]
            factors.append(np.quantile(share / said.error[known], LAPLACE_WITHIN_SCALE))
    return float(np.exp(np.mean(np.log(factors))))


def sky_shift(model: Path, recordings: Path, every: int) -> float:
    """Return what to add to the sky's logit so that ``FALSE_SKY`` of what is no sky is sky."""
    others = []
    with RecordedFrames(recordings / "camvid", "train") as frames:
        for number in track(range(0, len(frames), every), "sky"):
            frame = frames[number]
            assert frame.sky is not None
            likely = sky_probability(str(model), frame)
            others.append(likely[(frame.sky == NOT_SKY) & np.isfinite(likely)][::16])
    likely = np.clip(np.concatenate(others).astype(float), 1e-6, 1 - 1e-6)
    return float(-np.quantile(np.log(likely / (1 - likely)), 1 - FALSE_SKY))


def write_mean(models: Sequence[Path], out: Path) -> None:
    """Write the model whose weights are the mean of others'; its header is the last one's."""
    loaded = [load_checkpoint(model) for model in models]
    network, header = loaded[-1]
    states = [other.state_dict() for other, _ in loaded]
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            value.copy_(torch.stack([state[name] for state in states]).mean(0))
    save_checkpoint(out, network, header)


def main() -> None:
    """Calibrate and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recordings", type=Path, default=Path("out/recordings"))
    parser.add_argument("--every", type=int, default=3, help="look at every n-th frame")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        mean = Path(folder) / "mean.safetensors"
        write_mean(args.models, mean)
        model = DepthEstimator.load(mean, device="cpu")
        factors = {s.name: scale_factor(model, args.recordings, s, args.every) for s in HELD_OUT}
        factor = float(np.exp(np.mean(np.log(list(factors.values())))))
        shift = sky_shift(mean, args.recordings, 2 * args.every)
        network, header = load_checkpoint(mean)
    with torch.no_grad():
        head = network.get_submodule("head")
        assert isinstance(head, nn.Conv2d) and head.bias is not None  # else no error was said
        head.bias[ERROR] += np.log(factor)
        head.bias[SKY] += shift
    rounded = {name: round(value, 3) for name, value in {**factors, "taken": factor}.items()}
    metrics = {**header.metrics, "error_scale_factors": rounded, "sky_shift": round(shift, 3)}
    save_checkpoint(args.out, network, replace(header, metrics=metrics))
    print(f"factors on the expected error: {rounded}; sky {shift:+.2f}; wrote {args.out}")


if __name__ == "__main__":
    main()
