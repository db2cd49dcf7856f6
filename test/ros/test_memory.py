# SPDX-License-Identifier: Apache-2.0
"""Freed memory is given back when the process has grown, and only then."""

import gc

import numpy as np
import pytest

from xd_rcdepth_ros.ros.memory import MemoryKeeper, resident_bytes, trim


def keeper(levels):
    """Return a keeper that reads these levels one after the other."""
    remaining = iter(levels)
    return MemoryKeeper(lambda: next(remaining), lambda: None)


def test_it_trims_when_the_process_has_grown_and_remembers_what_is_left():
    tended = keeper([100, 90, 94, 200, 120, 124, 127])
    trims = []
    for _ in range(7):
        tended.tend()
        trims.append(tended.trims)
    # Trimmed; 90 is the level; within 5 % of it; trimmed; 120 is the level; within; trimmed.
    assert trims == [1, 1, 1, 2, 2, 2, 3]


def test_scattered_free_memory_goes_back():
    before = resident_bytes()
    if not before:
        pytest.skip("this system does not tell how much memory a process has")
    # Pieces too small to be mapped on their own; every thousandth stays and holds the heap up.
    pieces = [np.ones(4000) for _ in range(6000)]  # 192 MB
    kept = pieces[::1000]
    assert resident_bytes() > before + 150e6
    del pieces
    gc.collect()
    trim()
    assert resident_bytes() < before + 60e6
    assert len(kept) == 6
