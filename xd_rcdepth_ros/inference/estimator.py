# SPDX-License-Identifier: Apache-2.0
"""One frame in, metric depth and its explanation out: one path for node, commands and tests."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.geometry import (
    DepthResult,
    NetworkGrid,
    PinholeCamera,
    RadarPoints,
    RadarRaster,
    RigidTransform,
    SensorFrame,
)
from xd_rcdepth_ros.inference.arrays import frame_from_arrays
from xd_rcdepth_ros.inference.backends import Backend, ModelFile, TorchBackend, choose_backend
from xd_rcdepth_ros.inference.explanation import (
    Region,
    explanation_config,
    radar_contributions,
    saliency_map,
    shares_by_sweep,
)
from xd_rcdepth_ros.inference.model_info import ModelInfo
from xd_rcdepth_ros.inference.shipped import shipped_model
from xd_rcdepth_ros.network import STRIDE, ModelHeader
from xd_rcdepth_ros.network.prediction import DEPTH, ERROR, SKY

SKY_PROBABILITY = 0.5  # above this a pixel is told as sky, or nothing within range


class Stopwatch:
    """Times the stages of one frame."""

    def __init__(self) -> None:
        self._last = time.perf_counter()
        self.timings_ms: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        """Book the time since the last lap under a stage's name."""
        now = time.perf_counter()
        self.timings_ms[stage] = 1000 * (now - self._last)
        self._last = now


@dataclass(frozen=True, eq=False)
class NetworkInput:
    """A frame as the network takes it.

    Attributes:
        frame: The frame as it came.
        grid: How its image is laid onto the network's grid.
        image: (H, W, 3) uint8, RGB, on the grid.
        raster: Its radar on the grid, at the network's scale of depth.
        timings_ms: Milliseconds by stage so far.
    """

    frame: SensorFrame
    grid: NetworkGrid
    image: NDArray[np.uint8]
    raster: RadarRaster
    timings_ms: Mapping[str, float]


