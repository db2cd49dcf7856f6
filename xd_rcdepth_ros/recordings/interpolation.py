# SPDX-License-Identifier: Apache-2.0
"""From sparse depth to denser depth: what is hidden goes, and small gaps are bridged."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, minimum_filter
from scipy.spatial import Delaunay, QhullError

DepthMap = NDArray[np.float32]


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
    usable = np.ones(len(edges), bool)
    if max_gap_px is not None:
        usable &= edges <= max_gap_px
    if max_jump_share is not None:
        usable &= depths.max(axis=1) <= depths.min(axis=1) * (1 + max_jump_share)
    empty = np.isnan(depth_m)
    if max_gap_px is not None:  # inside such a triangle no place is farther from its corners
        empty &= distance_transform_edt(empty) <= max_gap_px / np.sqrt(3)
    empty_rows, empty_columns = np.nonzero(empty)
    wanted = np.column_stack([empty_columns, empty_rows]).astype(np.float64)
    triangle = mesh.find_simplex(wanted)
    inside = triangle >= 0
    inside[inside] = usable[triangle[inside]]
    triangle, wanted = triangle[inside], wanted[inside]
    affine = mesh.transform[triangle]
    two = np.einsum("nij,nj->ni", affine[:, :2], wanted - affine[:, 2])
    weights = np.column_stack([two, 1 - two.sum(axis=1)])
    values = 1 / depths if inverse else depths
    mixed = (weights * values[triangle]).sum(axis=1)
    filled = 1 / mixed if inverse else mixed
    result[empty_rows[inside], empty_columns[inside]] = filled
    return result
