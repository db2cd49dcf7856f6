# SPDX-License-Identifier: Apache-2.0
"""Refine the first student on Astyx and simulated drives, supervised between the lidar's rows too.

The lidar of Astyx has 16 rows, which fall on nearly the same image rows in every frame. A student
trained on them alone (train_student.py) is right on those rows and free to say anything between
them, which shows as stripes. Here the space between the rows is supervised too: by linear
interpolation on Astyx and by the exact depth of simulated drives; and images are shifted up and
down, so that a row of the image no longer is a row of the lidar.

    python experiments/first_checkpoint/refine_student.py ../shared/data/astyx \
        --start models/student.safetensors --out models/student.safetensors

Simulated frames are kept under out/first_checkpoint. Writes results.json beside this script.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from scipy.interpolate import LinearNDInterpolator
from torch import Tensor
from train_student import FOCAL_LENGTH_PX, Frames, baselines, errors, evaluate, to_tensors

from xd_rcdepth_ros.geometry import SensorFrame
from xd_rcdepth_ros.network import load_checkpoint, save_checkpoint
from xd_rcdepth_ros.recordings.simulation import Drive, DriveSettings

MAX_TRUTH_M = 100.0
CANVAS_ROWS = (160, 192)  # heights that Astyx images are placed on
CROP = (192, 512)  # part of a simulated picture, rows and columns


def interpolate(sparse_m: np.ndarray, max_gap_px: float = 20.0) -> np.ndarray:
    """Fill a sparse depth map (H, W), NaN = none, linearly between points up to a gap apart."""
    from scipy.ndimage import distance_transform_edt

    v, u = np.nonzero(~np.isnan(sparse_m))
    rows, columns = np.indices(sparse_m.shape)
    dense = LinearNDInterpolator(np.column_stack([v, u]), sparse_m[v, u])(rows, columns)
    dense[distance_transform_edt(np.isnan(sparse_m)) > max_gap_px / 2] = np.nan
    return dense.astype(np.float32)


def simulate(drives: int, frames: int, first_seed: int) -> list[SensorFrame]:
    """Make frames of many short simulated drives: all places, weathers and both radars."""
    made = []
    for seed in range(first_seed, first_seed + drives):
        rng = np.random.default_rng(seed)
        settings = DriveSettings(
            seed=seed,
            frames=frames,
            weather=str(rng.choice(["clear", "overcast", "fog", "rain"], p=[0.5, 0.3, 0.08, 0.12])),
            time_of_day=str(rng.choice(["day", "dusk", "night"], p=[0.6, 0.1, 0.3])),
            radar=str(rng.choice(["sparse", "imaging"])),
            focal_px=FOCAL_LENGTH_PX,
            camera_hz=0.7,
        )
        made += list(Drive(settings).frames())
        print(f"simulated {len(made)} frames", flush=True)
    return made


def pack(frames: list[SensorFrame]) -> dict[str, np.ndarray]:
    """Stack frames into arrays that can be saved without pickling."""
    return {
        "image": np.stack([f.image for f in frames]),
        "radar": np.stack([f.radar_raster().channels.astype(np.float16) for f in frames]),
        "depth": np.stack([f.depth_m.astype(np.float16) for f in frames]),
    }


def colour(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change gain, gamma and, now and then, darkness and noise of an image (H, W, 3) in [0, 1]."""
    image = np.clip(image * rng.uniform(0.8, 1.2, 3), 0, 1) ** rng.uniform(0.7, 1.4)
    if rng.random() < 0.15:
        image = image * rng.uniform(0.15, 0.6) + rng.normal(0, 0.02, image.shape)
    return np.clip(image, 0, 1).astype(np.float32)


