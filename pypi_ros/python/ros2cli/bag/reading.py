# SPDX-License-Identifier: Apache-2.0
"""Opening bags, and reading messages ahead of their time in a second thread."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ros2cli.errors import CommandError
from rosbags.rosbag2 import Reader

_MAX_BYTES = 64 * 2**20
_MAX_MESSAGES = 2000


@contextlib.contextmanager
def open_bag(path: str) -> Iterator[Reader]:
    """Open a bag, whatever its storage.

    Args:
        path: The bag's directory, or a single ``.mcap`` or ``.db3`` file.

    Raises:
        CommandError: It is no bag, or a damaged one.
    """
    try:
        reader = Reader(Path(path))
        reader.open()
    except Exception as error:  # each storage has errors of its own
        raise CommandError(f"cannot read bag '{path}': {_text(error)}") from error
    try:
        yield reader
    finally:
        reader.close()


def _text(error: Exception) -> str:
    return f"{error or type(error).__name__} (is it complete?)"


class ReadAhead:
    """An iterator over (connection, time stamp in ns, bytes), filled by a thread."""

    def __init__(self, reader: Reader, connections: list[Any], start_ns: int, stop_ns: int) -> None:
        """Begin to read.

        Args:
            reader: The open bag.
            connections: The connections to read.
            start_ns: First stamp.
            stop_ns: Stamp after the last one.
        """
        self._messages = reader.messages(connections, start_ns, stop_ns)
        self._queue: deque[tuple[Any, int, bytes]] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._ended = False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._fill, daemon=True)
        self._thread.start()

    def _fill(self) -> None:
        try:
            for connection, stamp_ns, data in self._messages:
                data = data if isinstance(data, bytes) else bytes(data)
                with self._changed:
                    self._changed.wait_for(self._has_room)
                    if self._ended:
                        return
                    self._queue.append((connection, stamp_ns, data))
                    self._bytes += len(data)
                    self._changed.notify_all()
        except Exception as error:  # passed on to the reading side
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _has_room(self) -> bool:
        few = len(self._queue) < _MAX_MESSAGES and self._bytes < _MAX_BYTES
        return self._ended or few

    def __iter__(self) -> Iterator[tuple[Any, int, bytes]]:
        """Yield the messages.

        Raises:
            CommandError: The bag is damaged behind the last message yielded.
        """
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._ended)
                if not self._queue:
                    break
                item = self._queue.popleft()
                self._bytes -= len(item[2])
                self._changed.notify_all()
            yield item
        if self._error is not None:
            raise CommandError(f"the bag is damaged: {_text(self._error)}") from self._error

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._thread.join()
