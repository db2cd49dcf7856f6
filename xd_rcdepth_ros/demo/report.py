# SPDX-License-Identifier: Apache-2.0
"""Writes the demo's report: one HTML file that carries its pictures, report.json, frames/*.png."""

from __future__ import annotations

import html
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from xd_rcdepth_ros.demo import pictures
from xd_rcdepth_ros.demo.charts import Series, line_chart
from xd_rcdepth_ros.demo.pictures import Panel


@dataclass(frozen=True)
class PreviewFrame:
    """One frame of the moving preview.

    Attributes:
        views: JPEG bytes of each view.
        caption: Time, latency and error in a few words.
    """

    views: Sequence[bytes]
    caption: str


@dataclass(frozen=True)
class Still:
    """One moment in several views.

    Attributes:
        name: File name without suffix.
        panels: The views.
    """

    name: str
    panels: Sequence[Panel]


@dataclass(frozen=True)
class ReportContent:
    """Everything that the report shows.

    Attributes:
        title: Headline.
        lead: What happened, in two sentences.
        views: (name, text) of each view of the moving preview.
        preview: Frames of the moving preview; at least one.
        period_ms: Time between two of them, milliseconds.
        stills: Moments in several views.
        stills_title: Their heading.
        stills_text: What they show, in a sentence or two.
        figures: (name, value, sentence) of each figure.
        charts: (title, unit, series) of each chart.
        details: (name, text) of each line of the closing table.
    """

    title: str
    lead: str
    views: Sequence[tuple[str, str]]
    preview: Sequence[PreviewFrame]
    period_ms: float
    stills: Sequence[Still]
    stills_title: str
    stills_text: str
    figures: Sequence[tuple[str, str, str]]
    charts: Sequence[tuple[str, str, Sequence[Series]]] = ()
    details: Sequence[tuple[str, str]] = field(default=())


def write_report(folder: Path, content: ReportContent, summary: Mapping[str, Any]) -> Path:
    """Write report.html, report.json, frames/*.png and overview.jpg.

    Args:
        folder: Where to; made if needed. Files of an earlier report are replaced.
        content: What the report shows.
        summary: Figures for report.json.

    Returns:
        Path of report.html.
    """
    folder.mkdir(parents=True, exist_ok=True)
    frames = folder / "frames"
    shutil.rmtree(frames, ignore_errors=True)
    frames.mkdir()
    for still in content.stills:
        _replace(frames / f"{still.name}.png", pictures.png(pictures.sheet(still.panels)))
    if content.stills:
        overview = pictures.sheet(content.stills[len(content.stills) // 2].panels)
        _replace(folder / "overview.jpg", pictures.jpeg(overview))
    page = folder / "report.html"
    write_page(page, content)
    _replace(folder / "report.json", (json.dumps(summary, indent=1) + "\n").encode())
    return page


def write_page(path: Path, content: ReportContent) -> None:
    """Write the page alone; it needs no file beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _replace(path, render(content).encode())


def render(content: ReportContent) -> str:
    """Return the page as HTML."""
    template = resources.files("xd_rcdepth_ros.demo").joinpath("page.html")
    frames = [
        {
            "views": [pictures.data_uri(view) for view in frame.views],
            "caption": frame.caption,
        }
        for frame in content.preview
    ]
    drive = json.dumps({"period_ms": round(content.period_ms), "frames": frames})
    depth_scale = _scale("Depth", *pictures.depth_scale())
    radar_scale = _scale("Radar returns", *pictures.radar_scale())
    error_scale = _scale("Absolute error", *pictures.error_scale())
    return Template(template.read_text(encoding="utf-8")).substitute(
        title=html.escape(content.title),
        lead=html.escape(content.lead),
        views="\n".join(
            _view(*view, pictures.data_uri(data))
            for view, data in zip(content.views, content.preview[0].views, strict=True)
        ),
        depth_scale=f'<div class="scales">{radar_scale}{depth_scale}</div>',
        stills_title=html.escape(content.stills_title),
        stills_text=html.escape(content.stills_text),
        stills="\n".join(_still(still) for still in content.stills),
        scales=f'<div class="scales">{error_scale}{depth_scale}</div>',
        figures="\n".join(_figure(*figure) for figure in content.figures),
        charts="\n".join(_chart(*chart) for chart in content.charts),
        details="\n".join(
            f"<tr><td>{html.escape(name)}</td><td>{html.escape(text)}</td></tr>"
            for name, text in content.details
        ),
        # "</" inside a script element would end it.
        frames_json=drive.replace("</", "<\\/"),
    )


def _view(name: str, text: str, source: str) -> str:
    return (
        f'<figure><img class="view" src="{source}" alt="{html.escape(name)}"><figcaption>'
        f"<b>{html.escape(name)}:</b> {html.escape(text)}</figcaption></figure>"
    )


def _scale(name: str, strip: pictures.RGBImage, ticks: Sequence[tuple[float, str]]) -> str:
    marks = "".join(
        f'<span style="left:{100 * share:.1f}%">{html.escape(text)}</span>' for share, text in ticks
    )
    source = pictures.data_uri(pictures.png(strip), "png")
    return (
        f'<div class="scale"><div class="name">{html.escape(name)}</div>'
        f'<img src="{source}" alt="colour scale"><div class="ticks">{marks}</div></div>'
    )


def _still(still: Still) -> str:
    cells = []
    for panel in still.panels:
        source = pictures.data_uri(pictures.jpeg(pictures.fit_width(panel.image, 800)))
        cells.append(
            f'<figure><img src="{source}" alt="{html.escape(panel.label)}"><figcaption>'
            f"<b>{html.escape(panel.label)}.</b> {html.escape(panel.caption)}</figcaption></figure>"
        )
    return f'<div class="four">{"".join(cells)}</div>'


def _figure(name: str, value: str, sentence: str) -> str:
    return (
        f'<div class="card"><div class="name">{html.escape(name)}</div>'
        f'<div class="value">{html.escape(value)}</div><p>{html.escape(sentence)}</p></div>'
    )


def _chart(title: str, unit: str, series: Sequence[Series]) -> str:
    return f'<figure class="card">{line_chart(title, unit, series)}</figure>'


def _replace(path: Path, data: bytes) -> None:
    """Write a file so that it is either the old one or the whole new one."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(data)
    partial.replace(path)
