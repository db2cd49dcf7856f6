# SPDX-License-Identifier: Apache-2.0
"""Writes the demo's report: one page that carries its pictures, report.json, frames/*.png."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xd_rcdepth_ros.demo.pictures import MAX_DEPTH_M, Panel, error_scale, sheet
from xd_rcdepth_ros.evaluation.pictures import depth_scale, radar_scale
from xd_rcdepth_ros.report.page import Page, Player, PlayerFrame, Section, write_page, write_whole
from xd_rcdepth_ros.report.pictures import jpeg, png


@dataclass(frozen=True)
class Still:
    """One moment in several views.

    Attributes:
        name: File name without suffix.
        panels: The views.
    """

    name: str
    panels: Sequence[Panel]


def drive_player(
    views: Sequence[tuple[str, str]], frames: Sequence[PlayerFrame], period_ms: float
) -> Player:
    """Return a drive that moves, with the colours of radar and depth.

    Args:
        views: (name, text) of each view.
        frames: At least one.
        period_ms: Time between two of them, milliseconds.
    """
    scales = [radar_scale(MAX_DEPTH_M), depth_scale(MAX_DEPTH_M)]
    return Player(views, frames, period_ms, scales)


def stills_section(title: str, text: str, stills: Sequence[Still]) -> Section:
    """Return the part of a page that shows moments in several views."""
    pictures = [("", [panel.on_page() for panel in still.panels]) for still in stills]
    return Section(title, text, pictures, [error_scale(), depth_scale(MAX_DEPTH_M)])


def write_report(
    folder: Path, page: Page, stills: Sequence[Still], summary: Mapping[str, Any]
) -> Path:
    """Write report.html, report.json, frames/*.png and overview.jpg.

    Args:
        folder: Where to; made if needed. Files of an earlier report are replaced.
        page: What report.html shows.
        stills: Moments that become files of their own.
        summary: Figures for report.json.

    Returns:
        Path of report.html.
    """
    folder.mkdir(parents=True, exist_ok=True)
    frames = folder / "frames"
    shutil.rmtree(frames, ignore_errors=True)
    frames.mkdir()
    for still in stills:
        write_whole(frames / f"{still.name}.png", png(sheet(still.panels)))
    if stills:
        write_whole(folder / "overview.jpg", jpeg(sheet(stills[len(stills) // 2].panels)))
    write_page(folder / "report.html", page)
    write_whole(folder / "report.json", (json.dumps(summary, indent=1) + "\n").encode())
    return folder / "report.html"
