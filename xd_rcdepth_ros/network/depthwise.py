# SPDX-License-Identifier: Apache-2.0
"""Depthwise convolution that trains as fast in mixed precision as the rest of the network."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class DepthwiseConv2d(nn.Conv2d):
    """A convolution of each channel by itself; its parameters are those of ``nn.Conv2d``.

    On a CPU, PyTorch computes the backward pass of strided, of dilated and of 5x5 depthwise
    convolutions three to nine times as slowly in bfloat16 as in single precision. Such layers are
    trained in single precision, also under autocast. Inference is not touched.

    Attributes:
        trains_in_single: Train in single precision under autocast to bfloat16.
    """

    def __init__(
        self, channels: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1
    ) -> None:
        super().__init__(
            channels, channels, kernel, stride, padding, dilation, groups=channels, bias=False
        )
        self.trains_in_single = stride > 1 or kernel > 3 or dilation > 1

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        half = input.dtype == torch.bfloat16 and input.device.type == "cpu"
        if half and self.trains_in_single and torch.is_grad_enabled():
            with torch.autocast("cpu", enabled=False):
                single: Tensor = super()._conv_forward(input.float(), weight, bias)
                return single.to(input.dtype)
        result: Tensor = super()._conv_forward(input, weight, bias)
        return result
