# SPDX-License-Identifier: Apache-2.0
"""Local planar guidance (Lee et al., BTS, 2019): a coarse feature says one plane a patch."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

# The normal may lean by 60 degrees, so a ray near a patch's corner may be parallel to the plane:
# depth is then bounded instead of infinite.
_MIN_COSINE = 0.1


class PointwiseChain(nn.Module):
    """1x1 convolutions with ELU that halve the width down to 8, then a linear one.

    Args:
        inputs: Channels in.
        first: Width after the first layer, a power of two.
        outputs: Channels out.
    """

    def __init__(self, inputs: int, first: int, outputs: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = first
        while width >= 8:
            layers += [nn.Conv2d(inputs, width, 1, bias=False), nn.ELU()]
            inputs, width = width, width // 2
        layers.append(nn.Conv2d(inputs, outputs, 1, bias=False))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H, W)."""
        features: Tensor = self.layers(x)
        return features


def plane_depth(plane: Tensor, scale: int) -> Tensor:
    """Intersect each pixel's ray with its patch's plane.

    Args:
        plane: (B, 4, h, w): unit normal (x, y, z) and distance, of each patch.
        scale: Pixels along the side of a patch.

    Returns:
        (B, 1, h * scale, w * scale), in the unit of the distance.
    """
    plane = plane.repeat_interleave(scale, dim=2).repeat_interleave(scale, dim=3)
    offsets = (torch.arange(scale, device=plane.device, dtype=plane.dtype) + 0.5) / scale - 0.5
    u = offsets.repeat(plane.shape[3] // scale).view(1, 1, 1, -1)
    v = offsets.repeat(plane.shape[2] // scale).view(1, 1, -1, 1)
    cosine = plane[:, 0:1] * u + plane[:, 1:2] * v + plane[:, 2:3]
    return plane[:, 3:4] / cosine.clamp(min=_MIN_COSINE)


class LocalPlanarGuidance(nn.Module):
    """Depth at full resolution from one plane a patch.

    Args:
        inputs: Channels of the feature.
        first: Width after the first 1x1 convolution.
        scale: Stride of the feature: pixels along the side of a patch.
    """

    def __init__(self, inputs: int, first: int, scale: int) -> None:
        super().__init__()
        self.chain = PointwiseChain(inputs, first, 3)
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """Map a feature (B, inputs, h, w) to depth (B, 1, h * scale, w * scale).

        Depth is a share of the largest depth, in single precision.
        """
        polar, azimuth, distance = torch.sigmoid(self.chain(x).float()).unbind(dim=1)
        polar, azimuth = polar * (math.pi / 3), azimuth * (2 * math.pi)
        normal = (polar.sin() * azimuth.cos(), polar.sin() * azimuth.sin(), polar.cos())
        return plane_depth(torch.stack([*normal, distance], dim=1), self.scale)
