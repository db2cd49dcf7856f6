# SPDX-License-Identifier: Apache-2.0
"""The report of an evaluation: one HTML file that needs no other, pictures first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2

from xd_rcdepth_ros.evaluation import charts
from xd_rcdepth_ros.evaluation.error_map import METRICS
from xd_rcdepth_ros.evaluation.evaluator import (
    Evaluation,
    FrameScore,
    FrameSource,
    Predictor,
    pick_examples,
)
from xd_rcdepth_ros.evaluation.pictures import frame_pictures, jpeg_uri

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
    "camera": "camera with radar returns (colour: depth)",
    "depth": "estimated depth (bright is near)",
    "truth": "ground truth",
    "error": "error where there is ground truth",
}


def number(value: float | None) -> str:
    """Write a figure with three or four digits; a dash where there is none."""
    if value is None:
        return "-"
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.3f}"


def _row(
    name: str, figures: Mapping[str, Any], more: Sequence[str] = (), model: bool = False
) -> dict[str, Any]:
    cells = [name, *more, *(number(figures[metric]) for metric in METRICS)]
    return {"cells": cells, "model": model}


def _tables(result: Mapping[str, Any], predictors: Mapping[str, Any]) -> list[dict[str, Any]]:
    heads = [HEADINGS[metric] for metric in METRICS]
    tables = []
    for key, title in (("caps", "mean over frames"), ("pixel_pooled", "all pixels together")):
        rows = [
            _row(charts.label(name), card[key][cap], [f"0-{cap} m"], name == "model")
            for cap in result[key]
            for name, card in predictors.items()
        ]
        tables.append({"title": f"By cap, {title}", "head": ["", "cap", *heads], "rows": rows})
    ranges = [
        _row(f"{b['from_m']:g}-{b['to_m']:g} m", b, [f"{b['pixels']:,}"])
        for b in result["by_range"]
    ]
    supports = [
        _row(
            f"{b['from_px']:g}-{b['to_px']:g} px" if b["to_px"] else f"{b['from_px']:g} px or more",
            b,
            [f"{b['pixels']:,}"],
        )
        for b in result["by_radar_distance"]
    ]
    alone = result["without_radar"]
    supports.append(_row("frame without a return", alone, [f"{alone['pixels']:,}"]))
    between = [
        _row(charts.label(name), b, [f"{b['pixels']:,}"], name == "model")
        for name, b in ((n, card["between_points"]) for n, card in predictors.items())
    ]
    tags = [_row(tag, b, [str(b["frames_scored"])]) for tag, b in result["by_tag"].items()]
    return [
        *tables,
        {
            "title": "Between the points of the sweep: truth interpolated, all pixels (not part of "
            "the published protocol)",
            "head": ["", "pixels", *heads],
            "rows": between,
        },
        {"title": "By true depth, all pixels", "head": ["", "pixels", *heads], "rows": ranges},
        {
            "title": "By distance to the nearest radar return in the image, all pixels",
            "head": ["", "pixels", *heads],
            "rows": supports,
        },
        {"title": "By tag, mean over frames", "head": ["", "frames", *heads], "rows": tags},
    ]


def _charts(result: Mapping[str, Any], predictors: Mapping[str, Any]) -> list[dict[str, str]]:
    made = {
        "Error by cap": charts.by_cap(predictors),
        "Error by true depth": charts.by_range(result, predictors),
        "Error by distance to the nearest radar return": charts.by_radar_distance(
            result, predictors
        ),
        "Error of each frame of the model": charts.over_frames(result["per_frame"]),
    }
    return [{"uri": charts.svg_uri(f), "caption": caption} for caption, f in made.items()]


def _example(
    score: FrameScore, source: FrameSource, predict: Predictor, evaluation: Evaluation
) -> dict[str, Any]:
    frame = source[score.index]
    pictures = frame_pictures(frame, predict(frame).depth_m, evaluation.protocol)
    returns = len(frame.radar_raster().pixels)
    return {
        "title": f"{score.name}: MAE {number(score.mae_m)} m, RMSE {number(score.rmse_m)} m, "
        f"{score.pixels:,} pixels, {returns} returns in the image",
        "pictures": [
            {"uri": jpeg_uri(picture), "caption": _CAPTIONS[name]}
            for name, picture in pictures.items()
        ],
    }


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
        text += f" The best plain baseline ({charts.label(best)}) has {number(known[best])} m."
    between = result["between_points"]["abs_rel"]
    if between is not None:
        on_points = number(result["pixel_pooled"][cap]["abs_rel"])
        text += f" AbsRel between the points of the sweep {number(between)}, on them {on_points}."
    if counts["frames_without_truth"]:
        text += f" {counts['frames_without_truth']} frames without ground truth are left out."
    if result["skipped"]:
        text += f" {len(result['skipped'])} frames could not be read."
    return text


def render_report(
    evaluation: Evaluation,
    source: FrameSource,
    predict: Predictor,
    facts: Mapping[str, Any],
    title: str = "Depth evaluation",
    examples: int = 2,
) -> str:
    """Return the report as HTML.

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
    chosen = pick_examples(evaluation.cards[first].frames, examples)
    groups = [
        {
            "title": _GROUPS[name],
            "examples": [_example(score, source, predict, evaluation) for score in scores],
        }
        for name, scores in chosen.items()
        if scores
    ]
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = files("xd_rcdepth_ros.evaluation").joinpath("report.html").read_text("utf8")
    return environment.from_string(template).render(
        title=title,
        lead=_lead(result),
        groups=groups,
        error_scale=charts.svg_uri(charts.error_scale()),
        tables=_tables(result, predictors),
        charts=_charts(result, predictors),
        facts=[*facts.items(), *result["protocol"].items(), *_reasons(result)],
    )


def _reasons(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(f"frame {index} skipped", reason) for index, reason in result["skipped"].items()]


def write_report(path: Path, html: str) -> None:
    """Write the report; the name appears only when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(html, encoding="utf8")
    partial.replace(path)
