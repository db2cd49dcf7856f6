# SPDX-License-Identifier: Apache-2.0
"""Where frames went, how long they took, and complaints said once: plain Python, thread-safe."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class LedgerState:
    """Counters of a ledger at one moment.

    Attributes:
        frames_in: Images received.
        frames_out: Depth images published.
        drops: Images that did not become depth, by reason.
        events: Other things worth counting, such as unusable clouds, by name.
    """

    frames_in: int
    frames_out: int
    drops: dict[str, int]
    events: dict[str, int]

    @property
    def in_flight(self) -> int:
        """Images still waiting or being worked on; 0 at any quiet moment."""
        return self.frames_in - self.frames_out - sum(self.drops.values())


class FrameLedger:
    """Accounts for every image: frames_in = frames_out + sum of drops + in flight."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Set all counters to zero."""
        with self._lock:
            self._in = self._out = 0
            self._drops: Counter[str] = Counter()
            self._events: Counter[str] = Counter()

    def received(self) -> None:
        """Count an image that came in."""
        with self._lock:
            self._in += 1

    def published(self) -> None:
        """Count a depth image that went out."""
        with self._lock:
            self._out += 1

    def dropped(self, reason: str) -> None:
        """Count an image that will not become depth."""
        with self._lock:
            self._drops[reason] += 1

    def event(self, name: str, count: int = 1) -> None:
        """Count something else."""
        with self._lock:
            self._events[name] += count

    def state(self) -> LedgerState:
        """Return all counters, taken at one moment."""
        with self._lock:
            return LedgerState(self._in, self._out, dict(self._drops), dict(self._events))


class Recent:
    """The last values of a quantity, for percentiles and rates.

    Args:
        size: How many values are kept.
    """

    def __init__(self, size: int = 200) -> None:
        self._lock = threading.Lock()
        self._values: deque[float] = deque(maxlen=size)

    def add(self, value: float) -> None:
        """Take one value in."""
        with self._lock:
            self._values.append(value)

    def clear(self) -> None:
        """Forget all values."""
        with self._lock:
            self._values.clear()

    def percentile(self, percent: float) -> float:
        """Return a percentile of the values kept, NaN if there are none."""
        with self._lock:
            values = list(self._values)
        return float(np.percentile(values, percent)) if values else float("nan")

    def rate_hz(self, now_s: float, span_s: float = 5.0) -> float:
        """Return how many of the values, taken as times in seconds, fall into the last span."""
        with self._lock:
            recent = [t for t in self._values if now_s - t <= span_s]
        return len(recent) / span_s


@dataclass
class FrameTiming:
    """How long frames took lately.

    Attributes:
        latency_ms: Stamp of the image to publishing, ROS clock, milliseconds.
        age_ms: Arrival of the image to publishing, wall clock, milliseconds.
        published_s: Wall times of publishing, seconds.
        stages_ms: Milliseconds by stage.
    """

    latency_ms: Recent = field(default_factory=Recent)
    age_ms: Recent = field(default_factory=Recent)
    published_s: Recent = field(default_factory=Recent)
    stages_ms: dict[str, Recent] = field(default_factory=dict)

    def add_stages(self, stages_ms: Mapping[str, float]) -> None:
        """Take in the stages of one frame."""
        for name, value_ms in stages_ms.items():
            if name not in self.stages_ms:  # exchanged whole: others may be reading
                self.stages_ms = {**self.stages_ms, name: Recent()}
            self.stages_ms[name].add(value_ms)


# A number that stands alone, not one that is part of a name such as radar_1.
_NUMBER = re.compile(r"(?<![\w/])[-+]?\d[\d.]*(e[-+]?\d+)?")


class Complaints:
    """Logs each complaint once, then at most once a period, with how often it came meanwhile.

    Texts that differ in their numbers only are one complaint. However many kinds there are, no more
    than ``most`` are logged a period: what comes from outside must not fill the log.

    Args:
        log: Takes (level, text); level is ``info``, ``warning`` or ``error``.
        period_s: Shortest time between two logs of one complaint, seconds.
        clock: Returns seconds; never goes back.
        most: Most logs a period.
    """

    def __init__(
        self,
        log: Callable[[str, str], None],
        period_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
        most: int = 40,
    ) -> None:
        self._log, self._period_s, self._clock, self._most = log, period_s, clock, most
        self._lock = threading.Lock()
        self._last_s: dict[str, float] = {}
        self._held_back: Counter[str] = Counter()
        self._logged_once: set[str] = set()
        self._recent: dict[str, tuple[float, str, str]] = {}  # kind -> last time, level, text

    def __call__(self, text: str, level: str = "warning", once: bool = False) -> None:
        """Log a text unless it was logged a short while ago.

        Args:
            text: What is wrong, and what to do.
            level: ``info``, ``warning`` or ``error``.
            once: Never log it a second time.
        """
        now_s, kind = self._clock(), _NUMBER.sub("#", text)
        with self._lock:
            if level != "info" and (kind in self._recent or len(self._recent) < self._most):
                self._recent[kind] = (now_s, level, text)
            if kind in self._logged_once:
                return
            old = [k for k, t in self._last_s.items() if now_s - t >= self._period_s]
            for k in old:
                del self._last_s[k]
            if kind in self._last_s or len(self._last_s) >= self._most:
                if len(self._held_back) < 10 * self._most:
                    self._held_back[kind] += 1
                return
            self._last_s[kind] = now_s
            if once and len(self._logged_once) < self._most:
                self._logged_once.add(kind)
            more = self._held_back.pop(kind, 0)
        self._log(level, f"{text} ({more} more since)" if more else text)

    def recent(self) -> list[tuple[str, str]]:
        """Return (level, text) of what was complained of within the last period, newest first."""
        now_s = self._clock()
        with self._lock:
            self._recent = {
                kind: item
                for kind, item in self._recent.items()
                if now_s - item[0] < self._period_s
            }
            newest_first = sorted(self._recent.values(), key=lambda item: -item[0])
        return [(level, text) for _, level, text in newest_first]
