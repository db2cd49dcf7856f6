# SPDX-License-Identifier: Apache-2.0
"""What each step of dense supervision is worth, on simulated drives whose exact depth is known.

    python experiments/dense_supervision/study.py --work out/dense_supervision

Simulates the drives where they are missing, and writes results.json, results.md and results.png
beside this script and the pictures to docs/images.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure
from scipy.ndimage import maximum_filter, minimum_filter

from xd_rcdepth_ros.geometry import SensorFrame
from xd_rcdepth_ros.inference import colorize_depth
from xd_rcdepth_ros.recordings.reader import Recording
from xd_rcdepth_ros.simulation import Drive, DriveSettings, write_bag
from xd_rcdepth_ros.supervision.lidar_depth import (
    DenseSupervision,
    SupervisionSettings,
    find_movers,
    supervise,
)
from xd_rcdepth_ros.supervision.movers import FreeSpace, PlacedSweep

MAX_DEPTH_M = 80.0
FRAMES = 48
CHOSEN = (14, 20, 26, 32)
DRIVES = {
    "city": DriveSettings(seed=21, frames=FRAMES, place="city", traffic=1.5),
    "suburb": DriveSettings(seed=22, frames=FRAMES, place="suburb", traffic=1.5),
    "country": DriveSettings(seed=23, frames=FRAMES, place="country", traffic=2.0),
    "motorway": DriveSettings(seed=24, frames=FRAMES, place="motorway", traffic=1.5),
}

RAW = SupervisionSettings(
    consistency=None, doppler_radius_m=None, hidden_window_px=0, interpolate=False
)
SEEN = replace(RAW, hidden_window_px=5)
CLEAN = replace(SupervisionSettings(doppler_radius_m=None), interpolate=False)
FULL = SupervisionSettings(doppler_radius_m=None)
VARIANTS = {
    "21 sweeps, nothing removed": RAW,
    "+ hidden values dropped": SEEN,
    "+ Doppler only": replace(SEEN, doppler_radius_m=2.0),
    "+ consistency, silence says nothing": replace(CLEAN, consistency=FreeSpace(silence_deg=None)),
    "+ consistency only": CLEAN,
    "+ consistency and Doppler": replace(CLEAN, doppler_radius_m=2.0),
    "consistency, 5 sweeps": replace(CLEAN, sweeps_each_way=2),
    "consistency, 11 sweeps": replace(CLEAN, sweeps_each_way=5),
    "Delaunay over all, in depth": replace(
        FULL, max_gap_px=None, max_jump_share=None, inverse=False
    ),
    "Delaunay, gap 12 px, in depth": replace(FULL, max_jump_share=None, inverse=False),
    "Delaunay, gap 12 px, in 1 / depth": replace(FULL, max_jump_share=None),
    "Delaunay, gap 6 px, jump 30 %": replace(FULL, max_gap_px=6.0),
    "Delaunay, gap 12 px, jump 30 % (default)": FULL,
    "Delaunay, gap 24 px, jump 30 %": replace(FULL, max_gap_px=24.0),
    "nothing removed, Delaunay as default": replace(RAW, interpolate=True),
}


@dataclass
class Tally:
    """Sums over frames of one variant."""

    pixels: int = 0
    known: int = 0
    wrong: int = 0
    errors: list[np.ndarray] = field(default_factory=list)
    ghosts: int = 0
    ghosts_removed: int = 0
    sound: int = 0
    sound_removed: int = 0

    def add_map(self, depth: np.ndarray, exact: np.ndarray) -> None:
        """Hold a depth map against the exact one."""
        there = exact < MAX_DEPTH_M
        known = there & np.isfinite(depth)
        error = np.abs(depth[known] - exact[known])
        self.pixels += int(there.sum())
        self.known += int(known.sum())
        self.wrong += int((error > np.maximum(1.0, 0.05 * exact[known])).sum())
        self.errors.append(error)

    def figures(self) -> dict[str, float | None]:
        """Return the figures."""
        error = np.concatenate(self.errors)
        return {
            "density_percent": 100 * self.known / self.pixels,
            "mae_m": float(error.mean()),
            "median_error_m": float(np.median(error)),
            "wrong_percent": 100 * self.wrong / max(1, self.known),
            "mover_points_removed_percent": (
                100 * self.ghosts_removed / self.ghosts if self.ghosts else None
            ),
            "sound_points_removed_percent": (
                100 * self.sound_removed / self.sound if self.sound else None
            ),
            "mover_points": self.ghosts,
            "sound_points": self.sound,
        }


def judge(sweep: PlacedSweep, frame: SensorFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return which points (N,) float in free space now, and which lie on what is there now.

    The exact depth of the 3 x 3 pixels around a point decides, so that edges count for nothing.
    """
    assert frame.depth_m is not None
    exact = np.where(np.isfinite(frame.depth_m), frame.depth_m, 1e9)
    low, high = minimum_filter(exact, 3), maximum_filter(exact, 3)
    uv, depth = frame.camera.project(sweep.points_m)
    uv = np.floor(uv + 0.5).astype(int)
    inside = ((uv >= 0) & (uv < [frame.camera.width, frame.camera.height])).all(axis=1)
    inside &= depth < MAX_DEPTH_M
    u, v = np.where(inside[:, None], uv, 0).T
    tolerance = np.maximum(1.0, 0.1 * depth)
    floating = inside & (depth < low[v, u] - tolerance)
    sound = inside & (depth >= low[v, u] - tolerance) & (depth <= high[v, u] + tolerance)
    return floating, sound


