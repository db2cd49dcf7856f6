# SPDX-License-Identifier: Apache-2.0
"""Sets of messages, one of each input, that belong to about one time.

Callbacks run without the lock: a slow one does not stop the inputs, and one that raises leaves
the synchronizer in order.
"""

from collections.abc import Sequence
from threading import Lock
from typing import Any

from message_filters.simple_filter import SimpleFilter
from rclpy.duration import Duration
from rclpy.logging import get_logger

Queue = dict[int, Any]
"""The waiting messages of an input by stamp in nanoseconds, in the order of arrival."""

_LOGGER = get_logger("message_filters")


class ApproximateTimeSynchronizer(SimpleFilter):
    """Passes on sets of messages whose stamps are less than `slop` apart, as msg1, ..., msgN.

    A set is passed on as soon as it is complete. Of several sets that a new message completes
    it is the one whose stamps are nearest to the new message's. Messages without a header are
    left out.

    Args:
        fs: the filters to listen to.
        queue_size: how many messages of each input may wait for their partners.
        slop: seconds that the stamps of a set may be apart.
    """

    def __init__(self, fs: Sequence[SimpleFilter], queue_size: int, slop: float) -> None:
        super().__init__()
        self.queue_size = queue_size
        self.slop = Duration(seconds=slop)
        self.lock = Lock()
        self.queues: list[Queue] = [{} for _ in fs]
        for index, (f, queue) in enumerate(zip(fs, self.queues, strict=True)):
            f.registerCallback(self.add, queue, index)

    def add(self, msg: Any, my_queue: Queue, my_queue_index: int | None = None) -> None:
        """Take in a message of one input."""
        stamp = _stamp_ns(msg)
        if stamp is None:
            return
        with self.lock:
            _enqueue(my_queue, stamp, msg, self.queue_size)
            stamps = self._match(stamp, my_queue) if stamp in my_queue else None
            if stamps is None:
                return
            msgs = [queue.pop(t) for queue, t in zip(self.queues, stamps, strict=True)]
        self.signalMessage(*msgs)

    def _match(self, stamp: int, my_queue: Queue) -> list[int] | None:
        """Return the stamps of a complete set with the newest message, None if there is none."""
        slop = self.slop.nanoseconds
        near = [
            [stamp] if queue is my_queue else [t for t in queue if abs(t - stamp) < slop]
            for queue in self.queues
        ]
        if not all(near):
            return None
        # Any set lies in a window that begins at one of its own stamps.
        best: list[int] | None = None
        best_distance = 0
        for start in {t for stamps in near for t in stamps if t <= stamp}:
            inside = [[t for t in stamps if 0 <= t - start < slop] for stamps in near]
            if not all(inside):
                continue
            chosen = [min(stamps, key=lambda t: abs(t - stamp)) for stamps in inside]
            distance = sum(abs(t - stamp) for t in chosen)
            if best is None or distance < best_distance:
                best, best_distance = chosen, distance
        return best


def _stamp_ns(msg: Any) -> int | None:
    """Return the stamp in a message's header; None, with a warning, if there is no header."""
    stamp = getattr(getattr(msg, "header", None), "stamp", None)
    if stamp is None:
        _LOGGER.warning(
            f"A message of type {type(msg).__name__} has no header.stamp and was left out",
            throttle_duration_sec=5.0,
        )
        return None
    return int(stamp.sec) * 10**9 + int(stamp.nanosec)


def _enqueue(queue: Queue, stamp: int, msg: Any, size: int) -> None:
    """Add a message to an input's queue, and drop what is too much.

    A message older than all of a full queue means that time was set back (a bag that starts
    again): what waits from before will find no partner, and goes.
    """
    queue.pop(stamp, None)
    if len(queue) >= size and queue and stamp < min(queue):
        queue.clear()
    queue[stamp] = msg
    while len(queue) > size:
        del queue[next(iter(queue))]
