# SPDX-License-Identifier: Apache-2.0
"""The benchmark's figures for people, and compared with those of another run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from xd_rcdepth_ros.demo.charts import Series, line_chart

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
        lines.append(
            f"node over DDS: {node['p50_ms']:.1f} ms from publish to receive (p50), of which "
            f"inference {node['inference_p50_ms']:.1f} ms; sustained {node['sustained_fps']:.1f} "
            f"images a second (bare network {result['bare']['fps']:.1f}); {node['rss_mb']:.0f} MB"
        )
    return lines


def plot(result: Mapping[str, Any]) -> str:
    """Return charts as one SVG: network time by grid, node's latency by input rate."""
    charts = []
    colours = ("#2463c9", "#c9442c", "#2c9e5b", "#8a5bc9", "#c98f24", "#4a5560")
    lines = [
        (f"{name} {precision}", sizes)
        for name, precisions in result.get("backends", {}).items()
        for precision, sizes in precisions.items()
        if name != "torch"
    ]
    if lines:
        grids = list(lines[0][1])
        series = [
            Series(name, [sizes.get(g, {}).get("median_ms") for g in grids], colour)
            for (name, sizes), colour in zip(lines, colours, strict=False)
        ]
        title = "Network, median at " + ", ".join(grids)
        charts.append(line_chart(title, "ms", series, (grids[0], grids[-1])))
    steps = result.get("node", {}).get("steps", [])
    if steps:
        rates = ", ".join(f"{step['rate_hz']:g}" for step in steps)
        series = [
            Series(name, [step[key] for step in steps], colour)
            for name, key, colour in (
                ("publish to receive, p50", "latency_p50_ms", colours[0]),
                ("of which network", "network_p50_ms", colours[2]),
            )
        ]
        ends = (f"{steps[0]['rate_hz']:g} Hz", f"{steps[-1]['rate_hz']:g} Hz")
        title = f"Node over DDS at {rates} images a second"
        charts.append(line_chart(title, "ms", series, ends))
    placed = "".join(
        chart.replace("<svg ", f'<svg y="{240 * number}" width="560" height="230" ', 1)
        for number, chart in enumerate(charts)
    )
    height = 240 * max(len(charts), 1)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="560" '
        f'height="{height}" style="font-family:sans-serif;font-size:12px">{placed}</svg>\n'
    )
