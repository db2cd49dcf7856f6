# SPDX-License-Identifier: Apache-2.0
"""The conversion to OpenVINO, which takes seconds, run once for the same weights."""

from collections.abc import Callable
from typing import Any

import pytest
from torch import nn

from xd_rcdepth_ros.inference.backends.graph import to_openvino


@pytest.fixture(scope="session")
def convert() -> Callable[[nn.Module], Any]:
    """Return what gives a graph of a network for the test to keep; monkeypatch it where wanted."""
    done: dict[tuple[float, bool], Any] = {}

    def converted(network: nn.Module, halved: bool = False) -> Any:
        key = float(sum(p.detach().double().sum() for p in network.parameters())), halved
        if key not in done:
            done[key] = to_openvino(network, halved)
        return done[key].clone()

    return converted
