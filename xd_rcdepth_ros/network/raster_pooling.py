# SPDX-License-Identifier: Apache-2.0
"""A radar raster at half the resolution: of each 2x2 pixels, the nearest return stays."""

from __future__ import annotations

import torch
from torch import Tensor


def halve_raster(radar: Tensor) -> Tensor:
    """Pool a raster so that the nearest return of each 2x2 pixels wins, all its channels together.

    Args:
        radar: (B, C, H, W), H and W even; channel 0 is depth in metres, 0 where no return is.

    Returns:
        (B, C, H/2, W/2), 0 where none of the four pixels has a return.
    """
    upper = _nearer(radar[..., 0::2, 0::2], radar[..., 0::2, 1::2])
    lower = _nearer(radar[..., 1::2, 0::2], radar[..., 1::2, 1::2])
    return _nearer(upper, lower)


def _nearer(one: Tensor, other: Tensor) -> Tensor:
    depth, other_depth = one[:, :1], other[:, :1]
    keep = (depth > 0) & ((other_depth <= 0) | (depth <= other_depth))
    return torch.where(keep, one, other)
