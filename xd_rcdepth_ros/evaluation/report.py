# SPDX-License-Identifier: Apache-2.0
"""The report of an evaluation as a page: worst, median and best frames first, then figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from xd_rcdepth_ros.evaluation.error_map import METRICS
from xd_rcdepth_ros.evaluation.evaluator import (
    Evaluation,
    FrameScore,
    FrameSource,
    Predictor,
    pick_examples,
)
from xd_rcdepth_ros.evaluation.pictures import (
    depth_scale,
    error_scale,
    frame_pictures,
    radar_scale,
)
from xd_rcdepth_ros.report.charts import Series, bar_chart, line_chart
from xd_rcdepth_ros.report.page import Page, Picture, Section, Table
from xd_rcdepth_ros.report.pictures import data_uri, jpeg

HEADINGS = {
    "mae_m": "MAE m",
    "rmse_m": "RMSE m",
    "abs_rel": "AbsRel",
    "sq_rel": "SqRel",
    "log10": "log10",
    "rmse_log": "RMSElog",
    "silog": "SIlog",
    "delta1": "δ1",
    "delta2": "δ2",
    "delta3": "δ3",
    "imae_per_km": "iMAE 1/km",
    "irmse_per_km": "iRMSE 1/km",
}
_GROUPS = {"worst": "Worst frames", "median": "Median frames", "best": "Best frames"}
_CAPTIONS = {
    "camera": ("Camera", "with radar returns as dots coloured by depth"),
    "depth": ("Depth", "as the model estimates it"),
    "truth": ("Ground truth", "dark where there is none"),
    "error": ("Error", "where there is ground truth"),
}


def label(name: str) -> str:
    """Return the name of a predictor for people."""
    return name.replace("_", " ")


def number(value: float | None) -> str:
    """Write a figure with three or four digits; a dash where there is none."""
    if value is None:
        return "-"
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.3f}"


def _row(name: str, figures: Mapping[str, Any], more: str = "") -> list[str]:
    more = more or f"{figures['pixels']:,}"
    return [name, more, *(number(figures[metric]) for metric in METRICS)]


def _tables(result: Mapping[str, Any], predictors: Mapping[str, Any]) -> list[Table]:
    heads = [HEADINGS[metric] for metric in METRICS]
    tables = []
    for key, title in (("caps", "mean over frames"), ("pixel_pooled", "all pixels together")):
        rows = [
            _row(label(name), card[key][cap], f"0-{cap} m")
            for cap in result[key]
            for name, card in predictors.items()
        ]
        tables.append(Table(rows, ["", "cap", *heads], f"By cap, {title}", "model"))
    between = [_row(label(name), card["between_points"]) for name, card in predictors.items()]
    ranges = [_row(f"{_range(b, 'm')} m", b) for b in result["by_range"]]
    distances = [_row(f"{_range(b, 'px')} px", b) for b in result["by_radar_distance"]]
    distances.append(_row("frame without a return", result["without_radar"]))
    for rows, title in (
        (between, "Between the points of the sweep: truth interpolated (not in the protocol)"),
        (ranges, "By true depth"),
        (distances, "By distance to the nearest radar return in the image"),
    ):
        tables.append(Table(rows, ["", "pixels", *heads], f"{title}, all pixels", "model"))
    tags = [_row(tag, b, str(b["frames_scored"])) for tag, b in result["by_tag"].items()]
    return [*tables, Table(tags, ["", "frames", *heads], "By tag, mean over frames")]


def _range(bounds: Mapping[str, Any], unit: str) -> str:
    """Return the bounds of a class of pixels; the last class may be open."""
    first, last = bounds[f"from_{unit}"], bounds[f"to_{unit}"]
    return f"{first:g}-{last:g}" if last else f"{first:g}+"


def _charts(result: Mapping[str, Any], predictors: Mapping[str, Any]) -> list[Markup]:
    def bars(title: str, key: str, groups: Sequence[str], below: str = "") -> Markup:
        series = []
        for name, card in predictors.items():
            entries = card[key].values() if key == "caps" else card[key]
            series.append(Series(label(name), [figures["mae_m"] for figures in entries]))
        return bar_chart(title, "m", series, groups, below)

    scores = result["per_frame"]
    frames = [Series(key[:-2].upper(), [s[key] for s in scores]) for key in ("mae_m", "rmse_m")]
    ends = [f"frame {scores[place]['index']}" for place in (0, -1)] if scores else ()
    ranges = [_range(b, "m") for b in result["by_range"]]
    distances = [_range(b, "px") for b in result["by_radar_distance"]]
    return [
        bars("MAE by cap", "caps", [f"0-{cap} m" for cap in result["caps"]]),
        bars("MAE by true depth", "by_range", ranges, "metres"),
        bars("MAE by distance to a radar return", "by_radar_distance", distances, "pixels"),
        line_chart("Error of the model, frame by frame", "m", frames, ends),
    ]


def _example(
    score: FrameScore, source: FrameSource, predict: Predictor, evaluation: Evaluation
) -> tuple[str, list[Picture]]:
    frame = source[score.index]
    pictures = frame_pictures(frame, predict(frame).depth_m, evaluation.protocol)
    returns = len(frame.radar_raster().pixels)
    title = (
        f"{score.name}: MAE {number(score.mae_m)} m, RMSE {number(score.rmse_m)} m, "
        f"{score.pixels:,} pixels, {returns} returns in the image"
    )
    made = pictures.items()
    return title, [Picture(*_CAPTIONS[name], data_uri(jpeg(picture))) for name, picture in made]


def _lead(result: Mapping[str, Any]) -> str:
    cap = list(result["caps"])[-1]
    figures, counts = result["caps"][cap], result["counts"][cap]
    if figures["mae_m"] is None:
        return f"{result['frames']} frames, and none of them has ground truth within {cap} m."
    text = (
        f"{result['frames']} frames, 0-{cap} m: MAE {number(figures['mae_m'])} m, RMSE "
        f"{number(figures['rmse_m'])} m, mean over frames."
    )
    others = {n: b["caps"][cap]["mae_m"] for n, b in result["baselines"].items()}
    known = {name: mae for name, mae in others.items() if mae is not None}
    if known:
        best = min(known, key=lambda name: known[name])
        text += f" The best plain baseline ({label(best)}) has {number(known[best])} m."
    between = result["between_points"]["abs_rel"]
    if between is not None:
        on_points = number(result["pixel_pooled"][cap]["abs_rel"])
        text += f" AbsRel between the points of the sweep {number(between)}, on them {on_points}."
    if counts["frames_without_truth"]:
        text += f" {counts['frames_without_truth']} frames without ground truth are left out."
    if result["skipped"]:
        text += f" {len(result['skipped'])} frames could not be read."
    return text


def evaluation_page(
    evaluation: Evaluation,
    source: FrameSource,
    predict: Predictor,
    facts: Mapping[str, Any],
    title: str = "Depth evaluation",
    examples: int = 2,
) -> Page:
    """Return the report.

    Args:
        evaluation: What was measured.
        source: The same frames, for the pictures.
        predict: The model.
        facts: Where the figures come from: model, data, ...
        title: Heading.
        examples: Number of worst, median and best frames shown.
    """
    result = evaluation.to_json()
    first = next(iter(evaluation.cards))
    predictors = {"model": result, **result["baselines"]}
    cap_m = evaluation.protocol.main_cap_m
    scales = [radar_scale(cap_m), depth_scale(cap_m), error_scale()]
    shown = [
        Section(
            _GROUPS[name],
            pictures=[_example(score, source, predict, evaluation) for score in scores],
            scales=scales,
        )
        for name, scores in pick_examples(evaluation.cards[first].frames, examples).items()
        if scores
    ]
    reasons = [(f"frame {index} skipped", why) for index, why in result["skipped"].items()]
    measured = [*facts.items(), *result["protocol"].items(), *reasons]
    sections = [
        *shown,
        Section("Where the error lies", charts=_charts(result, predictors)),
        Section("Figures", tables=_tables(result, predictors)),
        Section("How it was measured", tables=[Table(measured)]),
    ]
    return Page(title, _lead(result), sections)
