# SPDX-License-Identifier: Apache-2.0
"""A slot for the newest item and the thread that empties it: callbacks never wait."""

from __future__ import annotations

import threading
from collections import deque
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
        keep: Items that may wait; one more drops the oldest.
        finish: Work on the items that wait when the worker is stopped, instead of dropping them.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[T], None],
        on_drop: Callable[[T, str], None],
        on_error: Callable[[T, Exception], None],
        keep: int = 1,
        finish: bool = False,
    ) -> None:
        self._work, self._on_drop, self._on_error = work, on_drop, on_error
        self._keep, self._finish = keep, finish
        self._condition = threading.Condition()
        self._items: deque[T] = deque()
        self._busy = False
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, item: T) -> None:
        """Offer an item; the oldest of too many is dropped as ``newer_frame``. Never waits."""
        dropped, reason = [], "newer_frame"
        with self._condition:
            if self._stopping:
                dropped, reason = [item], "deactivated"
            else:
                self._items.append(item)
                if len(self._items) > self._keep:
                    dropped.append(self._items.popleft())
                self._condition.notify_all()
        for old in dropped:
            self._on_drop(old, reason)

    @property
    def idle(self) -> bool:
        """True if nothing waits and nothing is being worked on."""
        with self._condition:
            return not self._items and not self._busy

    def clear(self, reason: str) -> None:
        """Drop the items that wait."""
        with self._condition:
            dropped, self._items = self._items, deque()
        for item in dropped:
            self._on_drop(item, reason)

    def stop(self, timeout_s: float = 30.0) -> bool:
        """Finish the item at hand, drop (or finish) those that wait, end the thread.

        Returns:
            True if the thread has ended within the time.
        """
        with self._condition:
            self._stopping = True
            self._condition.notify_all()
        if not self._finish:
            self.clear("deactivated")
        if self._thread is not threading.current_thread():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._items or self._stopping)
                if not self._items or (self._stopping and not self._finish):
                    return
                item = self._items.popleft()
                self._busy = True
            try:
                self._work(item)
            except Exception as error:  # one bad frame must not end the node
                self._on_error(item, error)
            finally:
                with self._condition:
                    self._busy = False
                del item  # frames are large; do not keep the last one alive while waiting
