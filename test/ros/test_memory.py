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

# One block a heap could hold on to: freed below another that stays.
LARGE = """
import json
import numpy as np
from xd_rcdepth_ros.ros.memory import prepare_heap, resident_bytes
prepare_heap()
for _ in range(3):
    np.ones(4_000_000)  # 32 MB; by itself, glibc takes later ones of this size from its heap
levels = [resident_bytes()]
clouds = [np.ones(3_000_000) for _ in range(8)]  # 192 MB
last = clouds.pop()
levels.append(resident_bytes())
del clouds
levels.append(resident_bytes())
print(json.dumps(levels))
"""

# A frame's buffers, freed and wanted again: pages that the system had to give anew.
AGAIN = """
import resource
import numpy as np
from xd_rcdepth_ros.ros.memory import prepare_heap
prepare_heap()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def frame():
    first, second = np.ones(500_000), np.ones(500_000)  # 4 MB each, about 1,000 pages
frame()
before = faults()
for _ in range(20):
    frame()
print(faults() - before)
"""


def test_a_frames_buffers_are_used_again():
    run = subprocess.run(
        [sys.executable, "-c", AGAIN], capture_output=True, text=True, timeout=120, check=True
    )
    assert int(run.stdout) < 1_000  # 40,000 if each frame's went back to the system


def check_that_memory_goes_back(script):
    """Run a script that prints its memory before, with and after 192 MB more, which must go.

    In a process of its own: what other tests freed before would be used again here.
    """
    if not resident_bytes():
        pytest.skip("this system does not tell how much memory a process has")
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True
    )
    before, full, after = json.loads(run.stdout)
    assert full > before + 150e6
    assert after < before + 60e6


class FakeProcess:
    """A process whose memory and time are set by hand; a trim brings it to ``floor``."""

    def __init__(self):
        self.bytes, self.floor, self.now_s, self.trims_s = 100, 0, 0.0, []
        self.keeper = MemoryKeeper(lambda: self.bytes, self.trim, lambda: self.now_s)

    def trim(self):
        """Fall to the floor."""
        self.bytes = min(self.bytes, self.floor or self.bytes)
        self.trims_s.append(self.now_s)

    def live(self, seconds):
        """Let time pass, trimmed once a second."""
        for _ in range(seconds):
            self.now_s += 1
            self.keeper.trim()


def test_it_trims_when_the_process_has_grown_and_only_then():
    process = FakeProcess()
    process.live(5)
    process.bytes = 105  # within five per cent
    process.live(5)
    assert process.trims_s == []
    process.bytes, process.floor = 200, 103
    process.live(60)
    assert (process.trims_s, process.bytes) == ([11], 103)


def test_what_is_freed_after_a_trim_goes_with_the_next():
    process = FakeProcess()
    process.live(1)
    process.bytes, process.floor = 200, 180
    process.live(5)
    process.floor = 100  # the rest is freed meanwhile
    process.live(30)
    assert (process.trims_s, process.bytes) == ([2, 12], 100)


def test_trims_that_do_not_help_become_rare():
    process = FakeProcess()
    process.live(1)
    process.bytes, process.floor = 300, 300
    process.live(3000)
    assert process.trims_s == [2, 12, 32, 72, 152, 312, 632, 1272, 1912, 2552]


def test_the_least_is_found_anew_for_another_kind_of_work():
    process = FakeProcess()
    process.live(1)
    process.keeper.reset()
    process.bytes = 300  # a model was loaded
    process.live(100)
    assert process.trims_s == []


def test_scattered_free_memory_goes_back():
    check_that_memory_goes_back(SCATTER)


def test_large_blocks_go_back_at_once_when_they_are_freed():
    check_that_memory_goes_back(LARGE)
