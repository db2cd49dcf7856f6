# SPDX-License-Identifier: Apache-2.0
"""The synchroniser as a filter of message_filters, and the policy that uses its full sets."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic

import message_filters
from rclpy.duration import Duration
from std_msgs.msg import Header

from xd_rcdepth_ros.geometry.sweep_choice import Sweep, SweepT
from xd_rcdepth_ros.recordings.messages import stamp_ns_of
from xd_rcdepth_ros.ros.conversions import ns_to_stamp
from xd_rcdepth_ros.ros.sync.core import (
    CameraSynchronizer,
    ImageT,
    Synchronizer,
    SyncSettings,
    Waiting,
    run_all,
)

QUEUE_SIZE = 10


class ApproximateSynchronizer(Synchronizer[ImageT, SweepT], Generic[ImageT, SweepT]):
    """Makes full sets by message_filters' ``ApproximateTimeSynchronizer``, guarded against faults.

    What that is known for: it calls the user under its lock, so that an exception there silences it
    for good; it loses most sets once stamps jump back; it drops messages without a word. Here it
    calls a function that only takes notes, it is made anew after a jump or an error, and each
    message is counted with what became of it.

    One image and one sweep of each radar make a set if they are less than ``window_s`` apart.
    Images leave in the order of their stamps. One that finds no full set within ``max_wait_s``, or
    before a later image finds its own, leaves alone (``on_missing_radar: image_only``) or is
    dropped (``skip``). ``sweeps`` and ``hold`` are the camera-driven synchroniser's.

    Arguments as for :class:`Synchronizer`.
    """

    def held_sweeps(self) -> Mapping[str, int]:
        """Return how many sweeps of each radar still wait for an image."""
        with self._lock:
            return {name: len(kept) for name, kept in self._kept.items()}

    def _start_sweeps(self) -> None:
        """Make a new synchroniser of message_filters, and the filters that feed it."""
        self._kept: dict[str, dict[int, Sweep[SweepT]]] = {name: {} for name in self._radars}
        self._found: list[tuple[_Envelope, ...]] = []
        self._entries = {name: message_filters.SimpleFilter() for name in ("", *self._radars)}
        self._sets = message_filters.ApproximateTimeSynchronizer(
            list(self._entries.values()), QUEUE_SIZE, self.settings.window_s
        )
        found = self._found
        self._sets.registerCallback(lambda *messages: found.append(messages))

    def _take_image(self, waiting: Waiting[ImageT]) -> None:
        if self._radars:
            self._feed("", waiting.stamp_ns, waiting)

    def _take_sweep(self, sweep: Sweep[SweepT], now_s: float) -> bool:
        kept = self._kept[sweep.radar]
        if sweep.stamp_ns in kept:
            return False
        kept[sweep.stamp_ns] = sweep
        if len(kept) > QUEUE_SIZE:
            del kept[min(kept)]
            self._counts.sweeps_unused[sweep.radar, "superseded"] += 1
        self._feed(sweep.radar, sweep.stamp_ns, sweep)
        return True

    def _feed(self, stream: str, stamp_ns: int, content: Any) -> None:
        self._sets.slop = Duration(seconds=self.settings.window_s)
        try:
            self._entries[stream].signalMessage(
                _Envelope(Header(stamp=ns_to_stamp(stamp_ns)), content)
            )
        except Exception as error:  # whatever it is, the node goes on with a new one
            self._clear("synchronizer_error")
            self._outbox.append(partial(_raise, error))
            return
        for messages in self._found:
            self._take_set(*(message.content for message in messages))
        self._found.clear()

    def _take_set(self, waiting: Waiting[ImageT], *sweeps: Sweep[SweepT]) -> None:
        unused = [s for s in sweeps if self._kept[s.radar].pop(s.stamp_ns, None)]
        if waiting not in self._waiting:  # it has left already
            self._counts.sweeps_unused.update((sweep.radar, "late") for sweep in unused)
            return
        while self._waiting[0] is not waiting:
            self._send_alone()
        self._waiting.popleft()
        self._counts.sweeps_used.update(sweep.radar for sweep in unused)
        self._send(waiting, sweeps)

    def _release(self, now_s: float) -> None:
        settings = self.settings
        while self._waiting and (
            not self._radars
            or now_s - self._waiting[0].arrived_s >= settings.max_wait_s
            or len(self._waiting) > settings.max_pending
        ):
            self._send_alone()

    def _send_alone(self) -> None:
        waiting = self._waiting.popleft()
        # In message_filters' queue it would use up a sweep.
        for queue in getattr(self._sets, "queues", ())[:1]:
            for stamp, message in list(queue.items()):
                if message.content is waiting:
                    del queue[stamp]
        if self._radars and self.settings.on_missing_radar == "skip":
            self._drop(waiting.stamp_ns, "no_radar")
        else:
            self._send(waiting, (), missing=self._radars)

    def _drop_sweeps(self, reason: str) -> None:
        for radar, kept in self._kept.items():
            if kept:
                self._counts.sweeps_unused[radar, reason] += len(kept)
        self._start_sweeps()


@dataclass(frozen=True, eq=False)
class _Envelope:
    """What goes through message_filters: something with a stamp where it looks for one."""

    header: Header
    content: Any


def _raise(error: Exception) -> None:
    raise error


POLICIES: Mapping[str, type[Synchronizer[Any, Any]]] = {
    "camera": CameraSynchronizer,
    "approximate": ApproximateSynchronizer,
}


class SynchronizerFilter(message_filters.SimpleFilter):
    """Passes on each image with the radar sweeps that belong to it, as one ``Match``.

    Callbacks are registered by ``registerCallback``, as on any filter. They run without any lock,
    in the thread that brought the message; one that raises keeps neither the others nor the next
    match from coming.

    Args:
        policy: A key of ``POLICIES``.
        radars: Names of the radars.
        settings: Windows and policies.
        on_drop: Called with (stamp_ns, reason) for each image that does not leave.
        on_reset: Called when stamps jumped back and everything waiting was dropped.
        clock: Wall clock that never goes back, seconds.

    Attributes:
        core: The synchroniser itself: its settings may be exchanged at any time, and its ``poll``
            is to be called every now and then while any image is ``pending``.
    """

    def __init__(
        self,
        policy: str,
        radars: Sequence[str],
        settings: SyncSettings,
        on_drop: Callable[[int, str], None] = lambda stamp_ns, reason: None,
        on_reset: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._clock = clock
        self.core = POLICIES[policy](radars, settings, self.signalMessage, on_drop, on_reset)

    def connectInput(  # noqa: N802 - upstream's name
        self,
        images: message_filters.SimpleFilter,
        radars: Mapping[str, message_filters.SimpleFilter],
    ) -> None:
        """Listen to a filter of images and to one of each radar.

        Args:
            images: Its messages have a header, as all that is passed on must have.
            radars: By the radar's name.
        """
        images.registerCallback(self.add_image)
        for name, sweeps in radars.items():
            sweeps.registerCallback(self.add_sweep, name)

    def add_image(self, message: Any) -> None:
        """Take an image, a message with a header."""
        self.core.add_image(stamp_ns_of(message.header), message, self._clock())

    def add_sweep(self, message: Any, radar: str) -> None:
        """Take a sweep of a radar, anything with a header."""
        self.core.add_sweep(radar, stamp_ns_of(message.header), message, self._clock())

    def signalMessage(self, *message: Any) -> None:  # noqa: N802 - upstream's name
        """Call every callback, also after one of them raised; then raise the first error."""
        callbacks = list(self.callbacks.values())
        run_all([partial(callback, *message, *extra) for callback, extra in callbacks])
