# SPDX-License-Identifier: Apache-2.0
"""One fault after the other against a running node, and what must hold after each."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fault_driver import Driver
from fault_library import Fault

PROJECT = Path(__file__).resolve().parents[2]
PARAMETERS = {
    "image_transport": "compressed",
    "network_size": [96, 160],
    "device": "cpu",
    "diagnostics.period": 0.1,
    "use_sim_time": True,
}
# An image that a newer one pushes out is no loss; that is how the node stays current.
ALWAYS = frozenset({"newer_frame"})
ANSWER_S, RESUME_S = 5.0, 15.0


class Node:
    """The node under test, in a process of its own.

    Args:
        log: File for what it says.
        model_file: Model to load; None for the one that is shipped.
    """

    def __init__(self, log: Path, model_file: Path | None = None, **parameters: Any) -> None:
        self.log = log
        given: dict[str, Any] = {**PARAMETERS, **parameters}
        if model_file:
            given["model_file"] = model_file
        command = [sys.executable, str(Path(__file__).with_name("faulty_node.py")), "--ros-args"]
        for name, value in given.items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            command += ["-p", f"{name}:={text}"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
        # The code beside these tests, also where the workspace was not built since it changed.
        environment["PYTHONPATH"] = f"{PROJECT}:{os.environ.get('PYTHONPATH', '')}"
        with log.open("w") as output:
            self.process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, env=environment
            )

    @property
    def text(self) -> str:
        """What it has said."""
        return self.log.read_text(errors="replace")

    def rss_mb(self, kind: str = "VmRSS") -> float:
        """Return its memory in RAM; kind ``RssAnon`` is without files and shared memory."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(f"{kind}:"):
                return int(line.split()[1]) / 1024
        return float("nan")

    def stop(self) -> int:
        """End it politely; return its exit status."""
        for how in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is None:
                self.process.send_signal(how)
                try:
                    return self.process.wait(20)
                except subprocess.TimeoutExpired:
                    continue
        return self.process.wait()


@dataclass
class Outcome:
    """What one fault did.

    Attributes:
        fault: Its name.
        problems: What did not hold; empty if all did.
        answer_s: Time until the node answered a service, seconds.
        resume_s: Time until depth of an image sent after the fault came, seconds.
        frames_in: Images that the node received meanwhile.
        frames_out: Depth images it published.
        drops: Images lost, by reason.
        unexplained: Images that no counter explains.
        rss_mb: Memory of the node afterwards, MB.
    """

    fault: str
    problems: list[str] = field(default_factory=list)
    answer_s: float = float("nan")
    resume_s: float = float("nan")
    frames_in: int = 0
    frames_out: int = 0
    drops: dict[str, int] = field(default_factory=dict)
    unexplained: int = 0
    rss_mb: float = float("nan")

    @property
    def survived(self) -> bool:
        """True if nothing is wrong."""
        return not self.problems

    def as_dict(self) -> dict[str, Any]:
        """Return everything, for the report."""
        return {**asdict(self), "survived": self.survived}


class Books:
    """Adds up the counters of /diagnostics over all activations of the node.

    Args:
        driver: Hears /diagnostics.
    """

    def __init__(self, driver: Driver) -> None:
        self.quiet: tuple[int, Counter[str]] = (0, Counter())
        """How often nothing was in flight, and all counters when that was so last."""
        self._closed: Counter[str] = Counter()
        self._open: Counter[str] = Counter()
        driver.received["/diagnostics"].hear = self._take  # type: ignore[attr-defined]

    def _take(self, message: Any) -> None:
        for status in message.status:
            if status.name == "depth_node: frames":
                values = {p.key: p.value for p in status.values}
                now = Counter({k: int(v) for k, v in values.items() if v.isdigit()})
                if now["frames_in"] < self._open["frames_in"]:  # activated anew
                    self._closed += self._open
                self._open = now
                if values["in_flight"] == "0":
                    self.quiet = (self.quiet[0] + 1, self.totals())

    def totals(self) -> Counter[str]:
        """Return all counters now."""
        return self._closed + self._open

    @staticmethod
    def unexplained(totals: Counter[str]) -> int:
        """Return how many images neither became depth nor were counted as lost."""
        lost = sum(n for name, n in totals.items() if name.startswith("dropped_"))
        return totals["frames_in"] - totals["frames_out"] - lost


