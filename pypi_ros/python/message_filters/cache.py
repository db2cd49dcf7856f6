# SPDX-License-Identifier: Apache-2.0
"""The last messages of a filter, found by their stamps."""

from bisect import bisect_left, bisect_right
from threading import Lock
from typing import Any

from message_filters.simple_filter import SimpleFilter
from message_filters.stamps import nanoseconds, stamp_ns
from rclpy.clock import ClockType
from rclpy.time import Time


class Cache(SimpleFilter):
    """Remembers the newest messages in the order of their stamps, and passes each on.

    A message older than all of a full cache means that time was set back (a bag that starts
    again): the cache then begins anew with it.

    Args:
        f: the filter to listen to.
        cache_size: how many messages to remember.
        allow_headerless: take messages without a header at the time of their arrival.
    """

    def __init__(self, f: SimpleFilter, cache_size: int = 1, allow_headerless: bool = False):
        super().__init__()
        self.cache_size = cache_size
        self.allow_headerless = allow_headerless
        self.cache_msgs: list[Any] = []
        self._stamps: list[int] = []
        self._lock = Lock()
        self.connectInput(f)

    def connectInput(self, f: SimpleFilter) -> None:
        """Listen to a filter."""
        self.incoming_connection = f.registerCallback(self.add)

    def add(self, msg: Any) -> None:
        """Take in a message."""
        stamp = stamp_ns(msg, self.allow_headerless)
        if stamp is None:
            return
        with self._lock:
            if len(self._stamps) >= self.cache_size:
                forget = len(self._stamps) if stamp < self._stamps[0] else 1
                del self._stamps[:forget], self.cache_msgs[:forget]
            index = bisect_right(self._stamps, stamp)
            self._stamps.insert(index, stamp)
            self.cache_msgs.insert(index, msg)
        self.signalMessage(msg)

    def getInterval(self, from_stamp: Any, to_stamp: Any) -> list[Any]:
        """Return the messages between two times, both included."""
        start, end = nanoseconds(from_stamp), nanoseconds(to_stamp)
        assert start <= end, f"The interval ends at {end} ns before it starts at {start} ns"
        with self._lock:
            return self.cache_msgs[
                bisect_left(self._stamps, start) : bisect_right(self._stamps, end)
            ]

    def getElemAfterTime(self, stamp: Any) -> Any:
        """Return the oldest message at or after a time, None if there is none."""
        with self._lock:
            return next(
                iter(self.cache_msgs[bisect_left(self._stamps, nanoseconds(stamp)) :]), None
            )

    def getElemBeforeTime(self, stamp: Any) -> Any:
        """Return the newest message at or before a time, None if there is none."""
        with self._lock:
            index = bisect_right(self._stamps, nanoseconds(stamp))
            return self.cache_msgs[index - 1] if index else None

    def getLatestTime(self) -> Time | None:
        """Return the newest stamp, None if the cache is empty."""
        with self._lock:
            return _time(self._stamps[-1]) if self._stamps else None

    getLastestTime = getLatestTime  # upstream's spelling

    def getOldestTime(self) -> Time | None:
        """Return the oldest stamp, None if the cache is empty."""
        with self._lock:
            return _time(self._stamps[0]) if self._stamps else None

    def getLast(self) -> Any:
        """Return the newest message, None if the cache is empty."""
        with self._lock:
            return self.cache_msgs[-1] if self.cache_msgs else None


def _time(stamp: int) -> Time:
    return Time(nanoseconds=stamp, clock_type=ClockType.ROS_TIME)
