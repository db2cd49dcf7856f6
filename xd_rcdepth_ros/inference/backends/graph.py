# SPDX-License-Identifier: Apache-2.0
"""The network as a graph for other runtimes: bytes in, metres out, any height and width."""

from __future__ import annotations

import inspect
import io
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from xd_rcdepth_ros.inference.backends.base import import_runtime
from xd_rcdepth_ros.network import STRIDE

INPUTS, OUTPUT = ("image", "radar"), "depth"
HALVED = "radar_halved"  # name of the radar input that takes a raster of half the resolution
METADATA = "xd_rcdepth"  # under which a file for another runtime says what it is
# Traced at this grid, height and width; they stay free in the graph.
_TRACE_SIZE = (2 * STRIDE, 3 * STRIDE)


class FrameNetwork(nn.Module):
    """A network that takes images as cameras give them.

    Args:
        network: Student or teacher.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, radar: Tensor) -> Tensor:
        """Map image (1, H, W, 3) uint8 RGB and radar (1, C, H, W) to what the network says."""
        depth: Tensor = self.network(image.permute(0, 3, 1, 2).float() / 255, radar)
        return depth


def example_inputs(
    network: nn.Module, size: tuple[int, int] = _TRACE_SIZE, halved: bool = False
) -> tuple[Tensor, Tensor]:
    """Return empty inputs of a network's :class:`FrameNetwork` on the CPU."""
    channels = int(network.config.radar_channels)  # type: ignore[union-attr, arg-type]
    height, width = (n // 2 if halved else n for n in size)
    return torch.zeros(1, *size, 3, dtype=torch.uint8), torch.zeros(1, channels, height, width)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the deprecation notes of PyTorch's tracer to ourselves: nobody can act on them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _frozen(network: nn.Module, inputs: tuple[Tensor, Tensor]) -> Any:
    """Return the TorchScript graph with batch normalisation folded into the convolutions."""
    module = FrameNetwork(network).eval()
    with _quiet(), torch.no_grad():
        traced = torch.jit.trace(module, inputs, check_trace=False)
        return torch.jit.freeze(traced, optimize_numerics=True)


def takes_halved(network: nn.Module) -> bool:
    """Return whether a network begins by halving its radar raster."""
    return getattr(network.config, "radar_stride", 1) == 2


def to_openvino(network: nn.Module, halved: bool = False) -> Any:
    """Return the network, on the CPU, as an ``openvino.Model`` with free height and width.

    Args:
        network: Student or teacher.
        halved: The radar input, then named ``radar_halved``, takes the raster of half the
            resolution that such a network makes of its input: a graph does that slowly.

    Raises:
        DeviceError: OpenVINO is not installed.
    """
    openvino = import_openvino()
    inputs = example_inputs(network, halved=halved)
    with _quiet():
        model = openvino.convert_model(_frozen(network, inputs), example_input=inputs)
    channels = int(network.config.radar_channels)  # type: ignore[union-attr, arg-type]
    model.reshape({0: [1, -1, -1, 3], 1: [1, channels, -1, -1]})
    names = (INPUTS[0], HALVED if halved else INPUTS[1], OUTPUT)
    for port, name in zip((*model.inputs, *model.outputs), names, strict=True):
        port.get_tensor().set_names({name})
    return model


def import_openvino() -> Any:
    """Import OpenVINO without its telemetry, which reports to a server at each import.

    Raises:
        DeviceError: OpenVINO is not installed.
    """
    # None makes `import openvino_telemetry` fail, and OpenVINO then takes its own empty stand-in.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    return import_runtime("openvino", "openvino")


def openvino_core() -> Any:
    """Return the one ``openvino.Core`` of this process.

    Each Core's CPU plugin gives the calling thread a signal stack of its own, and puts back the one
    before when it ends. Of two that end in the order of their making the second puts back a stack
    that is gone, and the next signal kills the process (seen with OpenVINO 2026.4 on a CPU with
    AMX). One that never ends cannot.

    Raises:
        DeviceError: OpenVINO is not installed.
    """
    return _core_of(import_openvino())


@cache
def _core_of(openvino: Any) -> Any:
    return openvino.Core()


def to_onnx(network: nn.Module) -> bytes:
    """Return the network, on the CPU, as an ONNX file with free height and width.

    Raises:
        DeviceError: The package onnx is not installed.
    """
    import_runtime("onnx", "onnx")
    buffer = io.BytesIO()
    axes = {
        "image": {1: "height", 2: "width"},
        "radar": {2: "height", 3: "width"},
        OUTPUT: {2: "height", 3: "width"},
    }
    # The exporter of TorchScript needs no further package; before PyTorch 2.5 it was the only one.
    options: dict[str, Any] = {}
    if "dynamo" in inspect.signature(torch.onnx.export).parameters:
        options["dynamo"] = False
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with _quiet(), torch.no_grad():
        torch.onnx.export(
            FrameNetwork(network).eval(),
            example_inputs(network),
            buffer,  # type: ignore[arg-type]  # files in memory are accepted
            input_names=list(INPUTS),
            output_names=[OUTPUT],
            dynamic_axes=axes,
            **options,
        )
    return buffer.getvalue()


def to_exported_program(network: nn.Module) -> torch.export.ExportedProgram:
    """Return the network as a ``torch.export`` program; height and width are multiples of 32."""
    # At fewer rows a map of the radar has one alone, and the program would hold for that size only.
    rows, columns = (torch.export.Dim(name, min=4, max=256) for name in ("rows", "columns"))
    height, width = STRIDE * rows, STRIDE * columns
    with _quiet(), torch.no_grad():
        return torch.export.export(
            FrameNetwork(network).eval(),
            example_inputs(network, (4 * STRIDE, 6 * STRIDE)),
            dynamic_shapes={"image": {1: height, 2: width}, "radar": {2: height, 3: width}},
        )
