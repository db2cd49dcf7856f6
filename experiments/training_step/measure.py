# SPDX-License-Identifier: Apache-2.0
"""Time one training step, and say where its time goes: direct, both distillations, the teacher.

    OMP_NUM_THREADS=1 python experiments/training_step/measure.py

Batches are made up, the networks' weights random: neither changes the work. The kinds of step take
turns, and processor time is taken, so other load on the machine hardly counts. ``before``
is without the single precision of strided, dilated and 5x5 depthwise ones (``DepthwiseConv2d``).
Reading and augmenting frames is not part of it. Writes results.json and results.png beside this
script.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table
from torch.profiler import ProfilerActivity, profile

from xd_rcdepth_ros.network import Teacher
from xd_rcdepth_ros.network.depthwise import DepthwiseConv2d
from xd_rcdepth_ros.training.batches import Batch
from xd_rcdepth_ros.training.config import read_config
from xd_rcdepth_ros.training.networks import make_network
from xd_rcdepth_ros.training.tasks import DepthTask, StudentTask, TeacherTask

ROAD = Path(__file__).parents[1] / "road"
# Which configuration, what differs from it, in bf16, all depthwise convolutions in bf16.
KINDS: dict[str, tuple[str, dict[str, Any], bool, bool]] = {
    "direct": ("student", {}, False, False),
    "direct bf16": ("student", {}, True, False),
    "explanations": ("distilled", {"student_objective.distribution": 0}, False, False),
    "distribution": ("distilled", {"student_objective.explanation": 0}, False, False),
    "both": ("distilled", {}, False, False),
    "both bf16": ("distilled", {}, True, False),
    "teacher": ("teacher", {}, False, False),
    "teacher bf16": ("teacher", {}, True, False),
    "teacher bf16 before": ("teacher", {}, True, True),
}
PARTS = {  # of the profile, by what is in an operation's name; the first that fits counts
    "convolutions": ("conv",),
    "normalisation, activation": ("batch_norm", "relu", "hardtanh", "elu", "sigmoid", "clamp"),
    "copies and casts": ("copy_", "cat", "zero_", "fill_", "clone"),
    "optimiser": ("adam", "lerp", "addcdiv", "addcmul", "sqrt"),
}


def made_up_batch(batch_size: int, height: int, width: int) -> Batch:
    """Return a batch with 150 radar returns and 16 rows of lidar an image."""
    random = torch.Generator().manual_seed(0)
    shape = (batch_size, 1, height, width)
    depth_m = 5 + 75 * torch.rand(shape, generator=random)
    radar = torch.zeros(batch_size, 4, height, width)
    places = torch.randint(height * width, (150,), generator=random)
    radar.flatten(2)[:, :, places] = torch.rand(batch_size, 4, 150, generator=random) * 50
    single_m = torch.full(shape, torch.nan)
    single_m[:, :, :: height // 16] = depth_m[:, :, :: height // 16]
    dense_m = depth_m.clone()
    dense_m[:, :, : height // 3] = torch.nan
    sky = torch.full(shape, torch.nan)
    sky[:, :, : height // 4] = 1.0
    image = torch.rand(batch_size, 3, height, width, generator=random)
    image, radar = (x.contiguous(memory_format=torch.channels_last) for x in (image, radar))
    keys = torch.tensor([[0, i, -1] for i in range(batch_size)])
    exact = torch.zeros(batch_size, dtype=torch.bool)
    return Batch(image, radar, single_m, dense_m, sky, exact, keys)


class Step:
    """One kind of training step, without a trainer around it."""

    def __init__(self, file: str, changes: dict[str, Any], bf16: bool, before: bool) -> None:
        config = read_config(ROAD / f"{file}.yaml", {**changes, "encoders": {}, "start": None})
        self.bf16, network = bf16, make_network(config)
        self.task: DepthTask
        if file == "teacher":
            self.task = TeacherTask(network, config)
        else:
            other = read_config(ROAD / "teacher.yaml", {})
            teacher = Teacher(other.teacher_network) if file == "distilled" else None
            self.task = StudentTask(network, config, teacher)
        if before:
            for module in self.task.modules():
                if isinstance(module, DepthwiseConv2d):
                    module.trains_in_single = False
        made: Any = self.task.configure_optimizers()
        self.optimiser = made["optimizer"]

    def take(self, batch: Batch) -> float:
        """Take a step and return its processor time, seconds."""
        start_s = time.process_time()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            loss, _ = self.task.loss(batch)
        loss.backward()
        self.optimiser.step()
        self.optimiser.zero_grad()
        return time.process_time() - start_s

    def shares(self, batch: Batch) -> dict[str, float]:
        """Return the share of each part in one step's time."""
        with profile(activities=[ProfilerActivity.CPU]) as profiler:
            self.take(batch)
        spent: Counter[str] = Counter()
        for row in profiler.key_averages():
            fits = (part for part, words in PARTS.items() if any(w in row.key for w in words))
            spent[next(fits, "the rest")] += row.self_cpu_time_total
        return {part: round(us / spent.total(), 3) for part, us in spent.most_common()}


def plot(kinds: dict[str, dict[str, Any]], file: Path) -> None:
    """Draw the time of each kind of step by its parts."""
    figure = Figure(figsize=(8, 0.42 * len(kinds) + 1))
    axes = figure.subplots()
    left = np.zeros(len(kinds))
    for part in (*PARTS, "the rest"):
        width = np.array([k["cpu_s"] * k["shares"].get(part, 0) for k in kinds.values()])
        axes.barh(list(kinds), width, left=left, label=part)
        left += width
    axes.invert_yaxis()
    axes.set_xlabel("processor time of a step [s]")
    axes.legend(fontsize=8)
    figure.savefig(file, dpi=110, bbox_inches="tight")


def main() -> None:
    """Time all kinds of step."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, nargs=2, default=[160, 512], metavar=("H", "W"))
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent)
    args = parser.parse_args()
    batch = made_up_batch(args.batch_size, *args.size)
    steps = {name: Step(*kind) for name, kind in KINDS.items()}
    times: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(args.turns + 1):  # the first one is not counted
        for name, step in steps.items():
            times[name].append(step.take(batch))
        print(f"turn {turn} of {args.turns}")
    kinds: dict[str, dict[str, Any]] = {
        name: {"cpu_s": round(float(np.median(times[name][1:])), 3), "shares": step.shares(batch)}
        for name, step in steps.items()
    }
    setting = {"size": args.size, "batch_size": args.batch_size, "threads": torch.get_num_threads()}
    text = json.dumps({**setting, "turns": args.turns, "kinds": kinds}, indent=1)
    (args.folder / "results.json").write_text(text + "\n")
    plot(kinds, args.folder / "results.png")
    table = Table("step", "processor time s", *PARTS, "the rest")
    for name, kind in kinds.items():
        shares = (f"{100 * kind['shares'].get(part, 0):.0f} %" for part in (*PARTS, "the rest"))
        table.add_row(name, f"{kind['cpu_s']:.2f}", *shares)
    Console().print(table)


if __name__ == "__main__":
    main()