def study(bag: Path, tallies: dict[str, Tally]) -> dict[str, np.ndarray]:
    """Measure every variant on one drive; return the maps of its last frame for pictures."""
    maps: dict[str, np.ndarray] = {}
    with Recording(bag) as recording:
        for number in CHOSEN:
            frame = recording.frame(number)
            assert frame.depth_m is not None
            by_count: dict[int, tuple[list[PlacedSweep], int]] = {}
            for name, settings in VARIANTS.items():
                count = settings.sweeps_each_way
                if count not in by_count:
                    by_count[count] = DenseSupervision(recording, settings).sweeps(number)
                sweeps, main = by_count[count]
                if settings.doppler_radius_m is None:
                    sweeps = [replace(s, moving_m=np.zeros((0, 3))) for s in sweeps]
                result = supervise(sweeps, main, frame.camera, settings)
                depth = result.dense_m if settings.interpolate else result.accumulated_m
                tallies.setdefault(name, Tally()).add_map(depth, frame.depth_m)
                maps[name] = depth
                if not settings.interpolate:
                    gone, _ = find_movers(sweeps, main, settings)
                    for i, (sweep, mask) in enumerate(zip(sweeps, gone, strict=True)):
                        if i == main:
                            continue
                        floating, sound = judge(sweep, frame)
                        tally = tallies[name]
                        tally.ghosts += int(floating.sum())
                        tally.ghosts_removed += int((floating & mask).sum())
                        tally.sound += int(sound.sum())
                        tally.sound_removed += int((sound & mask).sum())
            tallies.setdefault("single sweep", Tally()).add_map(result.single_m, frame.depth_m)
            maps["single sweep"] = result.single_m
        assert frame.depth_m is not None
        maps["image"], maps["exact"] = frame.image, frame.depth_m
    return maps


def picture(maps: dict[str, np.ndarray]) -> np.ndarray:
    """Return a sheet: image, exact, single, raw, clean, dense (RGB)."""
    names = {
        "camera": maps["image"],
        "exact depth": maps["exact"],
        "single sweep": maps["single sweep"],
        "21 sweeps, nothing removed": maps["21 sweeps, nothing removed"],
        "movers and hidden values removed": maps["+ consistency only"],
        "small gaps interpolated": maps["Delaunay, gap 12 px, jump 30 % (default)"],
    }
    tiles = []
    for title, value in names.items():
        tile = value.copy() if value.ndim == 3 else colorize_depth(value)
        if title == "single sweep":
            tile = cv2.dilate(tile, np.ones((3, 3), np.uint8))
        tile = np.ascontiguousarray(tile)
        cv2.putText(tile, title, (8, 22), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (0, 0, 0), 4, cv2.LINE_AA)
        white = (255, 255, 255)
        cv2.putText(tile, title, (8, 22), cv2.FONT_HERSHEY_SIMPLEX, 0.6, white, 1, cv2.LINE_AA)
        tiles.append(tile)
    sheet = np.vstack([np.hstack(tiles[i : i + 2]) for i in (0, 2, 4)])
    return np.asarray(cv2.resize(sheet, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA))


def table(results: dict[str, dict[str, float | None]]) -> str:
    """Return the figures as a Markdown table."""

    def text(value: float | None, digits: int) -> str:
        return "" if value is None else f"{value:.{digits}f}"

    lines = [
        "| supervision | density % | MAE m | median error m | wrong % | movers removed % "
        "| sound points lost % |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, f in results.items():
        lines.append(
            f"| {name} | {text(f['density_percent'], 1)} | {text(f['mae_m'], 2)} | "
            f"{text(f['median_error_m'], 3)} | {text(f['wrong_percent'], 1)} | "
            f"{text(f['mover_points_removed_percent'], 1)} | "
            f"{text(f['sound_points_removed_percent'], 1)} |"
        )
    return "\n".join(lines) + "\n"


def plot(results: dict[str, dict[str, float | None]], file: Path) -> None:
    """Draw how many pixels each way gives a depth, and how far that is from the exact one."""
    figure = Figure(figsize=(8, 5))
    panels = figure.subplots(1, 2, sharey=True)
    for axes, key in zip(panels, ("density_percent", "mae_m"), strict=True):
        axes.barh(list(results), [f[key] or 0.0 for f in results.values()])
        axes.set_xlabel(key)
    panels[0].invert_yaxis()
    figure.savefig(file, dpi=110, bbox_inches="tight")


def main() -> None:
    """Simulate, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("out/dense_supervision"))
    parser.add_argument("--pictures", type=Path, default=Path("docs/images"))
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent, help="of the results")
    args = parser.parse_args()
    tallies: dict[str, Tally] = {}
    by_drive = {}
    for name, settings in DRIVES.items():
        bag = args.work / name
        if not bag.exists():
            write_bag(Drive(settings), bag, workers=2)
        own: dict[str, Tally] = {}
        maps = study(bag, own)
        args.pictures.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(
            str(args.pictures / f"supervision_{name}.jpg"),
            picture(maps)[..., ::-1],
            [cv2.IMWRITE_JPEG_QUALITY, 82],
        )
        by_drive[name] = {variant: tally.figures() for variant, tally in own.items()}
        for variant, tally in own.items():
            total = tallies.setdefault(variant, Tally())
            for key, value in vars(tally).items():
                setattr(total, key, getattr(total, key) + value)
        print(name, "done", flush=True)
    order = ["single sweep", *VARIANTS]
    results = {variant: tallies[variant].figures() for variant in order}
    report = {"frames": len(CHOSEN) * len(DRIVES), "all": results, "by_drive": by_drive}
    (args.folder / "results.json").write_text(json.dumps(report, indent=1) + "\n")
    (args.folder / "results.md").write_text(table(results))
    plot(results, args.folder / "results.png")
    print(table(results))


if __name__ == "__main__":
    main()
