# SPDX-License-Identifier: Apache-2.0
"""A node that is configured again and again converts its network once."""

from __future__ import annotations

import torch

from xd_rcdepth_ros.inference.backends import openvino as backend
from xd_rcdepth_ros.network import Student, StudentConfig


def test_the_same_weights_are_converted_once(monkeypatch):
    """PyTorch's tracer never frees what it traced: each conversion more is memory for good."""
    converted = []
    made = backend.OpenVINOBackend
    monkeypatch.setattr(backend, "to_openvino", converted.append)
    monkeypatch.setattr(made, "__init__", lambda *_: None)
    monkeypatch.setattr(made, "_converted", ("", None))
    small = StudentConfig(decoder_channels=(48, 32, 24, 16), daspp_growth=8)
    torch.manual_seed(1)
    first = Student(small).eval()
    again = Student(small).eval()
    again.load_state_dict(first.state_dict())
    for network in (first, again):
        made.from_network(network)
    assert converted == [first]
    with torch.no_grad():
        again.head.bias += 1.0
    made.from_network(again)
    farther = Student(StudentConfig(**{**vars(small), "max_depth_m": 50.0})).eval()
    farther.load_state_dict(again.state_dict())
    made.from_network(farther)
    assert converted == [first, again, farther]
