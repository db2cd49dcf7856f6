# SPDX-License-Identifier: Apache-2.0
"""Every report is one page of one template: self-contained, pictures first, for phones and nights.

Each page is made with names as a stranger's bag might hold them; they must come out as text.
"""

from __future__ import annotations

import ast
import html
import json
import re
from collections import defaultdict
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from xd_rcdepth_ros.benchmark.report import benchmark_page
from xd_rcdepth_ros.demo.content import Findings, compose
from xd_rcdepth_ros.demo.figures import FrameFigures, summarize
from xd_rcdepth_ros.demo.outputs import Answer
from xd_rcdepth_ros.demo.report import Panel, Still
from xd_rcdepth_ros.demo.view import view_page
from xd_rcdepth_ros.evaluation.evaluator import Prediction, evaluate
from xd_rcdepth_ros.evaluation.faults import choose_faults
from xd_rcdepth_ros.evaluation.report import evaluation_page
from xd_rcdepth_ros.evaluation.robustness import robustness_page, run_faults
from xd_rcdepth_ros.geometry import (
    PinholeCamera,
    RadarPoints,
    RadarSweep,
    RigidTransform,
    SensorFrame,
)
from xd_rcdepth_ros.report.page import Page, Player, PlayerFrame, Section, Table, render
from xd_rcdepth_ros.report.pictures import jpeg

PROJECT = Path(__file__).resolve().parents[2]
HOSTILE = "/radar/<script src=https://example.org/x.js></script>\"'&"
GREY = np.full((12, 16, 3), 99, np.uint8)


def frame() -> SensorFrame:
    """Return a frame of exact depth, with one radar return straight ahead."""
    camera = PinholeCamera.from_focal(64, 48, 50, 50, 31.5, 23.5)
    points = RadarPoints.from_arrays([[0.0, 0.0, 20.0]])
    sweep = RadarSweep(points, RigidTransform.identity(), name=HOSTILE)
    depth_m = np.full((48, 64), 20.0, np.float32)
    image = np.full((48, 64, 3), 90, np.uint8)
    return SensorFrame(image, camera, radar=(sweep,), depth_m=depth_m, stamp_ns=5, name=HOSTILE)


def predict(given: SensorFrame) -> Prediction:
    """Say 18 m everywhere."""
    return Prediction(np.full(given.image.shape[:2], 18.0, np.float32))


def demo() -> Page:
    scored = FrameFigures(5, 2.0, 4.0, 2.0)
    still = Still("a", [Panel("Camera", HOSTILE, GREY)])
    findings = Findings([scored], [PlayerFrame([jpeg(GREY)] * 2, HOSTILE)], [still], [30.0])
    model = defaultdict(lambda: HOSTILE, parameters=8_000_000)
    details: dict[str, Any] = {
        "drive": {"text": HOSTILE}, "radars": [HOSTILE], "frames_with_radar": 1, "truth": HOSTILE,
        "benchmark": {"frame_ms": 90.0}, "stages_ms": {HOSTILE: 20.0}, "model": model,
        "training_data": HOSTILE, "machine": HOSTILE, "protocol": HOSTILE,
    }  # fmt: skip
    processes = [{"name": HOSTILE, "pid": 1}]
    return compose(findings, summarize(1, 1, [scored], [], processes, 1.0, details), 0.1, "Demo")


def view() -> Page:
    given = frame()
    depth_m = np.full((48, 64), 18.0, np.float32)
    answer = Answer(5, depth_m, given.camera, None, 0.1 * depth_m, 30.0, {HOSTILE: 20.0})
    page, figures = view_page([given], lambda _: answer, {5}, HOSTILE, f"{HOSTILE} published it.")
    assert figures["mae_m"] == pytest.approx(2.0)
    return page


def evaluation() -> Page:
    done = evaluate([frame()], {"model": predict, "row_median": predict})
    return evaluation_page(done, [frame()], predict, {"data": HOSTILE}, HOSTILE)


def robustness() -> Page:
    result = run_faults([frame()], predict, choose_faults(["returns", "delay"]))
    return robustness_page({**result, "model": {"model": HOSTILE}}, HOSTILE)


def benchmark() -> Page:
    times = {"64x96": {"median_ms": 3.0}, "352x704": {"median_ms": 9.0}}
    step = {"rate_hz": 10.0, "latency_p50_ms": 40.0, "network_p50_ms": 20.0}
    result = {"backends": {HOSTILE: {"bf16": times}}, "left_out": {"start": HOSTILE}}
    return benchmark_page({**result, "node": {"steps": [step], "p50_ms": None}})


def soak() -> Page:
    pytest.importorskip("rclpy", reason="ROS is not built here: rclpy cannot be imported")
    import soak
    from campaign import Outcome

    outcomes = [Outcome("clock_stops", [], 0.01, 0.2), Outcome(HOSTILE, [HOSTILE])]
    samples = [soak.Sample(float(i), 500.0, 300.0, 10 * i, 9 * i) for i in range(50)]
    totals = {"frames_in": 490, "frames_out": 441, "dropped_newer_frame": 49}
    latencies_ms = [20.0, 30.0]
    figures = soak.report(1.0, 10.0, 1, outcomes, samples, totals, latencies_ms, 490, 0, 10.0)
    marks = [(1.0, 2.0, "clock_stops", True), (3.0, 9.0, HOSTILE, False)]
    return soak.soak_page(figures, samples, marks)


