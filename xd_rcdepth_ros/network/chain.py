# SPDX-License-Identifier: Apache-2.0
"""A sequence of layers that trains faster where its normalisations' statistics are frozen."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Chain(nn.Sequential):
    """``nn.Sequential`` that computes a frozen batch normalisation within the convolution before.

    With frozen statistics a normalisation is a factor and an offset for each channel. Multiplied
    into the convolution's weights, they cost nothing for each pixel, forward and backward; the
    gradients are the same. Without gradients nothing changes: runtimes fold such layers.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x`` through all layers."""
        layers = list(self)
        while layers:
            layer = layers.pop(0)
            if layers and torch.is_grad_enabled() and _folds(layer, layers[0]):
                x = _folded(x, layer, layers.pop(0))  # type: ignore[arg-type]
            else:
                x = layer(x)
        return x


def _folds(layer: nn.Module, following: nn.Module) -> bool:
    """Return whether the layers are a convolution and its frozen normalisation."""
    frozen = isinstance(following, nn.BatchNorm2d) and not following.training
    return frozen and isinstance(layer, nn.Conv2d) and layer.bias is None


def _folded(x: Tensor, convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> Tensor:
    """Return what the convolution and its frozen normalisation make of ``x``."""
    assert norm.running_mean is not None and norm.running_var is not None
    factor = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    weight = convolution.weight * factor.view(-1, 1, 1, 1)
    result: Tensor = convolution._conv_forward(x, weight, norm.bias - norm.running_mean * factor)
    return result
