# SPDX-License-Identifier: Apache-2.0
"""Which device and precision inference runs on: what was asked for, or a clear refusal."""

from __future__ import annotations

import torch

from xd_rcdepth_ros.errors import ConfigurationError, DeviceError

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
QUANTISED = "int8"  # of OpenVINO alone


def select_device(name: str = "auto") -> torch.device:
    """Return the device of a name.

    Args:
        name: ``auto`` (a GPU if there is one, else the CPU), ``cpu``, ``cuda`` or ``cuda:<n>``.

    Raises:
        ConfigurationError: The name has another form.
        DeviceError: That GPU is not there. A named device is never replaced silently.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda") or (number and not number.isdigit()):
        raise ConfigurationError(
            f"device is {name!r}; expected 'auto', 'cpu', 'cuda' or 'cuda:<n>'."
        )
    if kind == "cpu":
        return torch.device("cpu")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(number or 0) >= count:
        raise DeviceError(
            f"device {name!r} was asked for, but PyTorch sees {count} CUDA devices. Use 'auto' or "
            "'cpu', or install a driver and a CUDA build of PyTorch."
        )
    return torch.device("cuda", int(number or 0))


def select_precision(name: str, device: torch.device) -> str:
    """Return the precision that PyTorch runs in: ``auto`` is fp16 on a GPU, fp32 on the CPU.

    Raises:
        ConfigurationError: The name is unknown, or fp16 was asked for on the CPU.
    """
    if name == "auto":
        return "fp16" if device.type == "cuda" else "fp32"
    allowed = ["auto", *PRECISIONS, QUANTISED]
    if name not in allowed:
        raise ConfigurationError(f"precision is {name!r}; expected one of {allowed}.")
    if name == "fp16" and device.type == "cpu":
        raise ConfigurationError("precision fp16 is not supported on the CPU; use fp32 or bf16.")
    return name