def experiments() -> Page:
    from page import experiments_page

    return experiments_page(EXPERIMENTS)


EXPERIMENTS = PROJECT / "experiments"
MAKERS = {
    "compose": demo, "view_page": view, "evaluation_page": evaluation,
    "robustness_page": robustness, "benchmark_page": benchmark, "soak_page": soak,
    "experiments_page": experiments,
}  # fmt: skip


class Seen(HTMLParser):
    """Notes tags, meta data, and what a page would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.meta: dict[str, str] = {}
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        if tag == "meta" and "name" in given:
            self.meta[given["name"]] = given["content"]
        self.loads += [given[n] for n in ("src", "href", "data", "poster", "srcset") if n in given]


@pytest.mark.parametrize("name", MAKERS)
def test_every_report_is_a_page_of_the_one_template(name: str, monkeypatch: Any) -> None:
    for folder in ("experiments", "test/faults", "test/ros"):
        monkeypatch.syspath_prepend(str(PROJECT / folder))
    page = MAKERS[name]()
    text = render(page)
    head = render(Page("", "", [])).partition("<title>")
    assert text.partition("<title>")[0] == head[0]
    assert text.partition("</title>")[2].startswith(head[2].partition("</title>")[2][:4000])
    seen = Seen(text)
    assert "width=device-width" in seen.meta["viewport"]
    assert seen.meta["color-scheme"] == "light dark"
    assert "@media (prefers-color-scheme: dark)" in text and "@media (max-width" in text
    assert all(source.startswith("data:image/") for source in seen.loads)
    assert "url(" not in text and "@import" not in text and "link" not in seen.tags
    pictures = [place for place, tag in enumerate(seen.tags) if tag in ("img", "svg")]
    assert pictures and pictures[0] < seen.tags.index("table")
    if name != "experiments_page":  # whose figures are the project's own
        assert html.escape(HOSTILE, quote=False).split('"')[0] in text
    assert HOSTILE not in text
    assert seen.tags.count("script") == (2 if page.player else 0)


def test_the_walk_leaves_no_page_out() -> None:
    """What returns a page is in the list above, and nobody else writes HTML."""
    made = set()
    for folder in ("xd_rcdepth_ros", "experiments", "test/faults", "tools"):
        for path in sorted((PROJECT / folder).rglob("*.py")):
            text = path.read_text()
            assert not re.search(r"<(!doctype|html|head|body|style|table)\b", text, re.I), path
            if not re.search(r"\bPage\b", text):
                continue
            made |= {
                node.name
                for node in ast.walk(ast.parse(text))
                if isinstance(node, ast.FunctionDef)
                and re.search(r"\bPage\b", ast.unparse(node.returns or ast.Constant(None)))
            }
    assert made == set(MAKERS)
    templates = [path.name for path in (PROJECT / "xd_rcdepth_ros").rglob("*.html")]
    assert templates == ["page.html"]


def test_a_player_carries_its_frames() -> None:
    frames = [PlayerFrame([jpeg(GREY)], caption) for caption in ("x", "</script>")]
    text = render(Page("t", "l", [], Player([("In", "camera")], frames, 83.3)))
    found = re.search(r'<script type="application/json" id="frames">(.*?)</script>', text, re.S)
    assert found is not None
    drive = json.loads(found[1])
    assert drive["period_ms"] == 83
    assert [frame["caption"] for frame in drive["frames"]] == ["x", "</script>"]
    assert text.count("</script>") == 2


def test_bold_rows_are_those_that_are_named() -> None:
    table = Table([["model", 1], ["other", 2]], ["", "m"], "By cap", "model")
    text = render(Page("t", "l", [Section("s", tables=[table])]))
    assert '<tr class="strong"><td>model</td><td>1</td></tr>' in text
    assert "<tr><td>other</td><td>2</td></tr>" in text


def test_experiments_without_a_plot_come_last_and_equal_entries_share_a_table(
    tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    from page import experiments_page

    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        arms = {"direct": {"mae_m": 2.5}, "both": {"mae_m": 1.25}}
        results = {"seed": [0, 1], "arms": arms, "summary": {"best": "both"}}
        (tmp_path / name / "results.json").write_text(json.dumps(results))
    cv2.imwrite(str(tmp_path / "b" / "results.png"), GREY)
    first, last = experiments_page(tmp_path).sections
    assert (first.title, last.title) == ("b", "a")
    assert first.pictures and not last.pictures
    seeds, summary, arms_table = first.tables
    assert (seeds.rows, summary.rows) == ([("seed", "0, 1")], [("best", "both")])
    assert (arms_table.head, arms_table.rows) == (
        ["", "mae_m"],
        [["direct", "2.5"], ["both", "1.25"]],
    )
