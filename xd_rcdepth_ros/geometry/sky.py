# SPDX-License-Identifier: Apache-2.0
"""Masks of the sky: which pixels show nothing within range, which show something."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NOT_SKY = 0  # something within range
SKY = 1  # sky, or nothing within range
UNKNOWN = 255  # nobody labelled or measured it
SKY_VALUES = (NOT_SKY, SKY, UNKNOWN)
MAX_RANGE_M = 100.0  # what is farther counts as nothing within range


def sky_of_depth(
    depth_m: NDArray[np.floating], max_range_m: float = MAX_RANGE_M
) -> NDArray[np.uint8]:
    """Return the sky mask (H, W) uint8 of a depth map.

    Args:
        depth_m: (H, W), metres along the optical axis; +Inf where there is sky, NaN where unknown.
        max_range_m: Whatever is farther counts as nothing within range, metres.
    """
    sky = np.where(depth_m > max_range_m, SKY, NOT_SKY)
    return np.where(np.isnan(depth_m), UNKNOWN, sky).astype(np.uint8)


def split_sky(depth_m: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return a depth map (H, W), metres, with NaN instead of +Inf, and its sky mask (H, W)."""
    return np.where(np.isfinite(depth_m), depth_m, np.float32(np.nan)), sky_of_depth(depth_m)


def merge_sky(*masks: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return where there is known to be sky: (H, W) float32, 1 sky, 0 something, NaN unknown.

    Args:
        masks: (H, W) each, of ``SKY``, ``NOT_SKY`` and ``UNKNOWN``; a later one is trusted more.
    """
    sky = np.full(masks[0].shape, np.nan, np.float32)
    for mask in masks:
        known = mask != UNKNOWN
        sky[known] = mask[known] == SKY
    return sky
