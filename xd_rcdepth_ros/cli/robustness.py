# SPDX-License-Identifier: Apache-2.0
"""xd-rcdepth robustness: a model's errors under faults of radar, calibration, time and weather."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import typer
from rich.console import Console
from rich.markdown import Markdown

from xd_rcdepth_ros.cli.options import CAMERA, DEVICE, MODEL, RADAR_FIELDS, SPLIT, TOPICS
from xd_rcdepth_ros.cli.output import print_left_out, write_json
from xd_rcdepth_ros.cli.progress import ProgressBar
from xd_rcdepth_ros.evaluation.data import RecordedFrames, describe_left_out
from xd_rcdepth_ros.evaluation.faults import FAULTS, choose_faults
from xd_rcdepth_ros.evaluation.model import ModelPredictor
from xd_rcdepth_ros.evaluation.protocol import Clamp, Protocol, Truth, parse_rows
from xd_rcdepth_ros.evaluation.robustness import (
    count_predictions,
    markdown_table,
    robustness_page,
    run_faults,
)
from xd_rcdepth_ros.inference import DepthEstimator
from xd_rcdepth_ros.recordings.wiring import parse_radar_fields, parse_topics
from xd_rcdepth_ros.report.page import write_page

app = typer.Typer(add_completion=False)
FAULT_NAMES = ", ".join(FAULTS)


@app.command()
def robustness(
    data: Path = typer.Option(..., help="A bag, its storage file, or a folder of bags."),
    model: Optional[Path] = MODEL,
    out: Path = typer.Option(
        Path("robustness"), help="Folder for report.html and robustness.json, .md."
    ),
    split: Optional[str] = SPLIT,
    fault: Optional[list[str]] = typer.Option(
        None, help="Only this fault, may be repeated: " + FAULT_NAMES
    ),
    speed: Optional[float] = typer.Option(
        None, help="Speed of the car, m/s, where radar does not tell it (fault delay)."
    ),
    clamp: Clamp = typer.Option(Clamp.CAFNET, help="Clamping rule."),
    truth: Truth = typer.Option(Truth.AUTO, help="What to score against."),
    rows: str = typer.Option("all", help="Rows that are scored: all, nuscenes, zju or START:STOP."),
    camera: str = CAMERA,
    topics: str = TOPICS,
    radar_fields: str = RADAR_FIELDS,
    keyframes: bool = typer.Option(False, "--keyframes", help="Only frames marked as keyframes."),
    every: int = typer.Option(1, min=1, help="Use every n-th frame."),
    device: str = DEVICE,
    json_file: Optional[Path] = typer.Option(
        None, "--json", help="Write the figures to this file as well."
    ),
) -> None:
    """Score a model under controlled faults: one table, a chart of each fault."""
    faults = choose_faults(fault or [])
    protocol = Protocol(clamp=clamp, rows=parse_rows(rows), truth=truth)
    estimator = DepthEstimator.load(model, device=device)
    console = Console(stderr=True)
    with (
        RecordedFrames(
            data,
            split,
            camera,
            keyframes_only=keyframes,
            topics=parse_topics(topics),
            radar_fields=parse_radar_fields(radar_fields),
        ) as frames,
        ProgressBar(console=console) as progress,
    ):
        total = len(range(0, len(frames), every)) * count_predictions(faults)
        task = progress.add_task("robustness", total=total)
        result = run_faults(
            frames,
            ModelPredictor(estimator),
            faults,
            protocol,
            every,
            speed,
            lambda: progress.advance(task),
        )
        left_out = describe_left_out(
            frames, every, result["skipped"], result["frames_without_radar"]
        )
    result["left_out"] = left_out
    result["model"] = dict(estimator.describe())
    result["data"] = {"path": str(data), "split": split, "every": every, "speed_mps": speed}
    table = markdown_table(result)
    count = result["clean"]["frames_scored"]
    title = f"{estimator.info.name} on {data.name}: {count} frames, 0-{result['cap_m']:g} m"
    write_page(out / "report.html", robustness_page(result, title))
    (out / "robustness.md").write_text(f"{title}\n\n{table}", encoding="utf8")
    write_json(out / "robustness.json", result)
    if json_file is not None:
        write_json(json_file, result)
    Console().print(Markdown(table))
    print_left_out(console, left_out)
    console.print(f"written: {out / 'report.html'}, robustness.json and .md", highlight=False)
