# SPDX-License-Identifier: Apache-2.0
"""Noise and patterns that know how large a pixel is, so that they do not shimmer far away."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
_SIZE = 512
_PRIMES = np.array([2654435761, 2246822519], np.uint32)


@lru_cache(maxsize=8)
def _pyramid(kind: int, octaves: int) -> tuple[Array, NDArray[np.int32]]:
    """Return a tiling noise of mean 0 and deviation 1 with all its mip levels in one flat array."""
    rng = np.random.default_rng([kind, octaves])
    total = np.zeros((_SIZE, _SIZE), np.float32)
    for octave in range(octaves):
        cells = _SIZE >> octave
        grid = rng.standard_normal((cells, cells)).astype(np.float32)
        if octave:
            grid = np.pad(grid, 2, mode="wrap")
            pad = 2 << octave
            scale = 2**octave
            wide = cv2.resize(grid, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
            grid = np.asarray(wide, np.float32)[pad:-pad, pad:-pad]
        total += grid * 1.25**octave
    total /= total.std()
    levels, offsets = [], []
    start, level = 0, total
    while True:
        offsets.append(start)
        levels.append(level.ravel())
        start += level.size
        if level.shape[0] == 1:
            break
        level = level.reshape(level.shape[0] // 2, 2, -1, 2).mean((1, 3))
    return np.concatenate(levels), np.array(offsets, np.int32)


def noise(u: Array, v: Array, footprint: Array | float, cell_m: float, kind: int = 0) -> Array:
    """Sample noise of mean 0 and deviation about 1 at surface coordinates.

    Args:
        u: (N,) metres.
        v: (N,) metres.
        footprint: (N,) size of a pixel on the surface, metres; finer detail is averaged away.
        cell_m: Size of the finest detail, metres; the pattern repeats after 512 cells.
        kind: Different kinds are different patterns.

    Returns:
        (N,) float32.
    """
    table, offsets = _pyramid(kind, 7)
    last = len(offsets) - 1
    scale = np.maximum(np.asarray(footprint, np.float32) / np.float32(cell_m), 1.0)
    level = np.minimum(np.frexp(scale)[1] - 1, last)
    side = np.right_shift(np.int32(_SIZE), level)
    factor = side.astype(np.float32) * np.float32(1 / (_SIZE * cell_m))
    x = np.floor(u * factor).astype(np.int32) & (side - 1)
    y = np.floor(v * factor).astype(np.int32) & (side - 1)
    values: Array = table.take(offsets.take(level) + y * side + x)
    return values


def stripe(x: Array, width: float, period: float, footprint: Array | float) -> Array:
    """Return how much of a pixel is covered by stripes that start at multiples of ``period``.

    Args:
        x: (N,) coordinate across the stripes, metres.
        width: Width of a stripe, metres.
        period: Distance of the stripes, metres.
        footprint: (N,) pixel size along x, metres.
    """
    half = np.maximum(footprint, 1e-4) / 2

    def filled(y: Array) -> Array:
        whole = np.floor(y / period)
        covered: Array = whole * width + np.minimum(y - whole * period, width)
        return covered

    return (filled(x + half) - filled(x - half)) / (2 * half)


def band(x: Array, low: Array | float, high: Array | float, footprint: Array | float) -> Array:
    """Return how much of a pixel lies in the band from ``low`` to ``high``."""
    half = np.maximum(footprint, 1e-4) / 2
    covered = np.minimum(x + half, high) - np.maximum(x - half, low)
    return np.clip(covered / (2 * half), 0.0, 1.0)


def hashed(*keys: NDArray[Any]) -> Array:
    """Return a random-looking number in 0..1 for each tuple of whole numbers."""
    value: NDArray[np.uint32] = np.full(1, 2166136261, np.uint32)
    with np.errstate(over="ignore"):
        for key in keys:
            value = (value ^ np.asarray(key).astype(np.int64).astype(np.uint32)) * _PRIMES[0]
            value = value ^ (value >> np.uint32(15))
        value = value * _PRIMES[1]
        value = value ^ (value >> np.uint32(13))
    unit = (value >> np.uint32(8)).astype(np.float32) * np.float32(1 / (1 << 24))
    return unit.astype(np.float32, copy=False)
