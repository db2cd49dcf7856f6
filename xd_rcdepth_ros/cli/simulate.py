# SPDX-License-Identifier: Apache-2.0
"""xd-rcdepth simulate: writes a synthetic drive with exact depth as rosbag2."""

from __future__ import annotations

import re
import time
from enum import Enum
from pathlib import Path
from typing import Optional

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

from xd_rcdepth_ros.cli.output import write_json
from xd_rcdepth_ros.cli.progress import ProgressBar
from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.simulation import (
    Drive,
    DriveSettings,
    write_astyx,
    write_bag,
    write_nuscenes,
    write_zju,
)

app = typer.Typer(add_completion=False)


class Radar(str, Enum):
    """Kinds of radar."""

    sparse = "sparse"
    imaging = "imaging"


class Weather(str, Enum):
    """Kinds of weather."""

    clear = "clear"
    overcast = "overcast"
    fog = "fog"
    rain = "rain"


class TimeOfDay(str, Enum):
    """Times of the day."""

    day = "day"
    dusk = "dusk"
    night = "night"


class Place(str, Enum):
    """Kinds of road."""

    city = "city"
    suburb = "suburb"
    country = "country"
    motorway = "motorway"


class Storage(str, Enum):
    """Storages of rosbag2."""

    mcap = "mcap"
    sqlite3 = "sqlite3"


class Layout(str, Enum):
    """What is written."""

    bag = "bag"
    nuscenes = "nuscenes"
    zju = "zju"
    astyx = "astyx"


def parse_size(text: str) -> tuple[int, int]:
    """Read ``HEIGHTxWIDTH``, such as 352x704.

    Raises:
        ConfigurationError: The text is something else.
    """
    match = re.fullmatch(r"(\d{1,5})[xX](\d{1,5})", text.strip())
    if match is None:
        raise ConfigurationError(f"size {text!r} is not HEIGHTxWIDTH, such as 352x704.")
    return int(match[1]), int(match[2])


@app.command()
def simulate(
    out: Path = typer.Option(..., help="Folder to make; must not exist."),
    frames: int = typer.Option(100, min=1, help="Number of pictures."),
    seed: int = typer.Option(0, min=0, help="The same seed gives the same drive."),
    radar: Radar = typer.Option(
        Radar.sparse, "--radar", "--sensor", help="Conventional automotive radar, or 4D."
    ),
    place: Optional[Place] = typer.Option(None, help="Kind of road; by the seed if left out."),
    weather: Weather = typer.Option(Weather.clear, help="Weather."),
    time_of_day: TimeOfDay = typer.Option(TimeOfDay.day, help="Light."),
    size: str = typer.Option("352x704", help="Picture size, HEIGHTxWIDTH pixels."),
    rate: float = typer.Option(12.0, help="Pictures per second."),
    traffic: float = typer.Option(1.0, help="Scales the number of other road users."),
    storage: Storage = typer.Option(Storage.mcap, help="Storage of the bag."),
    layout: Layout = typer.Option(
        Layout.bag, help="A bag, or the folder layout of a data set (for tests)."
    ),
    workers: int = typer.Option(2, min=1, help="Threads."),
    json_file: Optional[Path] = typer.Option(
        None, "--json", help="Write what was made to this file."
    ),
) -> None:
    """Write a synthetic drive with exact depth as rosbag2."""
    height, width = parse_size(size)
    settings = DriveSettings(
        seed=seed,
        frames=frames,
        place=place.value if place else "",
        weather=weather.value,
        time_of_day=time_of_day.value,
        radar=radar.value,
        width=width,
        height=height,
        camera_hz=rate,
        traffic=traffic,
        lidar="vlp16" if layout == Layout.astyx else "hdl32",
    )
    start = time.perf_counter()
    drive = Drive(settings)
    title = f"{drive.place.name}, {weather.value}, {time_of_day.value}"
    if layout == Layout.bag:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with ProgressBar(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(title, total=frames)
            write_bag(
                drive, out, storage.value, workers, lambda done, _: bar.update(task, completed=done)
            )
    else:
        with Console(stderr=True).status(title):
            if layout == Layout.nuscenes:
                write_nuscenes([drive], out, workers=workers)
            else:
                write = write_zju if layout == Layout.zju else write_astyx
                write(drive, out, workers)
    seconds = time.perf_counter() - start
    result = {
        "out": str(out),
        "layout": layout.value,
        "frames": frames,
        "seconds": round(seconds, 3),
        "frames_per_second": round(frames / seconds, 2),
        "place": drive.place.name,
        "tags": sorted(drive.tags),
    }
    Console().print(
        f"{out}: {frames} frames, {drive.place.name}, in {seconds:.1f} s "
        f"({frames / seconds:.1f} frames/s)",
        highlight=False,
    )
    if json_file is not None:
        write_json(json_file, result)
