# SPDX-License-Identifier: Apache-2.0
"""When a message belongs to."""

from typing import Any

from rclpy.clock import ROSClock
from rclpy.logging import get_logger

_LOGGER = get_logger("message_filters")


def nanoseconds(stamp: Any) -> int:
    """Return a time, of rclpy or a message, in integer nanoseconds."""
    if hasattr(stamp, "nanoseconds"):
        return int(stamp.nanoseconds)
    return int(stamp.sec) * 10**9 + int(stamp.nanosec)


def stamp_ns(msg: Any, allow_headerless: bool) -> int | None:
    """Return the stamp in a message's header.

    Without a header it is the present ROS time if that is allowed; if not, None, said in the log.
    """
    stamp = getattr(getattr(msg, "header", None), "stamp", None)
    if stamp is not None:
        return nanoseconds(stamp)
    if allow_headerless:
        return now_ns()
    _LOGGER.warning(
        f"A message of type {type(msg).__name__} has no header.stamp and was left out; "
        "allow_headerless=True takes the time of its arrival instead",
        throttle_duration_sec=5.0,
    )
    return None


def now_ns() -> int:
    """Return the present ROS time."""
    return ROSClock().now().nanoseconds
