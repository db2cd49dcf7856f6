# SPDX-License-Identifier: Apache-2.0
"""Gives freed memory back to the system, which a C library by itself may keep for good.

After a cloud of a million points, or a model that was loaded anew, glibc keeps most of what was
freed, scattered between what is still in use: the process stays some 150 MB larger each time.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from pathlib import Path

_GROWTH = 1.05  # a process that grew by this much since last time is looked after


def resident_bytes() -> int:
    """Return the memory that this process has in use; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def trim() -> None:
    """Let the C library give back all whole pages that are free; nothing happens but on glibc."""
    release = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if release is not None:
        release(0)


class MemoryKeeper:
    """Trims when the process has grown, so that what was needed for a moment is not kept.

    Args:
        measure: Returns the memory in use, bytes.
        release: Gives back what is free.
    """

    def __init__(
        self,
        measure: Callable[[], int] = resident_bytes,
        release: Callable[[], None] = trim,
    ) -> None:
        self._measure, self._release = measure, release
        self._level_bytes: int | None = 0
        self.trims = 0

    def tend(self) -> None:
        """Trim if the process has grown since the time after the last trim; some milliseconds then.

        That time, not the trim itself, is what it is compared with: a moment after a trim the
        process has taken again what it works with.
        """
        now_bytes = self._measure()
        if self._level_bytes is None:
            self._level_bytes = now_bytes
        elif now_bytes > self._level_bytes * _GROWTH:
            self._release()
            self.trims += 1
            self._level_bytes = None
