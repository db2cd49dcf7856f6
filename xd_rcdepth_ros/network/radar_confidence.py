# SPDX-License-Identifier: Apache-2.0
"""CaFNet's first stage: coarse depth around the radar returns, and how far to trust it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from xd_rcdepth_ros.network.encoders import EncoderKind
from xd_rcdepth_ros.network.sparse_convolution import SparseStem


class _Level(nn.Module):
    """Nearest x2, convolution, ELU, batch normalisation, convolution, ELU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Upsample(scale_factor=2.0, mode="nearest"),
            nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False),
            nn.ELU(),
            nn.BatchNorm2d(outputs, eps=1.1e-5, momentum=0.01),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.ELU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, 2H, 2W)."""
        features: Tensor = self.layers(x)
        return features


class RadarConfidence(nn.Module):
    """Sparse stem, encoder, and a U-Net decoder over image and radar features.

    Args:
        radar_channels: Channels of the radar raster.
        encoder: Encoder of the radar.
        image_channels: Channels of the image features at strides 2 to 32.
        widths: Decoder widths at strides 16, 8, 4, 2, 1.
    """

    def __init__(
        self,
        radar_channels: int,
        encoder: EncoderKind,
        image_channels: Sequence[int],
        widths: Sequence[int],
    ) -> None:
        super().__init__()
        self.stem = SparseStem(radar_channels)
        self.encoder = encoder.make()
        skips = [i + r for i, r in zip(image_channels, encoder.channels, strict=True)][::-1]
        inputs = [skips[0], *(s + w for s, w in zip(skips[1:], widths[:-1], strict=True))]
        self.levels = nn.ModuleList(_Level(i, w) for i, w in zip(inputs, widths, strict=True))
        self.head = nn.Conv2d(widths[-1], 2, 3, 1, 1)

    def forward(self, radar: Tensor, image_maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Estimate coarse depth and confidence.

        Args:
            radar: (B, C, H, W) raster, depth first, 0 where none.
            image_maps: Five image features, finest first.

        Returns:
            Coarse depth (B, 1, H, W) as a share of the largest depth, and the logit of its
            confidence, both in single precision.
        """
        pairs = list(zip(image_maps, self.encoder(self.stem(radar)), strict=True))[::-1]
        x = torch.cat(pairs[0], dim=1)
        for level, pair in zip(self.levels, [*pairs[1:], None], strict=True):
            x = level(x)
            if pair is not None:
                x = torch.cat([*pair, x], dim=1)
        coarse, confidence = self.head(x).float().chunk(2, dim=1)
        return torch.sigmoid(coarse), confidence


class ConfidenceFusion(nn.Module):
    """Confidence-aware gated fusion: what radar adds to a feature of the image's decoder.

    Args:
        radar_channels: Channels of the radar feature.
        channels: Channels of the feature it is added to.
        scale: Stride of both.
    """

    def __init__(self, radar_channels: int, channels: int, scale: int) -> None:
        super().__init__()
        self.gate = nn.Conv2d(radar_channels, channels, 1, bias=False)
        self.project = nn.Conv2d(radar_channels, channels, 1, bias=False)
        self.scale = scale

    def forward(self, feature: Tensor, radar: Tensor, confidence: Tensor) -> Tensor:
        """Return feature + gate * projection * confidence.

        Args:
            feature: (B, channels, h, w).
            radar: (B, radar_channels, h, w).
            confidence: (B, 1, h * scale, w * scale) in [0, 1].
        """
        trust = functional.avg_pool2d(confidence, self.scale)
        added = torch.sigmoid(self.gate(radar)) * functional.relu(self.project(radar))
        return feature + added * trust.to(added.dtype)
