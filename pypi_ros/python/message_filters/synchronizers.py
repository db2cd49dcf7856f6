# SPDX-License-Identifier: Apache-2.0
"""Sets of messages, one of each input, that belong to one time.

Callbacks run without the lock: a slow one does not stop the inputs, and one that raises leaves
the synchronizer in order.
"""

from collections.abc import Sequence
from threading import Lock
from typing import Any

from message_filters.simple_filter import SimpleFilter
from message_filters.stamps import now_ns, stamp_ns
from rclpy.duration import Duration

Queue = dict[int, Any]
"""The waiting messages of an input by stamp, in the order of arrival."""


class TimeSynchronizer(SimpleFilter):
    """Passes on sets of messages with exactly the same stamp, as msg1, ..., msgN.

    Args:
        fs: the filters to listen to.
        queue_size: how many messages of each input may wait for their partners.
    """

    def __init__(self, fs: Sequence[SimpleFilter], queue_size: int) -> None:
        super().__init__()
        self.queue_size = queue_size
        self.lock = Lock()
        self.queues: list[Queue] = []
        self.connectInput(fs)

    def connectInput(self, fs: Sequence[SimpleFilter]) -> None:
        """Listen to filters; whatever was waiting is dropped."""
        self.queues = [{} for _ in fs]
        self.input_connections = [
            f.registerCallback(self.add, queue, index)
            for index, (f, queue) in enumerate(zip(fs, self.queues, strict=True))
        ]

    def add(self, msg: Any, my_queue: Queue, my_queue_index: int | None = None) -> None:
        """Take in a message of one input."""
        stamp = self._stamp(msg)
        if stamp is None:
            return
        with self.lock:
            _enqueue(my_queue, stamp, msg, self.queue_size)
            stamps = self._match(stamp, my_queue) if stamp in my_queue else None
            if stamps is None:
                return
            msgs = [queue.pop(t) for queue, t in zip(self.queues, stamps, strict=True)]
        self.signalMessage(*msgs)

    def _stamp(self, msg: Any) -> int | None:
        return stamp_ns(msg, allow_headerless=False)

    def _match(self, stamp: int, my_queue: Queue) -> list[int] | None:
        """Return the stamps of a complete set with the newest message, None if there is none."""
        return [stamp] * len(self.queues) if all(stamp in q for q in self.queues) else None


class ApproximateTimeSynchronizer(TimeSynchronizer):
    """Passes on sets of messages whose stamps are less than `slop` apart.

    A set is passed on as soon as it is complete. Of several sets that a new message completes
    it is the one whose stamps are nearest to the new message's.

    Args:
        fs: the filters to listen to.
        queue_size: how many messages of each input may wait for their partners.
        slop: seconds that the stamps of a set may be apart.
        allow_headerless: take messages without a header at the time of their arrival.
        sync_arrival_time: take all messages at the time of their arrival.
    """

    def __init__(
        self,
        fs: Sequence[SimpleFilter],
        queue_size: int,
        slop: float,
        *,
        allow_headerless: bool = False,
        sync_arrival_time: bool = False,
    ) -> None:
        self.slop = Duration(seconds=slop)
        self.allow_headerless = allow_headerless
        self.sync_arrival_time = sync_arrival_time
        super().__init__(fs, queue_size)

    def _stamp(self, msg: Any) -> int | None:
        return now_ns() if self.sync_arrival_time else stamp_ns(msg, self.allow_headerless)

    def _match(self, stamp: int, my_queue: Queue) -> list[int] | None:
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
