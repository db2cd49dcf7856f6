# SPDX-License-Identifier: Apache-2.0
"""Which backend runs: the one asked for or a clear refusal; ``auto`` is the fastest that agrees."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from xd_rcdepth_ros.errors import CheckpointError, ConfigurationError, DeviceError, XDRCDepthError
from xd_rcdepth_ros.inference.backends.base import Backend
from xd_rcdepth_ros.inference.backends.checked import openvino_backend
from xd_rcdepth_ros.inference.backends.cuda import cuda_backend
from xd_rcdepth_ros.inference.backends.cuda_device import CudaDevice
from xd_rcdepth_ros.inference.backends.model_file import ModelFile
from xd_rcdepth_ros.inference.backends.onnx import onnx_backend
from xd_rcdepth_ros.inference.backends.torch import TorchBackend
from xd_rcdepth_ros.inference.device import select_device, select_precision

BACKENDS = ("torch", "openvino", "onnx")
_AUTO_ON_CPU = "openvino"


@dataclass(frozen=True)
class Choice:
    """What runs, and why.

    Attributes:
        backend: Backend for the depth.
        note: Why this backend, in words.
    """

    backend: Backend
    note: str


def choose_backend(
    model: ModelFile,
    backend: str = "auto",
    device: str = "auto",
    precision: str = "auto",
    threads: int = 0,
    size: tuple[int, int] = (128, 256),
) -> Choice:
    """Make the backend of a name.

    A backend other than PyTorch is compared with it before it is used.

    Args:
        model: Model file.
        backend: ``auto`` (PyTorch on a GPU; on the CPU OpenVINO if it is installed and agrees,
            else PyTorch), ``torch``, ``openvino`` or ``onnx``.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:<n>``; OpenVINO runs on the CPU only.
        precision: ``auto``, ``fp32``, ``bf16``, ``fp16`` or ``int8``.
        threads: CPU threads; 0 leaves the number to the backend.
        size: Height and width of the grid of that comparison, multiples of 32.

    Raises:
        CheckpointError: The weights, or a quantised file beside them, cannot be used.
        ConfigurationError: An option holds a value that is not allowed.
        DeviceError: The device or a backend named here cannot be used.
    """
    if backend not in ("auto", *BACKENDS):
        raise ConfigurationError(f"backend is {backend!r}; expected one of {['auto', *BACKENDS]}.")
    if threads < 0:
        raise ConfigurationError(f"threads is {threads}; expected 0 (automatic) or more.")
    if backend == "openvino" and device == "auto":
        device = "cpu"
    target = select_device(device)
    select_precision(precision, target)  # refuses what no backend of the device has
    note = "as asked for"
    if backend == "auto":
        note = "auto: PyTorch on a GPU"
    if backend == "auto" and target.type == "cpu":
        try:
            return _accelerated(model, _AUTO_ON_CPU, target, precision, threads, size, "auto: ")
        except CheckpointError:
            raise
        except XDRCDepthError as error:
            if precision == "int8":
                raise
            note = f"auto: PyTorch, since {error}"
    if backend in ("auto", "torch"):
        if precision == "int8":
            raise ConfigurationError(
                "backend 'torch' does not run in int8. Use backend 'openvino' or other precision."
            )
        made: Backend
        if target.type == "cuda":
            made, found = cuda_backend(model, CudaDevice(target), precision, size)
            note += found
        elif (chosen := select_precision(precision, target)) == "fp32":
            made = model.twin(target, threads)
        else:
            made = TorchBackend(model.network(), target, chosen, threads)
        return Choice(made, note)
    return _accelerated(model, backend, target, precision, threads, size)


def _accelerated(
    model: ModelFile,
    name: str,
    device: torch.device,
    precision: str,
    threads: int,
    size: tuple[int, int],
    why: str = "",
) -> Choice:
    """Make and check a backend other than PyTorch.

    Raises:
        ConfigurationError: It does not run in that precision.
        DeviceError: It cannot be used here.
    """
    if name == "openvino" and device.type != "cpu":
        raise ConfigurationError(
            f"backend 'openvino' runs on the CPU, but device is {str(device)!r}. Use device 'cpu', "
            "or backend 'torch' or 'onnx'."
        )
    if name == "onnx" and precision not in ("auto", "fp32", "fp16"):
        raise ConfigurationError(
            f"backend 'onnx' runs in fp32, or by TensorRT in fp16, but precision is {precision!r}."
            " Use one of these, or backend 'torch' or 'openvino'."
        )
    try:
        backend: Backend
        if name == "openvino":
            backend, found = openvino_backend(model, precision, threads, size)
        else:
            backend, found = onnx_backend(model, device, precision, threads, size)
    except XDRCDepthError:
        raise
    except Exception as error:  # a runtime may throw anything
        raise DeviceError(
            f"backend {name!r} could not take the network ({type(error).__name__}: {error}). Use "
            "backend 'torch', and another version of the runtime."
        ) from error
    return Choice(backend, f"{why}{name} agrees with PyTorch: {found}")
