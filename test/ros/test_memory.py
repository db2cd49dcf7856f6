# SPDX-License-Identifier: Apache-2.0
"""Freed memory is given back when the process has grown, and only then."""

import json
import subprocess
import sys

import pytest

from xd_rcdepth_ros.ros.memory import MemoryKeeper, resident_bytes

# Pieces too small to be mapped on their own; every thousandth stays and holds the heap up.
SCATTER = """
import gc, json
import numpy as np
from xd_rcdepth_ros.ros.memory import resident_bytes, trim
levels = [resident_bytes()]
pieces = [np.ones(4000) for _ in range(6000)]  # 192 MB
kept = pieces[::1000]
levels.append(resident_bytes())
del pieces
gc.collect()
trim()
levels.append(resident_bytes())
assert len(kept) == 6
print(json.dumps(levels))
"""


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
    if not resident_bytes():
        pytest.skip("this system does not tell how much memory a process has")
    # A process of its own: what other tests freed before would be used again here.
    run = subprocess.run(
        [sys.executable, "-c", SCATTER], capture_output=True, text=True, timeout=120, check=True
    )
    before, full, after = json.loads(run.stdout)
    assert full > before + 150e6
    assert after < before + 60e6
