# SPDX-License-Identifier: Apache-2.0
"""The transform buffer of a node."""

from typing import Any

from geometry_msgs.msg import TransformStamped
from rclpy.clock import JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.logging import get_logger
from rclpy.node import Node
from tf2_py import BufferCore


class Buffer(BufferCore):
    """A tree of coordinate frames over time. Look-ups do not wait for data to come in.

    Args:
        cache_time: how far back moving frames are remembered; 10 s if not given.
        node: the buffer is emptied when this node's clock jumps back (a bag that starts again) or
            changes between system and simulated time.
    """

    def __init__(self, cache_time: Duration | None = None, node: Node | None = None) -> None:
        super().__init__(cache_time)
        if node is not None:
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

    def lookup_transform(self, target_frame: str, source_frame: str, time: Any) -> TransformStamped:
        """Return the transform between two frames; see `BufferCore.lookup_transform_core`."""
        return self.lookup_transform_core(target_frame, source_frame, time)

    def lookup_transform_full(
        self,
        target_frame: str,
        target_time: Any,
        source_frame: str,
        source_time: Any,
        fixed_frame: str,
    ) -> TransformStamped:
        """Return it between two times; see `BufferCore.lookup_transform_full_core`."""
        return self.lookup_transform_full_core(
            target_frame, target_time, source_frame, source_time, fixed_frame
        )

    def can_transform(self, target_frame: str, source_frame: str, time: Any) -> bool:
        """Tell whether `lookup_transform` would succeed."""
        return self.can_transform_core(target_frame, source_frame, time)[0]
