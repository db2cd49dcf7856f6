# SPDX-License-Identifier: Apache-2.0
"""The network in OpenVINO, on the CPU: two to four times as fast there as PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.errors import DeviceError
from xd_rcdepth_ros.inference.backends.graph import HALVED, import_openvino, openvino_core
from xd_rcdepth_ros.network.raster_pooling import halve_raster_array

_TYPES = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}
_CAPABILITIES = {"fp32": "FP32", "bf16": "BF16", "fp16": "FP16", "int8": "INT8"}


def computes_in(precision: str) -> bool:
    """Return whether OpenVINO says that this CPU computes in a precision.

    Raises:
        DeviceError: OpenVINO is not installed.
    """
    return _CAPABILITIES[precision] in _capabilities()


def _capabilities() -> list[str]:
    return sorted(openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))


def compile_model(model: Any, precision: str, threads: int = 0) -> Any:
    """Compile an ``openvino.Model`` for the CPU, for the shortest time of one frame.

    Args:
        model: The graph.
        precision: As for :class:`OpenVINOBackend`.
        threads: CPU threads; 0 leaves the number to OpenVINO.

    Raises:
        DeviceError: OpenVINO is not installed, or this CPU does not compute in that precision.
    """
    able = _capabilities()
    if _CAPABILITIES[precision] not in able:
        raise DeviceError(
            f"this CPU does not compute in {precision} by OpenVINO; it offers {', '.join(able)}. "
            "Use precision auto or fp32."
        )
    floating = precision
    if precision == "int8":
        floating = "bf16" if _CAPABILITIES["bf16"] in able else "fp32"
    options: dict[str, Any] = {
        "PERFORMANCE_HINT": "LATENCY",
        # Always said: left to itself, OpenVINO takes bf16 wherever the CPU has it.
        "INFERENCE_PRECISION_HINT": _TYPES[floating],
        # The cores belong to the other nodes of the car as well.
        "ENABLE_CPU_PINNING": False,
    }
    if threads:
        options["INFERENCE_NUM_THREADS"] = threads
    return openvino_core().compile_model(model, "CPU", options)


class OpenVINOBackend:
    """Runs a network by OpenVINO; see :class:`~xd_rcdepth_ros.inference.backends.Backend`.

    The graph is compiled for each grid by itself: with sizes that are known it takes a quarter less
    time than with free ones, and less memory. One compilation takes half a second. Grids beyond
    the first few share one that is compiled with free sizes.

    Args:
        model: An ``openvino.Model`` of ``graph.to_openvino``.
        precision: ``fp32``, ``bf16`` or ``fp16``; ``int8`` for a quantised graph, whose other
            layers run in bf16 if the CPU computes in it.
        threads: CPU threads; 0 leaves the number to OpenVINO.
        grids: Compile for so many grids by themselves.

    Raises:
        DeviceError: OpenVINO is not installed, or this CPU does not compute in that precision.
    """

    name = "openvino"
    device, note = "cpu", ""

    def __init__(
        self, model: Any, precision: str = "fp32", threads: int = 0, grids: int = 3
    ) -> None:
        self._model, self._asked, self._grids = model, (precision, threads), grids
        compiled = compile_model(_smallest_model(), precision, threads)
        self.threads = int(compiled.get_property("INFERENCE_NUM_THREADS"))
        used = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        runs_in = next((name for name, type_ in _TYPES.items() if type_ == used), used)
        # Of a quantised graph the hint says what its other layers run in.
        self.precision = precision if precision == "int8" else runs_in
        self._halved = HALVED in model.inputs[1].get_names()
        self._requests: dict[tuple[int, ...], Any] = {}

    def run(self, image: NDArray[np.uint8], radar: NDArray[np.float32]) -> NDArray[np.float32]:
        """Estimate depth; inputs and output as in ``Backend.run``."""
        if self._halved:
            radar = halve_raster_array(radar)
        inputs: list[NDArray[Any]] = [
            np.ascontiguousarray(image)[None],
            np.ascontiguousarray(radar)[None],
        ]
        # The output is copied: the request writes the next frame's into the same memory.
        result = self._request(inputs).infer(inputs, share_inputs=True)
        return np.array(result[0][0], np.float32)

    def _request(self, inputs: list[NDArray[Any]]) -> Any:
        """Return what computes inputs of this size, compiled when the size first comes."""
        height, width = inputs[0].shape[1:3]
        grid: tuple[int, ...] = (height, width)
        if grid not in self._requests:
            if len(self._requests.keys() - {()}) < self._grids:
                model = self._model.clone()
                model.reshape({number: list(array.shape) for number, array in enumerate(inputs)})
            else:
                grid, model = (), self._model
        if grid not in self._requests:
            self._requests[grid] = compile_model(model, *self._asked).create_infer_request()
        return self._requests[grid]


def _smallest_model() -> Any:
    """Return a graph of one operation, which tells what a compilation chooses."""
    openvino = import_openvino()
    value = openvino.opset13.parameter([1], np.float32)
    return openvino.Model([openvino.opset13.relu(value)], [value])
