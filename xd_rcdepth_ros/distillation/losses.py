# SPDX-License-Identifier: Apache-2.0
"""Losses against ground truth, each a sum over known places divided by their number.

Every map has shape (B, 1, H, W) and stays so: no weight or mask of one image ever meets another's.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from xd_rcdepth_ros.network.encoders import IMAGENET_STD

MIN_KNOWN_M = 0.01


def known(depth_m: Tensor) -> Tensor:
    """Return where a depth map is known: finite and more than 1 cm; NaN and 0 say unknown."""
    return torch.isfinite(depth_m) & (depth_m > MIN_KNOWN_M)


def masked_l1(
    prediction: Tensor, goal: Tensor, mask: Tensor, weight: Tensor | None = None
) -> Tensor:
    """Return the weighted mean of |prediction - goal| where a mask is true; 0 where it never is.

    Args:
        prediction: (B, 1, H, W).
        goal: (B, 1, H, W); outside the mask anything, also NaN.
        mask: (B, 1, H, W) bool.
        weight: (B, 1, H, W), of each place; equal without it.
    """
    _check_shapes(prediction, goal, mask, weight)
    gap = (prediction - torch.where(mask, goal, 0)).abs()
    share = mask.to(gap.dtype) if weight is None else mask * weight
    return (gap * share).sum() / share.sum().clamp(min=1e-6)


def masked_bce(logit: Tensor, label: Tensor, mask: Tensor) -> Tensor:
    """Return the mean binary cross-entropy where a mask is true; 0 where it never is."""
    _check_shapes(logit, label, mask)
    loss = functional.binary_cross_entropy_with_logits(logit, label, reduction="none")
    return (loss * mask).sum() / mask.sum().clamp(min=1)


def smoothness(depth_m: Tensor, image: Tensor) -> Tensor:
    """Return the edge-aware smoothness: mean |d depth| exp(-mean |d image|) along x and y.

    Args:
        depth_m: (B, 1, H, W), metres.
        image: (B, 3, H, W) in [0, 1]; its steps are measured in ImageNet standard deviations.
    """
    scale = torch.tensor(IMAGENET_STD, device=image.device, dtype=image.dtype).view(1, 3, 1, 1)
    total = depth_m.new_zeros(())
    for axis in (2, 3):
        edge = (image.diff(dim=axis) / scale).abs().mean(dim=1, keepdim=True)
        total = total + (depth_m.diff(dim=axis).abs() * torch.exp(-edge)).mean()
    return total


def uncertainty_weights(
    prediction: Tensor, dense_m: Tensor, single_m: Tensor
) -> tuple[Tensor, Tensor]:
    """Return weights (B, 1, H, W) of dense and single-sweep ground truth at each place.

    The further a prediction is from one of them, the more that one weighs: u = 1 - exp(-5 |g - d|
    / (g + d)) * known, and a softmax over the two. Follows LiRCDepth's training, without mixing
    the images of a batch.
    """
    scores = []
    for goal in (dense_m, single_m):
        _check_shapes(prediction, goal)
        mask = known(goal)
        goal = torch.where(mask, goal, 0)
        close = torch.exp(-5 * (goal - prediction).abs() / (goal + prediction + 1e-7))
        scores.append(1 - (close * mask + 1e-7))
    dense, single = torch.stack(scores).softmax(dim=0)
    return dense, single


def _check_shapes(first: Tensor, *others: Tensor | None) -> None:
    """Refuse to broadcast: a lost dimension would weigh each image with every other's map."""
    for other in others:
        if other is not None and other.shape != first.shape:
            raise ValueError(f"maps are {tuple(first.shape)} and {tuple(other.shape)}; must agree.")
