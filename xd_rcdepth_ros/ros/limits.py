# SPDX-License-Identifier: Apache-2.0
"""What of a depth map is published as measured: one rule for image, cloud, preview and status."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from xd_rcdepth_ros.geometry import DepthResult


def limit_depth(
    result: DepthResult, least_m: float, greatest_m: float, greatest_error: float
) -> DepthResult:
    """Return a result whose depth is finite only where it counts as measured (REP-117).

    Args:
        result: Depth as estimated; +Inf where the network sees sky.
        least_m: Nearer depths become -Inf.
        greatest_m: Farther depths become +Inf.
        greatest_error: Depths whose expected error is a greater share of them become NaN.

    Returns:
        The same with limited depth. Its error is NaN where no depth was estimated.
    """
    depth_m, error = result.depth_m.astype(np.float32, copy=True), result.error
    if error is not None:
        estimated = np.isfinite(depth_m)
        error = np.where(estimated, error, np.float32(np.nan)).astype(np.float32)
        depth_m[estimated & ~(error <= greatest_error)] = np.nan
    depth_m[depth_m < least_m] = -np.inf
    depth_m[depth_m > greatest_m] = np.inf
    return replace(result, depth_m=depth_m, error=error)
