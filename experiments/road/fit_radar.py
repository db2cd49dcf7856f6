# SPDX-License-Identifier: Apache-2.0
"""Fits the radar that is made from lidar to real radars, and compares the two.

For each real radar the same is measured on its returns and on returns made from the lidar of the
same frames: how many, how far, where to the lidar's points, how strong, how clustered. ``--search``
draws other parameters and keeps those whose histograms differ least; by hand, the rounded result
goes into ``supervision/radar_noise.py``.

    python experiments/road/fit_radar.py RECORDINGS [--search 100] [--picture OUT.jpg]

RECORDINGS holds the converted data sets ``astyx`` (its split train) and ``aimotive_rear``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.geometry import RadarSweep, SensorFrame
from xd_rcdepth_ros.recordings.bags import find_recordings
from xd_rcdepth_ros.recordings.reader import Recording
from xd_rcdepth_ros.supervision.lidar_radar import sweep_from_lidar
from xd_rcdepth_ros.supervision.radar_cells import ground_height
from xd_rcdepth_ros.supervision.radar_noise import RADARS, RadarNoise

Array = NDArray[np.float64]
Make = Callable[[SensorFrame, int], RadarSweep]
# Radar -> kind it stands for, split, and every how many-th frame is looked at.
REAL = {"astyx": ("imaging", "train", 12), "aimotive_rear": ("sparse", None, 2)}
# What differs from unit to unit, as this one has it; the kind spreads it over many.
WITHOUT_RADAR = ("kitti", "ddad")  # shown in the picture where they are there
UNIT: dict[str, dict[str, object]] = {
    "astyx": {},
    "aimotive_rear": {
        "near_azimuth_deg": (14.0, 14.0),
        "elevation_bias_deg": (-3.3, 0.2),
        "flat": 0.0,
    },
}
_AZIMUTH_DEG, _ELEVATION_DEG = 1.0, 2.0  # window in which lidar points are looked for
# Statistic -> edges of its histogram.
EDGES = {
    "depth m": np.geomspace(3, 180, 14),
    "azimuth deg": np.linspace(-30, 30, 13),
    "elevation deg": np.linspace(-9, 9, 19),
    "height m": np.linspace(-6, 8, 15),
    "behind lidar m": np.array([-200, -30, -10, -3, -1, -0.3, 0.3, 1, 3, 10, 30, 200.0]),
    "off objects m": np.array([0, 0.1, 0.3, 1, 3, 10, 30, 200.0]),
    "next return m": np.array([0, 0.3, 0.6, 1, 1.5, 2, 3, 5, 8, 15, 30, 200.0]),
    "strength dB": np.linspace(-10, 90, 51),
}


def read_frames(folder: Path, split: str | None, step: int) -> list[tuple[SensorFrame, Array]]:
    """Return frames with radar and lidar, and the camera's velocity, camera axes."""
    frames = []
    for bag in find_recordings(folder, split):
        with Recording(bag) as recording:
            for number in range(0, len(recording), step):
                frame = recording.frame(number)
                if frame.radar and frame.lidar is not None:
                    transforms = recording.index.transforms
                    velocity = transforms.velocity(frame.camera.frame_id, frame.stamp_ns)
                    frames.append((frame, np.zeros(3) if velocity is None else velocity))
    return frames


def in_image(frame: SensorFrame, sweep: RadarSweep) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Return a sweep's returns in the image: camera axes, level (x forward, y left, z up), mask."""
    points = sweep.camera_from_radar.apply(sweep.points.position_m)
    uv, depth = frame.camera.project(points)
    size = (frame.camera.width, frame.camera.height)
    seen = (depth > 1) & (uv >= 0).all(axis=1) & (uv < size).all(axis=1)
    return points[seen], level(points[seen]), seen


def level(points: Array) -> Array:
    """Return points of camera axes as x forward, y left, z up."""
    return points[:, [2, 0, 1]] * [1, -1, -1]


def angles(points: Array) -> tuple[Array, Array, Array]:
    """Return range (m), azimuth and elevation (degrees) of level points."""
    azimuth = np.rad2deg(np.arctan2(points[:, 1], points[:, 0]))
    elevation = np.rad2deg(np.arctan2(points[:, 2], np.hypot(points[:, 0], points[:, 1])))
    return np.linalg.norm(points, axis=1), azimuth, elevation


def nearest_gap(ranges: Array, near: NDArray[np.bool_], lidar_range: Array) -> Array:
    """Return each return's range less the nearest lidar range in its window; NaN without one."""
    gaps = np.where(near, ranges[:, None] - lidar_range[None], np.nan)
    best = np.nanargmin(np.where(near, np.abs(gaps), 1e9), axis=1)
    return np.asarray(gaps[np.arange(len(ranges)), best])


