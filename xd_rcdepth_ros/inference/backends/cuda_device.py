# SPDX-License-Identifier: Apache-2.0
"""The calls to CUDA that the backend on a GPU makes, in one place; tests put a fake there."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any

import torch
from torch import Tensor, nn


class CudaDevice:
    """A GPU and one stream on it; what is asked for runs in order, and :meth:`wait` waits for it.

    The stream is this object's own: depth never waits for the kernels of a saliency map.

    Args:
        device: Which GPU.

    Attributes:
        device: As given.
    """

    _capturing = Lock()  # CUDA allows one capture at a time in a process

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._stream = torch.cuda.Stream(device, priority=-1)
        # Blocking: a waiting thread leaves its core to others, instead of asking all the time.
        self._done = torch.cuda.Event(blocking=True)

    def place(self, network: nn.Module) -> nn.Module:
        """Move a network here; its weights have arrived when this returns."""
        # mypy's stubs lack the overload that takes a memory format.
        placed: Any = network.to(self.device).to(  # type: ignore[call-overload]
            memory_format=torch.channels_last
        )
        torch.cuda.synchronize(self.device)
        return placed  # type: ignore[no-any-return]

    def pinned(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Return an empty tensor in host memory that the GPU can read and write by itself."""
        return torch.empty(shape, dtype=dtype, pin_memory=True)

    def allocate(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Return an empty tensor on the GPU."""
        with torch.cuda.stream(self._stream):
            return torch.empty(shape, dtype=dtype, device=self.device)

    def copy(self, target: Tensor, source: Tensor) -> None:
        """Start copying a tensor to or from pinned memory."""
        with torch.cuda.stream(self._stream):
            target.copy_(source, non_blocking=True)

    def run(self, work: Callable[[], Tensor]) -> Tensor:
        """Start work, kernel by kernel, and return its result to be."""
        with torch.cuda.stream(self._stream):
            return work()

    def capture(self, work: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], None]]:
        """Record work as a CUDA graph, which starts all its kernels in one call.

        Returns:
            Where each replay leaves the result, and what starts a replay.

        Raises:
            RuntimeError: Something in it cannot be captured.
        """
        graph = torch.cuda.CUDAGraph()
        # Per thread: others may allocate meanwhile, for a saliency map.
        capturing = torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local")
        with self._capturing, torch.cuda.stream(self._stream), capturing:
            output = work()

        def replay() -> None:
            with torch.cuda.stream(self._stream):
                graph.replay()

        return output, replay

    def wait(self) -> None:
        """Wait until all that was started is done."""
        self._done.record(self._stream)
        self._done.synchronize()
