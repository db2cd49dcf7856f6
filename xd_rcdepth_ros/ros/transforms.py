# SPDX-License-Identifier: Apache-2.0
"""Where each radar sweep lay, seen from the camera when its image was taken (tf2)."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tf_transformations
from geometry_msgs.msg import Transform
from rclpy.time import Time
from tf2_ros import ExtrapolationException, TransformException

from xd_rcdepth_ros.errors import GeometryError, TransformUnavailableError
from xd_rcdepth_ros.geometry import RigidTransform
from xd_rcdepth_ros.ros.conversions import frame_name

POLL_S = 0.005
BACK_OFF_S = 1.0  # after a wait in vain, do not wait again for this long


@dataclass(frozen=True)
class SweepTransform:
    """A transform and how it came about.

    Attributes:
        camera_from_radar: From the radar's frame at the sweep's stamp to the camera's frame at the
            image's stamp.
        ego_motion: True if the motion between the two stamps is included.
        reason: Why not, in tf2's words, if it is not.
    """

    camera_from_radar: RigidTransform
    ego_motion: bool
    reason: str = ""


def rigid_transform(transform: Transform) -> RigidTransform:
    """Return what TF gives as a rigid transform.

    Raises:
        GeometryError: A number is not finite.
    """
    q, t = transform.rotation, transform.translation
    matrix = tf_transformations.quaternion_matrix((q.x, q.y, q.z, q.w))
    matrix[:3, 3] = t.x, t.y, t.z
    return RigidTransform.from_matrix(matrix)


class SweepTransforms:
    """Looks up sensor transforms at the sensors' stamps through a fixed frame.

    To be asked from a worker thread, never from a subscription callback: it may wait ``timeout_s``
    for odometry that is on its way. It waits only if the fixed frame is known but its newest
    transform is older than the stamps, and not again for a while after a wait in vain.

    Args:
        buffer: tf2_ros Buffer (anything with its ``lookup_transform`` and ``..._full``).
        sleep: Waits for that many seconds.
        clock: Returns seconds of a clock that never goes back.
    """

    def __init__(
        self,
        buffer: Any,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._buffer, self._sleep, self._clock = buffer, sleep, clock
        self._no_wait_before_s = -float("inf")
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def counts(self) -> dict[str, int]:
        """Return how often: ego_motion, static_extrinsics, missing, and each exception's name."""
        with self._lock:
            return dict(self._counts)

    def reset(self) -> None:
        """Forget moving transforms (time jumped back); static ones stay."""
        self._buffer.clear()
        self._no_wait_before_s = -float("inf")

    def camera_from_radar(
        self,
        camera_frame: str,
        camera_stamp_ns: int,
        radar_frame: str,
        radar_stamp_ns: int,
        fixed_frame: str,
        timeout_s: float = 0.0,
    ) -> SweepTransform:
        """Return the transform of one sweep.

        Args:
            camera_frame: Optical frame of the image.
            camera_stamp_ns: Stamp of the image, nanoseconds.
            radar_frame: Frame of the sweep.
            radar_stamp_ns: Stamp of the sweep, nanoseconds.
            fixed_frame: Frame in which the world stands still, such as ``odom``; empty for static
                extrinsics by wish.
            timeout_s: Longest wait for odometry, seconds.

        Raises:
            TransformUnavailableError: TF does not connect the two frames at all.
        """
        camera_frame, radar_frame = frame_name(camera_frame), frame_name(radar_frame)
        reason = "fixed_frame is empty"
        if fixed_frame:
            try:
                message = self._look_up_moving(
                    camera_frame,
                    Time(nanoseconds=camera_stamp_ns),
                    radar_frame,
                    Time(nanoseconds=radar_stamp_ns),
                    frame_name(fixed_frame),
                    timeout_s,
                )
                self._count("ego_motion")
                return SweepTransform(rigid_transform(message.transform), True)
            except (TransformException, GeometryError) as error:
                reason = f"{type(error).__name__}: {error}"
                self._count(type(error).__name__)
        try:
            message = self._buffer.lookup_transform(camera_frame, radar_frame, Time())
            transform = rigid_transform(message.transform)
        except (TransformException, GeometryError) as error:
            self._count("missing")
            raise TransformUnavailableError(
                f"no transform from radar frame '{radar_frame}' to camera frame '{camera_frame}' "
                f"at {radar_stamp_ns / 1e9:.3f} s: {error}. Publish the sensors' mounting on "
                "/tf_static, and check that the frame_ids of the messages are those names."
            ) from error
        self._count("static_extrinsics")
        return SweepTransform(transform, False, reason)

    def _look_up_moving(
        self,
        camera_frame: str,
        camera_time: Time,
        radar_frame: str,
        radar_time: Time,
        fixed_frame: str,
        timeout_s: float,
    ) -> Any:
        give_up_s = self._clock() + timeout_s
        while True:
            try:
                return self._buffer.lookup_transform_full(
                    camera_frame, camera_time, radar_frame, radar_time, fixed_frame
                )
            except ExtrapolationException:
                now_s = self._clock()
                if now_s < self._no_wait_before_s:
                    raise
                if now_s >= give_up_s:
                    if timeout_s > 0:
                        self._no_wait_before_s = now_s + BACK_OFF_S
                    raise
            self._sleep(POLL_S)

    def _count(self, name: str) -> None:
        with self._lock:
            self._counts[name] += 1
