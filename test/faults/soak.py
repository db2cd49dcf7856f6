# SPDX-License-Identifier: Apache-2.0
"""`make soak MINUTES=20`: the node at 10 Hz for long, faults at random, and a report at the end.

Faults come in shuffled rounds, each once a round, with random pauses between; the same seed gives
the same order. Written are ``report.html``, ``report.json`` and ``node.log``. The exit status is 1
if anything did not hold.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from xd_rcdepth_ros.report.charts import Series, line_chart, span_chart
from xd_rcdepth_ros.report.page import Page, Section, Table, write_page
from xd_rcdepth_ros.ros_environment import fast_dds_profile, this_machine_only

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(HERE.parent / "ros"), str(PROJECT)]
# The warm-up lasts until each fault has come once, within these shares of the run.
WARM_UP_SHARES = (0.2, 0.5)
MOST_GROWTH_PERCENT = 5.0
MOST_POINTS = 600  # of a line
DOMAINS = range(140, 170)


@dataclass(frozen=True)
class Sample:
    """The node at one moment: seconds since the start, MB, images received and published."""

    time_s: float
    rss_mb: float
    anonymous_mb: float
    frames_in: int
    frames_out: int


def warm_up_s(total_s: float, round_s: float | None) -> float:
    """Return how long the warm-up lasts, seconds.

    Args:
        total_s: Length of the run, seconds.
        round_s: When each fault had come once, seconds; None if that never was.
    """
    least, most = (share * total_s for share in WARM_UP_SHARES)
    return min(max(least, most if round_s is None else round_s), most)


def growth_percent(
    samples: Sequence[Sample], after_s: float, value: Callable[[Sample], float]
) -> float:
    """Return by how much a value grew after the warm-up, percent.

    The medians of the first and the last tenth of the samples after the warm-up are compared.
    """
    rest = [sample for sample in samples if sample.time_s >= after_s]
    tenth = max(len(rest) // 10, 1)
    first, last = (np.median([value(s) for s in part]) for part in (rest[:tenth], rest[-tenth:]))
    return float(100 * (last / first - 1))


def schedule(names: Sequence[str], random: np.random.Generator) -> Iterator[tuple[str, float]]:
    """Yield faults and the pause before each, seconds: shuffled rounds without end."""
    while True:
        for name in random.permutation(list(names)):
            yield str(name), float(random.uniform(0.5, 4.0))


def report(
    minutes: float,
    rate_hz: float,
    seed: int,
    outcomes: Sequence[Any],
    samples: Sequence[Sample],
    totals: dict[str, int],
    latency_ms: Sequence[float],
    sent: int,
    unexplained: int,
    after_s: float,
) -> dict[str, Any]:
    """Return everything that report.json holds."""
    drops = {
        name.removeprefix("dropped_"): n
        for name, n in sorted(totals.items())
        if n and name.startswith("dropped_")
    }
    growth = growth_percent(samples, after_s, lambda s: s.rss_mb)
    failed = [outcome.as_dict() for outcome in outcomes if not outcome.survived]
    return {
        "passed": not failed and unexplained == 0 and growth <= MOST_GROWTH_PERCENT,
        "minutes": minutes,
        "rate_hz": rate_hz,
        "seed": seed,
        "faults": len(outcomes),
        "survived": sum(outcome.survived for outcome in outcomes),
        "kinds": len({outcome.fault for outcome in outcomes}),
        "unexplained_frames": unexplained,
        "rss_growth_percent": round(growth, 2),
        "anonymous_growth_percent": round(
            growth_percent(samples, after_s, lambda s: s.anonymous_mb), 2
        ),
        "warm_up_s": round(after_s),
        "rss_mb": {
            "start": round(samples[0].rss_mb, 1),
            "end": round(samples[-1].rss_mb, 1),
            "most": round(max(s.rss_mb for s in samples), 1),
        },
        "latency_ms": {
            "p50": round(float(np.percentile(latency_ms, 50)), 1),
            "p95": round(float(np.percentile(latency_ms, 95)), 1),
        },
        "most_answer_s": most(outcome.answer_s for outcome in outcomes),
        "most_resume_s": most(outcome.resume_s for outcome in outcomes),
        "images_sent": sent,
        "frames_in": totals["frames_in"],
        "frames_out": totals["frames_out"],
        "drops": drops,
        "machine": {
            "cpus": os.cpu_count(),
            "load_at_end": [round(n, 1) for n in os.getloadavg()],
            "system": platform.platform(),
            "python": platform.python_version(),
        },
        "failed": failed,
        "by_fault": by_fault(outcomes),
    }


def most(values_s: Iterable[float]) -> float | None:
    """Return the greatest of the values that are known, seconds."""
    return max((round(value, 3) for value in values_s if value == value), default=None)


def by_fault(outcomes: Sequence[Any]) -> dict[str, dict[str, Any]]:
    """Return for each fault how often it came and how long recovery took at most."""
    table: dict[str, dict[str, Any]] = {}
    for name in sorted({outcome.fault for outcome in outcomes}):
        same = [outcome for outcome in outcomes if outcome.fault == name]
        drops: dict[str, int] = {}
        for outcome in same:
            for reason, count in outcome.drops.items():
                drops[reason] = drops.get(reason, 0) + count
        table[name] = {
            "times": len(same),
            "survived": sum(outcome.survived for outcome in same),
            "most_answer_s": most(outcome.answer_s for outcome in same),
            "most_resume_s": most(outcome.resume_s for outcome in same),
            "drops": drops,
        }
    return table


def soak_page(
    figures: Mapping[str, Any],
    samples: Sequence[Sample],
    marks: Sequence[tuple[float, float, str, bool]],
) -> Page:
    """Return the page: memory, rate and faults over time, then the figures.

    Args:
        figures: As ``report`` returns them.
        samples: One a second.
        marks: Begin and end of each fault, seconds; its name; and whether it was survived.
    """
    shown = samples[:: max(1, len(samples) // MOST_POINTS)]
    minutes = samples[-1].time_s / 60
    ends = ("0", f"{minutes:.3g} min")
    memory = {"RSS": "rss_mb", "of it anonymous": "anonymous_mb"}
    lines = [Series(name, [getattr(s, key) for s in shown]) for name, key in memory.items()]
    counts = {"images received": "frames_in", "depth images published": "frames_out"}
    rates = [Series(name, rates_hz(shown, key)) for name, key in counts.items()]
    spans: dict[str, list[tuple[float, float, bool]]] = {}
    for begin_s, end_s, name, survived in sorted(marks, key=lambda mark: mark[2]):
        spans.setdefault(spaced(name), []).append((begin_s / 60, end_s / 60, survived))
    charts = [
        line_chart("Memory of the node", "MB", lines, ends),
        line_chart("Images a second", "Hz", rates, ends),
        span_chart("Faults; red: not survived", spans, minutes, "min"),
    ]
    rows = [
        [spaced(name), fault["times"], fault["survived"], fault["most_answer_s"],
         fault["most_resume_s"], ", ".join(f"{n} {r}" for r, n in fault["drops"].items())]
        for name, fault in figures["by_fault"].items()
    ]  # fmt: skip
    head = ["fault", "times", "survived", "slowest answer, s", "slowest resumption, s", "drops"]
    failed = [(spaced(one["fault"]), "; ".join(one["problems"])) for one in figures["failed"]]
    facts = [(name, value) for name, value in figures.items() if not isinstance(value, dict | list)]
    lead = (
        f"{figures['survived']} of {figures['faults']} faults were survived, "
        f"{figures['unexplained_frames']} images are unexplained, and the memory grew by "
        f"{figures['rss_growth_percent']:g} % after {figures['warm_up_s']} s of warm-up."
    )
    sections = [
        Section("Over time", charts=charts),
        *([Section("Not survived", tables=[Table(failed)])] if failed else []),
        Section("Each fault", tables=[Table(rows, head)]),
        Section("How it was measured", tables=[Table([*facts, *figures["machine"].items()])]),
    ]
    return Page(f"Soak of {figures['minutes']:g} minutes", lead, sections)


def spaced(name: str) -> str:
    """Return a fault's name for people."""
    return name.replace("_", " ")


