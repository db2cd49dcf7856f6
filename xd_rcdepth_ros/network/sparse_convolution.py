# SPDX-License-Identifier: Apache-2.0
"""Sparsity-invariant convolution (Uhrig et al., 3DV 2017): averages over what was measured."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class SparseConvolution(nn.Module):
    """Convolution normalised by the number of measured pixels under its kernel, then ELU.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        kernel: Odd kernel size, pixels.
    """

    ones: Tensor

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.register_buffer("ones", torch.ones(1, 1, kernel, kernel), persistent=False)

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Convolve where something was measured.

        Args:
            x: (B, inputs, H, W).
            mask: (B, 1, H, W), 1 where x was measured, else 0.

        Returns:
            (B, outputs, H, W), and the mask grown by the kernel.
        """
        count = functional.conv2d(mask, self.ones, padding=self.kernel // 2)
        # Where nothing was measured the sum is 0 as well; a tiny divisor would vanish in half
        # precision, so the count is raised to 1 there.
        x = self.conv(x * mask) / count.clamp(min=1)
        x = functional.elu(x + self.bias.view(1, -1, 1, 1))
        return x, functional.max_pool2d(mask, self.kernel, 1, self.kernel // 2)


class SparseStem(nn.Module):
    """Four sparse convolutions that spread radar returns before an ordinary encoder.

    Args:
        channels: Channels of the radar raster; the first is depth in metres, 0 where none.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        widths, kernels = (channels, 16, 16, 16, 3), (7, 5, 3, 3)
        self.layers = nn.ModuleList(
            SparseConvolution(i, o, k)
            for i, o, k in zip(widths[:-1], widths[1:], kernels, strict=True)
        )

    def forward(self, radar: Tensor) -> Tensor:
        """Map a raster (B, channels, H, W) to (B, 3, H, W)."""
        x, mask = radar, (radar[:, :1] > 0).to(radar.dtype)
        for layer in self.layers:
            x, mask = layer(x, mask)
        return x
