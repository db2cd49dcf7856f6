# SPDX-License-Identifier: Apache-2.0
"""Which sweeps go with an image: one rule for recordings and for the live node.

A recording has all stamps at once. The live node keeps the sweeps of each radar in a
``SweepHistory``, which also says whether a nearer one is still to be expected.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

SweepT = TypeVar("SweepT")

NS = 1_000_000_000
MAX_SWEEP_GAP_NS = 500_000_000
"""Sweeps of one radar further apart than this do not belong to one past, nanoseconds."""


def nearest_stamp(
    stamps_ns: Sequence[int] | NDArray[np.int64], stamp_ns: int, window_ns: int
) -> int | None:
    """Return the index of the stamp that is nearest to another; the earlier one of two as near.

    Args:
        stamps_ns: Ascending stamps, nanoseconds.
        stamp_ns: The other one, such as an image's.
        window_ns: Greatest distance; None is returned where all are farther.
    """
    after = bisect_left(stamps_ns, stamp_ns)
    beside = range(max(after - 1, 0), min(after + 1, len(stamps_ns)))
    near = [i for i in beside if abs(int(stamps_ns[i]) - stamp_ns) <= window_ns]
    return min(near, key=lambda i: abs(int(stamps_ns[i]) - stamp_ns), default=None)


def sweeps_up_to(
    stamps_ns: Sequence[int] | NDArray[np.int64], newest: int, count: int
) -> list[int]:
    """Return the indices of a sweep and of those before it, newest first, none behind a gap.

    Args:
        stamps_ns: Ascending stamps of a radar, nanoseconds.
        newest: Index of the newest sweep wanted.
        count: Sweeps wanted, at least 1.
    """
    chosen = [newest]
    for index in range(newest - 1, max(newest - count, -1), -1):
        if stamps_ns[index + 1] - stamps_ns[index] > MAX_SWEEP_GAP_NS:
            break
        chosen.append(index)
    return chosen


@dataclass(frozen=True)
class Sweep(Generic[SweepT]):
    """One sweep of a radar."""

    radar: str
    stamp_ns: int
    payload: SweepT


class SweepHistory(Generic[SweepT]):
    """Sweeps of one radar in the order of their stamps, and which of them were used."""

    def __init__(self) -> None:
        self.stamps: list[int] = []
        self.sweeps: list[Sweep[SweepT]] = []
        self.used: list[bool] = []
        self.recent_ns: deque[int] = deque(maxlen=9)  # stamps in the order of arrival
        self._delays_s: deque[float] = deque(maxlen=9)  # wall time at arrival minus stamp

    def insert(self, sweep: Sweep[SweepT], now_s: float) -> bool:
        """Keep a sweep that came at a wall time; return False if one of its stamp is there."""
        at = bisect_left(self.stamps, sweep.stamp_ns)
        if self.stamps[at : at + 1] == [sweep.stamp_ns]:
            return False
        self.stamps.insert(at, sweep.stamp_ns)
        self.sweeps.insert(at, sweep)
        self.used.insert(at, False)
        self.recent_ns.append(sweep.stamp_ns)
        self._delays_s.append(now_s - sweep.stamp_ns / NS)
        return True

    def has_nearest(self, stamp_ns: int, window_ns: int, lead_ns: int, latest_s: float) -> bool:
        """Return True if a sweep fits an image and no nearer one is worth waiting for.

        Args:
            stamp_ns: Stamp of the image, nanoseconds.
            window_ns: Greatest distance of a sweep that fits.
            lead_ns: A sweep measured later than this after the image is not worth it.
            latest_s: Wall time at which the image leaves anyway, seconds.
        """
        if nearest_stamp(self.stamps, stamp_ns, window_ns) is None:
            return False
        age_ns = stamp_ns - self.stamps[-1]
        if age_ns <= 0:
            return True  # sweeps come in the order of their stamps, so others are farther
        steps = [b - a for a, b in pairwise(self.recent_ns) if b > a]
        if not steps:
            return False
        period_ns = median(steps)
        past_ns = age_ns % period_ns  # sweeps are expected at whole periods
        ahead_ns = period_ns - past_ns
        nearer = [-past_ns] if past_ns < age_ns else []  # measured already, and on its way
        nearer += [ahead_ns] if ahead_ns < age_ns and ahead_ns <= lead_ns else []
        delay_s = min(self._delays_s)
        return not any((stamp_ns + offset) / NS + delay_s <= latest_s for offset in nearer)

    def last_before(self, stamp_ns: int, reach_ns: int) -> int | None:
        """Return the index of the last sweep up to a stamp; None if it is older than the reach."""
        at = bisect_left(self.stamps, stamp_ns + 1) - 1
        return at if at >= 0 and self.stamps[at] >= stamp_ns - reach_ns else None

    def take(self, newest: int, count: int) -> tuple[list[Sweep[SweepT]], int]:
        """Return a sweep and those before it, and how many are used for the first time."""
        chosen = sweeps_up_to(self.stamps, newest, count)
        first_uses = sum(not self.used[index] for index in chosen)
        for index in chosen:
            self.used[index] = True
        return [self.sweeps[index] for index in chosen], first_uses

    def drop_first(self, count: int) -> int:
        """Drop the oldest sweeps; return how many of them were never used."""
        unused = self.used[:count].count(False)
        del self.stamps[:count], self.sweeps[:count], self.used[:count]
        return unused
