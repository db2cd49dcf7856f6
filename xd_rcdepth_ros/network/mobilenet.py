# SPDX-License-Identifier: Apache-2.0
"""MobileNetV2 (Sandler et al., CVPR 2018) as a five-scale encoder.

Layers carry the widespread flat names (``features.3.conv.0`` is a convolution and
``features.3.conv.1`` its batch normalisation), so public ImageNet weights load as they are;
torchvision's nested names (``features.3.conv.0.0``) are understood too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor, nn

from xd_rcdepth_ros.network.chain import Chain
from xd_rcdepth_ros.network.depthwise import DepthwiseConv2d

# Blocks as (expansion, output channels, repeats, first stride), table 2 of the paper.
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
_TAPS = (1, 3, 6, 10, 18)

TAP_CHANNELS = (16, 24, 32, 64, 1280)
TAP_STRIDES = (2, 4, 8, 16, 32)


def _conv_bn_relu(
    inputs: int, outputs: int, kernel: int, stride: int, *, depthwise: bool = False
) -> list[nn.Module]:
    return [
        DepthwiseConv2d(inputs, kernel, stride, kernel // 2)
        if depthwise
        else nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        # Not in place: saliency hooks read these tensors, and backward goes through them twice.
        nn.ReLU6(),
    ]


class InvertedResidual(nn.Module):
    """Expand (1x1), depthwise 3x3, project (1x1); added to the input where the shape allows."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        layers = _conv_bn_relu(inputs, hidden, 1, 1) if expansion != 1 else []
        layers += _conv_bn_relu(hidden, hidden, 3, stride, depthwise=True)
        layers += [nn.Conv2d(hidden, outputs, 1, bias=False), nn.BatchNorm2d(outputs)]
        self.conv = Chain(*layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        features: Tensor = x + self.conv(x) if self.residual else self.conv(x)
        return features


class MobileNetV2Encoder(nn.Module):
    """Five feature maps at strides 2, 4, 8, 16, 32 with 16, 24, 32, 64, 1280 channels."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [Chain(*_conv_bn_relu(3, 32, 3, 2))]
        channels = 32
        for expansion, outputs, repeats, stride in _STAGES:
            for number in range(repeats):
                first = stride if number == 0 else 1
                layers.append(InvertedResidual(channels, outputs, first, expansion))
                channels = outputs
        layers.append(Chain(*_conv_bn_relu(channels, 1280, 1, 1)))
        self.features = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Encode an image.

        Args:
            x: (B, 3, H, W), H and W multiples of 32.

        Returns:
            Five maps, finest first: (B, 16, H/2, W/2) to (B, 1280, H/32, W/32).
        """
        maps = []
        for number, layer in enumerate(self.features):
            x = layer(x)
            if number in _TAPS:
                maps.append(x)
        return maps

    def load_imagenet(self, weights: Mapping[str, Tensor]) -> None:
        """Load ImageNet weights with flat or torchvision names; a classifier in them is ignored.

        Args:
            weights: State dictionary of a MobileNetV2 of width 1.
        """
        layers = {k: v for k, v in weights.items() if k.startswith("features.")}
        if "features.1.conv.0.0.weight" in layers:
            layers = {_flat_name(k): v for k, v in layers.items()}
        self.load_state_dict(layers)


def _flat_name(nested: str) -> str:
    """Turn torchvision's nested layer name into the flat one."""
    match = re.fullmatch(r"features\.(\d+)\.conv\.(\d+)(?:\.(\d+))?\.(\w+)", nested)
    if match is None:  # the first and the last layer are flat already
        return nested
    block, group, layer, rest = match.groups()
    if layer is not None:  # convolution or batch normalisation followed by an activation
        return f"features.{block}.conv.{3 * int(group) + int(layer)}.{rest}"
    groups = 1 if block == "1" else 2  # the first block does not expand
    return f"features.{block}.conv.{3 * groups + int(group) - groups}.{rest}"
