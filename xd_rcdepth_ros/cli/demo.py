# SPDX-License-Identifier: Apache-2.0
"""xd-rcdepth demo: a drive through the depth node over real ROS 2, with an illustrated report."""

from __future__ import annotations

import os
import platform
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

import typer
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn

from xd_rcdepth_ros.cli.options import DEVICE, JSON_FILE, MODEL, RADAR_FIELDS, TOPICS
from xd_rcdepth_ros.cli.output import write_json
from xd_rcdepth_ros.cli.progress import ProgressBar
from xd_rcdepth_ros.demo.content import (
    Replay,
    baseline_for,
    compose,
    metres,
    radar_sentence,
    recorded_frames,
    score_replays,
)
from xd_rcdepth_ros.demo.drives import DEFAULT_FRAMES, Leg, find_legs
from xd_rcdepth_ros.demo.figures import Traffic, summarize
from xd_rcdepth_ros.demo.report import write_report
from xd_rcdepth_ros.demo.session import (
    HEADROOM,
    SLOWEST_RATE,
    START_TIMEOUT_S,
    SessionError,
    find_radar_complaint,
    join_outputs,
    measure_pace,
    run_session,
)
from xd_rcdepth_ros.inference import DepthEstimator, shipped_model
from xd_rcdepth_ros.recordings.wiring import parse_radar_fields, parse_topics

app = typer.Typer(add_completion=False)
WANTED_SHARE = 0.98
ATTEMPTS = 3


