# SPDX-License-Identifier: Apache-2.0
"""ImageNet weights load under flat and torchvision's names."""

import re

import pytest
import torch

from xd_rcdepth_ros.network.mobilenet import MobileNetV2Encoder


def nested(name: str) -> str:
    """Name the layer as torchvision does (written from its documented module tree)."""
    match = re.fullmatch(r"features\.(\d+)\.conv\.(\d+)\.(\w+)", name)
    if not match:
        return name
    block, layer, rest = int(match[1]), int(match[2]), match[3]
    groups = 1 if block == 1 else 2
    group, inner = divmod(layer, 3)
    if group < groups:
        return f"features.{block}.conv.{group}.{inner}.{rest}"
    return f"features.{block}.conv.{groups + inner}.{rest}"


@pytest.mark.parametrize("rename", [lambda name: name, nested], ids=["flat", "torchvision"])
def test_weights_arrive_where_they_belong(rename):
    source = MobileNetV2Encoder()
    weights = {rename(k): v for k, v in source.state_dict().items()}
    weights["classifier.1.weight"] = torch.zeros(1000, 1280)
    target = MobileNetV2Encoder()
    target.load_imagenet(weights)
    for name, value in source.state_dict().items():
        torch.testing.assert_close(target.state_dict()[name], value)


def test_torchvisions_names_are_as_documented():
    names = {nested(k) for k in MobileNetV2Encoder().state_dict()}
    for known in (
        "features.0.0.weight",
        "features.1.conv.0.0.weight",
        "features.1.conv.1.weight",
        "features.1.conv.2.running_var",
        "features.2.conv.1.1.bias",
        "features.2.conv.2.weight",
        "features.17.conv.3.weight",
        "features.18.1.bias",
    ):
        assert known in names


def test_missing_layers_are_an_error():
    weights = MobileNetV2Encoder().state_dict()
    weights.pop("features.5.conv.0.weight")
    with pytest.raises(RuntimeError, match=r"features\.5\.conv\.0\.weight"):
        MobileNetV2Encoder().load_imagenet(weights)
