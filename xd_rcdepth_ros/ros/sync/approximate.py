# SPDX-License-Identifier: Apache-2.0
"""Full sets by message_filters' own ApproximateTimeSynchronizer, guarded against its faults.

What it is known for: it calls the user under its lock, so that an exception there silences it for
good; it loses most sets once stamps jump back; and it forgets messages without a word. Here it
calls a function that only takes notes, it is made anew after a jump or an error, and each message
is counted with what became of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic

import message_filters
from rclpy.duration import Duration
from std_msgs.msg import Header

from xd_rcdepth_ros.ros.conversions import ns_to_stamp
from xd_rcdepth_ros.ros.sync.core import (
    Calls,
    ImageT,
    Match,
    Sweep,
    SweepT,
    Synchronizer,
    Waiting,
)

QUEUE_SIZE = 10


@dataclass(frozen=True, eq=False)
class _Envelope:
    """What goes through message_filters: something with a stamp where it looks for one."""

    header: Header
    content: Any


class ApproximateSynchronizer(Synchronizer[ImageT, SweepT], Generic[ImageT, SweepT]):
    """Puts one image and one sweep of each radar together, less than ``window_s`` apart.

    Images leave in the order of their stamps. One that finds no full set within ``max_wait_s``, or
    before a later image finds its own, leaves alone (``on_missing_radar: image_only``) or is
    dropped (``skip``). ``sweeps`` and ``hold`` are the camera-driven synchroniser's.

    Arguments as for :class:`Synchronizer`.
    """

    def held_sweeps(self) -> Mapping[str, int]:
        """Return how many sweeps of each radar still wait for an image."""
        with self._lock:
            return {name: len(kept) for name, kept in self._kept.items()}

    # From here on the lock is held.

    def _begin(self) -> None:
        """Make a new synchroniser of message_filters, and the filters that feed it."""
        self._kept: dict[str, dict[int, Sweep[SweepT]]] = {name: {} for name in self._radars}
        self._found: list[tuple[_Envelope, ...]] = []
        self._doors = {name: message_filters.SimpleFilter() for name in ("", *self._radars)}
        self._sets = message_filters.ApproximateTimeSynchronizer(
            list(self._doors.values()), QUEUE_SIZE, self.settings.window_s
        )
        found = self._found
        self._sets.registerCallback(lambda *messages: found.append(messages))

    def _take_image(self, waiting: Waiting[ImageT], calls: Calls) -> None:
        if self._radars:
            self._feed("", waiting.stamp_ns, waiting, calls)

    def _take_sweep(self, sweep: Sweep[SweepT], calls: Calls) -> bool:
        kept = self._kept[sweep.radar]
        if sweep.stamp_ns in kept:
            return False
        kept[sweep.stamp_ns] = sweep
        if len(kept) > QUEUE_SIZE:
            del kept[min(kept)]
            self._counts.sweeps_unused[sweep.radar, "superseded"] += 1
        self._feed(sweep.radar, sweep.stamp_ns, sweep, calls)
        return True

    def _feed(self, stream: str, stamp_ns: int, content: Any, calls: Calls) -> None:
        self._sets.slop = Duration(seconds=self.settings.window_s)
        try:
            self._doors[stream].signalMessage(
                _Envelope(Header(stamp=ns_to_stamp(stamp_ns)), content)
            )
        except Exception as error:  # whatever it is, the node goes on with a new one
            self._clear("synchronizer_error", calls)
            calls.append(_raiser(error))
            return
        for messages in self._found:
            self._take_set(*(message.content for message in messages), calls=calls)
        self._found.clear()

    def _take_set(self, waiting: Waiting[ImageT], *sweeps: Sweep[SweepT], calls: Calls) -> None:
        free = [self._kept[sweep.radar].pop(sweep.stamp_ns, None) for sweep in sweeps]
        if waiting not in self._waiting:  # it has left already
            for sweep in filter(None, free):
                self._counts.sweeps_unused[sweep.radar, "late"] += 1
            return
        while self._waiting[0] is not waiting:
            self._leave_alone(calls)
        self._waiting.popleft()
        for sweep in filter(None, free):
            self._counts.sweeps_used[sweep.radar] += 1
        newest_first = tuple(sorted(sweeps, key=lambda sweep: -sweep.stamp_ns))
        match = Match(waiting.stamp_ns, waiting.image, newest_first, (), (), waiting.arrived_s)
        self._match(match, calls)

    def _release(self, now_s: float, calls: Calls) -> None:
        settings = self.settings
        while self._waiting and (
            not self._radars
            or now_s - self._waiting[0].arrived_s >= settings.max_wait_s
            or len(self._waiting) > settings.max_pending
        ):
            self._leave_alone(calls)

    def _leave_alone(self, calls: Calls) -> None:
        waiting = self._waiting.popleft()
        self._withdraw(waiting)
        if self._radars and self.settings.on_missing_radar == "skip":
            self._drop(waiting.stamp_ns, "no_radar", calls)
            return
        match: Match[ImageT, SweepT] = Match(
            waiting.stamp_ns, waiting.image, (), self._radars, (), waiting.arrived_s
        )
        self._match(match, calls)

    def _withdraw(self, waiting: Waiting[ImageT]) -> None:
        """Take an image that leaves alone out of the queue, where it would use up a sweep."""
        for queue in getattr(self._sets, "queues", ())[:1]:
            for stamp, message in list(queue.items()):
                if message.content is waiting:
                    del queue[stamp]

    def _forget_sweeps(self, reason: str) -> None:
        for radar, kept in self._kept.items():
            if kept:
                self._counts.sweeps_unused[radar, reason] += len(kept)
        self._begin()


def _raiser(error: Exception) -> Callable[[], None]:
    def call() -> None:
        raise error

    return call
