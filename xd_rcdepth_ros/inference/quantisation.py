# SPDX-License-Identifier: Apache-2.0
"""Post-training quantisation of an OpenVINO graph to int8 by NNCF, and what it costs in accuracy.

Convolutions run on 8-bit integers whose ranges are calibrated on frames. What comes before and
with the first convolutions, and with and after the last ones, stays in floating point: there the
values are metres, and 256 steps are too few.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.inference.backends.agreement import TOLERANCES, compare
from xd_rcdepth_ros.inference.backends.base import Backend, import_runtime
from xd_rcdepth_ros.inference.backends.graph import import_openvino
from xd_rcdepth_ros.inference.road_frames import RoadFrame
from xd_rcdepth_ros.network.prediction import DEPTH

CAP_M = 80.0
HELD_OUT_EVERY = 3  # each third frame measures the loss, the others calibrate
_CONVOLUTIONS = ("Convolution", "GroupConvolution")


@dataclass(frozen=True)
class Loss:
    """What a quantised graph loses on frames that it was not calibrated on.

    Attributes:
        frames: Number of frames.
        difference: Mean difference to single precision as a share of the depth.
        mae_float_m: Mean absolute error in single precision up to 80 m; NaN without known depth.
        mae_int8_m: The same, quantised.
    """

    frames: int
    difference: float
    mae_float_m: float
    mae_int8_m: float

    def __str__(self) -> str:
        text = f"{100 * self.difference:.2g} % of the depth away from fp32 on {self.frames} frames"
        if np.isfinite(self.mae_float_m):
            change = 100 * (self.mae_int8_m / self.mae_float_m - 1)
            text += (
                f", MAE to {CAP_M:g} m {self.mae_int8_m:.3f} m instead of {self.mae_float_m:.3f} m "
                f"({change:+.1f} %)"
            )
        return text


def split_frames(frames: Sequence[RoadFrame]) -> tuple[list[RoadFrame], list[RoadFrame]]:
    """Return the frames that calibrate, and those that measure the loss.

    Raises:
        ConfigurationError: There are too few.
    """
    if len(frames) < HELD_OUT_EVERY:
        raise ConfigurationError(
            f"quantisation got {len(frames)} frames; at least {HELD_OUT_EVERY} are needed, and "
            "some hundred are better. Give a longer recording."
        )
    held_out = list(frames[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY])
    return [f for n, f in enumerate(frames, 1) if n % HELD_OUT_EVERY], held_out


def quantise(graph: Any, frames: Sequence[RoadFrame]) -> Any:
    """Return a quantised copy of a graph.

    Args:
        graph: ``openvino.Model`` of ``graph.to_openvino``.
        frames: Frames to calibrate on.

    Raises:
        DeviceError: NNCF is not installed.
    """
    import_openvino()  # first, so that its telemetry stays out
    nncf = import_runtime("export", "nncf")
    logging.getLogger("nncf").setLevel(logging.ERROR)  # it tells each operation left as it is
    inputs = [(frame.image[None], frame.radar[None]) for frame in frames]
    return nncf.quantize(
        graph,
        nncf.Dataset(inputs),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(inputs),
        ignored_scope=nncf.IgnoredScope(names=floating_layers(graph), validate=False),
    )


def floating_layers(graph: Any) -> list[str]:
    """Return the names of the operations that stay in floating point.

    These are all without a convolution before them, the first convolutions among them, and all
    without a convolution after them, the last ones among them.
    """
    operations = [op for op in graph.get_ordered_ops() if op.get_type_name() != "Constant"]
    before: dict[str, bool] = {}  # a convolution lies before it
    after: dict[str, bool] = {}  # a convolution lies after it
    for op in operations:
        sources = [value.get_source_output().get_node() for value in op.inputs()]
        before[op.get_friendly_name()] = any(
            source.get_type_name() in _CONVOLUTIONS or before.get(source.get_friendly_name(), False)
            for source in sources
        )
    for op in reversed(operations):
        targets = [value.get_node() for out in op.outputs() for value in out.get_target_inputs()]
        after[op.get_friendly_name()] = any(
            target.get_type_name() in _CONVOLUTIONS or after.get(target.get_friendly_name(), False)
            for target in targets
        )
    names = [op.get_friendly_name() for op in operations]
    return [name for name in names if not (before[name] and after[name])]


def measure_loss(exact: Backend, quantised: Backend, frames: Sequence[RoadFrame]) -> Loss:
    """Return what quantisation costs on frames.

    Args:
        exact: The weights in single precision.
        quantised: The same, quantised.
        frames: Frames that it was not calibrated on.
    """
    differences, errors = [], []
    for frame in frames:
        depths = [one.run(frame.image, frame.radar)[DEPTH] for one in (exact, quantised)]
        differences.append(compare(depths[1], depths[0], TOLERANCES["int8"]).mean)
        near = frame.depth_m < CAP_M
        u, v = frame.known[near].T
        errors.append([np.abs(depth[v, u] - frame.depth_m[near]) for depth in depths])
    known = [np.concatenate(one) for one in zip(*errors, strict=True)]
    means = [float(one.mean()) if one.size else float("nan") for one in known]
    return Loss(len(frames), float(np.mean(differences)), *means)
