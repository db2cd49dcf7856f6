# SPDX-License-Identifier: Apache-2.0
"""What all ways to put images and radar sweeps together have in common.

It knows neither ROS nor clocks: stamps and wall times come in as numbers. Every message is counted
with what became of it, and the user is called after the lock is released.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Generic, TypeVar

ImageT = TypeVar("ImageT")
SweepT = TypeVar("SweepT")
Calls = list[Callable[[], None]]
"""What to do once the lock is released."""

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


@dataclass(eq=False)
class Waiting(Generic[ImageT]):
    """An image that has not left yet."""

    stamp_ns: int
    image: ImageT
    arrived_s: float


class Synchronizer(ABC, Generic[ImageT, SweepT]):
    """Puts images and radar sweeps together.

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
        self._waiting: deque[Waiting[ImageT]] = deque()
        self._last_ns: dict[str, int] = {}  # newest stamp of each stream; "" is the camera
        self._counts = SyncCounts()
        self._begin()

    def add_image(self, stamp_ns: int, image: ImageT, now_s: float) -> None:
        """Take an image.

        Args:
            stamp_ns: Stamp of the image, nanoseconds.
            image: Anything; handed on as it is.
            now_s: Wall time of a clock that never goes back, seconds.
        """
        calls: Calls = []
        with self._lock:
            self._counts.images_in += 1
            self._reset_if_time_jumped("", stamp_ns, calls)
            last = self._last_ns.get("")
            if last is not None and stamp_ns <= last:
                self._drop(stamp_ns, "duplicate" if stamp_ns == last else "out_of_order", calls)
            else:
                self._last_ns[""] = stamp_ns
                waiting = Waiting(stamp_ns, image, now_s)
                self._waiting.append(waiting)
                self._take_image(waiting, calls)
                self._release(now_s, calls)
        run_all(calls)

    def add_sweep(self, radar: str, stamp_ns: int, payload: SweepT, now_s: float) -> None:
        """Take a radar sweep; arguments as for ``add_image``."""
        calls: Calls = []
        with self._lock:
            self._counts.sweeps_in[radar] += 1
            self._reset_if_time_jumped(radar, stamp_ns, calls)
            self._last_ns[radar] = max(stamp_ns, self._last_ns.get(radar, stamp_ns))
            if self._take_sweep(Sweep(radar, stamp_ns, payload), calls):
                self._release(now_s, calls)
            else:
                self._counts.sweeps_unused[radar, "duplicate"] += 1
        run_all(calls)

    def poll(self, now_s: float) -> None:
        """Let images go whose wait is over; to be called every now and then while any wait."""
        calls: Calls = []
        with self._lock:
            self._release(now_s, calls)
        run_all(calls)

    def clear(self, reason: str) -> None:
        """Drop everything that waits, and all history."""
        calls: Calls = []
        with self._lock:
            self._clear(reason, calls)
        run_all(calls)

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

    # From here on the lock is held; calls collects what to do after it is released.

    @abstractmethod
    def _begin(self) -> None:
        """Make what holds the sweeps, empty."""

    @abstractmethod
    def _take_sweep(self, sweep: Sweep[SweepT], calls: Calls) -> bool:
        """Keep a sweep; return False if one of its stamp is there already."""

    @abstractmethod
    def _release(self, now_s: float, calls: Calls) -> None:
        """Let images go that have what they wait for, or have waited long enough."""

    @abstractmethod
    def _forget_sweeps(self, reason: str) -> None:
        """Forget all sweeps, and count those that were not used."""

    def _take_image(self, waiting: Waiting[ImageT], calls: Calls) -> None:
        """Do more with an image that now waits."""

    def _drop(self, stamp_ns: int, reason: str, calls: Calls) -> None:
        self._counts.dropped[reason] += 1
        calls.append(lambda: self._on_drop(stamp_ns, reason))

    def _match(self, match: Match[ImageT, SweepT], calls: Calls) -> None:
        self._counts.matched += 1
        self._counts.complete += not match.missing and not match.held
        calls.append(lambda: self._on_match(match))

    def _reset_if_time_jumped(self, stream: str, stamp_ns: int, calls: Calls) -> None:
        last = self._last_ns.get(stream)
        if last is not None and last - stamp_ns > self.settings.time_jump_s * NS:
            self._counts.resets += 1
            self._clear("time_reset", calls)
            calls.append(self._on_reset)

    def _clear(self, reason: str, calls: Calls) -> None:
        while self._waiting:
            self._drop(self._waiting.popleft().stamp_ns, reason, calls)
        self._forget_sweeps(reason)
        self._last_ns.clear()


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
