# SPDX-License-Identifier: Apache-2.0
"""The demo's report: the page, the files beside it, and the colours of its pictures."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from xd_rcdepth_ros.demo.report import Panel, Still, stills_section, write_report
from xd_rcdepth_ros.evaluation.pictures import depth_scale, error_scale, radar_scale
from xd_rcdepth_ros.report.page import Page


def grey(level: int) -> np.ndarray:
    return np.full((40, 80, 3), level, np.uint8)


def test_files_beside_the_page(tmp_path: Path) -> None:
    panels = [Panel(name, f"About {name}.", grey(99)) for name in ("Camera", "Depth", "Error")]
    stills = [Still("frame_0001", panels)]
    page = Page("Title", "Lead.", [stills_section("Four views of a moment", "Views.", stills)])
    old = tmp_path / "frames" / "of_an_earlier_run.png"
    old.parent.mkdir()
    old.write_bytes(b"")
    text = write_report(tmp_path, page, stills, {"mae_m": None}).read_text()
    assert text.index("Four views") < text.index("About Camera.") < text.index("About Error.")
    assert json.loads((tmp_path / "report.json").read_text()) == {"mae_m": None}
    names = sorted(p.name for p in tmp_path.rglob("*") if p.is_file())
    assert names == ["frame_0001.png", "overview.jpg", "report.html", "report.json"]
    sheet = cv2.imread(str(tmp_path / "frames/frame_0001.png"))
    assert sheet.shape == (2 * 320 + 4, 2 * 640 + 4, 3)
    assert (sheet[60:300, 200:600] == 99).all()  # the picture itself
    assert sheet[:40, :200].max() > 200  # its label


def test_scales_name_their_ends() -> None:
    depths = [make(cap_m) for make in (depth_scale, radar_scale) for cap_m in (50.0, 80.0)]
    for scale in (*depths, error_scale()):
        assert scale.strip.shape == (16, 512, 3)
        assert scale.ticks[0][0] == 0.0
        assert scale.ticks[-1][0] == pytest.approx(1.0)
    assert [scale.ticks[-1][1] for scale in depths] == ["50 m", "80 m", "50 m", "80 m"]
