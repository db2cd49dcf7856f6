# SPDX-License-Identifier: Apache-2.0
"""One frame in, metric depth and its explanation out: one path for node, commands and tests."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from xd_rcdepth_ros.distillation import grad_cam, saliency_target
from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.geometry import DepthResult, NetworkGrid, PinholeCamera, SensorFrame
from xd_rcdepth_ros.inference.device import PRECISIONS, select_device, select_precision
from xd_rcdepth_ros.network import STRIDE, ModelHeader, file_sha256, load_checkpoint
from xd_rcdepth_ros.network.student import Student
from xd_rcdepth_ros.network.teacher import Teacher


@dataclass(frozen=True)
class ModelInfo:
    """What is really running.

    Attributes:
        name: File name of the model.
        architecture: Its architecture.
        parameters: Number of weights.
        sha256: Checksum of the model file.
        device: Device in use.
        backend: Backend in use.
        precision: Precision in use.
        max_depth_m: Upper end of the network's range, metres.
        header: The model file's header.
    """

    name: str
    architecture: str
    parameters: int
    sha256: str
    device: str
    backend: str
    precision: str
    max_depth_m: float
    header: ModelHeader


class Stopwatch:
    """Times the stages of one frame; waits for the GPU before it reads the clock."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._last = time.perf_counter()
        self.timings_ms: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        """Book the time since the last lap under a stage's name."""
        if self._device.type == "cuda":
            torch.cuda.current_stream(self._device).synchronize()
        now = time.perf_counter()
        self.timings_ms[stage] = 1000 * (now - self._last)
        self._last = now


