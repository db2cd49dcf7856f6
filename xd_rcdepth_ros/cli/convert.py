# SPDX-License-Identifier: Apache-2.0
"""xd-rcdepth convert: data sets to rosbag2."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from xd_rcdepth_ros.datasets.astyx import plan_astyx
from xd_rcdepth_ros.datasets.camvid import plan_camvid
from xd_rcdepth_ros.datasets.check import check_bags
from xd_rcdepth_ros.datasets.conversion import DrivePlan, convert_plans
from xd_rcdepth_ros.datasets.nuscenes import (
    DEFAULT_CAMERAS,
    DEFAULT_LIDAR,
    DEFAULT_RADARS,
    plan_nuscenes,
)
from xd_rcdepth_ros.datasets.nuscenes_files import DEVKIT_FILTER, RadarFilter
from xd_rcdepth_ros.datasets.zju_4dradarcam import plan_zju
from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.recordings.index import read_info

app = typer.Typer(add_completion=False, no_args_is_help=True)

Source = Annotated[Path, typer.Argument(help="Root folder of the data set.")]
Out = Annotated[Path, typer.Option("--out", help="Folder for the bags.")]
Storage = Annotated[str, typer.Option(help="mcap or sqlite3.")]
Check = Annotated[bool, typer.Option("--check", help="Verify the bags against the source.")]
Jobs = Annotated[int, typer.Option(min=0, help="Processes at most; 0 takes one a core.")]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")]
Split = Annotated[str | None, typer.Option(help="Only this split, such as train or val.")]


@app.callback()
def convert() -> None:
    """Convert a data set to rosbag2.

    Finished bags are kept, so an interrupted run goes on where it stopped.
    """


@app.command()
def nuscenes(
    source: Source,
    out: Out,
    version: Annotated[
        str | None, typer.Option(help="Table folder such as v1.0-trainval, if there are several.")
    ] = None,
    scenes: Annotated[
        list[str] | None, typer.Option(help="Scene to convert; repeat it, or separate by commas.")
    ] = None,
    split: Split = None,
    cameras: Annotated[str, typer.Option(help="Camera channels, or all.")] = ",".join(
        DEFAULT_CAMERAS
    ),
    radars: Annotated[str, typer.Option(help="Radar channels, all, or none.")] = ",".join(
        DEFAULT_RADARS
    ),
    lidar: Annotated[str, typer.Option(help="Lidar channel, or none.")] = DEFAULT_LIDAR,
    dynamic_properties: Annotated[
        str, typer.Option(help="Keep only radar returns with these dyn_prop, such as 0-6.")
    ] = "",
    invalid_states: Annotated[
        str, typer.Option(help="Keep only radar returns with these invalid_state, such as 0.")
    ] = "",
    ambiguity_states: Annotated[
        str, typer.Option(help="Keep only radar returns with these ambig_state, such as 3.")
    ] = "",
    devkit_filter: Annotated[
        bool, typer.Option("--devkit-filter", help="The radar filter of the nuScenes devkit.")
    ] = False,
    storage: Storage = "mcap",
    check: Check = False,
    jobs: Jobs = 0,
    json_file: JsonFile = None,
) -> None:
    """Convert nuScenes v1.0 (mini, trainval, test, or any data in its schema): one bag a scene."""
    own_filter = RadarFilter(
        numbers(dynamic_properties, "--dynamic-properties"),
        numbers(invalid_states, "--invalid-states"),
        numbers(ambiguity_states, "--ambiguity-states"),
    )
    plans = plan_nuscenes(
        source,
        version=version,
        scenes=words(scenes) or None,
        split=split,
        cameras=words([cameras]),
        radars=words([radars]),
        lidar=None if lidar == "none" else lidar,
        radar_filter=DEVKIT_FILTER if devkit_filter else own_filter,
    )
    run(plans, out, storage, jobs, check, json_file)


@app.command()
def astyx(
    source: Source,
    out: Out,
    split: Split = None,
    storage: Storage = "mcap",
    check: Check = False,
    jobs: Jobs = 0,
    json_file: JsonFile = None,
) -> None:
    """Convert Astyx HiRes2019, original or reduced: one bag a split and calibration."""
    run(plan_astyx(source, split=split), out, storage, jobs, check, json_file)


@app.command()
def zju(
    source: Source,
    out: Out,
    split: Split = None,
    dense: Annotated[
        bool, typer.Option("--dense", help="Also the interpolated depth, 3.7 MB a frame.")
    ] = False,
    storage: Storage = "mcap",
    check: Check = False,
    jobs: Jobs = 0,
    json_file: JsonFile = None,
) -> None:
    """Convert ZJU-4DRadarCam: one bag for every 1000 frames of a split."""
    run(plan_zju(source, split=split, dense=dense), out, storage, jobs, check, json_file)


@app.command()
def camvid(
    source: Source,
    out: Out,
    split: Split = None,
    storage: Storage = "mcap",
    check: Check = False,
    jobs: Jobs = 0,
    json_file: JsonFile = None,
) -> None:
    """CamVid: pictures with labelled sky, one bag for training and one held back."""
    run(plan_camvid(source, split=split), out, storage, jobs, check, json_file)


def words(texts: Sequence[str] | None) -> list[str]:
    """Return the words of texts that are separated by commas; ``none`` is no word."""
    parts = [part.strip() for text in texts or () for part in text.split(",")]
    return [part for part in parts if part and part != "none"]


def numbers(text: str, option: str) -> tuple[int, ...] | None:
    """Return the numbers of a text such as ``0-6`` or ``0,3``; None if it is empty.

    Raises:
        ConfigurationError: The text is something else.
    """
    result: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not (first.isdecimal() and (last if dash else first).isdecimal()):
            if not text.strip():
                return None
            raise ConfigurationError(f"{option} is '{text}'; expected numbers such as 0-6 or 0,3.")
        result += range(int(first), int(last or first) + 1)
    return tuple(result)


def run(
    plans: Sequence[DrivePlan],
    out: Path,
    storage: str,
    jobs: int,
    check: bool,
    json_file: Path | None,
) -> None:
    """Convert the plans with a progress bar, verify them if wanted, and show what was made."""
    console = Console()
    there = {plan.name for plan in plans if (out / plan.name).exists()}
    started = time.perf_counter()
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    ) as display:
        task = display.add_task("reading", total=None)

        def progress(done: int, total: int, name: str) -> None:
            display.update(task, completed=done, total=total, description=name)

        bags = convert_plans(plans, out, storage, jobs, progress)
    convert_s = time.perf_counter() - started
    rows: list[dict[str, Any]] = []
    for plan, bag in zip(plans, bags, strict=True):
        stamps = plan.stamps()
        everything = [stamp for topic in stamps.values() for stamp in topic]
        rows.append(
            {
                "bag": str(bag),
                "kept": plan.name in there,
                "split": plan.info.get("split"),
                "messages": {topic: len(of_topic) for topic, of_topic in stamps.items()},
                "duration_s": (max(everything) - min(everything)) / 1e9,
                "skipped": read_info(bag).get("skipped", {}),
            }
        )
    result: dict[str, Any] = {
        "bags": rows,
        "convert_s": convert_s,
        "duration_s": sum(row["duration_s"] for row in rows if not row["kept"]),
        "synthetic_stamps": any(plan.info.get("synthetic_stamps") for plan in plans),
    }
    if check:
        results = check_bags(plans, out)
        result["check"] = [{**asdict(item), "bag": str(item.bag)} for item in results]
    _show(console, result)
    if json_file is not None:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(json.dumps(result, indent=1) + "\n")


def _show(console: Console, result: dict[str, Any]) -> None:
    table = Table("bag", "split", "seconds", "messages", "left out")
    for row in result["bags"]:
        left_out = ", ".join(f"{n} {reason}" for reason, n in row["skipped"].items())
        table.add_row(
            Path(row["bag"]).name,
            row["split"] or "-",
            f"{row['duration_s']:.1f}",
            str(sum(row["messages"].values())),
            left_out or "-",
        )
    console.print(table)
    kept = sum(row["kept"] for row in result["bags"])
    count = len(result["bags"]) - kept
    text = f"{count} bags converted in {result['convert_s']:.2f} s"
    if count and not result["synthetic_stamps"]:
        text += f", {result['duration_s'] / max(result['convert_s'], 1e-9):.0f} x real time"
    console.print(text + (f"; {kept} were there already" if kept else ""))
    if "check" in result:
        images = sum(item["images"] for item in result["check"])
        points = sum(item["points"] for item in result["check"])
        error = max(item["max_point_error_m"] for item in result["check"])
        console.print(
            f"verified: {images} images byte by byte, {points} lidar points in the camera "
            f"(greatest difference {error * 1e6:.1f} micrometres)"
        )
