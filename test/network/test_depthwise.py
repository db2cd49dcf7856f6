# SPDX-License-Identifier: Apache-2.0
"""Depthwise convolutions in mixed precision."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from xd_rcdepth_ros.network.depthwise import DepthwiseConv2d


def reference(layer: DepthwiseConv2d) -> nn.Conv2d:
    """Return a plain convolution with the same weights."""
    channels = layer.in_channels
    plain = nn.Conv2d(
        channels,
        channels,
        layer.kernel_size,
        layer.stride,
        layer.padding,
        groups=channels,
        bias=False,
    )
    plain.load_state_dict(layer.state_dict())
    return plain


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (5, 1)])
def test_it_trains_under_bfloat16_as_in_single_precision(kernel: int, stride: int) -> None:
    torch.manual_seed(0)
    layer = DepthwiseConv2d(8, kernel, stride, kernel // 2)
    plain = reference(layer)
    x = torch.randn(2, 8, 12, 16).bfloat16()

    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = layer(x)
    y.square().sum().backward()
    plain(x.float()).square().sum().backward()

    assert y.dtype == torch.bfloat16  # the layers after it stay in half precision
    assert layer.weight.grad is not None and plain.weight.grad is not None
    scale = plain.weight.grad.abs().max()
    assert (layer.weight.grad - plain.weight.grad).abs().max() < 0.01 * scale


def test_inference_in_bfloat16_stays_in_bfloat16() -> None:
    layer = DepthwiseConv2d(4, 5, 2, 2).requires_grad_(False)
    x = torch.randn(1, 4, 8, 8).bfloat16()
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        exact = nn.functional.conv2d(x, layer.weight.bfloat16(), None, 2, 2, 1, 4)
        assert torch.equal(layer(x), exact)
