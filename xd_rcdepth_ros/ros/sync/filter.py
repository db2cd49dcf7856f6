# SPDX-License-Identifier: Apache-2.0
"""The synchronisers as a filter of message_filters: images and sweeps in, matches out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from message_filters import SimpleFilter

from xd_rcdepth_ros.recordings.messages import stamp_ns_of
from xd_rcdepth_ros.ros.sync.approximate import ApproximateSynchronizer
from xd_rcdepth_ros.ros.sync.core import SyncCounts, Synchronizer, SyncSettings, run_all
from xd_rcdepth_ros.ros.sync.synchronizer import CameraSynchronizer

POLICIES: Mapping[str, type[Synchronizer[Any, Any]]] = {
    "camera": CameraSynchronizer,
    "approximate": ApproximateSynchronizer,
}


class SynchronizerFilter(SimpleFilter):
    """Passes on each image with the radar sweeps that belong to it, as one ``Match``.

    Callbacks are registered by ``registerCallback``, as on any filter. They run without any lock,
    in the thread that brought the message; one that raises keeps neither the others nor the next
    match from coming.

    Args:
        policy: A key of ``POLICIES``.
        radars: Names of the radars.
        settings: Windows and policies; may be exchanged at any time.
        on_drop: Called with (stamp_ns, reason) for each image that does not leave.
        on_reset: Called when stamps jumped back and everything waiting was dropped.
        clock: Wall clock that never goes back, seconds.
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
        self._core = POLICIES[policy](radars, settings, self.signalMessage, on_drop, on_reset)

    def connectInput(  # noqa: N802 - upstream's name
        self, images: SimpleFilter, radars: Mapping[str, SimpleFilter]
    ) -> None:
        """Listen to a filter of images and to one of each radar.

        Args:
            images: Its messages have a header, as all that is passed on must have.
            radars: By the radar's name.
        """
        images.registerCallback(self._add_image)
        for name, sweeps in radars.items():
            sweeps.registerCallback(self._add_sweep, name)

    def signalMessage(self, *message: Any) -> None:  # noqa: N802 - upstream's name
        """Call every callback, also after one of them raised; then raise the first error."""
        callbacks = list(self.callbacks.values())
        run_all([partial(callback, *message, *extra) for callback, extra in callbacks])

    def poll(self) -> None:
        """Let images go whose wait is over; to be called every now and then while any wait."""
        self._core.poll(self._clock())

    def clear(self, reason: str) -> None:
        """Drop everything that waits, and all history."""
        self._core.clear(reason)

    @property
    def settings(self) -> SyncSettings:
        """Windows and policies."""
        return self._core.settings

    @settings.setter
    def settings(self, settings: SyncSettings) -> None:
        self._core.settings = settings

    @property
    def pending(self) -> int:
        """Number of images that wait for radar."""
        return self._core.pending

    def counts(self) -> SyncCounts:
        """Return a copy of the counters."""
        return self._core.counts()

    def _add_image(self, message: Any) -> None:
        self._core.add_image(stamp_ns_of(message.header), message, self._clock())

    def _add_sweep(self, message: Any, radar: str) -> None:
        self._core.add_sweep(radar, stamp_ns_of(message.header), message, self._clock())
