# SPDX-License-Identifier: Apache-2.0
"""Small networks that lend out activations, for the distillation tests."""

import pytest
import torch
from torch import nn

from xd_rcdepth_ros.network.taps import Taps, no_tap


class SmallNetwork(nn.Module):
    """Image and radar to a dense prediction of ``outputs`` channels; smooth everywhere."""

    def __init__(self, width=6, outputs=1, scale=1.0):
        super().__init__()
        self.first = nn.Conv2d(7, width, 3, 2, 1)
        self.second = nn.Conv2d(width, width, 3, 2, 1)
        self.head = nn.Conv2d(width, outputs, 3, 1, 1)
        self.up = nn.Upsample(scale_factor=4, mode="bilinear")
        self.scale = scale

    def features(self, x):
        return torch.tanh(self.first(x))

    def finish(self, x):
        return self.scale * self.up(self.head(torch.nn.functional.softplus(x)))

    def forward(self, image, radar, tap=no_tap):
        x = torch.cat([tap("image", image), tap("radar", radar)], dim=1)
        x = tap("decoder_2", self.features(x))
        return self.finish(tap("decoder_4", self.second(x)))

    def forward_taps(self, image, radar, layers=("decoder_4",)):
        taps = Taps(layers)
        return self(image, radar, taps), taps.complete()


@pytest.fixture
def make_network():
    def make(seed=0, dtype=torch.float64, **arguments):
        torch.manual_seed(seed)
        return SmallNetwork(**arguments).to(dtype)

    return make


@pytest.fixture
def batch():
    def make(count=2, dtype=torch.float64, seed=0):
        generator = torch.Generator().manual_seed(seed)
        image = torch.rand(count, 3, 16, 24, generator=generator, dtype=dtype)
        radar = torch.rand(count, 4, 16, 24, generator=generator, dtype=dtype)
        return image, radar * (radar[:, :1] > 0.8)

    return make
