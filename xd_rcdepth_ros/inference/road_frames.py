# SPDX-License-Identifier: Apache-2.0
"""The few road scenes that come with the package, on which precisions are checked and calibrated.

They are from this project's simulator (``experiments/simulation/road_frames.py``): places, lights,
weathers and both kinds of radar in turn. The depth of some pixels is known exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

FOLDER = Path(__file__).with_name("frames")


@dataclass(frozen=True, eq=False)
class RoadFrame:
    """A frame on a network's grid.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        radar: (C, H, W) float32 raster: depth m, RCS dBsm, vx m/s, vy m/s; 0 where none.
        known: (N, 2) int64 columns and rows of the pixels whose depth is known.
        depth_m: (N,) float32 their depth, metres.
    """

    image: NDArray[np.uint8]
    radar: NDArray[np.float32]
    known: NDArray[np.int64]
    depth_m: NDArray[np.float32]


def road_frames(size: tuple[int, int], channels: int, count: int = 0) -> Iterator[RoadFrame]:
    """Yield the frames that come with the package, stretched to a grid.

    Args:
        size: Height and width of the grid, pixels.
        channels: Channels of the network's radar raster; the first ones are filled.
        count: Number of frames, spread over all kinds; 0 for all.
    """
    height, width = size
    files = sorted(FOLDER.glob("*.npz"))
    for file in files[:: max(1, len(files) // count)] if count else files:
        with np.load(file) as data:
            bgr = np.asarray(cv2.imdecode(data["jpeg"], cv2.IMREAD_COLOR))
            stored = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))
            returns, known = data["returns"], data["known"]
        image = np.asarray(cv2.resize(stored, (width, height), interpolation=cv2.INTER_AREA))
        scale = np.array([width, height]) / stored.shape[1::-1]
        radar = np.zeros((channels, height, width), np.float32)
        filled = min(channels, 4)
        for u, v, *values in returns[np.argsort(-returns[:, 2])]:  # the nearest is drawn last
            radar[:filled, int(v * scale[1]), int(u * scale[0])] = values[:filled]
        pixels = (known[:, :2] * scale).astype(np.int64)
        yield RoadFrame(image.astype(np.uint8), radar, pixels, known[:, 2].astype(np.float32))


def write_road_frame(
    file: Path,
    image: NDArray[np.uint8],
    radar: NDArray[np.float32],
    depth_m: NDArray[np.float32],
    known: int = 1500,
    quality: int = 90,
) -> None:
    """Write one of the package's frames.

    Args:
        file: File to write, ``.npz``.
        image: (H, W, 3) uint8 RGB.
        radar: (4, H, W) float32 raster.
        depth_m: (H, W) exact depth, metres; not finite where there is none.
        known: Number of pixels whose depth is kept, drawn at random.
        quality: Quality of the JPEG, 1 to 100.
    """
    _, jpeg = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    rows, columns = np.nonzero(radar[0])
    returns = np.column_stack([columns, rows, radar[:, rows, columns].T])
    v, u = np.nonzero(np.isfinite(depth_m) & (depth_m > 0))
    some = np.random.default_rng(0).choice(len(v), min(known, len(v)), replace=False)
    labels = np.column_stack([u[some], v[some], depth_m[v[some], u[some]]])
    np.savez_compressed(
        file, jpeg=jpeg, returns=returns.astype(np.float32), known=labels.astype(np.float32)
    )
