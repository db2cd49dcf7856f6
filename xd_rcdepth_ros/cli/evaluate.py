# SPDX-License-Identifier: Apache-2.0
"""xd-rcdepth evaluate: a model's depth errors on bags, as table, JSON and illustrated report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from xd_rcdepth_ros.evaluation.baselines import model_predictor, plain_baselines
from xd_rcdepth_ros.evaluation.data import RecordedFrames
from xd_rcdepth_ros.evaluation.evaluator import Predictor, evaluate
from xd_rcdepth_ros.evaluation.metrics import METRICS
from xd_rcdepth_ros.evaluation.protocol import Clamp, Protocol, Truth, parse_rows
from xd_rcdepth_ros.inference import DepthEstimator

app = typer.Typer(add_completion=False)


def write_json(path: Path, result: Mapping[str, Any]) -> None:
    """Write a result; the name appears only when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n", encoding="utf8")
    partial.replace(path)


def figures_table(result: Mapping[str, Any]) -> Table:
    """Return the figures of the model by cap, and of the baselines."""
    from xd_rcdepth_ros.evaluation.charts import label
    from xd_rcdepth_ros.evaluation.report import HEADINGS, number

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


@app.command(name="evaluate")
def evaluate_model(
    model: Annotated[Path, typer.Option(help="Model file (.safetensors).")],
    data: Annotated[Path, typer.Option(help="A bag, or a folder of bags.")],
    split: Annotated[
        str | None, typer.Option(help="Only bags of this split, such as val; all if left out.")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures to this file.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write report.html with pictures into this folder.")
    ] = None,
    clamp: Annotated[
        Clamp, typer.Option(help="Rule for predictions beyond the cap; see docs/evaluation.md.")
    ] = Clamp.CAFNET,
    baselines: Annotated[
        bool, typer.Option("--baselines", help="Also score the plain baselines.")
    ] = False,
    truth: Annotated[
        Truth, typer.Option(help="What to score against: the lidar sweep or the reference depth.")
    ] = Truth.AUTO,
    rows: Annotated[
        str, typer.Option(help="Rows that are scored: all, nuscenes, zju or START:STOP.")
    ] = "all",
    camera: Annotated[str, typer.Option(help="Camera of the bags.")] = "front",
    sweeps: Annotated[int, typer.Option(min=1, help="Sweeps of each radar.")] = 1,
    keyframes: Annotated[
        bool, typer.Option("--keyframes", help="Only frames marked as keyframes.")
    ] = False,
    every: Annotated[int, typer.Option(min=1, help="Use every n-th frame.")] = 1,
    examples: Annotated[
        int, typer.Option(min=1, help="Worst, median and best frames in the report.")
    ] = 2,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:<n>.")] = "auto",
) -> None:
    """Score a model on bags by the papers' protocol."""
    protocol = Protocol(clamp=clamp, rows=parse_rows(rows), truth=truth)
    estimator = DepthEstimator.load(model, device=device)
    predict = model_predictor(estimator)
    console = Console(stderr=True)
    with RecordedFrames(data, split, camera, sweeps=sweeps, keyframes_only=keyframes) as frames:
        predictors: dict[str, Predictor] = {"model": predict}
        notes: dict[str, str] = {}
        if baselines:
            plain, notes = plain_baselines(estimator, frames, protocol)
            predictors |= plain
        with Progress(console=console) as progress:
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
        result = {
            **evaluation.to_json(),
            "model": dict(estimator.describe()),
            "data": {
                "path": str(data),
                "split": split,
                "bags": [bag.name for bag in frames.bags],
                "unreadable": frames.unreadable,
            },
            "baseline_notes": notes,
        }
        if report is not None:
            from xd_rcdepth_ros.evaluation.report import render_report, write_report

            title = f"{estimator.info.name} on {data.name}" + (f", {split}" if split else "")
            html = render_report(evaluation, frames, predict, facts, title, examples)
            write_report(report / "report.html", html)
            console.print(f"report: {report / 'report.html'}", highlight=False)
    Console().print(figures_table(result))
    for name, text in notes.items():
        console.print(f"{name}: {text}", markup=False, highlight=False)
    for name, reason in frames.unreadable.items():
        console.print(f"left out {name}: {reason}", style="yellow", markup=False)
    if evaluation.skipped:
        console.print(f"{len(evaluation.skipped)} frames could not be read.", style="yellow")
    if json_file is not None:
        write_json(json_file, result)
