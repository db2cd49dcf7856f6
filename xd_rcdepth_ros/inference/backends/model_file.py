# SPDX-License-Identifier: Apache-2.0
"""A model file whose weights are loaded only when something asks for them.

A runtime that has its own graph in the cache needs no weights in PyTorch; saliency does.
"""

from __future__ import annotations

import copy
from pathlib import Path
from threading import Lock
from typing import Any

import torch
from torch import nn

from xd_rcdepth_ros.inference.backends.torch import TorchBackend
from xd_rcdepth_ros.network import build_model, file_sha256, load_checkpoint, read_header


class ModelFile:
    """A model file and what its header says; safe to use from several threads.

    Args:
        path: A .safetensors file of this project.

    Attributes:
        path: The file.
        header: What it says about itself.
        sha256: Its checksum.
        config: The architecture's configuration.
        parameters: Number of weights.

    Raises:
        CheckpointError: The file is missing, damaged, or describes no possible network.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.header = read_header(self.path)
        with torch.device("meta"):
            shell = build_model(self.header, str(self.path))
        self.config: Any = shell.config
        self.parameters = sum(p.numel() for p in shell.parameters())
        self.sha256 = file_sha256(self.path)
        self._lock = Lock()
        self._network: nn.Module | None = None
        self._twins: dict[torch.device, TorchBackend] = {}

    def network(self) -> nn.Module:
        """Return the network on the CPU, in eval mode.

        Raises:
            CheckpointError: The weights cannot be used.
        """
        with self._lock:
            if self._network is None:
                self._network = load_checkpoint(self.path)[0]
            return self._network

    def twin(self, device: torch.device, threads: int = 0) -> TorchBackend:
        """Return the network in PyTorch, in single precision, on a device.

        Args:
            device: Where it runs.
            threads: CPU threads of all PyTorch in this process; 0 leaves them as they are.
        """
        network = self.network()
        with self._lock:
            if device not in self._twins:
                # A backend moves its network to the device; this one stays on the CPU.
                own = network if device.type == "cpu" else copy.deepcopy(network)
                self._twins[device] = TorchBackend(own, device, threads=threads)
            return self._twins[device]
