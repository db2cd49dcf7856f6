# SPDX-License-Identifier: Apache-2.0
"""The network in ONNX Runtime, on the CPU or, with its CUDA build, a GPU; single precision."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from xd_rcdepth_ros.errors import DeviceError
from xd_rcdepth_ros.inference.backends.base import import_runtime
from xd_rcdepth_ros.inference.backends.graph import INPUTS, OUTPUT, to_onnx

_CUDA = "CUDAExecutionProvider"


class OnnxBackend:
    """Runs a network by ONNX Runtime; see :class:`~xd_rcdepth_ros.inference.backends.Backend`.

    Args:
        data: An ONNX file of ``graph.to_onnx``.
        device: Where it runs.
        threads: CPU threads; 0 leaves the number to ONNX Runtime.

    Raises:
        DeviceError: ONNX Runtime is not installed, or lacks CUDA where a GPU is asked for.
    """

    name = "onnx"
    precision = "fp32"

    def __init__(self, data: bytes, device: torch.device, threads: int = 0) -> None:
        runtime = import_runtime("onnx", "onnxruntime")
        providers: list[Any] = ["CPUExecutionProvider"]
        if device.type == "cuda":
            # TF32 would round inputs of the convolutions to 11 bits.
            options = {"device_id": device.index or 0, "use_tf32": 0}
            providers.insert(0, (_CUDA, options))
        session_options = runtime.SessionOptions()
        session_options.intra_op_num_threads = threads
        session_options.log_severity_level = 3
        self._session = runtime.InferenceSession(data, session_options, providers=providers)
        self.device, self.threads = str(device), threads
        if device.type == "cuda" and _CUDA not in self._session.get_providers():
            raise DeviceError(
                f"backend 'onnx' was asked for on {device}, but this ONNX Runtime offers only "
                f"{', '.join(runtime.get_available_providers())}. Install onnxruntime-gpu in place "
                "of onnxruntime, or use device 'cpu' or backend 'torch'."
            )

    @classmethod
    def from_network(
        cls, network: nn.Module, device: torch.device, threads: int = 0
    ) -> OnnxBackend:
        """Convert a network, on the CPU, in memory."""
        return cls(to_onnx(network), device, threads)

    def run(self, image: NDArray[np.uint8], radar: NDArray[np.float32]) -> NDArray[np.float32]:
        """Estimate depth; inputs and output as in ``Backend.run``."""
        inputs = dict(zip(INPUTS, (image[None], radar[None]), strict=True))
        (output,) = self._session.run([OUTPUT], inputs)
        return np.asarray(output[0], np.float32)
