# SPDX-License-Identifier: Apache-2.0
"""From one synchronised match of messages to one SensorFrame, with what had to be done without."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header

from xd_rcdepth_ros.errors import MessageError, TransformUnavailableError
from xd_rcdepth_ros.geometry import PinholeCamera, RadarPoints, RadarSweep, SensorFrame
from xd_rcdepth_ros.geometry.sweep_choice import NS, Sweep
from xd_rcdepth_ros.recordings.images import image_size
from xd_rcdepth_ros.recordings.messages import rectify
from xd_rcdepth_ros.ros.accounting import Complaints, FrameLedger
from xd_rcdepth_ros.ros.cameras import CameraBook
from xd_rcdepth_ros.ros.conversions import image_to_rgb
from xd_rcdepth_ros.ros.parameters.configuration import NodeConfig
from xd_rcdepth_ros.ros.sync.core import Match
from xd_rcdepth_ros.ros.transforms import SweepTransforms


class FrameRefusedError(MessageError):
    """An image cannot become a frame; ``reason`` is the short name that is counted."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True)
class RadarMessage:
    """One decoded radar message.

    Attributes:
        points: Returns in the radar's frame.
        frame_id: Name of that frame, as tf2 wants it.
    """

    points: RadarPoints
    frame_id: str


@dataclass(frozen=True)
class Assembly:
    """A frame ready for the network, and the story of how it came about.

    Attributes:
        frame: Image, camera and radar.
        header: Header of the source image.
        arrived_s: Wall time at which the image came, seconds.
        flags: Names of DepthStatus flags, in lower case without ``FLAG_``.
        stages_ms: Milliseconds by stage so far.
    """

    frame: SensorFrame
    header: Header
    arrived_s: float
    flags: frozenset[str]
    stages_ms: dict[str, float] = field(default_factory=dict)


class FrameAssembler:
    """Decodes the image, finds its camera, rectifies, and places the radar sweeps.

    Args:
        cameras: Cameras known from camera_info.
        transforms: Where the sweeps lay.
        ledger: Counts what is left out.
        complain: Logs it.
        choose_reduction: Returns 1, 2, 4 or 8: at which part of its size a compressed image of a
            camera may be decoded.
        image_topic: Topic of the images, for the log.
        clock: Wall clock that never goes back, seconds.
    """

    def __init__(
        self,
        cameras: CameraBook,
        transforms: SweepTransforms,
        ledger: FrameLedger,
        complain: Complaints,
        choose_reduction: Callable[[PinholeCamera], int] = lambda camera: 1,
        image_topic: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cameras, self._transforms = cameras, transforms
        self._ledger, self._complain, self._clock = ledger, complain, clock
        self._choose_reduction, self._image_topic = choose_reduction, image_topic

    def assemble(self, match: Match[Any, RadarMessage], config: NodeConfig) -> Assembly:
        """Make the frame of a match.

        Raises:
            FrameRefusedError: The image or its camera cannot be used.
        """
        flags: set[str] = set()
        header = match.image.header
        start_s = self._clock()
        image, camera = self._read_image(match.image, config, flags)
        decoded_s = self._clock()
        camera_frame = camera.frame_id or header.frame_id
        placed = (
            self._place(sweep, camera_frame, match.stamp_ns, config, flags)
            for sweep in match.sweeps
        )
        sweeps = tuple(sweep for sweep in placed if sweep is not None)
        if match.held:
            flags.add("held_radar")
        if match.missing and sweeps:
            flags.add("partial_radar")
        if not sweeps:
            flags.add("no_radar")
        stages_ms = {
            "wait": 1000 * (start_s - match.arrived_s),
            "decode": 1000 * (decoded_s - start_s),
            "transforms": 1000 * (self._clock() - decoded_s),
        }
        frame = SensorFrame(image, camera, sweeps, match.stamp_ns)
        return Assembly(frame, header, match.arrived_s, frozenset(flags), stages_ms)

    def _read_image(
        self, message: Any, config: NodeConfig, flags: set[str]
    ) -> tuple[NDArray[np.uint8], PinholeCamera]:
        """Return the rectified image of a message and its camera."""
        reduction = self._reduction(message, config)
        try:
            image = image_to_rgb(message, reduction)
        except MessageError as error:
            raise FrameRefusedError("bad_image", str(error)) from error
        height, width = (reduction * size for size in image.shape[:2])
        try:
            camera = self._cameras.find(
                message.header.frame_id, width, height, config.sync_max_wait
            )
        except MessageError as error:
            raise FrameRefusedError("no_camera_info", str(error)) from error
        if reduction > 1:
            camera = camera.resize(image.shape[1], image.shape[0])
        if camera.is_rectified:
            return image, camera
        if config.rectify:
            flags.add("rectified")
            self._log_rectification(camera)
            try:
                return rectify(image, camera)
            except MessageError as error:
                raise FrameRefusedError("bad_camera_info", str(error)) from error
        flags.add("unrectified")
        self._complain(
            f"camera_info of frame '{camera.frame_id}' has lens distortion and rectify is false: "
            "its images are taken for rectified ones, which P describes.",
            once=True,
        )
        return image, camera.rectified()

    def _reduction(self, message: Any, config: NodeConfig) -> int:
        """Return at which part of its size a compressed image is decoded."""
        if not isinstance(message, CompressedImage) or message.format.startswith("bayer_"):
            return 1
        try:
            size = image_size(memoryview(message.data))
            camera = self._cameras.find(message.header.frame_id, *size, config.sync_max_wait)
        except MessageError:
            return 1  # the image itself is looked at first; what is wrong with it is said then
        return self._choose_reduction(camera)

    def _log_rectification(self, camera: PinholeCamera) -> None:
        text = (
            f"images of frame '{camera.frame_id}' are undistorted by the lens model "
            f"{camera.distortion_model} of camera_info; set rectify: false if they are rectified "
            "already"
        )
        if re.search(r"(?<![a-z])rect(ified)?(?![a-z])", self._image_topic):
            self._complain(f"{text}, as the name of topic '{self._image_topic}' says.", once=True)
        else:
            self._complain(f"{text}.", "info", once=True)

    def _place(
        self,
        sweep: Sweep[RadarMessage],
        camera_frame: str,
        image_stamp_ns: int,
        config: NodeConfig,
        flags: set[str],
    ) -> RadarSweep | None:
        radar_frame = sweep.payload.frame_id
        try:
            found = self._transforms.camera_from_radar(
                camera_frame,
                image_stamp_ns,
                radar_frame,
                sweep.stamp_ns,
                config.fixed_frame,
                config.tf_timeout,
            )
        except TransformUnavailableError as error:
            self._ledger.event("sweeps_without_transform")
            flags.add("no_transform")
            self._complain(
                f"{error} Until then the sweeps of '{radar_frame}' are left out.",
            )
            return None
        if not found.ego_motion:
            self._ledger.event("sweeps_with_static_extrinsics")
            flags.add("static_extrinsics")
            if config.fixed_frame:
                self._complain(
                    f"no ego motion between radar frame '{radar_frame}' and camera frame "
                    f"'{camera_frame}' through fixed_frame '{config.fixed_frame}': {found.reason}. "
                    "Using the static extrinsics.",
                )
        points = sweep.payload.points
        if config.shift_moving_returns:
            points = points.shifted_by_motion((image_stamp_ns - sweep.stamp_ns) / NS)
        return RadarSweep(
            points, found.camera_from_radar, sweep.stamp_ns, sweep.radar, found.ego_motion
        )