class DepthEstimator:
    """Runs a network on frames of any camera.

    :meth:`prepare`, :meth:`infer` and :meth:`explain` share no state that changes, so they may run
    in different threads at once; each of them in one.

    Args:
        backend: What runs the network for the depth.
        model: Its model file, for what needs gradients: that is loaded into PyTorch when first
            asked for.
        info: What is running.
        network_size: (height, width) of the network's grid, multiples of 32; None takes the
            smallest grid that holds the image.

    Attributes:
        backend: As given.
        backward_passes: Backward passes so far, of saliency and attribution, warm-up apart.
        grid_changes: How often a frame had another grid than the one before, as with a new camera.
    """

    def __init__(
        self,
        backend: Backend,
        model: ModelFile,
        info: ModelInfo,
        network_size: tuple[int, int] | None = None,
    ) -> None:
        self.info = info
        self.backend, self._model = backend, model
        self._size = network_size
        self._last_grid: tuple[int, int] | None = None
        self.backward_passes = self.grid_changes = 0

    @classmethod
    def load(
        cls,
        model_file: Path | str | None = None,
        device: str = "auto",
        backend: str = "auto",
        precision: str = "auto",
        network_size: tuple[int, int] | None = None,
        threads: int = 0,
    ) -> DepthEstimator:
        """Load a model file onto a device.

        Args:
            model_file: A .safetensors file of this project; None takes the shipped one.
            device: ``auto``, ``cpu``, ``cuda`` or ``cuda:<n>``.
            backend: ``auto`` (on the CPU OpenVINO, if it is installed and agrees with PyTorch;
                else PyTorch), ``torch``, ``openvino`` or ``onnx``.
            precision: ``auto`` (bf16 where the CPU computes in it and road scenes keep their depth,
                else fp32; fp16 on a GPU), ``fp32``, ``bf16``, ``fp16``, or ``int8``: OpenVINO with
                the quantised file that the command export wrote beside the model file.
            network_size: (height, width) of the network's grid; None fits the image.
            threads: CPU threads of the backend; 0 leaves the number to it.

        Raises:
            CheckpointError: The file cannot be used.
            ConfigurationError: An option holds a value that is not allowed.
            DeviceError: The device is not there, or the backend not installed, or it does not
                agree with PyTorch.
        """
        if network_size is not None and any(n < STRIDE or n % STRIDE for n in network_size):
            raise ConfigurationError(
                f"network size is {network_size}; expected (height, width) in positive multiples "
                f"of {STRIDE}, or nothing to fit the image."
            )
        model = ModelFile(model_file or shipped_model())
        size = network_size or _usual_grid(model.header)
        choice = choose_backend(model, backend, device, precision, threads, size)
        info = ModelInfo(
            name=model.path.name,
            architecture=model.header.architecture,
            parameters=model.parameters,
            sha256=model.sha256,
            device=choice.backend.device,
            backend=choice.backend.name,
            precision=choice.backend.precision,
            max_depth_m=model.config.max_depth_m,
            header=model.header,
            backend_note=choice.note,
            threads=choice.backend.threads,
            estimates_error=model.config.error_and_sky,
        )
        return cls(choice.backend, model, info, network_size)

    @property
    def _twin(self) -> TorchBackend:
        if isinstance(self.backend, TorchBackend):
            return self.backend
        return self._model.twin(torch.device(self.backend.device))

    def grid(self, camera: PinholeCamera) -> NetworkGrid:
        """Return how images of a camera are laid onto the network's grid."""
        return NetworkGrid.for_camera(camera, self.info.header.focal_length_px, self._size, STRIDE)

    def network_camera(self, camera: PinholeCamera) -> PinholeCamera:
        """Return the camera of the depth that comes out at ``output_size="network"``."""
        return self.grid(camera).camera_of_image(camera)

    def warm_up(self, camera: PinholeCamera, explanations: bool = True) -> None:
        """Run the network once on an empty image, so that the first real frame is fast.

        Args:
            camera: Camera of the frames to come.
            explanations: Also run the saliency, for which the weights are loaded into PyTorch.
        """
        image = np.zeros((camera.height, camera.width, 3), np.uint8)
        frame = SensorFrame(image, camera)
        self.estimate(frame)
        if explanations:
            self.explain(frame)
        self.backward_passes = self.grid_changes = 0
        self._last_grid = None

    def estimate(
        self,
        image: SensorFrame | ArrayLike,
        radar: RadarPoints | ArrayLike | None = None,
        camera: PinholeCamera | ArrayLike | None = None,
        camera_from_radar: RigidTransform | ArrayLike | None = None,
        *,
        output_size: str = "network",
    ) -> DepthResult:
        """Estimate the depth of a frame: :meth:`prepare` and :meth:`infer` in one.

        Args:
            image: A whole frame; or an image, then with the others as ``frame_from_arrays`` takes
                them.
            radar: Radar returns of the image.
            camera: Intrinsics of the image.
            camera_from_radar: Mounting of the radar.
            output_size: As for :meth:`infer`.
        """
        if not isinstance(image, SensorFrame):
            image = frame_from_arrays(image, radar, camera, camera_from_radar)
        return self.infer(self.prepare(image), output_size)

    def prepare(self, frame: SensorFrame) -> NetworkInput:
        """Lay a frame onto the network's grid, its radar drawn.

        Args:
            frame: Image, camera and radar; without radar the image alone speaks.
        """
        watch = Stopwatch()
        grid = self.grid(frame.camera)
        placed = grid.place(frame)
        watch.lap("preprocess")
        raster = placed.radar_raster()
        watch.lap("rasterize")
        return NetworkInput(frame, grid, placed.image, raster, watch.timings_ms)

    def infer(self, prepared: NetworkInput, output_size: str = "network") -> DepthResult:
        """Run the network.

        Args:
            prepared: What :meth:`prepare` made.
            output_size: ``network``, the resolution the network works at, or ``input``, the
                image's own.

        Returns:
            Depth in metres of the whole image, with the camera that it belongs to; +Inf where the
            network sees sky or nothing within range.
        """
        if output_size not in ("network", "input"):
            raise ConfigurationError(
                f"output size is {output_size!r}; expected 'network' or 'input'."
            )
        watch = Stopwatch()
        frame, grid, raster = prepared.frame, prepared.grid, prepared.raster
        size = (grid.height, grid.width)
        self.grid_changes += self._last_grid not in (None, size)
        self._last_grid = size
        on_grid = self.backend.run(prepared.image, raster.channels)
        watch.lap("network")
        if output_size == "network":
            maps = [np.ascontiguousarray(grid.cut(channel)) for channel in on_grid]
            camera = grid.camera_of_image(frame.camera)
        else:
            camera = frame.camera
            maps = [grid.to_image(channel, camera.width, camera.height) for channel in on_grid]
        depth_m = maps[DEPTH]
        if grid.depth_scale != 1.0:
            depth_m *= np.float32(grid.depth_scale)
        if len(maps) > 1:
            depth_m[maps[SKY] > SKY_PROBABILITY] = np.inf
        watch.lap("postprocess")
        seen = raster.crop(*grid.inside)
        flags = set() if len(seen.pixels) else {"no_radar"}
        if frame.radar and not all(sweep.ego_motion for sweep in frame.radar):
            flags.add("static_extrinsics")
        return DepthResult(
            depth_m,
            camera,
            frame.stamp_ns,
            seen,
            error=maps[ERROR] if len(maps) > 1 else None,
            timings_ms={**prepared.timings_ms, **watch.timings_ms},
            flags=frozenset(flags),
        )

    def explain(
        self,
        frame: SensorFrame,
        target: str = "mean",
        region: Region | None = None,
        method: str = "grad_cam",
    ) -> NDArray[np.float32]:
        """Return the saliency map of a frame's depth: which places made the network say it.

        Args:
            frame: As for :meth:`estimate`.
            target: ``mean`` (whole image), ``near`` (near field) or ``region``.
            region: Left, top, right, bottom as shares of the image, for ``region``.
            method: ``grad_cam``, ``grad_cam_pp`` or ``gradient_x_input``.

        Returns:
            (H, W) float32 in [0, 1] at the image's own resolution.
        """
        prepared = self.prepare(frame)
        grid = prepared.grid
        config = explanation_config(method, target, region, grid)
        inputs = self._twin.upload(prepared.image, prepared.raster.channels)
        with self._twin.autocast():
            on_grid = saliency_map(self._twin.model, inputs, grid, config)
        self.backward_passes += 1
        heat = np.nan_to_num(grid.to_image(on_grid, frame.camera.width, frame.camera.height))
        # The strongest place may lie in the padding; the scale is that of the image itself.
        return np.asarray(heat / max(float(heat.max()), 1e-8), np.float32)

    def attribute_radar(
        self,
        frame: SensorFrame,
        target: str = "mean",
        region: Region | None = None,
        method: str = "gradient_x_input",
        should_continue: Callable[[], bool] = lambda: True,
    ) -> tuple[NDArray[np.float32], ...]:
        """Return each radar return's share in a frame's depth.

        Args:
            frame: As for :meth:`estimate`.
            target: As for :meth:`explain`.
            region: As for :meth:`explain`.
            method: ``gradient_x_input`` (first order, one backward pass) or ``leave_one_out`` (the
                effect of taking the return away, one forward pass a return).
            should_continue: Asked now and then during ``leave_one_out``; False ends it early.

        Returns:
            (N,) float32 for each sweep of the frame, none negative; they sum to 1 over all sweeps,
            or to 0 where no return has a say. Returns outside the image, hidden or not finite get
            0: the network never saw them.
        """
        prepared = self.prepare(frame)
        grid, raster = prepared.grid, prepared.raster
        config = explanation_config("grad_cam", target, region, grid)
        inputs = self._twin.upload(prepared.image, raster.channels)
        # Single precision: one return among a hundred changes the depth by millimetres.
        signed = radar_contributions(
            self._twin.model, inputs, raster, grid, config, method, should_continue
        )
        self.backward_passes += method == "gradient_x_input" and bool(raster.visible.any())
        return shares_by_sweep(raster, signed, [len(sweep.points) for sweep in frame.radar])

    def describe(self) -> Mapping[str, Any]:
        """Return the identity of what runs, for logs and diagnostics."""
        note = "; ".join(filter(None, (self.info.backend_note, self.backend.note)))
        return {**self.info.describe(), "backend_note": note, "grid_changes": self.grid_changes}


def _usual_grid(header: ModelHeader) -> tuple[int, int]:
    """Return the grid that a model was trained on, within reason: a file may say anything."""
    height, width = (min(max(-(-n // STRIDE), 1), 32) * STRIDE for n in header.input_size)
    return height, width
