# SPDX-License-Identifier: Apache-2.0
"""The network in PyTorch on a GPU: pinned buffers, and one CUDA graph for each grid."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from threading import Lock
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from xd_rcdepth_ros.errors import DeviceError
from xd_rcdepth_ros.inference.backends.agreement import Tolerance, check_precision, compare
from xd_rcdepth_ros.inference.backends.cuda_device import CudaDevice
from xd_rcdepth_ros.inference.backends.graph import FrameNetwork
from xd_rcdepth_ros.inference.backends.model_file import ModelFile
from xd_rcdepth_ros.inference.device import PRECISIONS
from xd_rcdepth_ros.network.prediction import DEPTH

WARM_UP_RUNS = (
    3  # before a capture, in which libraries may neither load nor allocate for themselves
)
GRIDS = 4  # each keeps the memory of all its layers
# Captured, PyTorch may choose other algorithms, which round otherwise; wrong memory is far off.
_SAME = Tolerance(0.02)
_log = logging.getLogger(__name__)


class CudaBackend:
    """Runs a network on a GPU; see :class:`~xd_rcdepth_ros.inference.backends.Backend`.

    The first frame of a grid allocates all its buffers, runs the network some times, captures it as
    a CUDA graph and compares the two. Later frames allocate nothing. If capturing fails, the
    network runs eagerly, from the same buffers. The last few grids are kept. Several threads may
    call; they take turns.

    Args:
        network: Network on the CPU; it is copied.
        device: The GPU.
        precision: ``fp32``, ``bf16`` or ``fp16``.

    Attributes:
        note: Whether CUDA graphs run, and why not.
    """

    name = "torch"

    def __init__(self, network: nn.Module, device: CudaDevice, precision: str = "fp32") -> None:
        self.device, self.precision = str(device.device), precision
        self.threads = torch.get_num_threads()
        self.note = ""
        self._device, self._dtype = device, PRECISIONS[precision]
        self._channels = int(network.config.radar_channels)  # type: ignore[union-attr, arg-type]
        copied = copy.deepcopy(network).eval().requires_grad_(False)
        for module in copied.modules():
            if isinstance(module, nn.Conv2d):  # autocast would convert the weights in each frame
                module.to(self._dtype)
        self._network = device.place(FrameNetwork(copied))
        self._grids: dict[tuple[int, int], _Grid] = {}
        self._captures = True
        self._lock = Lock()

    def run(self, image: NDArray[np.uint8], radar: NDArray[np.float32]) -> NDArray[np.float32]:
        """Estimate depth; inputs and output as in ``Backend.run``. The output is a copy."""
        size = (image.shape[0], image.shape[1])
        with self._lock, torch.inference_mode():
            grid = self._grids.pop(size, None) or self._new_grid(size, image, radar)
            self._grids[size] = grid  # the one used last stands last
            return grid.run(image, radar)

    def _new_grid(
        self, size: tuple[int, int], image: NDArray[np.uint8], radar: NDArray[np.float32]
    ) -> _Grid:
        while len(self._grids) >= GRIDS:
            del self._grids[next(iter(self._grids))]
        grid = _Grid(self._device, self._compute, size, self._channels)
        expected = grid.warm_up(image, radar)
        if self._captures:
            try:
                grid.capture(expected)
                self.note = "as CUDA graphs"
            except RuntimeError as error:
                self._captures = False
                self.note = f"without CUDA graphs, since capturing one failed: {error}"
                _log.warning("%s; the network goes on kernel by kernel", self.note)
        return grid

    def _compute(self, image: Tensor, radar: Tensor) -> Tensor:
        half = self._dtype != torch.float32
        # Autocast keeps in single precision what is not safe in half; without its cache, since a
        # cached tensor would belong to another capture.
        with torch.autocast(
            self._device.device.type,
            dtype=self._dtype if half else torch.bfloat16,
            enabled=half,
            cache_enabled=False,
        ):
            return self._network(image, radar).float().contiguous()  # type: ignore[no-any-return]


class _Grid:
    """The buffers of one grid, and the network on them: eagerly, or as a graph once captured.

    Args:
        device: The GPU.
        compute: Maps image and radar on the GPU to the output.
        size: Height and width, pixels.
        channels: Channels of the radar raster.
    """

    def __init__(
        self,
        device: CudaDevice,
        compute: Callable[[Tensor, Tensor], Tensor],
        size: tuple[int, int],
        channels: int,
    ) -> None:
        kinds: list[tuple[tuple[int, ...], torch.dtype]] = [
            ((1, *size, 3), torch.uint8),
            ((1, channels, *size), torch.float32),
        ]
        self._device = device
        self._on_host = [device.pinned(shape, dtype) for shape, dtype in kinds]
        self._inputs = [device.allocate(shape, dtype) for shape, dtype in kinds]
        self._work = lambda: compute(*self._inputs)
        self._replay: Callable[[], None] | None = None
        self._output: Tensor | None = None
        self._output_on_host: Tensor | None = None

    def warm_up(self, image: NDArray[np.uint8], radar: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run a frame eagerly, several times, and return its output."""
        self._upload(image, radar)
        for _ in range(WARM_UP_RUNS - 1):
            self._device.run(self._work)
        return self._download(self._device.run(self._work))

    def capture(self, expected: NDArray[np.float32]) -> None:
        """Capture the network, and run it on the frame of the warm-up.

        Args:
            expected: Output of the warm-up.

        Raises:
            RuntimeError: It cannot be captured, or the graph gives another depth.
        """
        self._output, replay = self._device.capture(self._work)
        replay()
        found = compare(self._download(self._output)[DEPTH], expected[DEPTH], _SAME)
        if not found.holds:
            raise RuntimeError(f"the graph gives another depth than PyTorch: {found}")
        self._replay = replay

    def run(self, image: NDArray[np.uint8], radar: NDArray[np.float32]) -> NDArray[np.float32]:
        """Estimate depth of a frame."""
        self._upload(image, radar)
        if self._replay is None or self._output is None:
            return self._download(self._device.run(self._work))
        self._replay()
        return self._download(self._output)

    def _upload(self, image: NDArray[np.uint8], radar: NDArray[np.float32]) -> None:
        values: list[NDArray[Any]] = [image, radar]
        for target, host, array in zip(self._inputs, self._on_host, values, strict=True):
            np.copyto(host[0].numpy(), array)
            self._device.copy(target, host)

    def _download(self, output: Tensor) -> NDArray[np.float32]:
        if self._output_on_host is None:
            self._output_on_host = self._device.pinned(tuple(output.shape), torch.float32)
        self._device.copy(self._output_on_host, output)
        self._device.wait()
        # A copy: the next frame is written into the same memory.
        return np.array(self._output_on_host[0].numpy())


def cuda_backend(
    model: ModelFile, device: CudaDevice, precision: str, size: tuple[int, int]
) -> tuple[CudaBackend, str]:
    """Make the backend of a model file whose precision has been checked on road scenes.

    Args:
        model: Model file.
        device: The GPU.
        precision: ``auto`` (fp16 if road scenes keep their depth, else fp32), ``fp32``, ``bf16`` or
            ``fp16``.
        size: Height and width of the grid of the check, multiples of 32.

    Returns:
        The backend, and what the check found, in words.

    Raises:
        DeviceError: The precision named here changes the depth too much.
    """
    found = ""
    if precision != "fp32":
        backend = CudaBackend(model.network(), device, "fp16" if precision == "auto" else precision)
        try:
            channels = int(model.config.radar_channels)
            held = check_precision(backend, model.twin(device.device), size, channels)
            return backend, f"; {backend.precision} on road scenes: {held}"
        except DeviceError as error:
            if precision != "auto":
                raise
            found = f"; fp32, since {error}"
    return CudaBackend(model.network(), device), found
