# SPDX-License-Identifier: Apache-2.0
"""What a buffer remembers of one child frame: its poses over time, or one pose for ever."""

from bisect import bisect_left
from typing import NamedTuple

from tf2_py.exceptions import ExtrapolationException
from tf2_py.rigid import Rigid, interpolate


class Sample(NamedTuple):
    """A frame's pose in its parent at one time; stamp 0 means that it holds at all times."""

    stamp_ns: int
    parent: str
    transform: Rigid


def seconds(stamp_ns: int) -> str:
    """Write a stamp in seconds, as the messages of tf2 do."""
    sign, ns = ("-" if stamp_ns < 0 else ""), abs(stamp_ns)
    return f"{sign}{ns // 10**9}.{ns % 10**9 // 1000:06d}"


class TimeCache:
    """The samples of a moving frame in the order of their stamps, for a limited time back.

    Args:
        duration_ns: samples older than the newest by more than this are dropped.
    """

    is_static = False

    def __init__(self, duration_ns: int) -> None:
        self._duration_ns = duration_ns
        self._stamps: list[int] = []
        self._samples: list[Sample] = []

    def clear(self) -> None:
        """Drop every sample."""
        self._stamps.clear()
        self._samples.clear()

    def insert(self, sample: Sample) -> bool:
        """Store a sample; one of the same stamp is replaced.

        Returns:
            False if the sample is too old to be kept.
        """
        stamps, samples = self._stamps, self._samples
        if not stamps or sample.stamp_ns > stamps[-1]:
            stamps.append(sample.stamp_ns)
            samples.append(sample)
        else:
            if sample.stamp_ns < stamps[-1] - self._duration_ns:
                return False
            index = bisect_left(stamps, sample.stamp_ns)
            if stamps[index] == sample.stamp_ns:
                samples[index] = sample
            else:
                stamps.insert(index, sample.stamp_ns)
                samples.insert(index, sample)
        oldest = bisect_left(stamps, stamps[-1] - self._duration_ns)
        del stamps[:oldest], samples[:oldest]
        return True

    def newest(self) -> Sample | None:
        """Return the sample with the greatest stamp, None if there is none."""
        return self._samples[-1] if self._samples else None

    def at(self, stamp_ns: int) -> Sample:
        """Return the pose at a time, interpolated between the two samples around it.

        If the parent changes between the two, the earlier sample holds until the later one.

        Raises:
            ExtrapolationException: the time is outside the stored samples.
        """
        stamps = self._stamps
        index = bisect_left(stamps, stamp_ns)
        if index < len(stamps) and stamps[index] == stamp_ns:
            return self._samples[index]
        if len(stamps) < 2:
            raise ExtrapolationException(
                f"Lookup would require extrapolation at time {seconds(stamp_ns)}, "
                f"but only time {seconds(stamps[0] if stamps else 0)} is in the buffer"
            )
        if index == len(stamps):
            raise ExtrapolationException(
                "Lookup would require extrapolation into the future.  Requested time "
                f"{seconds(stamp_ns)} but the latest data is at time {seconds(stamps[-1])}"
            )
        if index == 0:
            raise ExtrapolationException(
                "Lookup would require extrapolation into the past.  Requested time "
                f"{seconds(stamp_ns)} but the earliest data is at time {seconds(stamps[0])}"
            )
        before, after = self._samples[index - 1], self._samples[index]
        if before.parent != after.parent:
            return before
        fraction = (stamp_ns - before.stamp_ns) / (after.stamp_ns - before.stamp_ns)
        transform = interpolate(before.transform, after.transform, fraction)
        return Sample(stamp_ns, before.parent, transform)


class StaticCache:
    """The one pose of a frame that does not move; it survives `clear`."""

    is_static = True

    def __init__(self) -> None:
        self._sample: Sample | None = None

    def clear(self) -> None:
        """Keep the pose: a static transform is sent once and holds at all times."""

    def insert(self, sample: Sample) -> bool:
        """Replace the pose."""
        self._sample = sample._replace(stamp_ns=0)
        return True

    def newest(self) -> Sample | None:
        """Return the pose."""
        return self._sample

    def at(self, stamp_ns: int) -> Sample:
        """Return the pose, which is the same at any time."""
        assert self._sample is not None
        return self._sample
