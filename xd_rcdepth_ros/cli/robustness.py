# SPDX-License-Identifier: Apache-2.0
"""xd-rcdepth robustness: a model's errors under faults of radar, calibration, time and weather."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markdown import Markdown
from rich.progress import Progress

from xd_rcdepth_ros.cli.evaluate import write_json
from xd_rcdepth_ros.evaluation.baselines import model_predictor
from xd_rcdepth_ros.evaluation.data import RecordedFrames
from xd_rcdepth_ros.evaluation.faults import FAULTS, choose_faults
from xd_rcdepth_ros.evaluation.protocol import Clamp, Protocol, Truth, parse_rows
from xd_rcdepth_ros.evaluation.robustness import (
    count_predictions,
    draw_faults,
    markdown_table,
    run_faults,
)
from xd_rcdepth_ros.inference import DepthEstimator

app = typer.Typer(add_completion=False)


@app.command()
def robustness(
    model: Annotated[Path, typer.Option(help="Model file (.safetensors).")],
    data: Annotated[Path, typer.Option(help="A bag, or a folder of bags.")],
    out: Annotated[Path, typer.Option(help="Folder for robustness.json, .png and .md.")] = Path(
        "robustness"
    ),
    split: Annotated[
        str | None, typer.Option(help="Only bags of this split, such as val; all if left out.")
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(help=f"Only this fault (may be repeated): {', '.join(FAULTS)}."),
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(help="Speed of the car, m/s, where radar does not tell it (fault delay)."),
    ] = None,
    clamp: Annotated[Clamp, typer.Option(help="Clamping rule.")] = Clamp.CAFNET,
    truth: Annotated[Truth, typer.Option(help="What to score against.")] = Truth.AUTO,
    rows: Annotated[
        str, typer.Option(help="Rows that are scored: all, nuscenes, zju or START:STOP.")
    ] = "all",
    camera: Annotated[str, typer.Option(help="Camera of the bags.")] = "front",
    keyframes: Annotated[
        bool, typer.Option("--keyframes", help="Only frames marked as keyframes.")
    ] = False,
    every: Annotated[int, typer.Option(min=1, help="Use every n-th frame.")] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:<n>.")] = "auto",
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures to this file as well.")
    ] = None,
) -> None:
    """Score a model under controlled faults: one table, one plot."""
    faults = choose_faults(fault or [])
    protocol = Protocol(clamp=clamp, rows=parse_rows(rows), truth=truth)
    estimator = DepthEstimator.load(model, device=device)
    console = Console(stderr=True)
    with (
        RecordedFrames(data, split, camera, keyframes_only=keyframes) as frames,
        Progress(console=console) as progress,
    ):
        total = len(range(0, len(frames), every)) * count_predictions(faults)
        task = progress.add_task("robustness", total=total)
        result = run_faults(
            frames,
            model_predictor(estimator),
            faults,
            protocol,
            every,
            speed,
            lambda: progress.advance(task),
        )
    result["model"] = dict(estimator.describe())
    result["data"] = {"path": str(data), "split": split, "every": every, "speed_mps": speed}
    table = markdown_table(result)
    count = result["clean"]["frames_scored"]
    title = f"{estimator.info.name} on {data.name}: {count} frames, 0-{result['cap_m']:g} m"
    out.mkdir(parents=True, exist_ok=True)
    partial = out / ".robustness.partial.png"
    draw_faults(result, title).savefig(partial, dpi=130)
    partial.replace(out / "robustness.png")
    (out / "robustness.md").write_text(f"{title}\n\n{table}", encoding="utf8")
    write_json(out / "robustness.json", result)
    if json_file is not None:
        write_json(json_file, result)
    Console().print(Markdown(table))
    console.print(f"written: {out / 'robustness.json'}, .png and .md", highlight=False)
