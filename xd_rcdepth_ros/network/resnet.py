# SPDX-License-Identifier: Apache-2.0
"""ResNet-18 and ResNet-34 (He et al., CVPR 2016) as five-scale encoders.

Layers carry torchvision's names, so its ImageNet weight files load as they are; the classifier in
them is left out, since a depth network has no use for it.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

# Blocks in each of the four stages, table 1 of the paper.
_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
_WIDTHS = (64, 128, 256, 512)

TAP_CHANNELS = (64, 64, 128, 256, 512)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions, added to the input (projected by 1x1 where the shape changes)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU()  # not in place: saliency goes backward through these tensors twice
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        features: Tensor = self.relu(self.bn2(self.conv2(x)) + shortcut)
        return features


class ResNetEncoder(nn.Module):
    """Five feature maps at strides 2, 4, 8, 16, 32 with 64, 64, 128, 256, 512 channels.

    Args:
        depth: 18 or 34.
    """

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        inputs = 64
        for number, (blocks, width) in enumerate(zip(_BLOCKS[depth], _WIDTHS, strict=True), 1):
            first = BasicBlock(inputs, width, 1 if number == 1 else 2)
            rest = [BasicBlock(width, width, 1) for _ in range(blocks - 1)]
            setattr(self, f"layer{number}", nn.Sequential(first, *rest))
            inputs = width

    def forward(self, x: Tensor) -> list[Tensor]:
        """Encode an image.

        Args:
            x: (B, 3, H, W), H and W multiples of 32.

        Returns:
            Five maps, finest first: (B, 64, H/2, W/2) to (B, 512, H/32, W/32).
        """
        maps = [self.relu(self.bn1(self.conv1(x)))]
        x = self.maxpool(maps[0])
        for number in (1, 2, 3, 4):
            x = getattr(self, f"layer{number}")(x)
            maps.append(x)
        return maps

    def load_imagenet(self, weights: Mapping[str, Tensor]) -> None:
        """Load a state dictionary with torchvision's names; a classifier in it is ignored."""
        self.load_state_dict({k: v for k, v in weights.items() if not k.startswith("fc.")})