class Steps:
    """Shows what the demo is doing, one line a step."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        self.console = Console(stderr=True, highlight=False)
        self.progress = ProgressBar(*columns, console=self.console)

    @contextmanager
    def step(self, text: str) -> Iterator[Any]:
        """Show a step while the block runs; yields a function of (done, total)."""
        task = self.progress.add_task(text, total=None)

        def show(done: float, total: float) -> None:
            self.progress.update(task, completed=done, total=total)

        yield show
        self.progress.update(task, total=1, completed=1)
        self.progress.stop_task(task)


@dataclass
class Replayed:
    """All legs of a drive, replayed at one speed.

    Attributes:
        play_rate: The speed; 1.0 is real time.
        replays: What came of each leg.
        processes: Name and pid of each process that took part.
    """

    play_rate: float
    replays: list[Replay] = field(default_factory=list)
    processes: list[dict[str, Any]] = field(default_factory=list)

    @property
    def frames_in(self) -> int:
        """Images in the drive."""
        return sum(len(r.leg.stamps_ns) for r in self.replays)

    @property
    def frames_out(self) -> int:
        """Images that got their depth."""
        return sum(r.traffic.answered(r.leg.stamps_ns) for r in self.replays)

    @property
    def complete(self) -> bool:
        """True if as good as every image got its depth."""
        return self.frames_out >= WANTED_SHARE * self.frames_in


def replay(
    legs: list[Leg],
    folder: Path,
    rate: float,
    model: Path,
    device: str,
    steps: Steps,
    start_timeout_s: float,
) -> Replayed:
    """Replay the legs of a drive one after the other."""
    done = Replayed(rate)
    for number, leg in enumerate(legs):
        seconds = (leg.stamps_ns[-1] - leg.stamps_ns[0]) / 1e9 / rate
        text = f"replaying {len(leg.stamps_ns)} images of {leg.bag.name} in {seconds:.0f} s"
        part = folder / str(number)
        with steps.step(text):
            done.processes += run_session(
                leg, part, rate, model, device, start_timeout_s=start_timeout_s
            )
        done.replays.append(Replay(leg, part / "outputs", Traffic.read(part / "arrivals.json")))
    return done


def replay_at_held_rate(
    replay_at: Callable[[float], Replayed], rate: float, steps: Steps
) -> tuple[Replayed, list[str]]:
    """Replay a drive; on a machine that got busier meanwhile, again at half the speed.

    Args:
        replay_at: Replays it at a rate.
        rate: The first rate.
        steps: Where it is said.

    Returns:
        The replay, and what was said about those before it.
    """
    notes: list[str] = []
    while True:
        done = replay_at(rate)
        if done.complete or len(notes) == ATTEMPTS - 1 or rate / 2 < SLOWEST_RATE:
            return done, notes
        notes.append(
            f"at {rate:g} of real time {done.frames_out} of {done.frames_in} images were answered"
        )
        steps.console.print(f"{notes[-1]}: trying again at half the speed")
        rate = round(rate / 2, 3)


@app.command()
def demo(
    data: Optional[Path] = typer.Option(
        None, help="A bag, or a nuScenes root; a drive is simulated if left out."
    ),
    out: Path = typer.Option(Path("out/demo"), help="Folder for the report."),
    model: Optional[Path] = MODEL,
    device: str = DEVICE,
    topics: str = TOPICS,
    radar_fields: str = RADAR_FIELDS,
    frames: int = typer.Option(DEFAULT_FRAMES, min=0, help="Images to replay at most; 0 for all."),
    rate: Optional[float] = typer.Option(
        None, min=SLOWEST_RATE, max=1.0, help="Speed of the replay; measured if left out."
    ),
    json_file: Optional[Path] = JSON_FILE,
) -> None:
    """Replay a drive through the depth node over real ROS 2, and write an illustrated report."""
    start_s = time.monotonic()
    steps = Steps()
    model = model or shipped_model()
    with steps.progress:
        with steps.step("loading the model"):
            estimator = DepthEstimator.load(model, device=device)
        # The node loads it too, beside two other processes: what was slow here is slower there.
        start_timeout_s = max(START_TIMEOUT_S, 4 * (time.monotonic() - start_s))
        with steps.step("preparing the drive") as show:
            wiring = parse_topics(topics), parse_radar_fields(radar_fields)
            legs = find_legs(data, out / "drive", frames, show, *wiring)
        with steps.step("measuring this machine's pace"):
            first = next(recorded_frames(legs[0]), None)
            if first is None:
                raise SessionError(f"no frame of {legs[0].bag} can be read.")
            pace = measure_pace(estimator, first, legs[0].period_s)
        done, notes = replay_at_held_rate(
            lambda at: replay(legs, out / "legs", at, model, device, steps, start_timeout_s),
            rate or pace.play_rate,
            steps,
        )
        with steps.step("scoring and drawing") as show:
            baseline = baseline_for(estimator, legs)
            findings = score_replays(done.replays, baseline, show)
        details = {
            **describe_run(estimator, legs, data),
            "benchmark": {"frame_ms": pace.frame_ms, "headroom": HEADROOM, "earlier_tries": notes},
            "stages_ms": findings.stage_medians_ms(),
            "radars": sorted({radar for leg in legs for radar in leg.radars}),
            "frames_with_radar": findings.frames_with_radar,
            "frames_left_out": dict(Counter(findings.skipped).most_common()),
            "baseline_shift_rows": baseline.shift_rows,
        }
        traffic = [r.traffic for r in done.replays]
        summary = summarize(
            done.frames_in,
            done.frames_out,
            findings.frames,
            traffic,
            done.processes,
            done.play_rate,
            details,
        )
        page = compose(findings, summary, legs[0].period_s, "Metric depth of a drive")
        join_outputs([r.outputs for r in done.replays], out / "outputs")
        complaint = find_radar_complaint(out / "legs" / "0" / "launch.log")
        keep_logs(out, len(legs))
        path = write_report(out, page, findings.stills, summary)
        if json_file is not None:
            write_json(json_file, summary)
    for reason, count in details["frames_left_out"].items():
        steps.console.print(f"left out {count} x {reason}", style="yellow", markup=False)
    if not done.complete:
        raise SessionError(
            f"only {done.frames_out} of {done.frames_in} images were answered at "
            f"{done.play_rate:g} of real time. Is the machine busy? Try a smaller --rate; what was "
            f"recorded is shown in {path}."
        )
    if details["radars"] and not findings.frames_with_radar:
        raise SessionError(
            f"the radar was used for none of {done.frames_out} images: they show depth from the "
            f"image alone. {complaint or 'launch.log says why.'} The report says so too: {path}."
        )
    latency = summary["latency_ms"]
    Console(highlight=False).print(
        f"{done.frames_out} of {done.frames_in} images answered at {done.play_rate:g} of real "
        f"time; latency {latency['p50']:.0f} ms (p95 {latency['p95']:.0f} ms); mean absolute error "
        f"{metres(summary['mae_m'])}, plain baseline {metres(summary['mae_baseline_m'])}. "
        f"{radar_sentence(details['radars'], findings.frames_with_radar, done.frames_out)} "
        f"{time.monotonic() - start_s:.0f} s in all.\nOpen {path}",
        soft_wrap=True,
    )


def describe_run(estimator: DepthEstimator, legs: list[Leg], data: Path | None) -> dict[str, Any]:
    """Return what a reader of the report has to know about drive, model and machine."""
    text = "a simulated drive" if data is None else f"the drive in {data.name}"
    exact = legs[0].has_depth
    truth = "the exact depth of the simulation" if data is None else "its reference depth"
    return {
        "drive": {"text": text, "bags": [leg.bag.name for leg in legs], "hz": 1 / legs[0].period_s},
        "truth": truth if exact else "single sweeps of its lidar",
        "protocol": "depth as received over DDS, resampled to the image; 0.001 m < truth < 80 m, "
        "depth clamped to [0.001, 80] m, mean over images of each image's mean (CaFNet's rule)",
        "model": dict(estimator.describe()),
        "training_data": estimator.info.header.training_data,
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores, Python "
        f"{platform.python_version()}",
    }


def keep_logs(out: Path, legs: int) -> None:
    """Move what the launches said and the recorder noted beside the report."""
    for name in ("launch.log", "arrivals.json"):
        stem, suffix = name.split(".")
        for number in range(legs):
            target = name if legs == 1 else f"{stem}_{number}.{suffix}"
            (out / "legs" / str(number) / name).replace(out / target)
    shutil.rmtree(out / "legs", ignore_errors=True)
