# SPDX-License-Identifier: Apache-2.0
"""What is installed, and what would run the network here: findings for the command doctor."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import torch

from xd_rcdepth_ros.errors import DeviceError, XDRCDepthError
from xd_rcdepth_ros.inference.backends.base import import_runtime
from xd_rcdepth_ros.inference.estimator import DepthEstimator

# Distribution on PyPI -> what cannot be done without it; empty for what the package needs itself.
PACKAGES = {
    "numpy": "",
    "torch": "",
    "opencv-python-headless": "",
    "rosbags": "",
    "openvino": "backend openvino",
    "onnxruntime": "backend onnx",
    "lightning": "train",
    "embreex": "simulate",
}
Level = Literal["ok", "note", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        subject: What was looked at.
        level: ``ok``, ``note`` (nothing to do), ``warning`` (worth a look) or ``problem``.
        text: What was found, and what to do where something is wrong.
    """

    subject: str
    level: Level
    text: str


def find_packages(version_of: Callable[[str], str] = version) -> Finding:
    """Return which libraries are installed, and what cannot be done without the others.

    Args:
        version_of: Returns a distribution's version, or raises ``PackageNotFoundError``.
    """
    there, missing = [], []
    for name, purpose in PACKAGES.items():
        try:
            there.append(f"{name} {version_of(name)}")
        except PackageNotFoundError:
            if purpose:  # what the package needs itself may come from apt, under another name
                missing.append(f"{name} (for {purpose})")
    text = f"Python {platform.python_version()}, {', '.join(there)}"
    if missing:
        return Finding("packages", "note", f"{text}; not installed: {', '.join(missing)}")
    return Finding("packages", "ok", text)


def find_gpus() -> Finding:
    """Return which GPUs PyTorch sees, and the providers that ONNX Runtime offers."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    names = [f"cuda:{n} {torch.cuda.get_device_name(n)}" for n in range(count)]
    text = f"PyTorch {torch.__version__} sees {', '.join(names) or 'no CUDA device'}"
    try:
        offered = import_runtime("onnx", "onnxruntime").get_available_providers()
        text += f"; ONNX Runtime offers {', '.join(offered)}"
    except DeviceError:
        pass  # find_packages tells that it is not installed
    return Finding("gpus", "ok" if names else "note", text)


def find_backend(model: Path | None, device: str) -> Finding:
    """Return what would run a model here, and why: it is loaded as the node does it.

    Args:
        model: Model file; None takes the shipped one.
        device: As for ``DepthEstimator.load``.
    """
    try:
        estimator = DepthEstimator.load(model, device=device)
    except XDRCDepthError as error:
        return Finding("backend", "problem", str(error))
    info = estimator.info
    return Finding(
        "backend",
        "ok",
        f"{info.identity} runs on {info.device} by {info.backend} in {info.precision} "
        f"({os.cpu_count()} CPU cores); {estimator.describe()['backend_note']}",
    )