def measure(frame: SensorFrame, sweep: RadarSweep) -> dict[str, Array]:
    """Return the statistics of one sweep."""
    _, points, seen = in_image(frame, sweep)
    assert frame.lidar is not None
    lidar = level(frame.lidar.camera_from_lidar.apply(frame.lidar.points_m))
    lidar = lidar[lidar[:, 0] > 1]
    objects = lidar[lidar[:, 2] > ground_height(lidar) + 0.3]
    ranges, azimuth, elevation = angles(points)
    result = {"returns": np.array([float(len(points))]), "depth m": points[:, 0]}
    result |= {"azimuth deg": azimuth, "elevation deg": elevation, "height m": points[:, 2]}
    result["strength dB"] = sweep.points.rcs_dbsm[seen].astype(float)
    result["over ground m/s"] = np.linalg.norm(
        sweep.points.velocity_compensated_mps[seen], axis=1
    ).astype(float)
    if len(points) < 2 or not len(objects):
        return result
    lidar_range, lidar_azimuth, lidar_elevation = angles(lidar)
    near = np.abs(azimuth[:, None] - lidar_azimuth) < _AZIMUTH_DEG
    result["behind lidar m"] = nearest_gap(
        ranges, near & (np.abs(elevation[:, None] - lidar_elevation) < _ELEVATION_DEG), lidar_range
    )
    object_range, object_azimuth, _ = angles(objects)
    near = np.abs(azimuth[:, None] - object_azimuth) < _AZIMUTH_DEG
    result["off objects m"] = np.abs(nearest_gap(ranges, near, object_range))
    apart = np.linalg.norm(points[:, None, :2] - points[None, :, :2], axis=2)
    np.fill_diagonal(apart, np.inf)
    result["next return m"] = apart.min(axis=1)
    return result


def gather(frames: Sequence[tuple[SensorFrame, Array]], make: Make) -> dict[str, Array]:
    """Return the statistics of all frames together; ``make`` gives each frame's sweep."""
    parts = [measure(frame, make(frame, i)) for i, (frame, _) in enumerate(frames)]
    return {key: np.concatenate([p[key] for p in parts if key in p]) for key in parts[0]}


def make_radar(frames: Sequence[tuple[SensorFrame, Array]], noise: RadarNoise, seed: int) -> Make:
    """Return the function that makes a sweep from a frame's lidar."""
    return lambda frame, i: sweep_from_lidar(
        frame, noise, np.random.default_rng([seed, i]), frames[i][1]
    )


def histogram(values: Array, edges: Array) -> Array:
    """Return the shares of the values in each step, and of those without a value."""
    known = values[np.isfinite(values)]
    counts, _ = np.histogram(np.clip(known, edges[0], edges[-1] - 1e-9), edges)
    return np.append(counts, len(values) - len(known)) / max(len(values), 1)


def distances(real: dict[str, Array], made: dict[str, Array]) -> dict[str, float]:
    """Return the share of returns that would have to lie in another step of each histogram."""
    return {
        key: float(np.abs(histogram(real[key], e) - histogram(made[key], e)).sum() / 2)
        for key, e in EDGES.items()
    }


def vary(noise: RadarNoise, rng: np.random.Generator) -> RadarNoise:
    """Return the parameters with a few of them changed by up to about a third."""
    change: dict[str, object] = {}
    keys = (
        "range_spread", "object_spread", "missed", "ground", "unseen", "ghosts", "clutter",
        "error_m", "azimuth_error_deg", "elevation_error_deg", "group", "repeats", "height_m",
    )  # fmt: skip
    for key in rng.choice(keys, 3, replace=False):
        change[key] = getattr(noise, key) * float(np.exp(rng.normal(0, 0.3)))
    if rng.random() < 0.3:
        change["range_m"] = (noise.range_m[0] * float(np.exp(rng.normal(0, 0.2))), noise.range_m[1])
    if rng.random() < 0.3:
        mean, spread = noise.elevation_bias_deg
        change["elevation_bias_deg"] = (mean + float(rng.normal(0, 0.4)), spread)
    return replace(noise, **change)  # type: ignore[arg-type]


def search(
    frames: Sequence[tuple[SensorFrame, Array]],
    real: dict[str, Array],
    noise: RadarNoise,
    tries: int,
) -> RadarNoise:
    """Return the best of randomly changed parameters."""

    def cost(candidate: RadarNoise) -> float:
        made = gather(frames, make_radar(frames, candidate, 0))
        return sum(distances(real, made).values())

    rng = np.random.default_rng(0)
    best, least = noise, cost(noise)
    for number in range(tries):
        candidate = vary(best, rng)
        new = cost(candidate)
        if new < least:
            best, least = candidate, new
            print(f"  {number}: {least:.3f}", flush=True)
    return best


