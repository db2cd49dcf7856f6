# SPDX-License-Identifier: Apache-2.0
"""From one synchronised match of messages to one SensorFrame, with what had to be done without."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from std_msgs.msg import Header

from xd_rcdepth_ros.errors import GeometryError, MessageError, TransformUnavailableError
from xd_rcdepth_ros.geometry import RadarPoints, RadarSweep, SensorFrame
from xd_rcdepth_ros.recordings.messages import rectify
from xd_rcdepth_ros.ros.accounting import Complaints, FrameLedger
from xd_rcdepth_ros.ros.cameras import CameraBook
from xd_rcdepth_ros.ros.conversions import frame_name, image_to_rgb
from xd_rcdepth_ros.ros.parameters.configuration import NodeConfig
from xd_rcdepth_ros.ros.sync.core import NS, Match, Sweep
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
        header: Its stamp and the name of that frame.
    """

    points: RadarPoints
    header: Header

    @property
    def frame_id(self) -> str:
        """Name of the radar's frame, as tf2 wants it."""
        return frame_name(self.header.frame_id)


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
        complain: Says it.
    """

    def __init__(
        self,
        cameras: CameraBook,
        transforms: SweepTransforms,
        ledger: FrameLedger,
        complain: Complaints,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cameras, self._transforms = cameras, transforms
        self._ledger, self._complain, self._clock = ledger, complain, clock

    def assemble(self, match: Match[Any, RadarMessage], config: NodeConfig) -> Assembly:
        """Make the frame of a match.

        Raises:
            FrameRefusedError: The image or its camera cannot be used.
        """
        flags: set[str] = set()
        start_s = self._clock()
        stages_ms = {"wait": 1000 * (start_s - match.arrived_s)}
        try:
            image = image_to_rgb(match.image)
        except MessageError as error:
            raise FrameRefusedError("bad_image", str(error)) from error
        header = match.image.header
        try:
            height, width = image.shape[:2]
            camera = self._cameras.find(header.frame_id, width, height, config.sync_max_wait)
        except MessageError as error:
            raise FrameRefusedError("no_camera_info", str(error)) from error
        if not camera.is_rectified and config.rectify:
            try:
                image, camera = rectify(image, camera)
            except MessageError as error:
                raise FrameRefusedError("bad_camera_info", str(error)) from error
            flags.add("rectified")
        elif not camera.is_rectified:
            camera = camera.rectified()
            flags.add("unrectified")
            self._complain(
                f"camera_info of frame '{camera.frame_id}' has lens distortion and rectify is "
                "false: its images are taken for rectified ones, which P describes.",
            )
        decoded_s = self._clock()
        camera_frame = camera.frame_id or header.frame_id
        sweeps = tuple(
            placed
            for sweep in match.sweeps
            if (placed := self._place(sweep, camera_frame, match.stamp_ns, config, flags))
        )
        if match.held:
            flags.add("held_radar")
        if match.missing and sweeps:
            flags.add("partial_radar")
        if not sweeps:
            flags.add("no_radar")
        stages_ms["decode"] = 1000 * (decoded_s - start_s)
        stages_ms["transforms"] = 1000 * (self._clock() - decoded_s)
        frame = SensorFrame(image, camera, sweeps, match.stamp_ns)
        return Assembly(frame, header, match.arrived_s, frozenset(flags), stages_ms)

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
        try:
            return RadarSweep(
                points, found.camera_from_radar, sweep.stamp_ns, sweep.radar, found.ego_motion
            )
        except GeometryError as error:  # pragma: no cover - both parts are checked already
            self._complain(str(error))
            return None
