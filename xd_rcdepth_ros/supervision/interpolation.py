# SPDX-License-Identifier: Apache-2.0
"""From sparse depth to denser depth: what is hidden goes, and small gaps are bridged."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter
from scipy.spatial import Delaunay, QhullError

DepthMap = NDArray[np.float32]
_PIXELS_AT_ONCE = 2_000_000


def drop_hidden(depth_m: DepthMap, window_px: int, share: float = 0.15) -> DepthMap:
    """Drop values that shine through between the points of something nearer.

    Args:
        depth_m: (H, W), metres, NaN where unknown.
        window_px: Side of the square in which the nearest value is looked for, pixels.
        share: A value goes if it is farther than the nearest by this share and 0.5 m.
    """
    nearest = minimum_filter(np.where(np.isnan(depth_m), np.inf, depth_m), size=window_px)
    with np.errstate(invalid="ignore"):
        hidden = depth_m > nearest * (1 + share) + 0.5
    return np.where(hidden, np.nan, depth_m).astype(np.float32)


def interpolate_gaps(
    depth_m: DepthMap,
    max_gap_px: float | None,
    max_jump_share: float | None = None,
    inverse: bool = True,
) -> DepthMap:
    """Fill the triangles between known pixels (Delaunay) linearly.

    Args:
        depth_m: (H, W), metres, NaN where unknown.
        max_gap_px: Triangles with a longer edge stay empty; None fills the whole convex hull.
        max_jump_share: Triangles whose depths differ by more than this share of the nearest stay
            empty: they would join two things. None fills them.
        inverse: Interpolate 1 / depth, in which planes are linear, instead of depth.

    Returns:
        (H, W) float32; known pixels keep their value.
    """
    rows, columns = np.nonzero(~np.isnan(depth_m))
    known = depth_m[rows, columns].astype(np.float64)
    result = depth_m.astype(np.float32).copy()
    places = np.column_stack([columns, rows]).astype(np.float64)
    try:
        mesh = Delaunay(places)
    except (QhullError, ValueError):  # fewer than three points, or all on one line
        return result
    corners = places[mesh.simplices]
    depths = known[mesh.simplices]
    edges = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    # A triangle of half a square pixel has no pixel of the grid inside (Pick's theorem).
    usable = np.abs(_double_area(corners)) > 1
    if max_gap_px is not None:
        usable &= edges <= max_gap_px
    if max_jump_share is not None:
        usable &= depths.max(axis=1) <= depths.min(axis=1) * (1 + max_jump_share)
    corners, depths = corners[usable], depths[usable]
    values = 1 / depths if inverse else depths
    for rows, columns, triangle in _pixels_of(corners):
        weights = _barycentric(corners[triangle], np.column_stack([columns, rows]))
        inside = (weights >= -1e-9).all(axis=1) & np.isnan(depth_m[rows, columns])
        mixed = (weights * values[triangle]).sum(axis=1)[inside]
        result[rows[inside], columns[inside]] = 1 / mixed if inverse else mixed
    return result


def _pixels_of(
    corners: NDArray[np.float64],
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
    """Yield rows, columns and triangle of all pixels in the triangles' bounding boxes, in parts."""
    low = corners.min(axis=1).astype(np.int64)
    size = corners.max(axis=1).astype(np.int64) - low + 1
    area = size.prod(axis=1)
    part = np.cumsum(area) // _PIXELS_AT_ONCE
    for chosen in np.split(np.arange(len(corners)), np.flatnonzero(np.diff(part)) + 1):
        triangle = np.repeat(chosen, area[chosen])
        before = np.repeat(np.cumsum(area[chosen]) - area[chosen], area[chosen])
        place = np.arange(len(triangle)) - before
        width = size[triangle, 0]
        yield low[triangle, 1] + place // width, low[triangle, 0] + place % width, triangle


def _double_area(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return twice the signed area (N,) of triangles (N, 3, 2)."""
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return np.asarray(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])


def _barycentric(corners: NDArray[np.float64], places: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the weights (N, 3) of triangles' corners (N, 3, 2) at places (N, 2)."""
    parts = []
    for number in range(3):
        part = corners.copy()
        part[:, number] = places
        parts.append(_double_area(part))
    return np.stack(parts, axis=1) / _double_area(corners)[:, None]
