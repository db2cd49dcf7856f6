# SPDX-License-Identifier: Apache-2.0
"""What every backend can do, and how an optional one is imported."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.errors import DeviceError


class Backend(Protocol):
    """Runs the network on frames that lie on its grid; one caller at a time.

    Attributes:
        name: ``torch``, ``openvino`` or ``onnx``.
        device: Device really in use, such as ``cpu`` or ``cuda:0``.
        precision: Number format really in use: ``fp32``, ``bf16`` or ``fp16``.
        threads: CPU threads in use; 0 where the runtime does not tell.
        note: What else is worth knowing of how it runs, in words; a new grid may change it.
    """

    name: str
    device: str
    precision: str
    threads: int
    note: str

    def run(self, image: NDArray[np.uint8], radar: NDArray[np.float32]) -> NDArray[np.float32]:
        """Estimate depth.

        Args:
            image: (H, W, 3) uint8 RGB; H and W multiples of 32, and free to differ between calls.
            radar: (C, H, W) float32 raster: depth m, RCS dBsm, vx m/s, vy m/s; 0 where none.

        Returns:
            (C, H, W) float32: depth, metres along the optical axis; if C is 3, also the expected
            error as a share of the depth, and the probability of sky or nothing within range.
        """
        ...


def import_runtime(backend: str, module: str) -> ModuleType:
    """Import the package that a backend needs.

    Raises:
        DeviceError: It is not installed, or its installation is broken.
    """
    try:
        return importlib.import_module(module)
    except Exception as error:  # whatever a package does that does not suit this NumPy, for one
        raise DeviceError(
            f"backend {backend!r} needs the Python package {module}, which cannot be imported "
            f"({error}). Install it with: pip install 'xd-rcdepth-ros[{backend}]', or use backend "
            "'auto' or 'torch'."
        ) from error
