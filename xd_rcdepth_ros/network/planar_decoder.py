# SPDX-License-Identifier: Apache-2.0
"""The parts of a BTS-style decoder (Lee et al., 2019): up-convolution, fuse, dense ASPP."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def conv_elu(inputs: int, outputs: int) -> nn.Sequential:
    """Return 3x3 convolution and ELU; keeps height and width."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False), nn.ELU())


def norm(channels: int) -> nn.BatchNorm2d:
    """Return batch normalisation with BTS's constants."""
    return nn.BatchNorm2d(channels, eps=1.1e-5, momentum=0.01)


class UpConvolution(nn.Sequential):
    """Nearest x2, 3x3 convolution, ELU, and batch normalisation unless told otherwise."""

    def __init__(self, inputs: int, outputs: int, normalise: bool = True) -> None:
        super().__init__(
            nn.Upsample(scale_factor=2.0, mode="nearest"),
            conv_elu(inputs, outputs),
            norm(outputs) if normalise else nn.Identity(),
        )


class DenseASPP(nn.Module):
    """Dense atrous pyramid: each branch sees the pyramid's inputs and all branches before it.

    Args:
        channels: Channels of the feature that the first branch sees.
        context: Channels of the feature that the further branches see too.
        growth: Channels that each branch adds, and channels out.
        dilations: One branch each.
    """

    def __init__(
        self,
        channels: int,
        context: int,
        growth: int,
        dilations: Sequence[int] = (3, 6, 12, 18, 24),
    ) -> None:
        super().__init__()
        self.branches = nn.ModuleList()
        for number, dilation in enumerate(dilations):
            inputs = channels if number == 0 else context + number * growth
            self.branches.append(
                nn.Sequential(
                    nn.Identity() if number == 0 else norm(inputs),
                    nn.ReLU(),
                    nn.Conv2d(inputs, 2 * growth, 1, bias=False),
                    norm(2 * growth),
                    nn.ReLU(),
                    nn.Conv2d(2 * growth, growth, 3, 1, dilation, dilation, bias=False),
                )
            )
        self.project = conv_elu(channels + len(dilations) * growth, growth)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Map (B, channels, H, W) and (B, context, H, W) to (B, growth, H, W)."""
        outputs: list[Tensor] = []
        for branch in self.branches:
            outputs.append(branch(torch.cat([context, *outputs], dim=1) if outputs else x))
        features: Tensor = self.project(torch.cat([x, *outputs], dim=1))
        return features
