# SPDX-License-Identifier: Apache-2.0
"""Scores a predictor under controlled faults, beside the same frames without them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from xd_rcdepth_ros.errors import RecordingError
from xd_rcdepth_ros.evaluation.charts import COLOURS, new_grid
from xd_rcdepth_ros.evaluation.error_map import ErrorMap, ErrorSums
from xd_rcdepth_ros.evaluation.evaluator import FrameSource, Predictor, usable_frames
from xd_rcdepth_ros.evaluation.faults import FAULTS, Fault, Situation
from xd_rcdepth_ros.evaluation.metrics import DepthErrors
from xd_rcdepth_ros.evaluation.prefetch import read_ahead
from xd_rcdepth_ros.evaluation.protocol import Protocol

_SHOWN = ("mae_m", "rmse_m", "abs_rel", "delta1")


def count_predictions(faults: Mapping[str, Fault]) -> int:
    """Return how often a frame is predicted: once as it is, once a level of each fault."""
    return 1 + sum(len(fault.levels) for fault in faults.values())


def run_faults(
    source: FrameSource,
    predict: Predictor,
    faults: Mapping[str, Fault] = FAULTS,
    protocol: Protocol | None = None,
    every: int = 1,
    speed_mps: float | None = None,
    on_prediction: Callable[[], None] | None = None,
) -> dict[str, Any]:
    """Score a predictor under faults.

    Fog and rain are computed with the predictor's own depth of the unchanged frame.

    Args:
        source: Frames by number.
        predict: The predictor.
        faults: Faults by name.
        protocol: How to score; its main cap is used.
        every: Use only every n-th frame.
        speed_mps: The car's speed where radar does not tell it, m/s.
        on_prediction: Called after each prediction or skipped one, for a progress display.

    Returns:
        JSON-like: ``clean`` and ``faults``, a list with one entry a level.

    Raises:
        RecordingError: No frame could be used, or none has ground truth.
    """
    protocol = protocol or Protocol()

    def fresh() -> DepthErrors:
        return DepthErrors(protocol.main_cap_m, protocol.clamp)

    def score(depth: NDArray[np.float32], truth: Tensor) -> ErrorSums:
        prediction = torch.from_numpy(depth)
        return ErrorMap(prediction, truth, protocol.main_cap_m, protocol.clamp).total()

    clean_all = fresh()
    cases = [(name, level) for name, fault in faults.items() for level in fault.levels]
    faulty = {case: fresh() for case in cases}
    clean = {case: fresh() for case in cases}
    skipped: dict[int, str] = {}
    without_radar = 0
    for index, frame in read_ahead(usable_frames(source, skipped, every)):
        without_radar += not frame.radar
        truth = torch.from_numpy(protocol.ground_truth(frame))
        depth = predict(frame).depth_m
        situation = Situation(index, depth, speed_mps)
        unharmed = score(depth, truth)
        clean_all.add(unharmed)
        _tell(on_prediction)
        for name, level in cases:
            bad = faults[name].effect(frame, level, situation)
            if bad is not None:
                faulty[name, level].add(score(predict(bad).depth_m, truth))
                clean[name, level].add(unharmed)
            _tell(on_prediction)
    if not clean_all.images:
        raise RecordingError(
            "no frame has ground truth, so nothing can be scored. Use data with lidar or depth."
        )
    entries = [
        _entry(name, faults[name], level, faulty[name, level], clean[name, level])
        for name, level in cases
    ]
    return {
        "cap_m": protocol.main_cap_m,
        "protocol": protocol.statement(),
        "clean": {**clean_all.figures(), **clean_all.counts()},
        "faults": entries,
        "skipped": {str(index): reason for index, reason in skipped.items()},
        "frames_without_radar": without_radar,
    }


def _tell(listener: Callable[[], None] | None) -> None:
    if listener is not None:
        listener()


def _entry(
    name: str, fault: Fault, level: float, faulty: DepthErrors, clean: DepthErrors
) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "fault": name,
        "title": fault.title,
        "level": level,
        "unit": fault.unit,
        "frames": int(faulty.images),
    }
    if not faulty.images:
        return {**entry, "left_out": f"no frame has what this fault needs: {fault.needs}"}
    figures, before = faulty.figures(), clean.figures()["mae_m"] or 0.0
    return {
        **entry,
        **{metric: figures[metric] for metric in _SHOWN},
        "clean_mae_m": before,
        "mae_increase_percent": 100 * ((figures["mae_m"] or 0.0) / before - 1) if before else None,
    }


def markdown_table(result: Mapping[str, Any]) -> str:
    """Return the result as a Markdown table."""
    clean = result["clean"]
    lines = [
        f"| fault | level | MAE (m), 0-{result['cap_m']:g} m | change | RMSE (m) | delta1 |",
        "|---|---|---|---|---|---|",
        f"| none | | {clean['mae_m']:.3f} | | {clean['rmse_m']:.3f} | {clean['delta1']:.3f} |",
    ]
    for entry in result["faults"]:
        start = f"| {entry['title']} | {entry['level']:g} {entry['unit']} |"
        if "left_out" in entry:
            lines.append(f"{start} left out: {entry['left_out']} | | | |")
            continue
        increase = entry["mae_increase_percent"]
        change = "" if increase is None else f"{increase:+.1f} %"
        lines.append(
            f"{start} {entry['mae_m']:.3f} | {change} | {entry['rmse_m']:.3f} | "
            f"{entry['delta1']:.3f} |"
        )
    return "\n".join(lines) + "\n"


def draw_faults(result: Mapping[str, Any], title: str = "") -> Figure:
    """Draw the error over the level of each fault, with the clean error and that without radar."""
    by_fault: dict[str, list[Mapping[str, Any]]] = {}
    for entry in result["faults"]:
        by_fault.setdefault(entry["fault"], []).append(entry)
    figure, panels = new_grid(len(by_fault))
    clean = result["clean"]["mae_m"]
    blind = next(
        (e["mae_m"] for e in by_fault.get("returns", []) if e["level"] == 0 and "mae_m" in e), None
    )
    for axes, entries in zip(panels, by_fault.values(), strict=True):
        axes.set_title(entries[0]["title"], fontsize=10, loc="left")
        axes.set_xlabel(entries[0]["unit"], fontsize=9)
        axes.axhline(clean, color=COLOURS[1], linewidth=1, label="no fault")
        if blind is not None:
            axes.axhline(blind, color=COLOURS[2], linewidth=1, linestyle="--", label="no radar")
        known = [e for e in entries if "mae_m" in e]
        axes.set_xticks(range(len(entries)), [f"{e['level']:g}" for e in entries])
        if known:
            places = [entries.index(e) for e in known]
            axes.plot(places, [e["mae_m"] for e in known], "o-", color=COLOURS[0], label="fault")
        else:
            axes.text(0.5, 0.5, "left out", ha="center", transform=axes.transAxes)
    top = max([clean, *(e["mae_m"] for e in result["faults"] if "mae_m" in e)])
    for axes in panels:
        axes.set_ylim(0, 1.1 * top)
        axes.set_xlim(-0.4, None)
    panels[0].set_ylabel("MAE (m)", fontsize=9)
    panels[0].legend(frameon=False, fontsize=8, loc="lower left")
    if title:
        figure.suptitle(title, fontsize=11)
    return figure
