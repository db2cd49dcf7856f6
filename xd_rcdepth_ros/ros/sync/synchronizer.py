# SPDX-License-Identifier: Apache-2.0
"""The camera drives: each image leaves with the newest radar sweeps that fit it, or says why not.

The synchronisers of message_filters wait for full sets, call the user under their lock (an
exception there silences them for good) and lose most pairs once stamps jump back; a camera-driven
node needs none of that.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from typing import Generic

from xd_rcdepth_ros.ros.sync.core import (
    NS,
    Calls,
    ImageT,
    Match,
    Sweep,
    SweepT,
    SyncCounts,
    Synchronizer,
    SyncSettings,
    Waiting,
)

__all__ = ["NS", "CameraSynchronizer", "Match", "Sweep", "SyncCounts", "SyncSettings"]


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


class CameraSynchronizer(Synchronizer[ImageT, SweepT]):
    """Puts images and radar sweeps together; the camera drives.

    Arguments as for :class:`Synchronizer`.
    """

    def held_sweeps(self) -> Mapping[str, int]:
        """Return how many unused sweeps of each radar are kept for images to come."""
        with self._lock:
            return {name: h.used.count(False) for name, h in self._histories.items()}

    # From here on the lock is held.

    def _begin(self) -> None:
        self._histories: dict[str, _History[SweepT]] = {name: _History() for name in self._radars}

    def _take_sweep(self, sweep: Sweep[SweepT], calls: Calls) -> bool:
        if not self._histories[sweep.radar].insert(sweep.stamp_ns, sweep.payload):
            return False
        self._forget_old(sweep.radar)
        return True

    def _forget_sweeps(self, reason: str) -> None:
        for radar, history in self._histories.items():
            self._count_gone(radar, history.drop_before(len(history.stamps)), reason)

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

    def _release(self, now_s: float, calls: Calls) -> None:
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

    def _leave(self, waiting: Waiting[ImageT], calls: Calls) -> None:
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
        self._match(match, calls)

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
