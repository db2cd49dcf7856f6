# SPDX-License-Identifier: Apache-2.0
"""The five-scale encoders by name, and how each wants its pixels scaled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import nn

from xd_rcdepth_ros.network import efficientnet_lite, mobilenet, resnet

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class EncoderKind:
    """One kind of encoder.

    Attributes:
        make: Builds it with fresh weights; it maps (B, 3, H, W) to five maps, finest first.
        channels: Channels of its maps at strides 2, 4, 8, 16, 32.
        mean: Mean of the pixels that its ImageNet weights expect, RGB in [0, 1].
        std: Their scale.
    """

    make: Callable[[], nn.Module]
    channels: tuple[int, ...]
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD


ENCODERS = {
    "resnet18": EncoderKind(partial(resnet.ResNetEncoder, 18), resnet.TAP_CHANNELS),
    "resnet34": EncoderKind(partial(resnet.ResNetEncoder, 34), resnet.TAP_CHANNELS),
    "mobilenet_v2": EncoderKind(mobilenet.MobileNetV2Encoder, mobilenet.TAP_CHANNELS),
    "efficientnet_lite2": EncoderKind(
        efficientnet_lite.EfficientNetLite2Encoder,
        efficientnet_lite.TAP_CHANNELS,
        efficientnet_lite.MEAN,
        efficientnet_lite.STD,
    ),
}
