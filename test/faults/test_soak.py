# SPDX-License-Identifier: Apache-2.0
"""The soak's figures, by hand."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS is not built here: rclpy cannot be imported")
pytestmark = pytest.mark.ros


def samples(memory_mb):
    from soak import Sample

    return [Sample(float(i), mb, mb / 2, 10 * i, 9 * i) for i, mb in enumerate(memory_mb)]


@pytest.mark.parametrize(
    ("memory_mb", "percent"),
    [
        ([500.0] * 100, 0.0),
        ([100.0] * 20 + [500.0] * 80, 0.0),  # grows in the warm-up only
        ([500.0] * 60 + [550.0] * 40, 10.0),
        (list(np.linspace(400, 480, 100)), 100 * (476.4 / 419.0 - 1)),
    ],
)
def test_growth_is_from_the_end_of_the_warm_up_to_the_end(memory_mb, percent):
    from soak import growth_percent

    grown = growth_percent(samples(memory_mb), 20.0, lambda s: s.rss_mb)
    assert grown == pytest.approx(percent, abs=0.3)


@pytest.mark.parametrize(
    ("round_s", "expected_s"), [(None, 50.0), (3.0, 20.0), (33.0, 33.0), (90.0, 50.0)]
)
def test_warm_up_ends_when_each_fault_has_come(round_s, expected_s):
    from soak import warm_up_s

    assert warm_up_s(100.0, round_s) == expected_s


def test_faults_come_in_shuffled_rounds_that_the_seed_decides():
    from soak import schedule

    def draw(seed):
        events = schedule("abcd", np.random.default_rng(seed))
        return [next(events) for _ in range(12)]

    first = draw(1)
    assert first == draw(1) != draw(2)
    for i in (0, 4, 8):
        assert sorted(name for name, _ in first[i : i + 4]) == list("abcd")
    assert all(0.5 <= pause_s <= 4.0 for _, pause_s in first)


def test_report_passes_only_if_all_was_survived_and_explained():
    from campaign import Outcome
    from soak import report, soak_page

    good = Outcome("clock_stops", [], 0.01, 0.2, 30, 29, {"newer_frame": 1}, 0, 500.0)
    bad = Outcome("camera_dies", ["no depth"], float("nan"), float("nan"))
    totals = {"frames_in": 990, "frames_out": 970, "dropped_newer_frame": 20, "time_resets": 4}

    def figures(outcomes, memory_mb, unexplained=0):
        return report(
            1.0, 10.0, 1, outcomes, samples(memory_mb), totals, [20.0, 30.0], 999, unexplained, 20.0
        )

    flat = [500.0] * 99
    right = figures([good, good], flat)
    assert right["passed"] and (right["faults"], right["survived"]) == (2, 2)
    assert right["drops"] == {"newer_frame": 20} and right["latency_ms"]["p50"] == 25.0
    assert right["by_fault"]["clock_stops"]["drops"] == {"newer_frame": 2}
    assert not figures([good, bad], flat)["passed"]
    assert not figures([good], flat, unexplained=1)["passed"]
    assert not figures([good], [500.0] * 50 + [560.0] * 49)["passed"]
    marks = [(1.0, 2.0, "clock_stops", True), (3.0, 4.0, "camera_dies", False)]
    page = soak_page(figures([good, bad], flat), samples(flat), marks)
    _, rates, faults = page.sections[0].charts
    assert "clock stops" in faults and faults.count("var(--c5)") == 1
    assert rates.count("<polyline") == 2
    assert page.sections[1].tables[0].rows == [("camera dies", "no depth")]


def test_rates_are_those_of_the_counters():
    from soak import Sample, rates_hz

    counts = [0, 10, 30, 5]  # a node that was started anew counts from zero
    given = [Sample(2.0 * i, 1.0, 1.0, n, 0) for i, n in enumerate(counts)]
    assert rates_hz(given, "frames_in") == [None, 5.0, 10.0, 0.0]
