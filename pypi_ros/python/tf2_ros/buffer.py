# SPDX-License-Identifier: Apache-2.0
"""The transform buffer of a node: look-ups that can wait for data to come in."""

from collections.abc import Callable
from threading import Condition
from typing import Any

from geometry_msgs.msg import TransformStamped
from rclpy.clock import JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.task import Future
from tf2_msgs.srv import FrameGraph
from tf2_py import BufferCore
from tf2_ros.buffer_interface import NO_WAIT, BufferInterface

Check = Callable[[], tuple[bool, str]]
Lookup = Callable[[], TransformStamped]


class Buffer(BufferCore, BufferInterface):
    """A tree of coordinate frames over time.

    A look-up with a time-out blocks the calling thread. It can only succeed if another thread
    fills the buffer meanwhile: do not wait in a callback of a single-threaded executor.

    Args:
        cache_time: how far back moving frames are remembered; 10 s if not given.
        node: serves the tree at `tf2_frames`, and empties the buffer when its clock jumps back
            (a bag that starts again) or changes between system and simulated time.
    """

    def __init__(self, cache_time: Duration | None = None, node: Node | None = None) -> None:
        BufferCore.__init__(self, cache_time)
        BufferInterface.__init__(self)
        self._new_data = Condition()
        self._pending: list[tuple[Future, Check, Lookup]] = []
        if node is not None:
            self.srv = node.create_service(FrameGraph, "tf2_frames", self._serve_frames)
            self.clock = node.get_clock()
            self.jump_handle = self.clock.create_jump_callback(
                JumpThreshold(
                    min_forward=None, min_backward=Duration(nanoseconds=-1), on_clock_change=True
                ),
                post_callback=self.time_jump_callback,
            )

    def time_jump_callback(self, time_jump: TimeJump) -> None:
        """Empty the buffer, as what it holds belongs to another time."""
        get_logger("tf2_buffer").warning("Detected jump back in time. Clearing tf buffer.")
        self.clear()

    def _serve_frames(
        self, request: FrameGraph.Request, response: FrameGraph.Response
    ) -> FrameGraph.Response:
        response.frame_yaml = self.all_frames_as_yaml()
        return response

    # Filling -----------------------------------------------------------------------------------

    def set_transform(self, transform: TransformStamped, authority: str) -> None:
        """Add the pose of a moving frame and wake who waits for it."""
        super().set_transform(transform, authority)
        self._announce()

    def set_transform_static(self, transform: TransformStamped, authority: str) -> None:
        """Add the pose of a frame that does not move and wake who waits for it."""
        super().set_transform_static(transform, authority)
        self._announce()

    def _announce(self) -> None:
        with self._new_data:
            self._new_data.notify_all()
            pending = list(self._pending)
        for future, check, lookup in pending:
            if not future.done():
                _resolve(future, check, lookup)

    # Asking ------------------------------------------------------------------------------------

    def lookup_transform(
        self, target_frame: str, source_frame: str, time: Any, timeout: Duration = NO_WAIT
    ) -> TransformStamped:
        """Return the transform that takes data from the source frame to the target frame.

        Args:
            target_frame: the frame to express data in.
            source_frame: the frame the data is in.
            time: when; zero asks for the newest time at which all links are known.
            timeout: how long to wait for the transform.

        Raises:
            TransformException: the transform is not known; the subclass says why.
        """
        self.can_transform(target_frame, source_frame, time, timeout)
        return self.lookup_transform_core(target_frame, source_frame, time)

    def lookup_transform_full(
        self,
        target_frame: str,
        target_time: Any,
        source_frame: str,
        source_time: Any,
        fixed_frame: str,
        timeout: Duration = NO_WAIT,
    ) -> TransformStamped:
        """Return the transform between two frames at two times, by way of a fixed frame.

        Args:
            target_frame: the frame to express data in.
            target_time: the time at which the target frame is meant.
            source_frame: the frame the data is in.
            source_time: the time at which the data was taken.
            fixed_frame: a frame that is taken not to move between the two times.
            timeout: how long to wait for the transform.

        Raises:
            TransformException: the transform is not known; the subclass says why.
        """
        question = (target_frame, target_time, source_frame, source_time, fixed_frame)
        self.can_transform_full(*question, timeout)
        return self.lookup_transform_full_core(*question)

    def can_transform(
        self,
        target_frame: str,
        source_frame: str,
        time: Any,
        timeout: Duration = NO_WAIT,
        return_debug_tuple: bool = False,
    ) -> Any:
        """Tell whether `lookup_transform` would succeed, waiting up to the time-out for it.

        Returns:
            A bool; with `return_debug_tuple` a pair of the bool and the reason.
        """
        answer = self._wait(
            lambda: self.can_transform_core(target_frame, source_frame, time), timeout
        )
        return answer if return_debug_tuple else answer[0]

    def can_transform_full(
        self,
        target_frame: str,
        target_time: Any,
        source_frame: str,
        source_time: Any,
        fixed_frame: str,
        timeout: Duration = NO_WAIT,
        return_debug_tuple: bool = False,
    ) -> Any:
        """Tell whether `lookup_transform_full` would succeed, waiting up to the time-out for it.

        Returns:
            A bool; with `return_debug_tuple` a pair of the bool and the reason.
        """
        question = (target_frame, target_time, source_frame, source_time, fixed_frame)
        answer = self._wait(lambda: self.can_transform_full_core(*question), timeout)
        return answer if return_debug_tuple else answer[0]

    def _wait(self, check: Check, timeout: Duration) -> tuple[bool, str]:
        answer = check()
        if answer[0] or timeout.nanoseconds <= 0:
            return answer
        with self._new_data:
            self._new_data.wait_for(lambda: check()[0], timeout.nanoseconds * 1e-9)
        return check()

    # Asking without waiting ----------------------------------------------------------------------

    def wait_for_transform_async(self, target_frame: str, source_frame: str, time: Any) -> Future:
        """Return a future that gets the transform as soon as it is known."""
        question = (target_frame, source_frame, time)
        return self._promise(
            lambda: self.can_transform_core(*question),
            lambda: self.lookup_transform_core(*question),
        )

    def wait_for_transform_full_async(
        self,
        target_frame: str,
        target_time: Any,
        source_frame: str,
        source_time: Any,
        fixed_frame: str,
    ) -> Future:
        """Return a future that gets the transform through a fixed frame as soon as it is known."""
        question = (target_frame, target_time, source_frame, source_time, fixed_frame)
        return self._promise(
            lambda: self.can_transform_full_core(*question),
            lambda: self.lookup_transform_full_core(*question),
        )

    async def lookup_transform_async(
        self, target_frame: str, source_frame: str, time: Any
    ) -> TransformStamped:
        """Wait for the transform in a coroutine, without blocking the executor."""
        await self.wait_for_transform_async(target_frame, source_frame, time)
        return self.lookup_transform_core(target_frame, source_frame, time)

    async def lookup_transform_full_async(
        self,
        target_frame: str,
        target_time: Any,
        source_frame: str,
        source_time: Any,
        fixed_frame: str,
    ) -> TransformStamped:
        """Wait for the transform through a fixed frame in a coroutine."""
        question = (target_frame, target_time, source_frame, source_time, fixed_frame)
        await self.wait_for_transform_full_async(*question)
        return self.lookup_transform_full_core(*question)

    def _promise(self, check: Check, lookup: Lookup) -> Future:
        future: Future = Future()
        entry = (future, check, lookup)
        future.add_done_callback(lambda _: self._forget(entry))
        with self._new_data:
            self._pending.append(entry)
        _resolve(future, check, lookup)
        return future

    def _forget(self, entry: tuple[Future, Check, Lookup]) -> None:
        with self._new_data:
            if entry in self._pending:
                self._pending.remove(entry)


def _resolve(future: Future, check: Check, lookup: Lookup) -> None:
    """Give the future its transform if it is known by now."""
    try:
        if check()[0]:
            future.set_result(lookup())
    except Exception as error:  # whoever awaits the future is told
        future.set_exception(error)
