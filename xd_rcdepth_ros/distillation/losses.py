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
MAX_ERROR_SHARE = 5.0  # an error counts as at most this multiple of the depth


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


def laplace_nll(
    log_error: Tensor, depth_m: Tensor, truth_m: Tensor, mask: Tensor, weight: Tensor | None = None
) -> Tensor:
    """Return the negative log-likelihood of a depth's relative error under a Laplace distribution.

    Only the scale learns from it: where depth shared the gradient, a large scale would excuse it
    from its own term.

    Args:
        log_error: (B, 1, H, W), logarithm of the scale as a share of the depth.
        depth_m: (B, 1, H, W), metres; no gradient goes there.
        truth_m: (B, 1, H, W), metres; outside the mask anything.
        mask: (B, 1, H, W) bool.
        weight: (B, 1, H, W), of each place; equal without it.
    """
    _check_shapes(log_error, depth_m, truth_m, mask, weight)
    depth_m = depth_m.detach()
    share = (depth_m - torch.where(mask, truth_m, depth_m)).abs() / depth_m.clamp(min=0.1)
    loss = share.clamp(max=MAX_ERROR_SHARE) * torch.exp(-log_error) + log_error
    places = mask.to(loss.dtype) if weight is None else mask * weight
    return (loss * places).sum() / places.sum().clamp(min=1e-6)


def depth_edges(depth_m: Tensor, truth_m: Tensor, mask: Tensor, scales: int = 3) -> Tensor:
    """Return how far steps of log-depth between neighbours are from the true ones.

    Multi-scale gradient matching (Li and Snavely, MegaDepth, https://arxiv.org/abs/1804.00607), on
    depth whose scale is known: 0 for an error that is the same share everywhere.

    Args:
        depth_m: (B, 1, H, W), metres.
        truth_m: (B, 1, H, W), metres; outside the mask anything.
        mask: (B, 1, H, W) bool; a step counts where both its ends are in it.
        scales: Steps of 1, 2, 4, ... pixels.
    """
    _check_shapes(depth_m, truth_m, mask)
    gap = depth_m.clamp(min=MIN_KNOWN_M).log() - torch.where(mask, truth_m, 1.0).log()
    total = depth_m.new_zeros(())
    for scale in range(scales):
        step = 2**scale
        gaps, masks = gap[..., ::step, ::step], mask[..., ::step, ::step]
        for axis in (2, 3):
            count = masks.shape[axis] - 1
            both = masks.narrow(axis, 0, count) & masks.narrow(axis, 1, count)
            steps = gaps.diff(dim=axis).abs() * both
            total = total + steps.sum() / both.sum().clamp(min=1)
    return total / (2 * scales)


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
