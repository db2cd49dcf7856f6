# SPDX-License-Identifier: Apache-2.0
"""The network in OpenVINO, on the CPU: two to four times as fast there as PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.errors import DeviceError
from xd_rcdepth_ros.inference.backends.graph import openvino_core

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

    One graph serves every grid: a new height or width costs its first frame some memory planning,
    and no compilation.

    Args:
        model: An ``openvino.Model`` of ``graph.to_openvino``.
        precision: ``fp32``, ``bf16`` or ``fp16``; ``int8`` for a quantised graph, whose other
            layers run in bf16 if the CPU computes in it.
        threads: CPU threads; 0 leaves the number to OpenVINO.

    Raises:
        DeviceError: OpenVINO is not installed, or this CPU does not compute in that precision.
    """

    name = "openvino"
    device = "cpu"

    def __init__(self, model: Any, precision: str = "fp32", threads: int = 0) -> None:
        compiled = compile_model(model, precision, threads)
        self.threads = int(compiled.get_property("INFERENCE_NUM_THREADS"))
        used = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        runs_in = next((name for name, type_ in _TYPES.items() if type_ == used), used)
        # Of a quantised graph the hint says what its other layers run in.
        self.precision = precision if precision == "int8" else runs_in
        self._request = compiled.create_infer_request()

    def run(self, image: NDArray[np.uint8], radar: NDArray[np.float32]) -> NDArray[np.float32]:
        """Estimate depth; inputs and output as in ``Backend.run``."""
        inputs = [np.ascontiguousarray(image)[None], np.ascontiguousarray(radar)[None]]
        # The output is copied: the request writes the next frame's into the same memory.
        result = self._request.infer(inputs, share_inputs=True)
        return np.array(result[0][0], np.float32)
