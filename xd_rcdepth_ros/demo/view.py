# SPDX-License-Identifier: Apache-2.0
"""A bag as a page: its frames with depth, as a node published it or as a model estimates it now."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from xd_rcdepth_ros.demo.birds_eye import HIGHEST_M, LEGEND, LOWEST_M, draw_birds_eye
from xd_rcdepth_ros.demo.content import caption_of, metres, small, with_used_radar
from xd_rcdepth_ros.demo.figures import (
    CAP_M,
    FrameFigures,
    mean_of,
    percentile,
    protocol_for,
    score_frame,
)
from xd_rcdepth_ros.demo.outputs import Answer, onto_image
from xd_rcdepth_ros.demo.report import Panel, Still, drive_player, stills_section
from xd_rcdepth_ros.errors import RecordingError
from xd_rcdepth_ros.evaluation.pictures import frame_pictures
from xd_rcdepth_ros.geometry import SensorFrame
from xd_rcdepth_ros.inference import DepthEstimator, colorize_depth, draw_radar, overlay_heatmap
from xd_rcdepth_ros.report.charts import Series, line_chart
from xd_rcdepth_ros.report.page import Page, PlayerFrame, Section, Table
from xd_rcdepth_ros.report.pictures import RGBImage

GREATEST_ERROR = 0.5  # share of the depth at the end of the colours
_CAPTIONS = {
    "Camera": "the image, and radar returns as dots coloured by depth",
    "Depth": "metric depth; black is sky, beyond range or unknown",
    "Expected error": f"share of the depth; red: {GREATEST_ERROR:.0%} or more, black: no depth",
    "From above": f"{LEGEND}; lines every 10 m; {LOWEST_M:g} to {HIGHEST_M:g} m over the camera",
    "Saliency": "where the depth comes from; red counts most",
    "Error": "blue too near, red too far: against lidar or exact depth, where that is known",
}


def estimate_answer(estimator: DepthEstimator, frame: SensorFrame, explain: bool) -> Answer:
    """Return what a node with this model would publish for a frame.

    Args:
        estimator: The model.
        frame: The frame.
        explain: Also compute the saliency.
    """
    result = estimator.estimate(frame)
    saliency = overlay_heatmap(frame.image, estimator.explain(frame)) if explain else None
    return Answer(
        frame.stamp_ns,
        np.asarray(result.depth_m, np.float32),
        result.camera,
        saliency,
        None if result.error is None else np.asarray(result.error, np.float32),
        sum(result.timings_ms.values()),
        dict(result.timings_ms),
        tuple(sorted({sweep.name for sweep in frame.radar})),
    )


def view_page(
    frames: Iterable[SensorFrame],
    answer_to: Callable[[SensorFrame], Answer],
    chosen: Collection[int],
    title: str,
    source: str,
) -> tuple[Page, dict[str, Any]]:
    """Draw the frames and put them into a page.

    Args:
        frames: In order.
        answer_to: Returns the depth of a frame.
        chosen: Stamps of the frames to be shown in all views, nanoseconds.
        title: Heading.
        source: Where the depth comes from, in a sentence.

    Returns:
        The page, and its figures for JSON: counts, times (ms) and errors (m).

    Raises:
        RecordingError: There is no frame.
    """
    preview: list[PlayerFrame] = []
    stills: list[Still] = []
    figures: list[FrameFigures] = []
    answers: list[Answer] = []
    names: list[str] = []
    for frame in frames:
        answer = answer_to(frame)
        frame = with_used_radar(frame, answer)
        truth_m = protocol_for(frame).ground_truth(frame)
        scored, depth_m = score_frame(frame, answer, truth_m, None)
        views = _views(frame, answer, depth_m)
        names = names or list(views)
        time_ns = frame.stamp_ns - (answers or [answer])[0].stamp_ns
        caption = caption_of(time_ns, answer.age_ms, scored.mae_m)
        empty = np.zeros_like(frame.image)  # where this frame lacks what the first one had
        preview.append(PlayerFrame([small(views.get(name, empty)) for name in names], caption))
        answers.append(replace(answer, depth_m=None, error=None, saliency=None))
        figures.append(scored)
        if frame.stamp_ns in chosen:
            if answer.saliency is not None:
                views["Saliency"] = answer.saliency
            if np.isfinite(truth_m).any():
                views["Error"] = frame_pictures(frame, depth_m, protocol_for(frame))["error"]
            panels = [Panel(name, _CAPTIONS[name], picture) for name, picture in views.items()]
            stills.append(Still(f"frame_{len(preview):04d}", panels))
    if not preview:
        raise RecordingError("no frame of the bag has depth: nothing can be shown.")
    seconds = max(1e-9, (answers[-1].stamp_ns - answers[0].stamp_ns) / 1e9)
    period_ms = 1000 * seconds / max(1, len(preview) - 1)
    text = "What went in, what came out, how sure it is, and how it looks from above."
    summary = _summary(answers, figures)
    stages = [(f"Stage {name}", f"{t:.1f} ms (median)") for name, t in summary["stages_ms"].items()]
    sections = [
        stills_section("All views of a moment", text, stills),
        Section("In figures", figures=_figures(summary)),
        Section("Frame by frame", charts=_charts(answers, figures)),
        Section("How it was measured", tables=[Table(stages)] if stages else []),
    ]
    player = drive_player([(name, _CAPTIONS[name]) for name in names], preview, period_ms)
    return Page(title, source, sections, player), {"depth": source, **summary}


def _views(frame: SensorFrame, answer: Answer, depth_m: NDArray[np.float32]) -> dict[str, RGBImage]:
    camera = draw_radar(frame.image, frame.radar_raster(), CAP_M)
    views = {"Camera": camera, "Depth": colorize_depth(depth_m, CAP_M)}
    if answer.error is not None:
        assert answer.camera is not None
        error = onto_image(answer.error, answer.camera, frame.camera)
        share = np.clip(np.nan_to_num(error) / GREATEST_ERROR, 0, 1)
        coloured = cv2.applyColorMap((20 + 235 * share).astype(np.uint8), cv2.COLORMAP_TURBO)
        picture = np.ascontiguousarray(coloured[..., ::-1])
        picture[np.isnan(error) | ~np.isfinite(depth_m)] = 0
        views["Expected error"] = picture
    views["From above"] = draw_birds_eye(frame, depth_m)
    return views


def _summary(answers: Sequence[Answer], figures: Sequence[FrameFigures]) -> dict[str, Any]:
    """Return the figures of the page."""
    ages = [answer.age_ms for answer in answers if answer.age_ms is not None]
    stages: dict[str, list[float]] = {}
    for answer in answers:
        for stage, time_ms in answer.stage_ms.items():
            stages.setdefault(stage, []).append(time_ms)
    return {
        "frames": len(answers),
        "frames_with_radar": sum(bool(answer.radars) for answer in answers),
        "mae_m": mean_of(f.mae_m for f in figures),
        "age_ms": {"p50": percentile(ages, 50), "p95": percentile(ages, 95)},
        "stages_ms": {name: float(np.median(times)) for name, times in stages.items()},
        "per_frame": [
            {"stamp_ns": f.stamp_ns, "age_ms": a.age_ms, "stages_ms": a.stage_ms, "mae_m": f.mae_m}
            for a, f in zip(answers, figures, strict=True)
        ],
    }


def _figures(summary: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return the figures in words."""
    radar = f"Radar was used for {summary['frames_with_radar']} of them."
    error = f"Against lidar or exact depth, up to {CAP_M:g} m."
    found = [
        ("Frames", str(summary["frames"]), radar),
        ("Mean absolute error", metres(summary["mae_m"]), error),
    ]
    age = summary["age_ms"]
    if age["p50"] is not None:
        slow = f"95 % took at most {age['p95']:.0f} ms."
        found.append(("Time a frame", f"{age['p50']:.0f} ms", slow))
    return found


def _charts(answers: Sequence[Answer], figures: Sequence[FrameFigures]) -> list[Markup]:
    times = [
        Series("whole frame", [answer.age_ms for answer in answers]),
        Series("network", [answer.stage_ms.get("network") for answer in answers]),
    ]
    errors = [Series("model", [f.mae_m for f in figures])]
    return [
        line_chart("Time of each frame", "ms", times),
        line_chart(f"Mean absolute error up to {CAP_M:g} m", "m", errors),
    ]
