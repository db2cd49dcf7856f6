# SPDX-License-Identifier: Apache-2.0
"""The report: self-contained, pictures first, whole or not there."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from xd_rcdepth_ros.demo import pictures
from xd_rcdepth_ros.demo.charts import Series, line_chart, nice_step
from xd_rcdepth_ros.demo.pictures import Panel
from xd_rcdepth_ros.demo.report import PreviewFrame, ReportContent, Still, write_report


def grey(level: int) -> np.ndarray:
    return np.full((40, 80, 3), level, np.uint8)


@pytest.fixture
def content() -> ReportContent:
    panels = [Panel(name, f"About {name}.", grey(99)) for name in ("Camera", "Depth", "Error")]
    return ReportContent(
        title="Title <of> it",
        lead="Lead & more.",
        views=[("In", "camera"), ("Out", "depth")],
        preview=[
            PreviewFrame([pictures.jpeg(grey(i)), pictures.jpeg(grey(0))], "x") for i in (1, 2)
        ],
        period_ms=83.3,
        stills=[Still("frame_0001", panels)],
        stills_title="Four views of a moment",
        stills_text="Views.",
        figures=[("Latency", "12 ms", "A sentence.")],
        charts=[("Chart", "m", [Series("a", [1.0, None, 3.0], "#123456")])],
        details=[("Model", "name </script>")],
    )


class Page(HTMLParser):
    """Notes the tags, and what the page would load."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "data", "poster") and value:
                self.loads.append(value)


def test_page_carries_all_it_shows_pictures_first(tmp_path: Path, content: ReportContent) -> None:
    path = write_report(tmp_path / "out", content, {"frames_in": 2})
    text = path.read_text()
    page = Page()
    page.feed(text)
    assert page.loads
    assert all(source.startswith("data:image/") for source in page.loads)
    assert "http" not in re.sub(r"data:image/[a-z]+;base64,[A-Za-z0-9+/=]+", "", text)
    assert page.tags.index("img") < page.tags.index("h2")
    assert text.index("Four views") < text.index("12 ms")
    assert "Title &lt;of&gt; it" in text
    assert "Lead &amp; more." in text


def test_preview_frames_are_in_the_page(tmp_path: Path, content: ReportContent) -> None:
    text = write_report(tmp_path, content, {}).read_text()
    found = re.search(r'<script type="application/json" id="frames">(.*?)</script>', text, re.S)
    assert found is not None
    drive = json.loads(found[1])
    assert drive["period_ms"] == 83
    assert [frame["caption"] for frame in drive["frames"]] == ["x", "x"]
    hostile = replace(content, preview=[replace(content.preview[0], caption="</script>")])
    text = write_report(tmp_path, hostile, {}).read_text()
    assert text.count("</script>") == 2


def test_files_beside_the_page(tmp_path: Path, content: ReportContent) -> None:
    old = tmp_path / "frames" / "of_an_earlier_run.png"
    old.parent.mkdir()
    old.write_bytes(b"")
    write_report(tmp_path, content, {"mae_m": None})
    assert json.loads((tmp_path / "report.json").read_text()) == {"mae_m": None}
    names = sorted(p.name for p in tmp_path.rglob("*") if p.is_file())
    assert names == ["frame_0001.png", "overview.jpg", "report.html", "report.json"]
    sheet = cv2.imread(str(tmp_path / "frames/frame_0001.png"))
    assert sheet.shape == (2 * 320 + 4, 2 * 640 + 4, 3)
    assert (sheet[60:300, 200:600] == 99).all()  # the picture itself
    assert sheet[:40, :200].max() > 200  # its label


def test_error_colours_go_from_blue_to_red_and_leave_the_unknown_grey() -> None:
    truth = np.full((20, 30), 20.0, np.float32)
    truth[:, 10:20] = np.nan
    truth[:, 20:] = 200.0  # beyond the cap
    depth = np.full((20, 30), 20.0, np.float32)
    depth[10:, :10] = 60.0
    image = np.full((20, 30, 3), 100, np.uint8)
    red, green, blue = np.moveaxis(pictures.error_picture(image, depth, truth), 2, 0)
    assert blue[0, 0] > red[0, 0]
    assert red[19, 0] > blue[19, 0]
    for column in (15, 25):
        assert red[0, column] == green[0, column] == blue[0, column] == 35


def test_sparse_truth_becomes_dots() -> None:
    truth = np.full((30, 30), np.nan, np.float32)
    truth[15, 15] = 10.0
    picture = pictures.error_picture(
        np.zeros((30, 30, 3), np.uint8), np.full((30, 30), 10.0), truth
    )
    assert 9 <= np.count_nonzero(picture.any(axis=2)) <= 25


def test_scales_name_their_ends() -> None:
    for strip, ticks in (pictures.depth_scale(), pictures.radar_scale(), pictures.error_scale()):
        assert strip.shape == (16, 512, 3)
        assert ticks[0][0] == 0.0
        assert ticks[-1][0] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("top", "step"), [(1.0, 0.5), (7.9, 2.0), (1430.0, 500.0), (0.03, 0.01), (20.0, 5.0)]
)
def test_grid_lines_are_round(top: float, step: float) -> None:
    assert nice_step(top) == pytest.approx(step)


def test_a_gap_splits_the_line() -> None:
    text = line_chart("T & t", "ms", [Series("s", [1.0, 2.0, None, 4.0], "red")])
    assert text.count("<polyline") == 2
    assert "T &amp; t" in text
    assert "NaN" not in text
    assert "<polyline" not in line_chart("empty", "m", [Series("s", [None, None], "red")])