class Campaign:
    """Runs faults against a node.

    Args:
        driver: Has been started.
        node: Is active.
        patience: Factor for all waits; slow machines are no fault of the node.
    """

    def __init__(self, driver: Driver, node: Node, patience: float = 1.0) -> None:
        self.driver, self.node, self._patience = driver, node, patience
        self.books = Books(driver)

    def settle(self, timeout_s: float = 15.0) -> Counter[str]:
        """Return all counters at the next moment with nothing in flight that /diagnostics tells of.

        Where the machine is so busy that there is none within a second, no images come until then.
        """
        before, _ = self.books.quiet

        def quiet() -> bool:
            return self.books.quiet[0] > before

        try:
            self.driver.wait(quiet, "a moment with nothing in flight", 1.0)
        except AssertionError:
            with self.driver.paused():
                timeout_s *= self._patience
                self.driver.wait(quiet, "the end of what is in flight", timeout_s)
        return self.books.quiet[1].copy()

    def wait_for(self, counter: str, count: int) -> None:
        """Wait until a counter has come that far."""
        self.driver.wait(
            lambda: self.books.totals()[counter] >= count, f"{counter}", 15 * self._patience
        )

    def run(self, fault: Fault) -> Outcome:
        """Let one fault happen and check everything after it."""
        outcome, driver = Outcome(fault.name), self.driver
        try:
            before = self.settle()
            try:
                fault.act(driver)
            finally:
                driver.heal()
            healed_s, healed_ns = time.monotonic(), driver.now_ns()
            outcome.answer_s = driver.answer_s(ANSWER_S * self._patience)
            driver.wait(
                lambda: any(s >= healed_ns for s in list(driver.stamps("status"))[-3:]),
                "depth after the fault",
                RESUME_S * self._patience,
            )
            outcome.resume_s = time.monotonic() - healed_s
            gone = self.settle()
            gone.subtract(before)
            self._judge(fault, outcome, gone)
        except AssertionError as error:
            outcome.problems.append(str(error))
        if self.node.process.poll() is not None:
            outcome.problems.append(f"the node ended: {self.node.text[-2000:]}")
        else:
            outcome.rss_mb = self.node.rss_mb()
        return outcome

    def _judge(self, fault: Fault, outcome: Outcome, gone: Counter[str]) -> None:
        outcome.frames_in, outcome.frames_out = gone["frames_in"], gone["frames_out"]
        outcome.drops = {
            name.removeprefix("dropped_"): n
            for name, n in gone.items()
            if n and name.startswith("dropped_")
        }
        outcome.unexplained = Books.unexplained(gone)
        if outcome.unexplained:
            outcome.problems.append(f"{outcome.unexplained} images are unexplained")
        odd = {r: n for r, n in outcome.drops.items() if r not in fault.costs | ALWAYS}
        if odd:
            outcome.problems.append(f"images lost for other reasons: {odd}")
        for name in fault.shows:
            if gone[name] <= 0:
                outcome.problems.append(f"the fault did not bite: {name} did not grow")


@contextmanager
def running(
    folder: Path,
    model_file: Path | None,
    rate_hz: float,
    span_s: float,
    seed: int,
    patience: float,
    **parameters: Any,
) -> Iterator[Campaign]:
    """Start node and driver in the present ROS context; end both at the end."""
    driver = Driver(rate_hz, span_s, seed)
    node = Node(folder / "node.log", model_file, **parameters)
    driver.node_lives = lambda: node.process.poll() is None
    try:
        driver.connect("compressed", "camera_info", "radar", timeout_s=90)
        driver.start()
        yield Campaign(driver, node, patience)
    finally:
        driver.close()
        node.stop()
