# SPDX-License-Identifier: Apache-2.0
"""A radar raster at half the resolution: of each 2x2 pixels, the nearest return stays."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
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


def halve_raster_array(radar: NDArray[np.float32]) -> NDArray[np.float32]:
    """Do the same with an array; the few returns are moved, not all pixels compared.

    Args:
        radar: (C, H, W) float32, H and W even; channel 0 is depth in metres, 0 where no return is.

    Returns:
        (C, H/2, W/2) float32.
    """
    channels, height, width = radar.shape
    flat = radar.reshape(channels, -1)
    # Farthest first, and of two as far the lower right one: what is written last stays.
    returns = np.flatnonzero(flat[0] > 0)[::-1]
    returns = returns[np.argsort(-flat[0, returns], kind="stable")]
    rows, columns = np.divmod(returns, width)
    halved = np.zeros((channels, (height // 2) * (width // 2)), np.float32)
    halved[:, rows // 2 * (width // 2) + columns // 2] = flat[:, returns]
    return halved.reshape(channels, height // 2, width // 2)
