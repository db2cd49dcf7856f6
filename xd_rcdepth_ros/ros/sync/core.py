# SPDX-License-Identifier: Apache-2.0
"""Puts images and radar sweeps together; knows neither ROS nor clocks.

Stamps and wall times come in as numbers, and every message is counted with what became of it.
``CameraSynchronizer`` is the policy by default; the one that uses message_filters is in ``filter``.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

from xd_rcdepth_ros.geometry import MAX_SWEEP_GAP_NS, nearest_stamp
from xd_rcdepth_ros.geometry.sweep_choice import NS, Sweep, SweepHistory, SweepT

ImageT = TypeVar("ImageT")


@dataclass(frozen=True)
class SyncSettings:
    """What belongs together, and how long to wait for it.

    Attributes:
        window_s: A sweep fits an image if their stamps differ by at most this, seconds.
        sweeps: Sweeps of each radar that go with an image: the nearest that fits, and older ones.
        max_wait_s: Longest time an image waits for a sweep that fits, or fits better, seconds.
        max_lead_s: A nearer sweep than one that fits is not waited for if it is measured later than
            this after the image, seconds.
        on_missing_radar: If no radar has a fitting sweep: ``image_only`` lets the image go alone,
            ``hold`` takes the last sweep before it, ``skip`` drops the image.
        hold_s: Oldest sweep that ``hold`` takes, seconds before the image.
        time_jump_s: A stamp that goes back by more than this is a new beginning (a bag that loops),
            seconds; one that goes back by less is out of order.
        max_pending: Images that may wait at once; when one more comes the oldest leaves as it is.
    """

    window_s: float = 0.1
    sweeps: int = 1
    max_wait_s: float = 0.05
    max_lead_s: float = 2.0
    on_missing_radar: str = "image_only"
    hold_s: float = 1.0
    time_jump_s: float = 0.5
    max_pending: int = 8


@dataclass(frozen=True)
class Match(Generic[ImageT, SweepT]):
    """One image and what goes with it.

    Attributes:
        stamp_ns: Stamp of the image, nanoseconds.
        image: The image as it was given.
        sweeps: Sweeps of all radars, newest first.
        missing: Radars that had no fitting sweep.
        held: Radars whose sweep is older than the window.
        arrived_s: Wall time at which the image came, seconds.
        newest_s: Stamp of the newest sweep of each radar minus that of the image, seconds; without
            radars that never had one.
    """

    stamp_ns: int
    image: ImageT
    sweeps: tuple[Sweep[SweepT], ...]
    missing: tuple[str, ...]
    held: tuple[str, ...]
    arrived_s: float
    newest_s: Mapping[str, float] = field(default_factory=dict)


@dataclass
class SyncCounts:
    """What became of every message; images_in = matched + dropped + pending at any moment."""

    images_in: int = 0
    matched: int = 0
    complete: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    sweeps_in: Counter[str] = field(default_factory=Counter)
    sweeps_used: Counter[str] = field(default_factory=Counter)
    sweeps_unused: Counter[tuple[str, str]] = field(default_factory=Counter)
    resets: int = 0


@dataclass(eq=False)
class Waiting(Generic[ImageT]):
    """An image that has not left yet."""

    stamp_ns: int
    image: ImageT
    arrived_s: float


class Synchronizer(ABC, Generic[ImageT, SweepT]):
    """Puts images and radar sweeps together.

    Thread-safe. Callbacks run without the lock in the thread that brought the message: they may
    take their time, raise, or call back into this object.

    Args:
        radars: Names of the radars.
        settings: Windows and policies; may be exchanged at any time.
        on_match: Called with each image that leaves.
        on_drop: Called with (stamp_ns, reason) for each image that does not.
        on_reset: Called when time jumped back and everything waiting was dropped.
    """

    def __init__(
        self,
        radars: Sequence[str],
        settings: SyncSettings,
        on_match: Callable[[Match[ImageT, SweepT]], None],
        on_drop: Callable[[int, str], None] = lambda stamp_ns, reason: None,
        on_reset: Callable[[], None] = lambda: None,
    ) -> None:
        self.settings = settings
        self._radars = tuple(radars)
        self._on_match, self._on_drop, self._on_reset = on_match, on_drop, on_reset
        self._lock = threading.Lock()
        self._waiting: deque[Waiting[ImageT]] = deque()
        self._last_ns: dict[str, int] = {}  # newest stamp of each stream; "" is the camera
        self._counts = SyncCounts()
        self._outbox: list[Callable[[], None]] = []
        self._start_sweeps()

    def add_image(self, stamp_ns: int, image: ImageT, now_s: float) -> None:
        """Take an image.

        Args:
            stamp_ns: Stamp of the image, nanoseconds; 0 is a stamp that was not set.
            image: Anything; handed on as it is.
            now_s: Wall time of a clock that never goes back, seconds.
        """
        with self._locked():
            self._counts.images_in += 1
            if stamp_ns == 0:
                self._drop(stamp_ns, "no_stamp")
                return
            self._start_anew_if_time_jumped("", stamp_ns)
            last = self._last_ns.get("")
            if last is not None and stamp_ns <= last:
                self._drop(stamp_ns, "duplicate" if stamp_ns == last else "out_of_order")
                return
            self._last_ns[""] = stamp_ns
            self._waiting.append(Waiting(stamp_ns, image, now_s))
            self._take_image(self._waiting[-1])
            self._release(now_s)

    def add_sweep(self, radar: str, stamp_ns: int, payload: SweepT, now_s: float) -> None:
        """Take a radar sweep; arguments as for ``add_image``."""
        with self._locked():
            self._counts.sweeps_in[radar] += 1
            if stamp_ns == 0:
                self._counts.sweeps_unused[radar, "no_stamp"] += 1
                return
            self._start_anew_if_time_jumped(radar, stamp_ns)
            self._last_ns[radar] = max(stamp_ns, self._last_ns.get(radar, stamp_ns))
            if self._take_sweep(Sweep(radar, stamp_ns, payload), now_s):
                self._release(now_s)
            else:
                self._counts.sweeps_unused[radar, "duplicate"] += 1

    def poll(self, now_s: float) -> None:
        """Let images go whose wait is over; to be called every now and then while any wait."""
        with self._locked():
            self._release(now_s)

    def clear(self, reason: str) -> None:
        """Drop everything that waits, and all history."""
        with self._locked():
            self._clear(reason)

    @property
    def pending(self) -> int:
        """Number of images that wait for radar."""
        with self._lock:
            return len(self._waiting)

    def counts(self) -> SyncCounts:
        """Return a copy of the counters."""
        with self._lock:
            return deepcopy(self._counts)

    @abstractmethod
    def held_sweeps(self) -> Mapping[str, int]:
        """Return how many unused sweeps of each radar are kept for images to come."""

    # From here on the lock is held; what is put into the outbox runs after it is released.

    @abstractmethod
    def _start_sweeps(self) -> None:
        """Make what holds the sweeps, empty."""

    @abstractmethod
    def _take_sweep(self, sweep: Sweep[SweepT], now_s: float) -> bool:
        """Keep a sweep; return False if one of its stamp is there already."""

    @abstractmethod
    def _release(self, now_s: float) -> None:
        """Send the images that have what they wait for, or have waited long enough."""

    @abstractmethod
    def _drop_sweeps(self, reason: str) -> None:
        """Drop all sweeps, and count those that were not used."""

    def _take_image(self, waiting: Waiting[ImageT]) -> None:
        """Do more with an image that now waits."""

    def _drop(self, stamp_ns: int, reason: str) -> None:
        self._counts.dropped[reason] += 1
        self._outbox.append(partial(self._on_drop, stamp_ns, reason))

    def _send(
        self,
        waiting: Waiting[ImageT],
        sweeps: Sequence[Sweep[SweepT]],
        missing: tuple[str, ...] = (),
        held: tuple[str, ...] = (),
    ) -> None:
        stamp_ns = waiting.stamp_ns
        newest_s = {r: (n - stamp_ns) / NS for r, n in self._last_ns.items() if r in self._radars}
        newest_first = tuple(sorted(sweeps, key=lambda sweep: -sweep.stamp_ns))
        match = Match(
            stamp_ns, waiting.image, newest_first, missing, held, waiting.arrived_s, newest_s
        )
        self._counts.matched += 1
        self._counts.complete += not missing and not held
        self._outbox.append(partial(self._on_match, match))

    def _start_anew_if_time_jumped(self, stream: str, stamp_ns: int) -> None:
        last = self._last_ns.get(stream)
        if last is not None and last - stamp_ns > self.settings.time_jump_s * NS:
            self._counts.resets += 1
            self._clear("time_reset")
            self._outbox.append(self._on_reset)

    def _clear(self, reason: str) -> None:
        while self._waiting:
            self._drop(self._waiting.popleft().stamp_ns, reason)
        self._drop_sweeps(reason)
        self._last_ns.clear()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._lock:
            yield
            outbox, self._outbox = self._outbox, []
        run_all(outbox)


class CameraSynchronizer(Synchronizer[ImageT, SweepT]):
    """The camera drives: each image leaves with the nearest sweep of each radar in the window.

    It waits, at most ``max_wait_s``, while a nearer sweep may still come, by the radar's period and
    delay so far. ``recordings.Recording`` takes the same sweeps, unless the nearest is measured
    more than ``max_lead_s`` after the image.

    Arguments as for :class:`Synchronizer`.
    """

    def held_sweeps(self) -> Mapping[str, int]:
        """Return how many unused sweeps of each radar are kept for images to come."""
        with self._lock:
            return {name: h.used.count(False) for name, h in self._histories.items()}

    def _start_sweeps(self) -> None:
        self._histories = {name: SweepHistory[SweepT]() for name in self._radars}

    def _take_sweep(self, sweep: Sweep[SweepT], now_s: float) -> bool:
        history, settings = self._histories[sweep.radar], self.settings
        if not history.insert(sweep, now_s):
            return False
        reach_ns = max(
            int(settings.window_s * NS) + settings.sweeps * MAX_SWEEP_GAP_NS,
            int(settings.hold_s * NS),
        )
        newest = history.stamps[-1]
        oldest = min(self._waiting[0].stamp_ns, newest) if self._waiting else newest
        self._drop_first(sweep.radar, bisect_left(history.stamps, oldest - reach_ns), "superseded")
        return True

    def _drop_sweeps(self, reason: str) -> None:
        for radar, history in self._histories.items():
            self._drop_first(radar, len(history.stamps), reason)
            history.recent_ns.clear()

    def _drop_first(self, radar: str, count: int, reason: str) -> None:
        unused = self._histories[radar].drop_first(count)
        if unused:
            self._counts.sweeps_unused[radar, reason] += unused

    def _release(self, now_s: float) -> None:
        """Send, in order, every image up to the last one that need not wait any more."""
        settings = self.settings
        window_ns, lead_ns = (int(s * NS) for s in (settings.window_s, settings.max_lead_s))
        count = max(len(self._waiting) - settings.max_pending, 0)
        for number, waiting in enumerate(self._waiting, 1):
            latest_s = waiting.arrived_s + settings.max_wait_s
            if now_s >= latest_s or all(
                history.has_nearest(waiting.stamp_ns, window_ns, lead_ns, latest_s)
                for history in self._histories.values()
            ):
                count = max(count, number)
        for _ in range(count):
            self._choose_sweeps(self._waiting.popleft())

    def _choose_sweeps(self, waiting: Waiting[ImageT]) -> None:
        settings, stamp_ns = self.settings, waiting.stamp_ns
        window_ns, hold_ns = int(settings.window_s * NS), int(settings.hold_s * NS)
        chosen = {
            radar: nearest_stamp(history.stamps, stamp_ns, window_ns)
            for radar, history in self._histories.items()
        }
        missing = tuple(radar for radar, index in chosen.items() if index is None)
        held: tuple[str, ...] = ()
        if missing and len(missing) == len(chosen):
            if settings.on_missing_radar == "skip":
                self._drop(stamp_ns, "no_radar")
                return
            if settings.on_missing_radar == "hold":
                chosen = {r: h.last_before(stamp_ns, hold_ns) for r, h in self._histories.items()}
                held = tuple(r for r in missing if chosen[r] is not None)
                missing = tuple(r for r in missing if chosen[r] is None)
        sweeps: list[Sweep[SweepT]] = []
        for radar, index in chosen.items():
            if index is not None:
                taken, first_uses = self._histories[radar].take(index, settings.sweeps)
                self._counts.sweeps_used[radar] += first_uses
                sweeps += taken
        self._send(waiting, sweeps, missing, held)


def run_all(calls: Sequence[Callable[[], None]]) -> None:
    """Run every callback, also after one of them raised; then raise the first error."""
    error: Exception | None = None
    for call in calls:
        try:
            call()
        except Exception as raised:
            error = error or raised
    if error is not None:
        raise error
