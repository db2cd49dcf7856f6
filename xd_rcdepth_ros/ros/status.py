# SPDX-License-Identifier: Apache-2.0
"""One DepthStatus a frame: what was used, how long it took, what had to be done without."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.geometry import DepthResult
from xd_rcdepth_ros.geometry.sweep_choice import NS
from xd_rcdepth_ros.inference import ModelInfo
from xd_rcdepth_ros.msg import DepthStatus
from xd_rcdepth_ros.ros.accounting import LedgerState
from xd_rcdepth_ros.ros.assembly import Assembly
from xd_rcdepth_ros.ros.conversions import ns_to_stamp


def depth_status(
    assembly: Assembly,
    result: DepthResult,
    ledger: LedgerState,
    model: ModelInfo,
    latency_ms: float,
    age_ms: float,
    stages_ms: Mapping[str, float],
) -> DepthStatus:
    """Return the status message of one frame.

    Args:
        assembly: The frame and how it came about.
        result: Its depth, within the limits of the parameters.
        ledger: Counters, this frame included.
        model: What computes.
        latency_ms: Stamp of the image to publishing, ROS clock.
        age_ms: Arrival of the image to publishing, wall clock.
        stages_ms: Milliseconds by stage.
    """
    sweeps = assembly.frame.radar
    source = result.radar.source
    in_image = np.bincount(source[:, 0], minlength=len(sweeps))[: len(sweeps)]
    flags = set(assembly.flags)
    if sweeps and not len(source):
        flags.add("no_returns")
    motion = DepthStatus.EGO_MOTION_NONE
    if sweeps:
        moving = all(sweep.ego_motion for sweep in sweeps)
        motion = DepthStatus.EGO_MOTION_TF if moving else DepthStatus.EGO_MOTION_STATIC
    valid = np.isfinite(result.depth_m)
    drops = sorted(ledger.drops.items())
    return DepthStatus(
        header=assembly.header,
        flags=sum(getattr(DepthStatus, f"FLAG_{name.upper()}") for name in flags),
        ego_motion=motion,
        radar_names=[sweep.name for sweep in sweeps],
        radar_stamps=[ns_to_stamp(sweep.stamp_ns) for sweep in sweeps],
        radar_offsets_s=[(s.stamp_ns - assembly.frame.stamp_ns) / NS for s in sweeps],
        radar_returns=[len(sweep.points) for sweep in sweeps],
        radar_returns_in_image=[int(number) for number in in_image],
        depth_median_m=_median(result.depth_m, valid),
        valid_share=float(valid.mean()),
        far_share=float(np.isposinf(result.depth_m).mean()),
        error_median=_median(result.error, valid),
        latency_ms=latency_ms,
        age_ms=age_ms,
        stage_names=list(stages_ms),
        stage_ms=[float(value) for value in stages_ms.values()],
        frames_in=ledger.frames_in,
        frames_out=ledger.frames_out,
        drop_reasons=[reason for reason, _ in drops],
        drop_counts=[count for _, count in drops],
        device=model.device,
        backend=model.backend,
        model=model.identity,
    )


def _median(values: NDArray[np.float32] | None, valid: NDArray[np.bool_]) -> float:
    return float(np.median(values[valid])) if values is not None and valid.any() else math.nan
