# SPDX-License-Identifier: Apache-2.0
"""xd-rcdepth evaluate: a model's depth errors on bags, as table, JSON and illustrated report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

import typer
from rich.console import Console
from rich.table import Table

from xd_rcdepth_ros.cli.options import (
    BACKEND,
    CAMERA,
    DEVICE,
    JSON_FILE,
    MODEL,
    PRECISION,
    RADAR_FIELDS,
    SPLIT,
    TOPICS,
)
from xd_rcdepth_ros.cli.output import print_left_out, write_json
from xd_rcdepth_ros.cli.progress import ProgressBar
from xd_rcdepth_ros.evaluation.baselines import plain_baselines
from xd_rcdepth_ros.evaluation.data import RecordedFrames, describe_left_out
from xd_rcdepth_ros.evaluation.error_map import METRICS
from xd_rcdepth_ros.evaluation.evaluator import Predictor, evaluate
from xd_rcdepth_ros.evaluation.model import ModelPredictor
from xd_rcdepth_ros.evaluation.protocol import Clamp, Protocol, Truth, parse_rows
from xd_rcdepth_ros.evaluation.report import HEADINGS, evaluation_page, label, number
from xd_rcdepth_ros.inference import DepthEstimator
from xd_rcdepth_ros.recordings.wiring import parse_radar_fields, parse_topics
from xd_rcdepth_ros.report.page import write_page

app = typer.Typer(add_completion=False)


def figures_table(result: Mapping[str, Any]) -> Table:
    """Return the figures of the model by cap, and of the baselines."""
    caps = list(result["caps"])
    columns = {f"0-{cap} m": result["caps"][cap] for cap in caps}
    for name, card in result["baselines"].items():  # beside the model, at the largest cap
        columns[f"{label(name)}, 0-{caps[-1]} m"] = card["caps"][caps[-1]]
    if result["between_points"]["pixels"]:
        columns["between points"] = result["between_points"]
    title = f"{result['frames']} frames, clamp {result['protocol']['clamp']}, mean over frames"
    table = Table("", *columns, title=title)
    for metric in METRICS:
        table.add_row(HEADINGS[metric], *(number(figures[metric]) for figures in columns.values()))
    return table


def sky_figures(sky: Mapping[str, Any]) -> str:
    """Return in words how the sky was told; empty if no frame has labels of it."""
    parts = []
    if sky["recall"] is not None:
        parts.append(f"{sky['recall']:.1%} of {sky['sky_pixels']:,} pixels told beyond range")
    if sky["false_share"] is not None:
        parts.append(f"{sky['false_share']:.2%} of {sky['other_pixels']:,} other pixels too")
    return f"sky: {', '.join(parts)} ({sky['frames']} frames)" if parts else ""


@app.command(name="evaluate")
def evaluate_model(
    data: Path = typer.Option(..., help="A bag, its storage file, or a folder of bags."),
    model: Optional[Path] = MODEL,
    split: Optional[str] = SPLIT,
    json_file: Optional[Path] = JSON_FILE,
    report: Optional[Path] = typer.Option(
        None, help="Write report.html with pictures into this folder."
    ),
    clamp: Clamp = typer.Option(
        Clamp.CAFNET, help="Rule for predictions beyond the cap; see docs/evaluation.md."
    ),
    baselines: bool = typer.Option(False, "--baselines", help="Also score the plain baselines."),
    truth: Truth = typer.Option(
        Truth.AUTO, help="What to score against: the lidar sweep or the reference depth."
    ),
    rows: str = typer.Option("all", help="Rows that are scored: all, nuscenes, zju or START:STOP."),
    camera: str = CAMERA,
    topics: str = TOPICS,
    radar_fields: str = RADAR_FIELDS,
    sweeps: int = typer.Option(1, min=1, help="Sweeps of each radar."),
    keyframes: bool = typer.Option(False, "--keyframes", help="Only frames marked as keyframes."),
    every: int = typer.Option(1, min=1, help="Use every n-th frame."),
    examples: int = typer.Option(2, min=1, help="Worst, median and best frames in the report."),
    device: str = DEVICE,
    backend: str = BACKEND,
    precision: str = PRECISION,
) -> None:
    """Score a model on bags by the papers' protocol."""
    protocol = Protocol(clamp=clamp, rows=parse_rows(rows), truth=truth)
    estimator = DepthEstimator.load(model, device, backend, precision)
    predict = ModelPredictor(estimator)
    console = Console(stderr=True)
    with RecordedFrames(
        data,
        split,
        camera,
        sweeps=sweeps,
        keyframes_only=keyframes,
        topics=parse_topics(topics),
        radar_fields=parse_radar_fields(radar_fields),
    ) as frames:
        predictors: dict[str, Predictor] = {"model": predict}
        notes: dict[str, str] = {}
        if baselines:
            plain, notes = plain_baselines(estimator, frames, protocol)
            predictors |= plain
        with ProgressBar(console=console) as progress:
            task = progress.add_task("evaluate", total=len(range(0, len(frames), every)))
            evaluation = evaluate(
                frames, predictors, protocol, every, lambda: progress.advance(task)
            )
        facts = {
            **estimator.describe(),
            "data": str(data),
            "split": split or "all",
            "bags": len(frames.bags),
            "bags that could not be read": len(frames.unreadable),
            **notes,
        }
        left_out = describe_left_out(
            frames, every, evaluation.skipped, evaluation.frames_without_radar
        )
        result = {
            **evaluation.to_json(),
            "model": dict(estimator.describe()),
            "data": {
                "path": str(data),
                "split": split,
                "bags": [bag.name for bag in frames.bags],
                "unreadable": frames.unreadable,
            },
            "left_out": left_out,
            "baseline_notes": notes,
        }
        if report is not None:
            title = f"{estimator.info.name} on {data.name}" + (f", {split}" if split else "")
            page = evaluation_page(evaluation, frames, predict, facts, title, examples)
            write_page(report / "report.html", page)
            console.print(f"report: {report / 'report.html'}", highlight=False)
    Console().print(figures_table(result))
    if sky_text := sky_figures(result["sky"]):
        Console().print(sky_text, highlight=False)
    for name, text in notes.items():
        console.print(f"{name}: {text}", markup=False, highlight=False)
    print_left_out(console, left_out)
    if json_file is not None:
        write_json(json_file, result)
