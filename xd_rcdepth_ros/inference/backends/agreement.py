# SPDX-License-Identifier: Apache-2.0
"""Does a backend say what PyTorch says, and a smaller precision what single precision says?

The first is checked on one made-up frame, to the worst pixel; the second on road scenes, by the
mean difference as a share of the depth, which is what a user of the depth notices.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.errors import DeviceError
from xd_rcdepth_ros.inference.backends.base import Backend
from xd_rcdepth_ros.inference.backends.torch import TorchBackend
from xd_rcdepth_ros.inference.road_frames import road_frames
from xd_rcdepth_ros.network.prediction import DEPTH

NEAREST_M = 1.0


@dataclass(frozen=True)
class Tolerance:
    """How far depth may lie from that in single precision.

    Attributes:
        mean: Mean difference as a share of the depth.
        worst: Difference of the worst pixel as a share of its depth.
    """

    mean: float
    worst: float = np.inf


# Shares of the depth, and of at least 1 m.
EXACT = Tolerance(1e-4, 1e-3)
TOLERANCES = {
    "fp32": EXACT,
    "fp16": Tolerance(0.02),
    "bf16": Tolerance(0.02),
    "int8": Tolerance(0.08),
}
ROAD_FRAMES = 4


@dataclass(frozen=True)
class Agreement:
    """What a comparison of two depth maps found.

    Attributes:
        mean: Mean difference as a share of the depth; infinite if a depth is not finite.
        worst: The same of the worst pixel.
        worst_m: Largest difference, metres.
        tolerance: What is allowed.
    """

    mean: float
    worst: float
    worst_m: float
    tolerance: Tolerance

    @property
    def holds(self) -> bool:
        """True if the difference is within the tolerance."""
        return self.mean <= self.tolerance.mean and self.worst <= self.tolerance.worst

    def __str__(self) -> str:
        text = (
            f"mean difference {100 * self.mean:.2g} % of the depth (allowed "
            f"{100 * self.tolerance.mean:.2g} %)"
        )
        if np.isfinite(self.tolerance.worst):
            worst, allowed = 100 * self.worst, 100 * self.tolerance.worst
            text += f", worst {worst:.2g} % (allowed {allowed:.2g} %)"
        return text


def compare(
    depth_m: NDArray[np.floating], reference_m: NDArray[np.floating], tolerance: Tolerance
) -> Agreement:
    """Compare depth maps of one shape, metres.

    Args:
        depth_m: Depth to judge.
        reference_m: Depth in single precision.
        tolerance: What is allowed.
    """
    if depth_m.shape != reference_m.shape or not np.isfinite(depth_m).all():
        return Agreement(np.inf, np.inf, np.inf, tolerance)
    gap_m = np.abs(depth_m.astype(np.float64) - reference_m)
    share = gap_m / np.maximum(reference_m, NEAREST_M)
    return Agreement(float(share.mean()), float(share.max()), float(gap_m.max()), tolerance)


def made_up_frame(
    height: int, width: int, radar_channels: int = 4
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return inputs on the network's grid that look like a road scene from far, always the same.

    Returns:
        Image (H, W, 3) uint8 and radar raster (C, H, W) float32, as for ``Backend.run``.
    """
    rng = np.random.default_rng(0)
    rows = np.linspace(220, 60, height)[:, None, None]
    noisy = np.broadcast_to(rows, (height, width, 3)) + rng.normal(0, 12, (height, width, 3))
    image: NDArray[np.uint8] = np.ascontiguousarray(np.clip(noisy, 0, 255), np.uint8)
    for _ in range(12):
        left, top = int(rng.integers(0, width)), int(rng.integers(height // 3, height))
        corner = (left + width // 8, top + height // 5)
        cv2.rectangle(image, (left, top), corner, rng.integers(0, 256, 3).tolist(), -1)
    radar = np.zeros((radar_channels, height, width), np.float32)
    v, u = rng.integers(height // 3, height, 80), rng.integers(0, width, 80)
    values = rng.uniform(-1, 1, (radar_channels, 80)) * 10
    values[0] = rng.uniform(3, 80, 80)
    radar[:, v, u] = values
    return image, radar


def check_agreement(backend: Backend, twin: TorchBackend, size: tuple[int, int]) -> Agreement:
    """Run a backend in single precision and PyTorch on a made-up frame.

    Args:
        backend: Backend to judge.
        twin: The same weights in PyTorch, in single precision.
        size: Height and width of the grid.

    Raises:
        DeviceError: They differ by more than the tolerance.
    """
    image, radar = made_up_frame(*size, twin.radar_channels)
    reference_m = twin.run(image, radar)[DEPTH]
    found = compare(backend.run(image, radar)[DEPTH], reference_m, EXACT)
    if not found.holds:
        raise DeviceError(
            f"backend {backend.name!r} on {backend.device} in {backend.precision} does not agree "
            f"with PyTorch: {found}. Use backend 'torch', and another version of the runtime."
        )
    return found


def check_precision(
    backend: Backend, exact: Backend, size: tuple[int, int], channels: int
) -> Agreement:
    """Run a backend in another precision and in single precision on road scenes.

    Args:
        backend: Backend to judge.
        exact: The same weights in single precision.
        size: Height and width of the grid.
        channels: Channels of the radar raster.

    Raises:
        DeviceError: Depth changes by more than the tolerance of that precision.
    """
    tolerance = TOLERANCES[backend.precision]
    found = [
        compare(
            backend.run(frame.image, frame.radar)[DEPTH],
            exact.run(frame.image, frame.radar)[DEPTH],
            tolerance,
        )
        for frame in road_frames(size, channels, ROAD_FRAMES)
    ]
    together = Agreement(
        float(np.mean([one.mean for one in found])),
        max(one.worst for one in found),
        max(one.worst_m for one in found),
        tolerance,
    )
    if not together.holds:
        raise DeviceError(
            f"backend {backend.name!r} in {backend.precision} changes the depth of road scenes too "
            f"much: {together}. Use precision auto or fp32."
        )
    return together
