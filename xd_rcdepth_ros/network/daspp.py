# SPDX-License-Identifier: Apache-2.0
"""Point-wise dense atrous spatial pyramid pooling (DASPP).

Dense ASPP (Yang et al., CVPR 2018): branches of growing dilation, each of which sees the input and
all outputs before it. Point-wise: each dilated 3x3 convolution is a depthwise one followed by a
1x1, which is this project's reading of the name.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from xd_rcdepth_ros.network.chain import Chain
from xd_rcdepth_ros.network.depthwise import DepthwiseConv2d


def pointwise_conv(inputs: int, outputs: int) -> Chain:
    """Return a 1x1 convolution, batch normalisation and ReLU."""
    return Chain(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())


def separable_conv(inputs: int, outputs: int, dilation: int = 1) -> Chain:
    """Return depthwise 3x3 + point-wise 1x1, batch normalisation and ReLU; keeps height, width."""
    return Chain(
        DepthwiseConv2d(inputs, 3, 1, dilation, dilation),
        nn.Conv2d(inputs, outputs, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class PointwiseDASPP(nn.Module):
    """Dense ASPP from depthwise-separable convolutions.

    Args:
        channels: Channels in and out.
        growth: Channels that each branch adds.
        dilations: One branch each.
    """

    def __init__(
        self, channels: int, growth: int, dilations: Sequence[int] = (3, 6, 12, 18, 24)
    ) -> None:
        super().__init__()
        self.branches = nn.ModuleList()
        width = channels
        for dilation in dilations:
            reduce = pointwise_conv(width, 2 * growth)
            self.branches.append(
                nn.Sequential(reduce, separable_conv(2 * growth, growth, dilation))
            )
            width += growth
        self.project = pointwise_conv(width, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels, H, W) to (B, channels, H, W)."""
        features = [x]
        for branch in self.branches:
            features.append(branch(torch.cat(features, dim=1)))
        context: Tensor = self.project(torch.cat(features, dim=1))
        return context