class DepthEstimator:
    """Runs a network on frames of any camera.

    :meth:`estimate` and :meth:`explain` share no state that changes, so they may run in two
    threads at once.

    Args:
        model: Student (or teacher) in eval mode.
        info: What is running; its device and precision are used.
        network_size: (height, width) of the network's grid, multiples of 32; None takes the
            smallest grid that holds the image.
    """

    def __init__(
        self, model: Student | Teacher, info: ModelInfo, network_size: tuple[int, int] | None = None
    ) -> None:
        if network_size is not None and any(n < STRIDE or n % STRIDE for n in network_size):
            raise ConfigurationError(
                f"network size is {network_size}; expected (height, width) in positive multiples "
                f"of {STRIDE}, or nothing to fit the image."
            )
        self.info = info
        self._device = torch.device(info.device)
        self._size = network_size
        model = model.eval().requires_grad_(False).to(self._device)
        # mypy's stubs lack the overload that takes a memory format alone.
        self._model: Any = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @classmethod
    def load(
        cls,
        model_file: Path | str,
        device: str = "auto",
        backend: str = "auto",
        precision: str = "auto",
        network_size: tuple[int, int] | None = None,
    ) -> DepthEstimator:
        """Load a model file onto a device.

        Args:
            model_file: A .safetensors file of this project.
            device: ``auto``, ``cpu``, ``cuda`` or ``cuda:<n>``.
            backend: ``auto`` or ``torch``.
            precision: ``auto``, ``fp32``, ``bf16`` or ``fp16``.
            network_size: (height, width) of the network's grid; None fits the image.

        Raises:
            CheckpointError: The file cannot be used.
            ConfigurationError: An option holds a value that is not allowed.
            DeviceError: The device is not there.
        """
        if backend not in ("auto", "torch"):
            raise ConfigurationError(f"backend is {backend!r}; expected 'auto' or 'torch'.")
        target = select_device(device)
        chosen = select_precision(precision, target)
        model, header = load_checkpoint(model_file)
        # Both have encode, decode and config.max_depth_m, which is all that is used here.
        assert isinstance(model, (Student, Teacher))
        info = ModelInfo(
            name=Path(model_file).name,
            architecture=header.architecture,
            parameters=sum(p.numel() for p in model.parameters()),
            sha256=file_sha256(model_file),
            device=str(target),
            backend="torch",
            precision=chosen,
            max_depth_m=model.config.max_depth_m,
            header=header,
        )
        return cls(model, info, network_size)

    def grid(self, camera: PinholeCamera) -> NetworkGrid:
        """Return how images of a camera are laid onto the network's grid."""
        return NetworkGrid.for_camera(camera, self.info.header.focal_length_px, self._size, STRIDE)

    def network_camera(self, camera: PinholeCamera) -> PinholeCamera:
        """Return the camera of the depth that comes out at ``output_size="network"``."""
        return self.grid(camera).camera_of_image(camera)

    def warm_up(self, camera: PinholeCamera) -> None:
        """Run depth and saliency once on an empty image, so that the first real frame is fast."""
        image = np.zeros((camera.height, camera.width, 3), np.uint8)
        frame = SensorFrame(image, camera)
        self.estimate(frame)
        self.explain(frame)

    def estimate(self, frame: SensorFrame, output_size: str = "network") -> DepthResult:
        """Estimate the depth of a frame.

        Args:
            frame: Image, camera and radar; without radar the image alone speaks.
            output_size: ``network``, the resolution the network works at, or ``input``, the
                image's own.

        Returns:
            Depth in metres with the camera that it belongs to; NaN where the network's grid does
            not cover the image.
        """
        if output_size not in ("network", "input"):
            raise ConfigurationError(
                f"output size is {output_size!r}; expected 'network' or 'input'."
            )
        watch = Stopwatch(self._device)
        grid = self.grid(frame.camera)
        placed = grid.place(frame)
        watch.lap("preprocess")
        raster = placed.radar_raster()
        watch.lap("rasterize")
        with torch.inference_mode(), self._autocast():
            depth = self._model(*self._upload(placed.image, raster.channels))
        watch.lap("network")
        on_grid = depth[0, 0].float().cpu().numpy()
        if output_size == "network":
            depth_m = np.ascontiguousarray(grid.cut(on_grid))
            camera = grid.camera_of_image(frame.camera)
        else:
            depth_m = grid.to_image(on_grid, frame.camera.width, frame.camera.height)
            camera = frame.camera
        watch.lap("postprocess")
        flags = set() if len(raster.pixels) else {"no_radar"}
        if frame.radar and not all(sweep.ego_motion for sweep in frame.radar):
            flags.add("static_extrinsics")
        return DepthResult(
            depth_m,
            camera,
            frame.stamp_ns,
            frame.radar_raster(),
            timings_ms=watch.timings_ms,
            flags=frozenset(flags),
        )

    def explain(
        self,
        frame: SensorFrame,
        target: str = "mean",
        region: tuple[float, float, float, float] | None = None,
    ) -> NDArray[np.float32]:
        """Return the Grad-CAM map of a frame's depth: which places made the network say it.

        Args:
            frame: As for :meth:`estimate`.
            target: ``mean`` (whole image), ``near`` (near field) or ``region``.
            region: Left, top, right, bottom as shares of the network's grid, for ``region``.

        Returns:
            (H, W) float32 in [0, 1] at the image's own resolution; 0 where not covered.
        """
        scalar = saliency_target(target, region)
        grid = self.grid(frame.camera)
        placed = grid.place(frame)
        # Only the way from the activation to the depth needs gradients: the encoders run without.
        with torch.no_grad(), self._autocast():
            inputs = self._upload(placed.image, placed.radar_raster().channels)
            activation, skips = self._model.encode(*inputs)
        with torch.enable_grad(), self._autocast():
            activation.requires_grad_(True)
            cam = grad_cam(activation, scalar(self._model.decode(activation, skips).float()))
        size = (grid.height, grid.width)
        cam = torch.nn.functional.interpolate(cam, size=size, mode="bilinear", align_corners=False)
        heat = cam[0, 0].detach().cpu().numpy()
        heat = np.nan_to_num(grid.to_image(heat, frame.camera.width, frame.camera.height))
        # The strongest place may lie in the padding; the scale is that of the image itself.
        return np.asarray(heat / max(float(heat.max()), 1e-8), np.float32)

    def describe(self) -> Mapping[str, Any]:
        """Return the identity of what runs, for logs and diagnostics."""
        info = self.info
        return {
            "model": info.name,
            "sha256": info.sha256,
            "architecture": info.architecture,
            "parameters": info.parameters,
            "device": info.device,
            "backend": info.backend,
            "precision": info.precision,
            "licence": info.header.licence,
        }

    def _autocast(self) -> torch.autocast:
        dtype = PRECISIONS[self.info.precision]
        enabled = dtype != torch.float32
        return torch.autocast(
            self._device.type, dtype=dtype if enabled else torch.bfloat16, enabled=enabled
        )

    def _upload(
        self, image: NDArray[np.uint8], raster: NDArray[np.float32]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Move the inputs to the device: bytes travel, floats are made there."""
        pixels = torch.from_numpy(np.ascontiguousarray(image))
        radar = torch.from_numpy(raster)
        if self._device.type == "cuda":
            pixels, radar = pixels.pin_memory(), radar.pin_memory()
        pixels = pixels.to(self._device, non_blocking=True)
        radar = radar.to(self._device, non_blocking=True)
        layout = torch.channels_last
        return (
            pixels.permute(2, 0, 1)[None].float().div(255).contiguous(memory_format=layout),
            radar[None].contiguous(memory_format=layout),
        )