class AstyxBatches:
    """Batches of image, radar, sparse and interpolated depth from the training split."""

    def __init__(self, frames: list[SensorFrame], thinned_share: float) -> None:
        self.frames = frames
        self.thinned_share = thinned_share
        self.dense = [interpolate(f.lidar_depth()) for f in frames]

    def draw(self, rng: np.random.Generator, size: int) -> tuple[Tensor, ...]:
        """Return tensors with depth 0 where there is none."""
        rows = int(rng.choice(CANVAS_ROWS))
        parts = []
        for index in rng.choice(len(self.frames), size, replace=False):
            frame = replace(self.frames[index], depth_m=self.dense[index])
            if rng.random() < 0.5:
                frame = frame.flip()
            if rng.random() < self.thinned_share:  # other radars give fewer returns, or none
                (sweep,) = frame.radar
                keep = rng.random(len(sweep.points)) < rng.choice([0.0, 0.02, 0.05, 0.2, 0.5])
                frame = replace(frame, radar=(replace(sweep, points=sweep.points.select(keep)),))
            top = int(rng.integers(0, rows - frame.camera.height + 1))
            frame = frame.pad(0, top, 0, rows - frame.camera.height - top)
            image, radar, sparse = to_tensors(frame)
            image = torch.from_numpy(colour(image.permute(1, 2, 0).numpy(), rng)).permute(2, 0, 1)
            dense = torch.from_numpy(np.nan_to_num(frame.depth_m))[None]
            parts.append((image, radar, sparse, dense))
        return tuple(torch.stack(p) for p in zip(*parts, strict=True))


class SimulatedBatches:
    """Batches of random parts of simulated pictures, with exact depth."""

    def __init__(self, data: dict[str, np.ndarray]) -> None:
        self.data = data

    def draw(self, rng: np.random.Generator, size: int) -> tuple[Tensor, ...]:
        """Return image, radar and depth tensors; depth 0 where there is none (the sky)."""
        rows, columns = CROP
        _, height, width, _ = self.data["image"].shape
        parts = []
        for index in rng.choice(len(self.data["image"]), size, replace=False):
            top, left = rng.integers(0, height - rows + 1), rng.integers(0, width - columns + 1)
            cut = np.s_[..., top : top + rows, left : left + columns]
            image = self.data["image"][index].transpose(2, 0, 1)[cut]
            radar = self.data["radar"][index][cut].astype(np.float32)
            depth = np.nan_to_num(self.data["depth"][index][cut].astype(np.float32), posinf=0)
            if rng.random() < 0.5:
                image, depth = image[..., ::-1], depth[..., ::-1]
                radar = radar[..., ::-1] * np.array([1, 1, 1, -1], np.float32)[:, None, None]
            if rng.random() < 0.15:
                radar = radar * (rng.random(radar.shape[1:]) < rng.choice([0.0, 0.3]))
            image = colour(image.transpose(1, 2, 0) / 255, rng).transpose(2, 0, 1)
            arrays = (image, radar.astype(np.float32), depth[None])
            parts.append(tuple(torch.from_numpy(np.ascontiguousarray(a)) for a in arrays))
        return tuple(torch.stack(p) for p in zip(*parts, strict=True))


def masked_l1(depth: Tensor, truth: Tensor) -> Tensor:
    """Return the mean absolute error where there is truth; 0 without any."""
    mask = (truth > 1e-3) & (truth < MAX_TRUTH_M)
    return ((depth - truth).abs() * mask).sum() / mask.sum().clamp(min=1)


def simulated_mae(model: torch.nn.Module, data: dict[str, np.ndarray]) -> float:
    """Return the MAE, metres, 0-80 m, per image, on whole simulated pictures."""
    model.eval()
    maes = []
    for image, radar, depth in zip(data["image"], data["radar"], data["depth"], strict=True):
        inputs = (
            torch.from_numpy(image.transpose(2, 0, 1) / 255).float()[None],
            torch.from_numpy(radar.astype(np.float32))[None],
        )
        with torch.inference_mode():
            out = model(*inputs)[0, 0].numpy()
        maes.append(errors(out, depth.astype(np.float32))[0])
    return float(np.mean(maes))


