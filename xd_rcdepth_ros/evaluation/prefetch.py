# SPDX-License-Identifier: Apache-2.0
"""Reads ahead: what comes next is decoded while the network computes."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")
_POLL_S = 0.1


def read_ahead(items: Iterable[T], count: int = 2) -> Iterator[T]:
    """Yield items that a thread of its own takes out of an iterable ahead of their use.

    The order stays; an exception comes where the item would have come. The thread ends with the
    iterable, or when the caller stops asking.

    Args:
        items: What is read; it is gone through in the thread.
        count: Items kept ready at most.
    """
    ready: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(count)
    stop, end = threading.Event(), StopIteration()

    def put(entry: tuple[T | None, BaseException | None]) -> None:
        while not stop.is_set():
            with suppress(queue.Full):
                ready.put(entry, timeout=_POLL_S)
                return

    def read() -> None:
        try:
            for item in items:
                put((item, None))
                if stop.is_set():
                    return
            put((None, end))
        except BaseException as error:  # raised again in the caller's thread
            put((None, error))

    thread = threading.Thread(target=read, name="read_ahead", daemon=True)
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if error is end:
                return
            if error is not None:
                raise error
            yield item  # type: ignore[misc]  # without an error there is an item
    finally:
        stop.set()
        thread.join()
