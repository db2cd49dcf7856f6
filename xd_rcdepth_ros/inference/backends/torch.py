# SPDX-License-Identifier: Apache-2.0
"""The network in PyTorch, plainly: the reference, and the one that gives gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from xd_rcdepth_ros.inference.device import PRECISIONS


class TorchBackend:
    """Runs a network by PyTorch; see :class:`~xd_rcdepth_ros.inference.backends.Backend`.

    Args:
        model: Network; it is frozen and moved to the device.
        device: Where it runs.
        precision: ``fp32``, ``bf16`` or ``fp16``.
        threads: CPU threads of all PyTorch in this process; 0 leaves them as they are.

    Attributes:
        model: The network; it may be run in another thread too, for saliency.
    """

    name, note = "torch", ""

    def __init__(
        self, model: nn.Module, device: torch.device, precision: str = "fp32", threads: int = 0
    ) -> None:
        self.device, self.precision = str(device), precision
        self._device = device
        if threads:
            torch.set_num_threads(threads)
        self.threads = torch.get_num_threads()
        model = model.eval().requires_grad_(False).to(device)
        # mypy's stubs lack the overload that takes a memory format alone.
        self.model: Any = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def run(self, image: NDArray[np.uint8], radar: NDArray[np.float32]) -> NDArray[np.float32]:
        """Estimate depth; inputs and output as in ``Backend.run``."""
        with torch.inference_mode(), self.autocast():
            output = self.model(*self.upload(image, radar))[0].float()
            return np.asarray(output.cpu().numpy())

    @property
    def radar_channels(self) -> int:
        """Channels of the radar raster that the network expects."""
        return int(self.model.config.radar_channels)

    def upload(
        self, image: NDArray[np.uint8], radar: NDArray[np.float32]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Move the inputs to the device: bytes travel, floats are made there."""
        pixels = torch.from_numpy(np.ascontiguousarray(image)).to(self._device)
        raster = torch.from_numpy(radar).to(self._device)
        layout = torch.channels_last
        return (
            pixels.permute(2, 0, 1)[None].float().div(255).contiguous(memory_format=layout),
            raster[None].contiguous(memory_format=layout),
        )

    def autocast(self) -> torch.autocast:
        """Return the context in which this backend's precision holds."""
        dtype = PRECISIONS[self.precision]
        enabled = dtype != torch.float32
        return torch.autocast(
            self._device.type, dtype=dtype if enabled else torch.bfloat16, enabled=enabled
        )
