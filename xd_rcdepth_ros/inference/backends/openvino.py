# SPDX-License-Identifier: Apache-2.0
"""The network in OpenVINO, on the CPU: two to four times as fast there as PyTorch."""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import nn

from xd_rcdepth_ros.errors import DeviceError
from xd_rcdepth_ros.inference.backends.graph import import_openvino, to_openvino

_TYPES = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}
_CAPABILITIES = {"fp32": "FP32", "bf16": "BF16", "fp16": "FP16"}


class OpenVINOBackend:
    """Runs a network by OpenVINO; see :class:`~xd_rcdepth_ros.inference.backends.Backend`.

    One graph serves every grid: a new height or width costs its first frame some memory planning,
    and no compilation.

    Args:
        model: An ``openvino.Model`` of ``graph.to_openvino``.
        precision: ``fp32``, ``bf16`` or ``fp16``.
        threads: CPU threads; 0 leaves the number to OpenVINO.

    Raises:
        DeviceError: OpenVINO is not installed, or this CPU does not compute in that precision.
    """

    name = "openvino"
    device = "cpu"
    _converted: ClassVar[tuple[str, Any]] = ("", None)

    def __init__(self, model: Any, precision: str = "fp32", threads: int = 0) -> None:
        core = import_openvino().Core()
        able = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if _CAPABILITIES[precision] not in able:
            raise DeviceError(
                f"this CPU does not compute in {precision} by OpenVINO; it offers "
                f"{', '.join(sorted(able))}. Use precision fp32."
            )
        options: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            # Always said: left to itself, OpenVINO takes bf16 wherever the CPU has it.
            "INFERENCE_PRECISION_HINT": _TYPES[precision],
            # The cores belong to the other nodes of the car as well.
            "ENABLE_CPU_PINNING": False,
        }
        if threads:
            options["INFERENCE_NUM_THREADS"] = threads
        compiled = core.compile_model(model, "CPU", options)
        self.threads = int(compiled.get_property("INFERENCE_NUM_THREADS"))
        used = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        self.precision = next((name for name, type_ in _TYPES.items() if type_ == used), used)
        self._request = compiled.create_infer_request()

    @classmethod
    def from_network(
        cls, network: nn.Module, precision: str = "fp32", threads: int = 0
    ) -> OpenVINOBackend:
        """Convert a network, on the CPU, in memory.

        The last graph is kept: PyTorch's tracer frees nothing of what it traces (58 MB a student),
        so that a node that is configured anew with the same weights would grow each time.
        """
        identity = _identity(network)
        if cls._converted[0] != identity:
            cls._converted = (identity, to_openvino(network))
        return cls(cls._converted[1], precision, threads)

    def run(self, image: NDArray[np.uint8], radar: NDArray[np.float32]) -> NDArray[np.float32]:
        """Estimate depth; inputs and output as in ``Backend.run``."""
        inputs = [np.ascontiguousarray(image)[None], np.ascontiguousarray(radar)[None]]
        # The output is copied: the request writes the next frame's into the same memory.
        result = self._request.infer(inputs, share_inputs=True)
        return np.array(result[0][0], np.float32)


def _identity(network: nn.Module) -> str:
    """Return a checksum of what a network is and of its weights."""
    digest = hashlib.sha256(f"{type(network)} {getattr(network, 'config', '')}".encode())
    for name, value in network.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
