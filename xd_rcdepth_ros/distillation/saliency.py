# SPDX-License-Identifier: Apache-2.0
"""Grad-CAM for dense regression: which places made the network say this depth.

Grad-CAM (Selvaraju et al., ICCV 2017) weighs the channels of an activation by the mean gradient of
a scalar target. Depth has no class score, so the target is a mean of depth over the pixels of
interest; which pixels is a choice, offered here by name. The same code serves the live node and
the explainability-aligned distillation.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from xd_rcdepth_ros.distillation.attribution import attribution
from xd_rcdepth_ros.errors import ConfigurationError

NEAR_FIELD_M = 20.0


def mean_depth(depth_m: Tensor) -> Tensor:
    """Return the mean depth of each image, summed over the batch; depth is (B, 1, H, W)."""
    return depth_m.mean(dim=(1, 2, 3)).sum()


def masked_mean(prediction: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of each image's masked places, summed over the batch.

    Args:
        prediction: (B, C, H, W).
        mask: (B, 1, H, W) bool; an image without any place counts 0.
    """
    weight = mask.to(prediction.dtype).expand_as(prediction)
    count = weight.sum(dim=(1, 2, 3)).clamp(min=1)
    return ((prediction * weight).sum(dim=(1, 2, 3)) / count).sum()


def near_depth(depth_m: Tensor, limit_m: float = NEAR_FIELD_M) -> Tensor:
    """Return the mean depth of each image's pixels nearer than a limit, summed over the batch."""
    return masked_mean(depth_m, depth_m.detach() < limit_m)


def region_depth(depth_m: Tensor, region: tuple[float, float, float, float]) -> Tensor:
    """Return the mean depth of one region of each image, summed over the batch.

    Args:
        depth_m: (B, 1, H, W), metres.
        region: Left, top, right, bottom as shares of width and height, each in [0, 1].
    """
    height, width = depth_m.shape[-2:]
    left, top, right, bottom = region
    rows = slice(int(top * height), max(int(bottom * height), int(top * height) + 1))
    columns = slice(int(left * width), max(int(right * width), int(left * width) + 1))
    return mean_depth(depth_m[..., rows, columns])


def saliency_target(
    name: str, region: tuple[float, float, float, float] | None = None
) -> Callable[[Tensor], Tensor]:
    """Return the scalar target of a name: ``mean``, ``near`` or ``region``.

    Raises:
        ConfigurationError: The name is unknown, or the region is missing or empty.
    """
    if name == "mean":
        return mean_depth
    if name == "near":
        return near_depth
    if name != "region":
        raise ConfigurationError(
            f"saliency target is {name!r}; expected 'mean', 'near' or 'region'."
        )
    if region is None or not (0 <= region[0] < region[2] <= 1 and 0 <= region[1] < region[3] <= 1):
        raise ConfigurationError(
            f"saliency region is {region}; expected left < right and top < bottom, as shares of "
            "the image in [0, 1]."
        )
    return lambda depth_m: region_depth(depth_m, region)


def grad_cam(activation: Tensor, target: Tensor, create_graph: bool = False) -> Tensor:
    """Return the Grad-CAM map of a scalar target over an activation.

    map = ReLU(sum_c alpha_c A_c), alpha_c = spatial mean of d target / d A_c; each image's map is
    then scaled to [0, 1]. A map without any positive place stays all zero.

    Args:
        activation: (B, C, h, w), part of the graph of ``target``.
        target: Scalar.
        create_graph: Keep the map differentiable (for training).

    Returns:
        (B, 1, h, w) in [0, 1], at least single precision.
    """
    (gradient,) = torch.autograd.grad(target, activation, create_graph=create_graph)
    return attribution("grad_cam", activation, gradient)
