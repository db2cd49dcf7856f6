# SPDX-License-Identifier: Apache-2.0
"""The benchmark's figures for people, and compared with those of another run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from markupsafe import Markup

from xd_rcdepth_ros.benchmark.stages import STAGES
from xd_rcdepth_ros.report.charts import Series, line_chart
from xd_rcdepth_ros.report.page import Page, Section, Table

# Where a figure has one of these names, more is better; elsewhere less is.
_MORE_IS_BETTER = ("fps", "sustained_fps", "fraction")
_COMPARED = ("median_ms", "ms", "p50_ms", "inference_p50_ms", "cold_start_s", "rss_mb")


def figures(result: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Yield the figures that are compared, each with its dotted name."""
    for key, value in result.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from figures(value, f"{name}.")
        elif key in _COMPARED + _MORE_IS_BETTER and isinstance(value, (int, float)):
            yield name, float(value)


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, float]:
    """Return how many times as bad each figure of both runs has become; above 1 is worse."""
    before = dict(figures(old))
    ratios = {}
    for name, value in figures(new):
        if before.get(name, 0.0) > 0 and value > 0:
            better = name.rpartition(".")[2] in _MORE_IS_BETTER
            ratios[name] = before[name] / value if better else value / before[name]
    return ratios


def summary_lines(result: Mapping[str, Any]) -> list[str]:
    """Return the figures of everything but the stages, a line each."""
    lines = []
    for name, precisions in result.get("backends", {}).items():
        for precision, sizes in precisions.items():
            times = ", ".join(f"{size} {one['median_ms']:.1f}" for size, one in sizes.items())
            lines.append(f"network, {name} {precision}: {times} ms")
    for key, text in (("best_float", "the fastest in floating point"), ("int8", "int8")):
        ratio = result.get("earlier_layout", {}).get(f"{key}_ratio")
        if ratio is not None:
            lines.append(f"{text}: {ratio:.2f} of the earlier layout's time in fp32")
    roof = result.get("roofline", {})
    if roof.get("fraction") is not None:
        precision = roof["precision"]
        lines.append(
            f"roofline: {roof['achieved_gflops'][precision]:.0f} of "
            f"{roof['peak_gflops'][precision]:.0f} GFLOP/s in {precision} "
            f"({100 * roof['fraction']:.0f} %)"
        )
    if "raster" in result:
        lines.append(f"raster of 5,000 returns x 5 sweeps: {result['raster']['ms']:.2f} ms")
    if "cold_start_s" in result:
        lines.append(f"start of a process to first depth: {result['cold_start_s']:.1f} s")
    node = result.get("node")
    if node is not None and node["p50_ms"] is not None:
        bare = f" (bare network {result['bare']['fps']:.1f})" if "bare" in result else ""
        lines.append(
            f"node over DDS: {node['p50_ms']:.1f} ms from publish to receive (p50), of which "
            f"inference {node['inference_p50_ms']:.1f} ms; sustained {node['sustained_fps']:.1f} "
            f"images a second{bare}; {node['rss_mb']:.0f} MB"
        )
    return lines


def stage_table(result: Mapping[str, Any]) -> Table:
    """Return the stages of each backend at the first size."""
    head = ["backend", "precision", *STAGES, "frames/s", "CPU ms", "times as fast"]
    rows = []
    for row in result["rows"]:
        stages = (row["stages_ms"][stage] for stage in STAGES)
        rows.append(
            [
                f"{row['backend']} on {row['device']}",
                row["precision"],
                *(f"{times['p50']:.1f} / {times['p95']:.1f}" for times in stages),
                f"{row['frames_per_second']:.1f}",
                f"{row['cpu_ms']['p50']:.0f}",
                f"{row['times_as_fast']:.2f}, by CPU {row['times_as_fast_by_cpu']:.2f}",
            ]
        )
    grid = "x".join(map(str, result["grid"]))
    return Table(rows, head, f"{result['model']['model']}, grid {grid}, ms p50 / p95")


def benchmark_page(result: Mapping[str, Any]) -> Page:
    """Return the report: time of the network and of the node, then the figures.

    Args:
        result: Of :func:`xd_rcdepth_ros.benchmark.run.run_benchmark`; may have ``machine``.
    """
    tables = [stage_table(result)] if "rows" in result else []
    lines = [line.partition(": ")[::2] for line in summary_lines(result)]
    facts = [*result.get("machine", {}).items(), *result.get("model", {}).items()]
    left_out = [(f"left out: {what}", why) for what, why in result.get("left_out", {}).items()]
    sections = [
        Section("Time", charts=_charts(result)),
        Section("Figures", tables=[*tables, Table(lines)]),
        Section("How it was measured", tables=[Table([*facts, *left_out])]),
    ]
    lead = (
        "Times of one run. Other load on the machine lengthens all of them: compare ratios of one "
        "run rather than times of two."
    )
    return Page("Benchmark", lead, sections)


def _charts(result: Mapping[str, Any]) -> list[Markup]:
    """Return the network's time by grid, and the node's latency by input rate."""
    charts = []
    lines = [
        (f"{name} {precision}", sizes)
        for name, precisions in result.get("backends", {}).items()
        for precision, sizes in precisions.items()
    ]
    if lines:
        grids = list(lines[0][1])
        series = [
            Series(name, [sizes.get(grid, {}).get("median_ms") for grid in grids])
            for name, sizes in lines
        ]
        charts.append(line_chart("Network, median by grid", "ms", series, grids))
    steps = result.get("node", {}).get("steps", [])
    if steps:
        series = [
            Series(name, [step[key] for step in steps])
            for name, key in (
                ("publish to receive, p50", "latency_p50_ms"),
                ("of which network", "network_p50_ms"),
            )
        ]
        rates = [f"{step['rate_hz']:g}" for step in steps]
        charts.append(line_chart("Node over DDS, by images a second", "ms", series, rates))
    return charts
