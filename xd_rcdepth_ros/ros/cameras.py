# SPDX-License-Identifier: Apache-2.0
"""The cameras that camera_info spoke of: the right one for each image, also after a change."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from xd_rcdepth_ros.errors import MessageError
from xd_rcdepth_ros.geometry import PinholeCamera
from xd_rcdepth_ros.recordings.messages import camera_of, sensor_camera_of
from xd_rcdepth_ros.ros.conversions import frame_name

_MAX_SIZES = 8


class CameraBook:
    """Keeps the newest camera for each image size; resolution and calibration may change.

    Args:
        complain: Takes a text that is worth saying once.
    """

    def __init__(self, complain: Callable[[str], None]) -> None:
        self._complain = complain
        self._condition = threading.Condition()
        self._cameras: dict[tuple[str, int, int], PinholeCamera] = {}
        self._last_message: Any = None

    def update(self, message: Any) -> None:
        """Take a CameraInfo message.

        Raises:
            MessageError: It does not describe a pinhole camera.
        """
        last = self._last_message
        if last is not None and _same_camera(last, message):
            return
        # Some drivers state a region or binning and mean nothing by it: their images have the
        # sensor's size, so that camera is known too.
        with self._condition:
            for camera in (sensor_camera_of(message), camera_of(message)):
                key = (camera.frame_id, camera.width, camera.height)
                self._cameras.pop(key, None)  # the newest one is the last in order
                self._cameras[key] = camera
            self._last_message = message
            while len(self._cameras) > _MAX_SIZES:
                del self._cameras[next(iter(self._cameras))]
            self._condition.notify_all()

    def find(self, frame_id: str, width: int, height: int, timeout_s: float) -> PinholeCamera:
        """Return the camera of an image.

        Args:
            frame_id: Frame of the image.
            width: Its width, pixels.
            height: Its height, pixels.
            timeout_s: How long to wait for a camera_info that is on its way, seconds.

        Raises:
            MessageError: No camera_info came, or none for an image of this size.
        """
        frame_id = frame_name(frame_id)
        with self._condition:
            self._condition.wait_for(lambda: self._best(frame_id, width, height), timeout_s)
            camera = self._best(frame_id, width, height)
            known = list(self._cameras)
        if camera is None:
            if not known:
                raise MessageError(
                    "no usable camera_info came yet; expected one a image on topic camera_info."
                )
            sizes = ", ".join(f"{w} x {h} of frame '{f}'" for f, w, h in known)
            raise MessageError(
                f"image of frame '{frame_id}' is {width} x {height} pixels, but camera_info "
                f"describes {sizes}. Image and camera_info must belong together."
            )
        if frame_id and camera.frame_id and camera.frame_id != frame_id:
            self._complain(
                f"image has frame '{frame_id}' but camera_info has '{camera.frame_id}'; using "
                "camera_info's for transforms.",
            )
        return camera

    def _best(self, frame_id: str, width: int, height: int) -> PinholeCamera | None:
        exact = self._cameras.get((frame_id, width, height))
        if exact is not None:
            return exact
        fitting = [c for (_, w, h), c in self._cameras.items() if (w, h) == (width, height)]
        return fitting[-1] if fitting else None


def _same_camera(a: Any, b: Any) -> bool:
    plain = ("width", "height", "distortion_model", "binning_x", "binning_y", "roi")
    return (
        a.header.frame_id == b.header.frame_id
        and all(getattr(a, name) == getattr(b, name) for name in plain)
        and all(list(getattr(a, name)) == list(getattr(b, name)) for name in ("k", "p", "d"))
    )
