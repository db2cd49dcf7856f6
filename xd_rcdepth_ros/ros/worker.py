# SPDX-License-Identifier: Apache-2.0
"""A newest-only slot and the thread that empties it: callbacks never wait for the network."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class NewestWorker(Generic[T]):
    """Works on the newest item in a thread of its own; what it cannot keep up with is dropped.

    Args:
        name: Name of the thread.
        work: Called with each item that is taken.
        on_drop: Called with (item, reason) for an item that is not taken.
        on_error: Called with (item, error) if the work raises; the thread goes on.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[T], None],
        on_drop: Callable[[T, str], None],
        on_error: Callable[[T, Exception], None],
    ) -> None:
        self._work, self._on_drop, self._on_error = work, on_drop, on_error
        self._condition = threading.Condition()
        self._item: list[T] = []  # at most one
        self._busy = False
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, item: T) -> None:
        """Offer an item; one that still waits is dropped as ``newer_frame``. Never blocks long."""
        with self._condition:
            replaced, reason = self._item, "newer_frame"
            if self._stopping:
                replaced, reason = [item], "deactivated"
            else:
                self._item = [item]
                self._condition.notify_all()
        for old in replaced:
            self._on_drop(old, reason)

    @property
    def idle(self) -> bool:
        """True if nothing waits and nothing is being worked on."""
        with self._condition:
            return not self._item and not self._busy

    def clear(self, reason: str) -> None:
        """Drop the item that waits, if any."""
        with self._condition:
            dropped, self._item = self._item, []
        for item in dropped:
            self._on_drop(item, reason)

    def stop(self, timeout_s: float = 30.0) -> bool:
        """Finish the item at hand, drop the one that waits, end the thread.

        Returns:
            True if the thread has ended within the time.
        """
        with self._condition:
            self._stopping = True
            self._condition.notify_all()
        self.clear("deactivated")
        if self._thread is not threading.current_thread():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._item or self._stopping)
                if self._stopping:
                    return
                item = self._item.pop()
                self._busy = True
            try:
                self._work(item)
            except Exception as error:  # one bad frame must not end the node
                self._on_error(item, error)
            finally:
                with self._condition:
                    self._busy = False
                del item  # frames are large; do not keep the last one alive while waiting
