# SPDX-License-Identifier: Apache-2.0
"""Scores a predictor under controlled faults, beside the same frames without them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xd_rcdepth_ros.errors import RecordingError
from xd_rcdepth_ros.evaluation.error_map import ErrorMap, ErrorSums
from xd_rcdepth_ros.evaluation.evaluator import FrameSource, Predictor, usable_frames
from xd_rcdepth_ros.evaluation.faults import FAULTS, Fault, Situation
from xd_rcdepth_ros.evaluation.metrics import DepthErrors
from xd_rcdepth_ros.evaluation.prefetch import read_ahead
from xd_rcdepth_ros.evaluation.protocol import Protocol
from xd_rcdepth_ros.report.charts import Series, line_chart
from xd_rcdepth_ros.report.page import Page, Section, Table

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


def table_of(result: Mapping[str, Any]) -> Table:
    """Return the result as a table."""
    clean = result["clean"]
    head = ["fault", "level", f"MAE (m), 0-{result['cap_m']:g} m", "change", "RMSE (m)", "delta1"]
    mae, rmse, delta1 = (f"{clean[key]:.3f}" for key in ("mae_m", "rmse_m", "delta1"))
    rows = [["none", "", mae, "", rmse, delta1]]
    for entry in result["faults"]:
        cells = [entry["title"], f"{entry['level']:g} {entry['unit']}"]
        if "left_out" in entry:
            rows.append([*cells, "left out", "", "", ""])
            continue
        increase = entry["mae_increase_percent"]
        change = "" if increase is None else f"{increase:+.1f} %"
        mae, rmse, delta1 = (f"{entry[key]:.3f}" for key in ("mae_m", "rmse_m", "delta1"))
        rows.append([*cells, mae, change, rmse, delta1])
    return Table(rows, head, strong="none")


def left_out(result: Mapping[str, Any]) -> dict[str, str]:
    """Return why faults were left out, by their titles."""
    entries = (entry for entry in result["faults"] if "left_out" in entry)
    return {f"left out: {entry['title']}": entry["left_out"] for entry in entries}


def markdown_table(result: Mapping[str, Any]) -> str:
    """Return the result as a Markdown table, and what was left out."""
    table = table_of(result)
    head, *rows = ("| " + " | ".join(map(str, c)) + " |" for c in (table.head, *table.rows))
    reasons = [f"\n{name}: {reason}" for name, reason in left_out(result).items()]
    return "\n".join([head, "|---" * len(table.head) + "|", *rows, *reasons]) + "\n"


def robustness_page(result: Mapping[str, Any], title: str) -> Page:
    """Return the report: the error over the level of each fault, then the figures.

    Args:
        result: Of :func:`run_faults`; may say more, such as ``model``.
        title: Heading.
    """
    by_fault: dict[str, list[Mapping[str, Any]]] = {}
    for entry in result["faults"]:
        by_fault.setdefault(entry["fault"], []).append(entry)
    clean = result["clean"]["mae_m"]
    blind = next(
        (e["mae_m"] for e in by_fault.get("returns", []) if e["level"] == 0 and "mae_m" in e), None
    )
    charts = []
    top = max([clean, *(e["mae_m"] for e in result["faults"] if "mae_m" in e)])
    for entries in by_fault.values():
        series = [
            Series("fault", [e.get("mae_m") for e in entries]),
            Series("no fault", [clean] * len(entries)),
        ]
        if blind is not None:
            series.append(Series("no radar", [blind] * len(entries)))
        labels = [f"{e['level']:g} {e['unit']}" for e in entries]
        charts.append(line_chart(entries[0]["title"], "m", series, labels, top))
    worst = max(
        (e for e in result["faults"] if e.get("mae_increase_percent") is not None),
        key=lambda e: float(e["mae_increase_percent"]),
        default=None,
    )
    lead = f"Without a fault the mean absolute error is {clean:.3f} m."
    if worst is not None:
        lead += (
            f" Of what was tried, {worst['title']}: {worst['level']:g} {worst['unit']} changes it "
            f"most, by {worst['mae_increase_percent']:+.1f} %."
        )
    facts = [*left_out(result).items(), *result.get("model", {}).items()]
    facts += result["protocol"].items()
    sections = [
        Section("Mean absolute error under each fault", charts=charts),
        Section("Figures", tables=[table_of(result)]),
        Section("How it was measured", tables=[Table(facts)]),
    ]
    return Page(title, lead, sections)