def main() -> None:
    """Simulate, refine, evaluate, write the model file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--start", type=Path, default=Path("models/student.safetensors"))
    parser.add_argument("--out", type=Path, default=Path("models/student.safetensors"))
    parser.add_argument("--cache", type=Path, default=Path("out/first_checkpoint"))
    parser.add_argument("--drives", type=int, default=80)
    parser.add_argument("--steps", type=int, default=900)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--astyx-share", type=float, default=0.5, help="share of Astyx batches")
    parser.add_argument("--interpolated-weight", type=float, default=0.5)
    parser.add_argument("--thinned-share", type=float, default=0.4, help="with fewer returns")
    parser.add_argument("--freeze-statistics", action="store_true")
    args = parser.parse_args()
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    args.cache.mkdir(parents=True, exist_ok=True)
    sets = {}
    for name, drives, first in (("train", args.drives, 1000), ("val", 6, 9000)):
        file = args.cache / f"simulated_{name}.npz"
        if not file.exists():
            np.savez(file, **pack(simulate(drives, 8, first)))
        with np.load(file) as arrays:
            sets[name] = {key: arrays[key] for key in arrays.files}
    train, val = Frames(args.data, "train", True), Frames(args.data, "val", False)
    figures, _ = baselines(train, val)
    # The grid's padding is removed again: every draw pads anew.
    frames = []
    for grid, placed in zip(train.grids, train.placed, strict=True):
        rows, columns = grid.inside
        frames.append(
            placed.crop(
                columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start
            )
        )
    astyx, simulated = AstyxBatches(frames, args.thinned_share), SimulatedBatches(sets["train"])

    model, header = load_checkpoint(args.start)
    model = model.to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(model.parameters(), args.learning_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, args.learning_rate, total_steps=args.steps, pct_start=0.15
    )
    average = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.99)
    )
    state_file = args.cache / "refine.pt"
    parts = {"model": model, "average": average, "optimiser": optimiser, "schedule": schedule}
    start, history = 0, []
    if state_file.exists():
        state = torch.load(state_file, weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(state[name])
        start, history = state["step"], state["history"]
        rng = np.random.default_rng(start)

    def run(image: Tensor, radar: Tensor) -> Tensor:
        layout = torch.channels_last
        return model(image.to(memory_format=layout), radar.to(memory_format=layout))

    losses: dict[str, list[float]] = {"astyx": [], "simulated": []}
    began = time.monotonic()
    for step in range(start, args.steps):
        model.train()
        if args.freeze_statistics:
            # Batches alternate between the two kinds of data; statistics of one do not suit the
            # other, so the network learns with the fixed ones that it is used with.
            for module in model.modules():
                if isinstance(module, torch.nn.BatchNorm2d):
                    module.eval()
        real = rng.random() < args.astyx_share
        if real:
            image, radar, sparse, dense = astyx.draw(rng, 4)
            depth = run(image, radar)
            between = torch.where(sparse > 0, 0, dense)
            loss = masked_l1(depth, sparse) + args.interpolated_weight * masked_l1(depth, between)
        else:
            image, radar, truth = simulated.draw(rng, 3)
            loss = masked_l1(run(image, radar), truth)
        if not torch.isfinite(loss):
            raise SystemExit(f"the loss is {loss.item()} at step {step}: diverged")
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        average.update_parameters(model)
        losses["astyx" if real else "simulated"].append(loss.item())
        if (step + 1) % 150 == 0 or step + 1 == args.steps:
            entry = {"step": step + 1}
            entry |= {name: float(np.mean(values[-100:])) for name, values in losses.items()}
            entry |= {"val_mae_m": evaluate(average.module, val)["mae_m"]}
            entry |= {"simulated_mae_m": simulated_mae(average.module, sets["val"])}
            history.append(entry)
            print(entry, f"{time.monotonic() - began:.0f} s", flush=True)
            state = {name: part.state_dict() for name, part in parts.items()}
            torch.save({**state, "step": step + 1, "history": history}, state_file)

    result = {
        "protocol": "Astyx val (70 frames), 0-80 m, prediction clamped, mean of per-image values, "
        "1024 x 309",
        "student": evaluate(average.module, val),
        "student_radar_zeroed": evaluate(average.module, val, zero_radar=True),
        "baselines_mae_m": figures,
        "simulated_mae_m": simulated_mae(average.module, sets["val"]),
        "simulated_protocol": "6 simulated drives of other seeds, 48 frames, exact depth, 0-80 m",
    }
    header = replace(
        header,
        training_data="Astyx HiRes2019 (reduced), 334 training frames, lidar sparse and "
        f"interpolated; {len(sets['train']['image'])} frames of simulated drives; encoders start "
        "from ImageNet",
        metrics=result,
    )
    save_checkpoint(args.out, average.module, header)
    text = json.dumps({**result, "history": history}, indent=1) + "\n"
    Path(__file__).with_name("results.json").write_text(text)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
