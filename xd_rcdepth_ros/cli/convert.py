# SPDX-License-Identifier: Apache-2.0
"""xd-rcdepth convert: data sets to rosbag2."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Optional

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from xd_rcdepth_ros.cli.options import JSON_FILE, with_options_of
from xd_rcdepth_ros.cli.output import write_json
from xd_rcdepth_ros.cli.progress import ProgressBar
from xd_rcdepth_ros.datasets.astyx import plan_astyx
from xd_rcdepth_ros.datasets.camvid import plan_camvid
from xd_rcdepth_ros.datasets.check import check_bags
from xd_rcdepth_ros.datasets.conversion import DrivePlan, SplitOption, convert_plans
from xd_rcdepth_ros.datasets.nuscenes import NuScenesOptions, plan_nuscenes
from xd_rcdepth_ros.datasets.zju_4dradarcam import ZjuOptions, plan_zju
from xd_rcdepth_ros.recordings.bags import read_info

app = typer.Typer(add_completion=False, no_args_is_help=True)

SOURCE: Any = typer.Argument(..., help="Root folder of the data set.")
OUT: Any = typer.Option(..., "--out", help="Folder for the bags.")
STORAGE: Any = typer.Option("mcap", help="mcap or sqlite3.")
CHECK: Any = typer.Option(False, "--check", help="Verify the bags against the source.")
JOBS: Any = typer.Option(0, min=0, help="Processes at most; 0 takes one a core.")


@app.callback()
def convert() -> None:
    """Convert a data set to rosbag2.

    Finished bags are kept, so an interrupted run goes on where it stopped.
    """


@app.command()
@with_options_of(NuScenesOptions)
def nuscenes(
    source: Path = SOURCE,
    out: Path = OUT,
    storage: str = STORAGE,
    check: bool = CHECK,
    jobs: int = JOBS,
    json_file: Optional[Path] = JSON_FILE,
    *,
    options: dict[str, Any],
) -> None:
    """Convert nuScenes v1.0 (mini, trainval, test, or any data in its schema): one bag a scene."""
    run(plan_nuscenes(source, **options), out, storage, jobs, check, json_file)


@app.command()
@with_options_of(SplitOption)
def astyx(
    source: Path = SOURCE,
    out: Path = OUT,
    storage: str = STORAGE,
    check: bool = CHECK,
    jobs: int = JOBS,
    json_file: Optional[Path] = JSON_FILE,
    *,
    options: dict[str, Any],
) -> None:
    """Convert Astyx HiRes2019, original or reduced: one bag a split and calibration."""
    run(plan_astyx(source, **options), out, storage, jobs, check, json_file)


@app.command()
@with_options_of(ZjuOptions)
def zju(
    source: Path = SOURCE,
    out: Path = OUT,
    storage: str = STORAGE,
    check: bool = CHECK,
    jobs: int = JOBS,
    json_file: Optional[Path] = JSON_FILE,
    *,
    options: dict[str, Any],
) -> None:
    """Convert ZJU-4DRadarCam: one bag for every 1000 frames of a split."""
    run(plan_zju(source, **options), out, storage, jobs, check, json_file)


@app.command()
@with_options_of(SplitOption)
def camvid(
    source: Path = SOURCE,
    out: Path = OUT,
    storage: str = STORAGE,
    check: bool = CHECK,
    jobs: int = JOBS,
    json_file: Optional[Path] = JSON_FILE,
    *,
    options: dict[str, Any],
) -> None:
    """Convert CamVid: pictures with labelled sky, one bag for training and one held back."""
    run(plan_camvid(source, **options), out, storage, jobs, check, json_file)


def run(
    plans: Sequence[DrivePlan],
    out: Path,
    storage: str,
    jobs: int,
    check: bool,
    json_file: Path | None,
) -> None:
    """Convert the plans, verify them if wanted, show what was made, and write it down."""
    console = Console()
    kept = {plan.name for plan in plans if (out / plan.name).exists()}
    started_s = time.perf_counter()
    bags = convert_with_progress(plans, out, storage, jobs, console)
    result = summarize(plans, bags, kept, time.perf_counter() - started_s)
    if check:
        checks = check_bags(plans, out)
        result["check"] = [{**asdict(item), "bag": str(item.bag)} for item in checks]
    console.print(table_of(result["bags"]))
    for line in sentences(result):
        console.print(line, highlight=False)
    if json_file is not None:
        write_json(json_file, result)


def convert_with_progress(
    plans: Sequence[DrivePlan], out: Path, storage: str, jobs: int, console: Console
) -> list[Path]:
    """Convert the plans behind a progress bar; return the bags."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with ProgressBar(*columns, console=console, transient=True) as display:
        task = display.add_task("reading", total=None)

        def progress(done: int, total: int, name: str) -> None:
            display.update(task, completed=done, total=total, description=name)

        return convert_plans(plans, out, storage, jobs, progress)


def summarize(
    plans: Sequence[DrivePlan], bags: Sequence[Path], kept: set[str], convert_s: float
) -> dict[str, Any]:
    """Return what was made, ready for JSON.

    Args:
        plans: The planned bags.
        bags: Their paths.
        kept: Names of those that were there already.
        convert_s: Time that the conversion took, seconds.
    """
    rows: list[dict[str, Any]] = []
    for plan, bag in zip(plans, bags, strict=True):
        stamps = plan.stamps()
        everything = [stamp for topic in stamps.values() for stamp in topic]
        rows.append(
            {
                "bag": str(bag),
                "kept": plan.name in kept,
                "split": plan.info.get("split"),
                "messages": {topic: len(of_topic) for topic, of_topic in stamps.items()},
                "duration_s": (max(everything) - min(everything)) / 1e9,
                "skipped": read_info(bag).get("skipped", {}),
            }
        )
    return {
        "bags": rows,
        "convert_s": convert_s,
        "duration_s": sum(row["duration_s"] for row in rows if not row["kept"]),
        "synthetic_stamps": any(plan.info.get("synthetic_stamps") for plan in plans),
    }


def table_of(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return the bags as a table for people."""
    table = Table("bag", "split", "seconds", "messages", "left out")
    for row in rows:
        left_out = ", ".join(f"{n} {reason}" for reason, n in row["skipped"].items())
        table.add_row(
            Path(row["bag"]).name,
            row["split"] or "-",
            f"{row['duration_s']:.1f}",
            str(sum(row["messages"].values())),
            left_out or "-",
        )
    return table


def sentences(result: Mapping[str, Any]) -> list[str]:
    """Return in words how many bags were made, how fast, and what was verified."""
    kept = sum(row["kept"] for row in result["bags"])
    count = len(result["bags"]) - kept
    text = f"{count} bags converted in {result['convert_s']:.2f} s"
    if count and not result["synthetic_stamps"]:
        text += f", {result['duration_s'] / max(result['convert_s'], 1e-9):.0f} x real time"
    lines = [text + (f"; {kept} were there already" if kept else "")]
    if "check" in result:
        images = sum(item["images"] for item in result["check"])
        points = sum(item["points"] for item in result["check"])
        error = max(item["max_point_error_m"] for item in result["check"])
        lines.append(
            f"verified: {images} images byte by byte, {points} lidar points in the camera "
            f"(greatest difference {error * 1e6:.1f} micrometres)"
        )
    return lines