def print_table(real: dict[str, Array], made: dict[str, Array]) -> None:
    """Print percentiles of real and made returns, and how far the histograms are apart."""
    apart = distances(real, made)
    print("| | real: 5 / 25 / 50 / 75 / 95 % | made | apart |")
    print("|---|---|---|---|")
    for key in (k for k in real if k != "over ground m/s"):
        cells = []
        for values in (real[key], made[key]):
            known = values[np.isfinite(values)]
            steps = np.percentile(known, [5, 25, 50, 75, 95])
            cells.append(" / ".join(f"{v:.0f}" if abs(v) >= 100 else f"{v:.2g}" for v in steps))
        distance = f"{100 * apart[key]:.0f} %" if key in apart else ""
        print(f"| {key} | {cells[0]} | {cells[1]} | {distance} |")
    for name, low, high in (("no lidar within 3 m of it", 3, np.inf), ("within 1 m", -1, 1)):
        shares = []
        for values in (real["off objects m"], made["off objects m"]):
            off = np.nan_to_num(values, nan=np.inf)
            shares.append(f"{100 * ((off > low) & (off <= high)).mean():.0f} %")
        print(f"| objects: {name} | {shares[0]} | {shares[1]} | |")
    shares = []
    for values in (real["over ground m/s"], made["over ground m/s"]):
        known = values[np.isfinite(values)]
        shares.append(f"{100 * (known > 1).mean():.0f} %" if len(known) else "not known")
    print(f"| faster than 1 m/s over ground | {shares[0]} | {shares[1]} | |")
    for low, high in ((0, 20), (20, 40), (40, 80), (80, 200)):
        strengths = []
        for returns in (real, made):
            depth_m = returns["depth m"]
            here = returns["strength dB"][(depth_m >= low) & (depth_m < high)]
            strengths.append(
                " / ".join(f"{v:.1f}" for v in np.percentile(here, [5, 25, 50, 75, 95]))
                if len(here) > 5 else "-"
            )  # fmt: skip
        print(f"| strength dB, {low} to {high} m | {strengths[0]} | {strengths[1]} | |")


def draw(frame: SensorFrame, sweep: RadarSweep, width: int = 560) -> NDArray[np.uint8]:
    """Return the image with the returns, coloured by depth (near red, far blue)."""
    scale = width / frame.camera.width
    image = cv2.resize(frame.image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    top = max(0, round(frame.camera.p[1, 2] * scale) - 85)  # around the horizon
    image = np.asarray(image)[top : top + 160]
    image = (image * 0.6).astype(np.uint8)
    points, _, _ = in_image(frame, sweep)
    uv, depth = frame.camera.project(points)
    hue = np.clip(np.log(depth / 5) / np.log(100 / 5), 0, 1) * 120
    radius = 2 if len(points) > 150 else 4
    for place, h in zip(uv * scale - [0, top], hue, strict=True):
        colour = cv2.cvtColor(np.array([[[h, 255, 255]]], np.uint8), cv2.COLOR_HSV2RGB)[0, 0]
        cv2.circle(image, (round(place[0]), round(place[1])), radius, colour.tolist(), -1)
    return np.asarray(image, np.uint8)


def draw_made(folder: Path) -> NDArray[np.uint8]:
    """Return one frame of a data set without radar with both kinds made for it."""
    with Recording(find_recordings(folder)[0]) as recording:
        frame = recording.frame(len(recording) // 2)
    kinds = [
        label(draw(frame, sweep_from_lidar(frame, kind, np.random.default_rng(3))),
              f"{folder.name}: made from lidar: {kind}")
        for kind in ("sparse", "imaging")
    ]  # fmt: skip
    return np.hstack(kinds)


def label(image: NDArray[np.uint8], text: str) -> NDArray[np.uint8]:
    """Return the image with a caption."""
    return np.asarray(
        cv2.putText(image, text, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, 16),
        np.uint8,
    )


def main() -> None:
    """Compare, search if asked to, and draw."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--search", type=int, default=0, help="number of tries")
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--only", choices=list(REAL))
    arguments = parser.parse_args()
    rows = []
    for name, (kind, split, step) in REAL.items():
        if arguments.only not in (None, name):
            continue
        frames = read_frames(arguments.recordings / name, split, step)
        real = gather(frames, lambda frame, i: frame.radar[0])
        noise = replace(RADARS[kind], **UNIT[name])  # type: ignore[arg-type]
        if arguments.search:
            noise = search(frames, real, noise, arguments.search)
            print(noise)
        print(f"\n{name} ({len(frames)} frames) and kind {kind}\n")
        print_table(real, gather(frames, make_radar(frames, noise, 1)))
        for number in (len(frames) // 5, len(frames) // 2):
            frame, _ = frames[number]
            made = make_radar(frames, noise, 1)(frame, number)
            rows.append(
                np.hstack([label(draw(frame, frame.radar[0]), f"{name}: radar, recorded"),
                           label(draw(frame, made), f"made from lidar: {kind}")])
            )  # fmt: skip
    for name in WITHOUT_RADAR:
        if arguments.picture and (arguments.recordings / name).is_dir():
            rows.append(draw_made(arguments.recordings / name))
    if arguments.picture:
        picture = cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(arguments.picture), picture, [cv2.IMWRITE_JPEG_QUALITY, 75])


if __name__ == "__main__":
    main()
