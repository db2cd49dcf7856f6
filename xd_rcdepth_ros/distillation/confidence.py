# SPDX-License-Identifier: Apache-2.0
"""What the teacher's confidence should say: where radar depth agrees with ground truth.

Each return claims a window, the box of its object or a fixed one around it; inside, the label is 1
where ground truth is near the return's depth. Where windows overlap, one agreeing return is
enough, so the order of the returns does not matter (published code lets later ones overwrite).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class ConfidenceConfig:
    """Windows and tolerance.

    Attributes:
        tolerance_m: Largest gap between ground truth and radar that counts as agreement, metres.
        half_height_px: Rows above and below a return that is in no box.
        half_width_px: Columns left and right of it.
    """

    tolerance_m: float = 0.4
    half_height_px: int = 50
    half_width_px: int = 150


def confidence_label(
    depth_m: Tensor,
    returns: Tensor,
    config: ConfidenceConfig | None = None,
    boxes: Tensor | None = None,
) -> Tensor:
    """Return the confidence label of one image.

    Args:
        depth_m: (H, W) dense ground truth, metres; NaN or 0 where unknown.
        returns: (N, 3): pixel u, v and depth in metres of each radar return.
        config: Windows and tolerance.
        boxes: (N, 4) left, top, right, bottom (inclusive, pixels) of the object that each return
            lies on; NaN in a row without one.

    Returns:
        (H, W) float, 1 where some return may be trusted, else 0.
    """
    config = config or ConfidenceConfig()
    height, width = depth_m.shape
    label = torch.zeros_like(depth_m, dtype=torch.bool)
    half = torch.tensor([config.half_width_px, config.half_height_px]).to(returns)
    window = torch.cat([returns[:, :2] - half, returns[:, :2] + half], dim=1)
    if boxes is not None:
        window = torch.where(torch.isfinite(boxes).all(dim=1, keepdim=True), boxes, window)
    limit = torch.tensor([width, height, width, height]).to(window)
    corners = (window.round().clamp(min=-1).minimum(limit)).long().tolist()
    for (left, top, right, bottom), depth in zip(corners, returns[:, 2].tolist(), strict=True):
        part = (slice(max(top, 0), bottom + 1), slice(max(left, 0), right + 1))
        label[part] |= (depth_m[part] - depth).abs() < config.tolerance_m
    return label.to(depth_m.dtype)


def confidence_labels(
    depth_m: Tensor, radar: Tensor, config: ConfidenceConfig | None = None
) -> Tensor:
    """Return the labels of a batch from its rasters, without boxes.

    Args:
        depth_m: (B, 1, H, W) dense ground truth, metres; NaN or 0 where unknown.
        radar: (B, C, H, W) raster, depth first, 0 where none.
        config: Windows and tolerance.

    Returns:
        (B, 1, H, W) float.
    """
    labels = []
    for depth, raster in zip(depth_m[:, 0], radar[:, 0], strict=True):
        v, u = torch.nonzero(raster > 0, as_tuple=True)
        returns = torch.stack([u.to(raster), v.to(raster), raster[v, u]], dim=1)
        labels.append(confidence_label(depth, returns, config))
    return torch.stack(labels)[:, None]
