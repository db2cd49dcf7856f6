# SPDX-License-Identifier: Apache-2.0
"""Writes the demo's report: one page that carries its pictures, report.json, frames/*.png."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from xd_rcdepth_ros.demo.figures import CAP_M
from xd_rcdepth_ros.evaluation.pictures import depth_scale, error_scale, radar_scale
from xd_rcdepth_ros.report.page import (
    Page,
    Picture,
    Player,
    PlayerFrame,
    Section,
    write_page,
    write_whole,
)
from xd_rcdepth_ros.report.pictures import RGBImage, data_uri, fit_width, jpeg, png

_WHITE = (255, 255, 255)


@dataclass(frozen=True)
class Panel:
    """One picture and what it shows.

    Attributes:
        label: A few words, drawn into PNG files.
        caption: One sentence, for the report.
        image: (H, W, 3) uint8 RGB.
    """

    label: str
    caption: str
    image: RGBImage

    def on_page(self) -> Picture:
        """Return it as a page carries it."""
        return Picture(self.label, self.caption, data_uri(jpeg(fit_width(self.image, 800))))


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
    scales = [radar_scale(CAP_M), depth_scale(CAP_M)]
    return Player(views, frames, period_ms, scales)


def stills_section(title: str, text: str, stills: Sequence[Still]) -> Section:
    """Return the part of a page that shows moments in several views."""
    pictures = [("", [panel.on_page() for panel in still.panels]) for still in stills]
    return Section(title, text, pictures, [error_scale(), depth_scale(CAP_M)])


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


def sheet(panels: Sequence[Panel], width: int = 640, columns: int = 2) -> RGBImage:
    """Return panels side by side, each ``width`` pixels wide and with its label drawn in."""
    gap = 4
    tiles = [_labelled(fit_width(p.image, width), p.label) for p in panels]
    height = max(tile.shape[0] for tile in tiles)
    rows = -(-len(tiles) // columns)
    size = (rows * (height + gap) - gap, columns * (width + gap) - gap, 3)
    canvas = np.full(size, 255, np.uint8)
    for index, tile in enumerate(tiles):
        top, left = index // columns * (height + gap), index % columns * (width + gap)
        canvas[top : top + tile.shape[0], left : left + width] = tile
    return canvas


def _labelled(image: RGBImage, label: str) -> RGBImage:
    picture = image.copy()
    size = max(10, round(picture.shape[1] / 32))
    margin = size // 2
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, size / 30
    (text_width, _), _ = cv2.getTextSize(label, font, scale, 1)
    box = picture[: size + 2 * margin, : text_width + 2 * margin]
    box[:] = (box * 0.3).astype(np.uint8)
    place = (margin, margin + round(0.85 * size))
    cv2.putText(picture, label, place, font, scale, _WHITE, 1, cv2.LINE_AA)
    return picture