def rates_hz(samples: Sequence[Sample], key: str) -> list[float | None]:
    """Return how many images a second a counter rose by; a new node begins at zero."""
    pairs = itertools.pairwise(samples)
    rates = [(getattr(b, key) - getattr(a, key)) / (b.time_s - a.time_s) for a, b in pairs]
    return [None, *(max(rate, 0.0) for rate in rates)]


class Sampler:
    """Looks at the node once a second, in a thread of its own."""

    def __init__(self, campaign: Any) -> None:
        self.samples: list[Sample] = []
        self.begun_s = time.monotonic()
        self._campaign, self._ending = campaign, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def now_s(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self.begun_s

    def stop(self) -> None:
        """Look no more."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ending.wait(1.0):
            node, totals = self._campaign.node, self._campaign.books.totals()
            if node.process.poll() is None:
                self.samples.append(
                    Sample(
                        self.now_s(),
                        node.rss_mb(),
                        node.rss_mb("RssAnon"),
                        totals["frames_in"],
                        totals["frames_out"],
                    )
                )


def soak(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Run the soak and return its report; needs an initialised ROS context."""
    from campaign import Books, running
    from fault_library import FAULTS

    random = np.random.default_rng(options.seed)
    outcomes, marks = [], []
    with (
        running(options.out, options.model, options.rate, 1.5, options.seed, 1.0) as campaign,
        Progress(
            TextColumn("[bold]soak[/] {task.description:28}"), BarColumn(),
            TextColumn("{task.fields[state]}"), TimeRemainingColumn(), console=console,
        ) as progress,
    ):  # fmt: skip
        sampler = Sampler(campaign)
        bar = progress.add_task("warming up", total=60 * options.minutes, state="")
        for name, pause_s in schedule(sorted(FAULTS), random):
            time.sleep(pause_s)
            if sampler.now_s() >= 60 * options.minutes:
                break
            begin_s = sampler.now_s()
            progress.update(bar, description=name)
            outcome = campaign.run(FAULTS[name])
            outcomes.append(outcome)
            marks.append((begin_s, sampler.now_s(), name, outcome.survived))
            if outcome.problems:
                console.print(f"[red]{name}: {'; '.join(outcome.problems)}")
            survived = sum(o.survived for o in outcomes)
            state = f"{survived} of {len(outcomes)} survived, {outcome.rss_mb:.0f} MB"
            progress.update(bar, completed=sampler.now_s(), state=state)
            if campaign.node.process.poll() is not None:
                break
        with campaign.driver.paused():
            time.sleep(0.5)
            totals = campaign.books.totals()
            if campaign.node.process.poll() is None:
                try:
                    totals = campaign.settle(60)
                except AssertionError as error:  # the report tells what is unexplained
                    console.print(f"[red]at the end: {error}")
        sampler.stop()
        driver = campaign.driver
        kinds = len(FAULTS)
        round_s = marks[kinds - 1][1] if len(marks) >= kinds else None
        after_s = warm_up_s(sampler.samples[-1].time_s, round_s)
        figures = report(
            options.minutes, options.rate, options.seed, outcomes, sampler.samples, totals,
            list(driver.latency_ms), driver.sent["compressed"], Books.unexplained(totals), after_s,
        )  # fmt: skip
        write_page(options.out / "report.html", soak_page(figures, sampler.samples, marks))
    return figures


def main() -> int:
    """Read the command line, run, write; return the exit status."""
    parser = argparse.ArgumentParser(description="Random faults against a running depth_node.")
    parser.add_argument("--minutes", type=float, default=20.0, help="how long (default 20)")
    parser.add_argument("--rate", type=float, default=10.0, help="images a second (default 10)")
    parser.add_argument("--seed", type=int, default=1, help="of the order of faults (default 1)")
    parser.add_argument("--out", type=Path, default=PROJECT / "out" / "soak", help="folder")
    parser.add_argument("--model", type=Path, help="model file (default: the one that is shipped)")
    options = parser.parse_args()
    if not 0.5 <= options.minutes <= 10_000 or not 1 <= options.rate <= 100:
        parser.error("expected 0.5 to 10000 minutes, and a rate of 1 to 100 Hz")
    options.out.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("ROS_DOMAIN_ID", str(DOMAINS[os.getpid() % len(DOMAINS)]))
    profile = PROJECT / "config" / "fastdds_large_messages.xml"
    os.environ.update(fast_dds_profile(os.environ, profile) | this_machine_only(os.environ))
    import rclpy

    console = Console()
    rclpy.init(args=[])
    try:
        figures = soak(options, console)
    finally:
        rclpy.shutdown()
    target = options.out / "report.json"
    partial = target.with_name("report.json.partial")
    partial.write_text(json.dumps(figures, indent=2) + "\n")
    partial.replace(target)
    for key in ("faults", "survived", "unexplained_frames", "rss_growth_percent", "latency_ms",
                "frames_in", "frames_out", "drops"):  # fmt: skip
        console.print(f"{key:20} {figures[key]}")
    console.print(f"written: {target}, {options.out / 'report.html'}")
    return 0 if figures["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
