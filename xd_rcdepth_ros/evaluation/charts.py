# SPDX-License-Identifier: Apache-2.0
"""Charts of an evaluation's figures, drawn by matplotlib without a display."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from xd_rcdepth_ros.evaluation.pictures import ERROR_COLOURS, ERROR_SPAN_M

COLOURS = ("#2463c9", "#9aa5b1", "#d9822b", "#2e8b57", "#b04a8b")
_INK = "#1c2430"
_NAMES = {
    "model": "model",
    "row_median": "row median",
    "nearest_return": "nearest return",
    "smaller_of_both": "smaller of both",
}


def label(name: str) -> str:
    """Return the name of a predictor for people."""
    return _NAMES.get(name, name.replace("_", " "))


def new_figure(width: float = 6.2, height: float = 3.2) -> tuple[Figure, Axes]:
    """Return a figure with one plain pair of axes; sizes in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    plain(axes)
    return figure, axes


def new_grid(count: int, columns: int = 4) -> tuple[Figure, list[Axes]]:
    """Return a figure with ``count`` small pairs of axes."""
    columns = max(1, min(columns, count))
    rows = -(-max(1, count) // columns)
    figure = Figure(figsize=(3.1 * columns, 2.5 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in panels[count:]:
        axes.remove()
    for axes in panels[:count]:
        plain(axes)
    return figure, panels[:count]


def plain(axes: Axes) -> None:
    """Take away what carries no data."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e3e8ee", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_INK, labelsize=9)


def svg_uri(figure: Figure) -> str:
    """Return a figure as a data URI."""
    stream = io.BytesIO()
    figure.savefig(stream, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(stream.getvalue()).decode()


def _bars(axes: Axes, groups: Sequence[str], series: Mapping[str, Sequence[float | None]]) -> None:
    width = 0.8 / max(1, len(series))
    for number, (name, values) in enumerate(series.items()):
        places = [i + (number - (len(series) - 1) / 2) * width for i in range(len(groups))]
        heights = [0.0 if v is None else v for v in values]
        axes.bar(places, heights, width * 0.92, color=COLOURS[number % 5], label=label(name))
    axes.set_xticks(range(len(groups)), groups)
    axes.set_ylabel("MAE (m)")
    if len(series) > 1:
        axes.legend(frameon=False, fontsize=9)


def by_range(result: Mapping[str, Any], predictors: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Draw the error over the true depth."""
    figure, axes = new_figure()
    groups = [f"{b['from_m']:g}-{b['to_m']:g}" for b in result["by_range"]]
    series = {n: [b["mae_m"] for b in p["by_range"]] for n, p in predictors.items()}
    _bars(axes, groups, series)
    axes.set_xlabel("true depth (m)")
    return figure


def by_radar_distance(
    result: Mapping[str, Any], predictors: Mapping[str, Mapping[str, Any]]
) -> Figure:
    """Draw the error over the distance to the nearest radar return in the image."""
    figure, axes = new_figure()
    groups = [
        f"{b['from_px']:g}-{b['to_px']:g}" if b["to_px"] else f"> {b['from_px']:g}"
        for b in result["by_radar_distance"]
    ]
    series = {n: [b["mae_m"] for b in p["by_radar_distance"]] for n, p in predictors.items()}
    _bars(axes, groups, series)
    axes.set_xlabel("distance to the nearest radar return (pixels)")
    return figure


def by_cap(predictors: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Draw the error at each cap."""
    figure, axes = new_figure()
    caps = list(next(iter(predictors.values()))["caps"])
    series = {n: [p["caps"][cap]["mae_m"] for cap in caps] for n, p in predictors.items()}
    _bars(axes, [f"0-{cap} m" for cap in caps], series)
    return figure


def over_frames(scores: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw the error of each frame."""
    figure, axes = new_figure()
    known = [(s["index"], s["mae_m"], s["rmse_m"]) for s in scores if s["mae_m"] is not None]
    index, mae, rmse = zip(*known, strict=True) if known else ((), (), ())
    axes.plot(index, rmse, color=COLOURS[1], linewidth=1, label="RMSE")
    axes.plot(index, mae, color=COLOURS[0], linewidth=1.4, label="MAE")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("frame")
    axes.set_ylabel("error (m)")
    axes.legend(frameon=False, fontsize=9)
    return figure


def error_scale() -> Figure:
    """Draw the colour scale of the error pictures."""
    figure = Figure(figsize=(4.2, 0.55), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    norm = Normalize(-ERROR_SPAN_M, ERROR_SPAN_M)
    mappable = matplotlib.cm.ScalarMappable(norm, ERROR_COLOURS)
    figure.colorbar(mappable, cax=axes, orientation="horizontal")
    axes.set_title("too near      error (m)      too far", fontsize=9)
    axes.tick_params(labelsize=8)
    return figure
