# SPDX-License-Identifier: Apache-2.0
"""Make the pictures of docs/simulation.md.

python experiments/simulation/pictures.py [FOLDER]
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.geometry import RigidTransform
from xd_rcdepth_ros.simulation import Drive, DriveSettings

PLACES = [
    {"place": "city", "seed": 1, "season": "summer"},
    {"place": "suburb", "seed": 12, "season": "autumn"},
    {"place": "country", "seed": 13, "season": "summer"},
    {"place": "motorway", "seed": 14, "season": "summer"},
]
LIGHTS = [
    {"place": "city", "seed": 15, "time_of_day": "dusk"},
    {"place": "city", "seed": 7, "time_of_day": "night", "weather": "rain"},
    {"place": "suburb", "seed": 6, "weather": "rain"},
    {"place": "country", "seed": 8, "weather": "fog"},
]
FRAMES = {1: 20, 12: 100, 13: 150, 14: 30, 15: 20, 7: 20, 6: 20, 8: 20}


def colored(values: NDArray[Any], most: float) -> NDArray[np.uint8]:
    """Return depths as BGR colours, near red and far blue, black where unknown."""
    level = np.nan_to_num(1 - np.sqrt(np.clip(values / most, 0, 1)), nan=0.0)
    colors = cv2.applyColorMap((level.reshape(-1, 1) * 255).astype(np.uint8), cv2.COLORMAP_TURBO)
    colors = colors.reshape(*values.shape, 3)
    colors[~np.isfinite(values)] = 0
    return np.asarray(colors, np.uint8)


def with_points(
    picture: NDArray[Any],
    drive: Drive,
    camera_from_sensor: RigidTransform,
    points: NDArray[Any],
    size: int,
) -> NDArray[np.uint8]:
    """Draw points on a BGR picture, coloured by depth."""
    uv, depth = drive.camera.project(camera_from_sensor.apply(points))
    result = picture.copy()
    order = np.argsort(-depth)
    colors = colored(depth, 80.0)
    for i in order[depth[order] > 1]:
        at = (round(float(uv[i, 0])), round(float(uv[i, 1])))
        if size > 1:
            cv2.circle(result, at, size + 1, (255, 255, 255), -1, cv2.LINE_AA)
        cv2.circle(result, at, size, tuple(int(c) for c in colors[i]), -1, cv2.LINE_AA)
    return result


def sensors() -> NDArray[np.uint8]:
    """Return one moment as picture, exact depth, lidar, and both radars."""
    tiles = []
    for radar in ("sparse", "imaging"):
        drive = Drive(DriveSettings(seed=1, place="city", season="summer", radar=radar))
        frame = drive.frame(20)
        bgr = np.ascontiguousarray(frame.image[..., ::-1])
        if radar == "sparse":
            assert frame.lidar is not None
            assert frame.depth_m is not None
            dim = (bgr * 0.5).astype(np.uint8)
            lidar = frame.lidar
            tiles.append(colored(frame.depth_m, 80.0))
            tiles.append(with_points(dim, drive, lidar.camera_from_lidar, lidar.points_m, 1))
        sweep = frame.radar[0]
        position = sweep.points.position_m
        tiles.append(with_points(bgr, drive, sweep.camera_from_radar, position, 3))
    return np.vstack([np.hstack(tiles[:2]), np.hstack(tiles[2:])])


def gallery(choices: list[dict[str, Any]]) -> NDArray[np.uint8]:
    """Return pictures of several drives, two in a row."""
    tiles = []
    for choice in choices:
        drive = Drive(DriveSettings(frames=200, **choice))
        stamp = int(drive.stamps_ns("camera")[FRAMES[choice["seed"]]])
        tiles.append(drive.image(stamp)[0][..., ::-1])
    return np.vstack([np.hstack(tiles[i : i + 2]) for i in range(0, len(tiles), 2)])


def main() -> None:
    """Write the pictures."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images")
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in (
        ("places", gallery(PLACES)), ("lights", gallery(LIGHTS)), ("sensors", sensors()),
    ):  # fmt: skip
        smaller = cv2.resize(picture, None, fx=0.75, fy=0.75, interpolation=cv2.INTER_AREA)
        path = folder / f"simulation_{name}.jpg"
        cv2.imwrite(str(path), smaller, [cv2.IMWRITE_JPEG_QUALITY, 86])


if __name__ == "__main__":
    main()
