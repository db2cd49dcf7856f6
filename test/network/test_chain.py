# SPDX-License-Identifier: Apache-2.0
"""Frozen normalisations are computed within the convolutions before them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from xd_rcdepth_ros.network.chain import Chain
from xd_rcdepth_ros.network.depthwise import DepthwiseConv2d


def _layers(frozen: bool) -> list[nn.Module]:
    torch.manual_seed(0)
    layers: list[nn.Module] = [
        nn.Conv2d(3, 8, 1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU6(),
        DepthwiseConv2d(8, 3, 2, 1),
        nn.BatchNorm2d(8),
    ]
    for layer in layers:
        if isinstance(layer, nn.BatchNorm2d):
            for values in (layer.weight.data, layer.running_var):
                assert isinstance(values, Tensor)
                values.uniform_(0.5, 2.0)
            for values in (layer.bias.data, layer.running_mean):
                assert isinstance(values, Tensor)
                values.normal_()
            layer.train(not frozen)
    return layers


def _result(network: nn.Module) -> tuple[Tensor, list[Tensor]]:
    x = torch.rand(2, 3, 6, 8, generator=torch.Generator().manual_seed(1))
    y = network(x)
    (y * torch.arange(y.numel()).view(y.shape)).sum().backward()
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    return y.detach(), gradients


def test_values_and_gradients_are_those_of_a_sequence() -> None:
    for frozen in (True, False):
        y, gradients = _result(Chain(*_layers(frozen)))
        expected, wanted = _result(nn.Sequential(*_layers(frozen)))
        torch.testing.assert_close(y, expected)
        assert len(gradients) == len(wanted) == 6
        for gradient, want in zip(gradients, wanted, strict=True):
            torch.testing.assert_close(gradient, want, rtol=1e-4, atol=1e-2)


def test_a_frozen_normalisation_is_not_computed_by_itself() -> None:
    calls = []
    for frozen in (True, False):
        chain = Chain(*_layers(frozen))
        counts = [0]

        def count(*_: object, counts: list[int] = counts) -> None:
            counts[0] += 1

        for layer in chain:
            if isinstance(layer, nn.BatchNorm2d):
                layer.register_forward_hook(count)
        chain(torch.rand(1, 3, 6, 8))
        calls += counts
    assert calls == [0, 2]


def test_statistics_move_while_they_are_not_frozen() -> None:
    chain = Chain(*_layers(frozen=False))
    norm = chain[1]
    assert isinstance(norm, nn.BatchNorm2d) and isinstance(norm.running_mean, Tensor)
    before = norm.running_mean.clone()
    chain(torch.rand(1, 3, 6, 8))
    assert not torch.equal(before, norm.running_mean)
