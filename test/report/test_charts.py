# SPDX-License-Identifier: Apache-2.0
"""Charts: round grid lines, gaps, bars and spans at places worked out by hand, escaped texts."""

from __future__ import annotations

import re

import pytest

from xd_rcdepth_ros.report.charts import Series, bar_chart, line_chart, nice_step, span_chart


def rects(svg: str, colour: int) -> list[tuple[float, ...]]:
    """Return x, y, width and height of the bars of a colour."""
    found = re.findall(r'<rect x="(\S+)" y="(\S+)" width="(\S+)" height="(\S+)" fill="(\S+)"', svg)
    return [tuple(map(float, f[:4])) for f in found if f[4] == f"var(--c{colour})"]


@pytest.mark.parametrize(
    ("top", "step"), [(1.0, 0.5), (7.9, 2.0), (1430.0, 500.0), (0.03, 0.01), (20.0, 5.0)]
)
def test_grid_lines_are_round(top: float, step: float) -> None:
    assert nice_step(top) == pytest.approx(step)


def test_a_gap_splits_the_line() -> None:
    text = line_chart("T & t", "ms", [Series("s", [1.0, 2.0, None, 4.0])])
    assert text.count("<polyline") == 2
    assert "T &amp; t" in text
    assert "NaN" not in text
    assert "<polyline" not in line_chart("empty", "m", [Series("s", [None, None])])


def test_lines_share_an_axis_that_is_given() -> None:
    """Of 0 to 8 m, 4 m stand at half the height; of 0 to 4 m at the top."""
    series, labels = [Series("s", [4.0, 0.0])], ("a", "b")
    heights = {}
    for top in (0.0, 8.0):
        points = re.search(r'points="(\S+) (\S+)"', line_chart("t", "m", series, labels, top))
        assert points is not None
        heights[top] = [float(point.split(",")[1]) for point in points.groups()]
    whole, half = (floor - high for high, floor in heights.values())
    assert half == pytest.approx(whole / 2)


def test_bars_are_as_high_as_their_values_and_those_that_are_unknown_are_left_out() -> None:
    series = [Series("model", [2.0, 4.0]), Series("other", [None, 1.0])]
    text = bar_chart("MAE", "m", series, ["near", "far"], "metres")
    _, low, high = rects(text, 0)  # the legend's own comes first
    assert high[3] == pytest.approx(2 * low[3])
    assert low[1] + low[3] == pytest.approx(high[1] + high[3])  # on one floor
    _, only = rects(text, 1)
    assert only[3] == pytest.approx(high[3] / 4)
    assert only[0] > high[0] + high[2]  # beside the model's
    assert "metres" in text


def test_spans_stand_where_their_times_are() -> None:
    spans = {"a <b>": [(0.0, 5.0, True), (5.0, 10.0, False)]}
    text = span_chart("Faults", spans, 10.0, "min")
    (well,), (failed,) = rects(text, 3), rects(text, 5)
    assert failed[0] == pytest.approx(well[0] + well[2])
    assert failed[2] == pytest.approx(well[2])
    assert "a &lt;b&gt;" in text and "10 min" in text


def test_a_long_legend_goes_on_below() -> None:
    names = ["model", "model without radar", "row median", "nearest return", "smaller of both"]
    text = bar_chart("t", "m", [Series(name, [1.0]) for name in names], ["g"])
    lines = [rects(text, number)[0] for number in range(5)]
    assert all(x + 36 + 6.7 * len(name) <= 381 for (x, *_), name in zip(lines, names, strict=True))
    assert len({y for _, y, *_ in lines}) > 1
