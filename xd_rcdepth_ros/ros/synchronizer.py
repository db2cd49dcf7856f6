# SPDX-License-Identifier: Apache-2.0
"""The camera drives: each image leaves with the newest radar sweeps that fit it, or says why not.

The core knows neither ROS nor clocks: stamps and wall times come in as numbers. The synchronisers
of message_filters wait for full sets, call the user under their lock (an exception there silences
them for good) and lose most pairs once stamps jump back; a camera-driven node needs none of that.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

ImageT = TypeVar("ImageT")
SweepT = TypeVar("SweepT")

NS = 1_000_000_000


@dataclass(frozen=True)
class SyncSettings:
    """What belongs together, and how long to wait for it.

    Attributes:
        window_s: A sweep fits an image if their stamps differ by at most this, seconds.
        sweeps: Sweeps of each radar that go with an image: the newest that fits, and older ones.
        max_wait_s: Longest time an image waits for a radar without a fitting sweep, seconds.
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
    on_missing_radar: str = "image_only"
    hold_s: float = 1.0
    time_jump_s: float = 0.5
    max_pending: int = 8


@dataclass(frozen=True)
class Sweep(Generic[SweepT]):
    """One sweep in the history of its radar."""

    radar: str
    stamp_ns: int
    payload: SweepT


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
    """

    stamp_ns: int
    image: ImageT
    sweeps: tuple[Sweep[SweepT], ...]
    missing: tuple[str, ...]
    held: tuple[str, ...]
    arrived_s: float


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


@dataclass
class _Waiting(Generic[ImageT]):
    stamp_ns: int
    image: ImageT
    arrived_s: float


class _History(Generic[SweepT]):
    """Sweeps of one radar, ordered by stamp, with a mark on those that were used."""

    def __init__(self) -> None:
        self.stamps: list[int] = []
        self.payloads: list[SweepT] = []
        self.used: list[bool] = []

    def insert(self, stamp_ns: int, payload: SweepT) -> bool:
        at = bisect_left(self.stamps, stamp_ns)
        if at < len(self.stamps) and self.stamps[at] == stamp_ns:
            return False
        self.stamps.insert(at, stamp_ns)
        self.payloads.insert(at, payload)
        self.used.insert(at, False)
        return True

    def newest_within(self, first_ns: int, last_ns: int) -> int | None:
        at = bisect_right(self.stamps, last_ns) - 1
        return at if at >= 0 and self.stamps[at] >= first_ns else None

    def drop_before(self, index: int) -> list[bool]:
        gone = self.used[:index]
        del self.stamps[:index], self.payloads[:index], self.used[:index]
        return gone


class CameraSynchronizer(Generic[ImageT, SweepT]):
    """Puts images and radar sweeps together; the camera drives.

    Thread-safe. The callbacks run after the lock is released, in the thread that brought the
    message, so they may take their time, raise, or call back into this object.

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
        self._histories: dict[str, _History[SweepT]] = {name: _History() for name in radars}
        self._waiting: deque[_Waiting[ImageT]] = deque()
        self._last_ns: dict[str, int] = {}  # newest stamp of each stream; "" is the camera
        self._counts = SyncCounts()

    def add_image(self, stamp_ns: int, image: ImageT, now_s: float) -> None:
        """Take an image.

        Args:
            stamp_ns: Stamp of the image, nanoseconds.
            image: Anything; handed on as it is.
            now_s: Wall time of a clock that never goes back, seconds.
        """
        calls: list[Callable[[], None]] = []
        with self._lock:
            self._counts.images_in += 1
            self._reset_if_time_jumped("", stamp_ns, calls)
            last = self._last_ns.get("")
            if last is not None and stamp_ns <= last:
                self._drop(stamp_ns, "duplicate" if stamp_ns == last else "out_of_order", calls)
            else:
                self._last_ns[""] = stamp_ns
                self._waiting.append(_Waiting(stamp_ns, image, now_s))
                self._release(now_s, calls)
        _run(calls)

    def add_sweep(self, radar: str, stamp_ns: int, payload: SweepT, now_s: float) -> None:
        """Take a radar sweep; arguments as for ``add_image``."""
        calls: list[Callable[[], None]] = []
        with self._lock:
            self._counts.sweeps_in[radar] += 1
            self._reset_if_time_jumped(radar, stamp_ns, calls)
            self._last_ns[radar] = max(stamp_ns, self._last_ns.get(radar, stamp_ns))
            if self._histories[radar].insert(stamp_ns, payload):
                self._forget_old(radar)
                self._release(now_s, calls)
            else:
                self._counts.sweeps_unused[radar, "duplicate"] += 1
        _run(calls)

    def poll(self, now_s: float) -> None:
        """Let images go whose wait is over; to be called every now and then while any wait."""
        calls: list[Callable[[], None]] = []
        with self._lock:
            self._release(now_s, calls)
        _run(calls)

    def clear(self, reason: str) -> None:
        """Drop everything that waits, and all history."""
        calls: list[Callable[[], None]] = []
        with self._lock:
            self._clear(reason, calls)
        _run(calls)

    @property
    def pending(self) -> int:
        """Number of images that wait for radar."""
        with self._lock:
            return len(self._waiting)

    def counts(self) -> SyncCounts:
        """Return a copy of the counters."""
        with self._lock:
            c = self._counts
            return SyncCounts(
                c.images_in,
                c.matched,
                c.complete,
                Counter(c.dropped),
                Counter(c.sweeps_in),
                Counter(c.sweeps_used),
                Counter(c.sweeps_unused),
                c.resets,
            )

    def held_sweeps(self) -> Mapping[str, int]:
        """Return how many unused sweeps of each radar are kept for images to come."""
        with self._lock:
            return {name: h.used.count(False) for name, h in self._histories.items()}

    # From here on the lock is held; calls collects what to do after it is released.

    def _drop(self, stamp_ns: int, reason: str, calls: list[Callable[[], None]]) -> None:
        self._counts.dropped[reason] += 1
        calls.append(lambda: self._on_drop(stamp_ns, reason))

    def _reset_if_time_jumped(
        self, stream: str, stamp_ns: int, calls: list[Callable[[], None]]
    ) -> None:
        last = self._last_ns.get(stream)
        if last is not None and last - stamp_ns > self.settings.time_jump_s * NS:
            self._counts.resets += 1
            self._clear("time_reset", calls)
            calls.append(self._on_reset)

    def _clear(self, reason: str, calls: list[Callable[[], None]]) -> None:
        while self._waiting:
            self._drop(self._waiting.popleft().stamp_ns, reason, calls)
        for radar, history in self._histories.items():
            self._count_gone(radar, history.drop_before(len(history.stamps)), reason)
        self._last_ns.clear()

    def _count_gone(self, radar: str, used: Sequence[bool], reason: str) -> None:
        unused = len(used) - sum(used)
        if unused:
            self._counts.sweeps_unused[radar, reason] += unused

    def _forget_old(self, radar: str) -> None:
        """Keep what the oldest image that can still come may want."""
        history, settings = self._histories[radar], self.settings
        reach_s = max(settings.window_s * (settings.sweeps + 1), settings.hold_s)
        oldest = self._waiting[0].stamp_ns if self._waiting else history.stamps[-1]
        limit = min(oldest, history.stamps[-1]) - int(reach_s * NS)
        old = bisect_left(history.stamps, limit)
        self._count_gone(radar, history.drop_before(old), "superseded")

    def _newest_fitting(self, radar: str, stamp_ns: int) -> int | None:
        window = int(self.settings.window_s * NS)
        return self._histories[radar].newest_within(stamp_ns - window, stamp_ns + window)

    def _release(self, now_s: float, calls: list[Callable[[], None]]) -> None:
        """Let go, in order, every image up to the last one that need not wait any more."""
        free = max(len(self._waiting) - self.settings.max_pending, 0)
        for number, waiting in enumerate(self._waiting):
            over = now_s - waiting.arrived_s >= self.settings.max_wait_s
            if over or all(
                self._newest_fitting(r, waiting.stamp_ns) is not None for r in self._radars
            ):
                free = max(free, number + 1)
        for _ in range(free):
            self._leave(self._waiting.popleft(), calls)

    def _leave(self, waiting: _Waiting[ImageT], calls: list[Callable[[], None]]) -> None:
        newest = {r: self._newest_fitting(r, waiting.stamp_ns) for r in self._radars}
        missing = tuple(r for r, at in newest.items() if at is None)
        held: tuple[str, ...] = ()
        if self._radars and len(missing) == len(self._radars):
            policy = self.settings.on_missing_radar
            if policy == "skip":
                self._drop(waiting.stamp_ns, "no_radar", calls)
                return
            if policy == "hold":
                oldest = waiting.stamp_ns - int(self.settings.hold_s * NS)
                for r in self._radars:
                    newest[r] = self._histories[r].newest_within(oldest, waiting.stamp_ns)
                held = tuple(r for r in missing if newest[r] is not None)
                missing = tuple(r for r in missing if newest[r] is None)
        sweeps = [s for r, at in newest.items() if at is not None for s in self._with_past(r, at)]
        sweeps.sort(key=lambda sweep: -sweep.stamp_ns)
        match = Match(
            waiting.stamp_ns, waiting.image, tuple(sweeps), missing, held, waiting.arrived_s
        )
        self._counts.matched += 1
        self._counts.complete += not missing and not held
        calls.append(lambda: self._on_match(match))

    def _with_past(self, radar: str, newest: int) -> list[Sweep[SweepT]]:
        """Return the sweep at an index and those before it, none older than a window a sweep."""
        history, settings = self._histories[radar], self.settings
        first_ns = history.stamps[newest] - int(settings.window_s * settings.sweeps * NS)
        chosen = [
            i
            for i in range(newest, max(newest - settings.sweeps, -1), -1)
            if i == newest or history.stamps[i] >= first_ns
        ]
        for i in chosen:
            if not history.used[i]:
                history.used[i] = True
                self._counts.sweeps_used[radar] += 1
        return [Sweep(radar, history.stamps[i], history.payloads[i]) for i in chosen]


def _run(calls: Sequence[Callable[[], None]]) -> None:
    """Run every callback, also after one of them raised; then raise the first error."""
    error: Exception | None = None
    for call in calls:
        try:
            call()
        except Exception as raised:
            error = error or raised
    if error is not None:
        raise error
