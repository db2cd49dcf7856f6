# SPDX-License-Identifier: Apache-2.0
"""xd-rcdepth train: the teacher, or the student, direct or distilled, from bags."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Optional

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from xd_rcdepth_ros.cli.options import RADAR_FIELDS, TOPICS
from xd_rcdepth_ros.cli.output import write_json
from xd_rcdepth_ros.cli.progress import ProgressBar
from xd_rcdepth_ros.errors import ConfigurationError

app = typer.Typer(add_completion=False)


@contextmanager
def interrupts(stop: Any) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM stop the run so that it can go on later; a second one ends it now."""

    def handle(number: int, frame: FrameType | None) -> None:
        signal.signal(number, before[number])
        stop()

    before: dict[int, Any] = {
        number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@app.command(name="train")
def train(
    config: Path = typer.Argument(..., help="The run, as YAML; see config/distill."),
    recordings: Optional[list[Path]] = typer.Option(
        None,
        help="Folder of bags with splits train and val; replaces the file's sources.",
    ),
    topics: str = TOPICS,
    radar_fields: str = RADAR_FIELDS,
    teacher: Optional[Path] = typer.Option(None, help="Model file of the teacher."),
    output: Optional[Path] = typer.Option(None, help="Folder of the run."),
    settings: Optional[list[str]] = typer.Option(
        None, "--set", help="KEY=VALUE that replaces one of the file's; may be repeated."
    ),
    resume: bool = typer.Option(
        True, help="Go on from the state in the output folder, if there is one."
    ),
    json_file: Optional[Path] = typer.Option(
        None, "--json", help="Write where the run ended to this file."
    ),
) -> None:
    """Train from bags. Ctrl-C leaves a state from which the same command goes on."""
    from xd_rcdepth_ros.training.config import read_config
    from xd_rcdepth_ros.training.overrides import settings_of, sources_of
    from xd_rcdepth_ros.training.progress import Control, Progress, State
    from xd_rcdepth_ros.training.runs import figures, run

    values: dict[str, Any] = {}
    if recordings:
        values |= sources_of(recordings, topics, radar_fields)
    elif topics or radar_fields:
        raise ConfigurationError(
            "--topics and --radar-fields belong to --recordings; sources of the file have the keys "
            "topics and radar_fields of their own."
        )
    values |= {"teacher": str(teacher)} if teacher else {}
    values |= {"output": str(output)} if output else {}
    values |= settings_of(settings or [])
    run_config = read_config(config, values)
    console = Console(stderr=True)
    control = Control()
    bar = ProgressBar(
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[text]}"),
        console=console,
        speed_estimate_period=120,
    )
    with bar, interrupts(control.stop):
        task = bar.add_task(run_config.stage, total=run_config.schedule.steps, text="")

        def report(progress: Progress) -> None:
            text = progress.message
            if progress.state != State.PREPARING:
                latest, best = progress.validation_mae_m, progress.best_validation_mae_m
                validated = ""
                if latest == latest:  # NaN before the first validation
                    validated = f"val MAE {latest:.3f} m (best {best:.3f})  "
                text = (
                    f"loss {progress.losses.get('total', float('nan')):.3f}  {validated}"
                    f"{progress.samples_per_s:.1f} samples/s"
                )
            bar.update(task, description=progress.state.value, completed=progress.step, text=text)

        result = run(run_config, resume, report, control)
    if not result.is_main:
        return
    progress = result.progress
    console.print(f"{progress.state.value} at step {progress.step}: {progress.message}")
    if result.unusable:
        console.print(f"{len(result.unusable)} frames could not be used:", style="yellow")
        for reason, count in Counter(result.unusable.values()).most_common(5):
            console.print(f"  {count} x {reason}", style="yellow", markup=False, soft_wrap=True)
    if result.model:
        best = progress.best_validation_mae_m
        console.print(f"best model: {result.model} (validation MAE {best:.3f} m)")
    if json_file:
        model = str(result.model) if result.model else None
        unusable = result.unusable
        write_json(json_file, _finite({**figures(progress), "model": model, "unusable": unusable}))


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values with null for numbers that are not there."""
    return {k: None if isinstance(v, float) and v != v else v for k, v in values.items()}
