# SPDX-License-Identifier: Apache-2.0
"""Gives freed memory back to the system, which a C library by itself may keep for good.

After a cloud of a million points, or a model that was loaded anew, glibc keeps most of what was
freed, scattered between what is still in use: the process stays some 150 MB larger each time.
"""

from __future__ import annotations

import ctypes
import gc
import os
import time
from collections.abc import Callable
from pathlib import Path

_GROWTH = 1.05  # a process that grew by this much over its least is looked after
_PAUSE_S = (10.0, 640.0)  # between trims: at first, and after many that did not help
# Larger blocks are pages of their own, which go back when they are freed. glibc's own limit rises
# to 32 MB with use; the network's largest activation at 352x704, 24 MB, loses little by this.
_OWN_PAGES_BYTES = 16 << 20
# What is free at a heap's end stays with the process up to this, for the next frame's buffers.
# glibc's own limit, 128 kB, gives them back after each frame, and the system zeroes every page of
# the next: to draw 25,000 returns then takes 7 ms instead of 3.
_KEPT_BYTES = 32 << 20
_HEAPS = 2  # glibc makes one a thread, and each keeps what its threads freed
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h


def resident_bytes(process: int | str = "self") -> int:
    """Return the memory that a process has in use; 0 where the system does not tell.

    Args:
        process: Its number, or ``self`` for this one.
    """
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def prepare_heap() -> None:
    """Let large blocks go back at once when they are freed, and a frame's buffers be used again.

    For the whole process, before it works. Nothing happens but on glibc, nor to what
    ``MALLOC_MMAP_THRESHOLD_``, ``MALLOC_TRIM_THRESHOLD_`` and ``MALLOC_ARENA_MAX`` say otherwise.
    """
    limit = getattr(ctypes.CDLL(None), "mallopt", None)
    if limit is None:
        return
    for variable, option, value in (
        ("MALLOC_MMAP_THRESHOLD_", _M_MMAP_THRESHOLD, _OWN_PAGES_BYTES),
        ("MALLOC_TRIM_THRESHOLD_", _M_TRIM_THRESHOLD, _KEPT_BYTES),
        ("MALLOC_ARENA_MAX", _M_ARENA_MAX, _HEAPS),
    ):
        if variable not in os.environ:
            limit(option, value)


def trim() -> None:
    """Let the C library give back all whole pages that are free; nothing happens but on glibc."""
    release = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if release is not None:
        release(0)


def release_all() -> None:
    """Free what only refers to itself, such as a model that was dropped, and give it back."""
    gc.collect()
    trim()


class MemoryKeeper:
    """Trims while the process is larger than it was at its least, so that no moment's need stays.

    What is freed some time after a trim goes with the next one. Each trim that does not help
    doubles the time to the next, so that a process that needs more for good is hardly troubled.

    Args:
        measure: Returns the memory in use, bytes.
        release: Gives back what is free.
        clock_s: Returns the time, seconds.
    """

    def __init__(
        self,
        measure: Callable[[], int] = resident_bytes,
        release: Callable[[], None] = trim,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._measure, self._release, self._clock_s = measure, release, clock_s
        self._next_s = self._pause_s = 0.0
        self._least_bytes = float("inf")
        self.trims = 0

    def trim(self) -> None:
        """Trim if the process has grown and enough time has passed; some milliseconds then."""
        now_bytes, now_s = self._measure(), self._clock_s()
        self._least_bytes = min(self._least_bytes, now_bytes)
        if now_bytes <= self._least_bytes * _GROWTH:
            self._pause_s = 0.0
        elif now_s >= self._next_s:
            self._release()
            self.trims += 1
            self._pause_s = min(max(2 * self._pause_s, _PAUSE_S[0]), _PAUSE_S[1])
            self._next_s = now_s + self._pause_s

    def reset(self) -> None:
        """Find the least anew: what the process works with has changed."""
        self._least_bytes = float("inf")
