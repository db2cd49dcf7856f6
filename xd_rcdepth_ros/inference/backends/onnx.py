# SPDX-License-Identifier: Apache-2.0
"""The network in ONNX Runtime: on the CPU, or on a GPU by its providers for CUDA and TensorRT."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from xd_rcdepth_ros.errors import DeviceError
from xd_rcdepth_ros.inference.backends.agreement import check_agreement, check_precision
from xd_rcdepth_ros.inference.backends.base import import_runtime
from xd_rcdepth_ros.inference.backends.graph import INPUTS, OUTPUT, to_onnx
from xd_rcdepth_ros.inference.backends.graph_cache import cache_folder
from xd_rcdepth_ros.inference.backends.model_file import ModelFile

TENSORRT, CUDA, CPU = (f"{name}ExecutionProvider" for name in ("Tensorrt", "CUDA", "CPU"))
Provider = tuple[str, dict[str, Any]]


def providers(
    available: Sequence[str], device: torch.device, precision: str, engines: Path | None
) -> list[Provider]:
    """Return ONNX Runtime's providers with their options, the one that is asked first, first.

    What a provider cannot compute falls to the next. TensorRT is there for fp16 alone: in fp32,
    CUDA is held to exact arithmetic.

    Args:
        available: What this ONNX Runtime offers.
        device: Where the network runs.
        precision: ``fp32`` or ``fp16``.
        engines: Folder in which TensorRT keeps the engines that it builds; None for none.
    """
    wanted: list[Provider] = [(CPU, {})]
    if device.type == "cuda":
        number: dict[str, Any] = {"device_id": device.index or 0}
        # TF32 would round inputs of the convolutions to 11 bits.
        wanted.insert(0, (CUDA, {**number, "use_tf32": 0}))
        if precision == "fp16":
            options = {**number, "trt_fp16_enable": True}
            if engines is not None:
                for kind in ("engine", "timing"):
                    options |= {
                        f"trt_{kind}_cache_enable": True,
                        f"trt_{kind}_cache_path": str(engines),
                    }
            wanted.insert(0, (TENSORRT, options))
    return [provider for provider in wanted if provider[0] in available]


def engine_folder(data: bytes) -> Path | None:
    """Return where TensorRT may keep the engines of an ONNX file; None if it cannot be written.

    It names its engines by graph, versions and GPU: other weights need another folder.
    """
    folder = cache_folder() / "engines" / hashlib.sha256(data).hexdigest()[:16]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None  # they are built anew at each start
    return folder


class OnnxBackend:
    """Runs a network by ONNX Runtime; see :class:`~xd_rcdepth_ros.inference.backends.Backend`.

    Args:
        data: An ONNX file of ``graph.to_onnx``.
        device: Where it runs.
        threads: CPU threads; 0 leaves the number to ONNX Runtime.
        precision: ``fp32``; or ``fp16``, by TensorRT on a GPU.

    Attributes:
        note: The providers that took the network, in their order.

    Raises:
        DeviceError: ONNX Runtime is not installed, or lacks CUDA where a GPU is asked for, or
            TensorRT where fp16 is.
    """

    name = "onnx"

    def __init__(
        self, data: bytes, device: torch.device, threads: int = 0, precision: str = "fp32"
    ) -> None:
        runtime = import_runtime("onnx", "onnxruntime")
        available = runtime.get_available_providers()
        engines = engine_folder(data) if precision == "fp16" else None
        wanted = providers(available, device, precision, engines)
        session_options = runtime.SessionOptions()
        session_options.intra_op_num_threads = threads
        session_options.log_severity_level = 3
        self._session = runtime.InferenceSession(data, session_options, providers=wanted)
        self.device, self.threads, self.precision = str(device), threads, precision
        # A provider that is offered may still lack a library, and is then left out.
        used = self._session.get_providers()
        self.note = f"by {', '.join(used)}"
        if device.type == "cuda" and CUDA not in used:
            raise DeviceError(
                f"backend 'onnx' was asked for on {device}, but this ONNX Runtime offers only "
                f"{', '.join(available)}, of which it could load {', '.join(used)}. Install "
                "onnxruntime-gpu in place of onnxruntime, with CUDA and cuDNN, or use device 'cpu' "
                "or backend 'torch'."
            )
        if precision == "fp16" and TENSORRT not in used:
            raise DeviceError(
                f"backend 'onnx' runs in fp16 by TensorRT only, and this ONNX Runtime could load "
                f"{', '.join(used)} only. Install onnxruntime-gpu and TensorRT in a version that "
                "it was built for, or use precision 'fp32' or backend 'torch'."
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


def onnx_backend(
    model: ModelFile, device: torch.device, precision: str, threads: int, size: tuple[int, int]
) -> tuple[OnnxBackend, str]:
    """Make a backend that may be used.

    Args:
        model: Model file.
        device: Where it runs.
        precision: ``fp32``, ``fp16`` (by TensorRT), or ``auto``: on a GPU fp16 if TensorRT is there
            and road scenes keep their depth, else fp32.
        threads: CPU threads; 0 leaves the number to ONNX Runtime.
        size: Height and width of the grid of the checks, multiples of 32.

    Returns:
        The backend, and what the checks found, in words.

    Raises:
        DeviceError: ONNX Runtime or a provider is not there, or a check failed.
    """
    data, twin, reason = to_onnx(model.network()), model.twin(device), ""
    if precision == "fp16" or (precision == "auto" and device.type == "cuda"):
        try:
            backend = OnnxBackend(data, device, threads, "fp16")
            return backend, str(check_precision(backend, twin, size, twin.radar_channels))
        except Exception as error:  # a runtime may throw anything
            if precision == "fp16":
                raise
            reason = f"; fp32, since {error}"
    backend = OnnxBackend(data, device, threads)
    return backend, f"{check_agreement(backend, twin, size)}{reason}"
