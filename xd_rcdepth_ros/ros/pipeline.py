# SPDX-License-Identifier: Apache-2.0
"""From messages to published depth: synchronise, prepare, estimate, publish, explain.

Callbacks only decode radar, synchronise and put the match into a slot. Three threads do the rest,
each with a slot for the newest item before it: while the network computes one frame, the next is
decoded and drawn, and the last is published. Pictures and explanations have threads of their own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from xd_rcdepth_ros.errors import MessageError
from xd_rcdepth_ros.geometry import DepthResult, PinholeCamera
from xd_rcdepth_ros.geometry.sweep_choice import NS
from xd_rcdepth_ros.inference import DepthEstimator, NetworkInput
from xd_rcdepth_ros.msg import DepthStatus
from xd_rcdepth_ros.recordings.messages import stamp_ns_of
from xd_rcdepth_ros.ros.accounting import Complaints, FrameLedger, FrameTiming
from xd_rcdepth_ros.ros.assembly import Assembly, FrameAssembler, FrameRefusedError, RadarMessage
from xd_rcdepth_ros.ros.cameras import CameraBook
from xd_rcdepth_ros.ros.conversions import frame_name
from xd_rcdepth_ros.ros.explanations import Explanations
from xd_rcdepth_ros.ros.limits import limit_depth
from xd_rcdepth_ros.ros.outputs import NEEDS_WHOLE_IMAGE, Outputs
from xd_rcdepth_ros.ros.parameters.configuration import NodeConfig
from xd_rcdepth_ros.ros.radars import decode_radar
from xd_rcdepth_ros.ros.returns import ReturnsWatch
from xd_rcdepth_ros.ros.status import depth_status
from xd_rcdepth_ros.ros.sync.core import Match, SyncSettings
from xd_rcdepth_ros.ros.sync.filter import SynchronizerFilter
from xd_rcdepth_ros.ros.transforms import SweepTransforms
from xd_rcdepth_ros.ros.worker import NewestWorker

_MatchT = Match[Any, RadarMessage]
DIFFERENT_CLOCKS_S = 2.0  # sweeps further than this from an image are not late: clocks differ


def sync_settings(config: NodeConfig) -> SyncSettings:
    """Return the synchroniser's part of the configuration."""
    return SyncSettings(
        window_s=config.sync_window,
        sweeps=config.sweeps,
        max_wait_s=config.sync_max_wait,
        max_lead_s=config.sync_max_lead,
        on_missing_radar=config.sync_on_missing_radar,
        hold_s=config.sync_hold_time,
        time_jump_s=config.sync_time_jump,
    )


@dataclass(frozen=True, eq=False)
class _Prepared:
    """A frame that is ready for the network, since ``ready_s`` (wall time, seconds)."""

    assembly: Assembly
    network_input: NetworkInput
    ready_s: float


@dataclass(frozen=True, eq=False)
class _Estimated:
    """A frame and its depth, with milliseconds by stage so far."""

    assembly: Assembly
    result: DepthResult
    stages_ms: dict[str, float]


class DepthPipeline:
    """Everything between the subscriptions and the publishers of an active depth node.

    Args:
        config: Checked parameters; ``reconfigure`` exchanges them.
        estimator: The loaded model.
        transforms: Where radar sweeps lay.
        outputs: Publishers.
        complain: Says what goes wrong, once a cause.
        ros_now_ns: Time of the ROS clock, nanoseconds.
        alive: False once the ROS context is shut down; errors are not logged then.
        image_topic: Topic of the images, for the log.

    Attributes:
        config: The parameters in use.
        ledger: Counts every image and what became of it.
        timing: How long frames took lately.
        synchronizer: Puts images and sweeps together.
        explanations: Explains a frame now and then.
    """

    def __init__(
        self,
        config: NodeConfig,
        estimator: DepthEstimator,
        transforms: SweepTransforms,
        outputs: Outputs,
        complain: Complaints,
        ros_now_ns: Callable[[], int],
        alive: Callable[[], bool] = lambda: True,
        image_topic: str = "",
    ) -> None:
        self.config = config
        self.ledger = FrameLedger()
        self.timing = FrameTiming()
        self._estimator, self._transforms, self._outputs = estimator, transforms, outputs
        self._complain, self._ros_now_ns, self._alive = complain, ros_now_ns, alive
        self._cameras = CameraBook(complain)
        self._assembler = FrameAssembler(
            self._cameras, transforms, self.ledger, complain, self._choose_reduction, image_topic
        )
        self._returns = ReturnsWatch(complain)
        self._preparing: NewestWorker[_MatchT] = NewestWorker(
            "prepare", self._prepare, self._count_drop, self._count_error
        )
        self._estimating: NewestWorker[_Prepared] = NewestWorker(
            "network", self._estimate, self._count_drop, self._count_error
        )
        self._publishing: NewestWorker[_Estimated] = NewestWorker(
            "publish", self._publish, self._count_drop, self._count_error, keep=4, finish=True
        )
        self._drawing: NewestWorker[_Estimated] = NewestWorker(
            "pictures", self._draw, lambda _, reason: None, self._count_picture_error
        )
        self.explanations = Explanations(config, estimator, outputs, self._count_picture_error)
        matches = SynchronizerFilter(
            config.sync_policy,
            config.radars,
            sync_settings(config),
            self._count_unmatched,
            self._start_anew,
        )
        matches.registerCallback(self._take_match)
        self.synchronizer = matches.core

    # Callbacks of the node; all return at once. ------------------------------------------------

    def on_image(self, message: Any) -> None:
        """Take an Image or CompressedImage."""
        self.ledger.received()
        self.synchronizer.add_image(stamp_ns_of(message.header), message, time.monotonic())

    def on_camera_info(self, message: Any) -> None:
        """Take a CameraInfo."""
        try:
            self._cameras.update(message)
        except MessageError as error:
            self.ledger.event("bad_camera_info")
            self._complain(str(error), "error")

    def on_radar(self, name: str, message: Any) -> None:
        """Take a message of the radar of that name."""
        try:
            points = decode_radar(message, self.config.radar_inputs[name])
        except MessageError as error:
            self.ledger.event("bad_radar_messages")
            self._complain(f"radar '{name}': {error}", "error")
            return
        stamp_ns = stamp_ns_of(message.header)
        if stamp_ns == 0:
            self._complain(
                f"radar '{name}': header.stamp is zero, so no stamp was set: its sweeps are left "
                "out. The driver must set the time of the measurement."
            )
        incomplete = int(points.incomplete().sum())
        if incomplete:
            self.ledger.event("incomplete_radar_returns", incomplete)
            self._complain(
                f"radar '{name}': strength or velocity of {incomplete} of {len(points)} returns is "
                "not a number (not measured): taken as 0. If a field never holds a measurement, "
                f"set its name in radar.{name}.fields to ''."
            )
        sweep = RadarMessage(points, frame_name(message.header.frame_id))
        self.synchronizer.add_sweep(name, stamp_ns, sweep, time.monotonic())

    def reconfigure(self, config: NodeConfig) -> None:
        """Use other parameters from the next frame on."""
        self.config = self.explanations.config = config
        self.synchronizer.settings = sync_settings(config)

    def reset_time(self) -> None:
        """Start anew after the clock jumped back."""
        self.synchronizer.clear("time_reset")
        self._start_anew()

    def stop(self) -> None:
        """Drop what waits, finish what is being worked on, end the threads."""
        self.synchronizer.clear("deactivated")
        self._preparing.clear("deactivated")
        self._estimating.clear("deactivated")
        for worker in (self._preparing, self._estimating, self._publishing, self._drawing):
            worker.stop()
        self.explanations.stop()

    # What the synchroniser calls ----------------------------------------------------------------

    def _take_match(self, match: _MatchT) -> None:
        if match.missing or match.held:
            self._complain_of_missing(match)
        self._preparing.put(match)

    def _complain_of_missing(self, match: _MatchT) -> None:
        for name in match.missing + match.held:
            offset_s = match.newest_s.get(name)
            if offset_s is None:
                why = "none has come yet; check the radar's topic"
            else:
                side = "older" if offset_s < 0 else "newer"
                why = f"its newest sweep is {abs(offset_s):.3f} s {side} than the image; " + (
                    "the clocks of radar and camera differ, or one has stopped: synchronise them "
                    "(PTP, NTP), or let the driver stamp messages when they arrive"
                    if abs(offset_s) > DIFFERENT_CLOCKS_S
                    else "the radar is too slow or comes late: widen sync.window or sync.max_wait"
                )
            self._complain(
                f"no sweep of radar {name} within sync.window = {self.config.sync_window:g} s of "
                f"the image at {match.stamp_ns / NS:.3f} s: {why}. Going on by "
                f"sync.on_missing_radar = {self.config.sync_on_missing_radar}."
            )

    def _count_unmatched(self, stamp_ns: int, reason: str) -> None:
        self.ledger.dropped(reason)
        if reason in ("duplicate", "out_of_order"):
            self._complain(
                f"image with stamp {stamp_ns / NS:.3f} s dropped: {reason.replace('_', ' ')}. Each "
                "image needs a stamp of its own, later than the last; is there one source only?",
            )
        elif reason == "no_stamp":
            self._complain(
                "image dropped: its header.stamp is zero, so no stamp was set; the camera's driver "
                "must set it."
            )

    def _start_anew(self) -> None:
        self.ledger.event("time_resets")
        self._preparing.clear("time_reset")
        self._estimating.clear("time_reset")
        self._transforms.reset()
        self._complain("stamps went back in time; starting anew.")

    # The stages, each in a thread of its own -----------------------------------------------------

    def _prepare(self, match: _MatchT) -> None:
        try:
            assembly = self._assembler.assemble(match, self.config)
        except FrameRefusedError as error:
            self.ledger.dropped(error.reason)
            self._complain(f"image dropped: {error}", "error")
            return
        network_input = self._estimator.prepare(assembly.frame)
        self._estimating.put(_Prepared(assembly, network_input, time.monotonic()))

    def _choose_reduction(self, camera: PinholeCamera) -> int:
        """Return at which part of its size an image may be decoded without loss of depth."""
        whole = self.config.output_size == "input" or self._outputs.wanted(*NEEDS_WHOLE_IMAGE)
        return 1 if whole else self._estimator.grid(camera).reduction(camera)

    def _estimate(self, prepared: _Prepared) -> None:
        queue_ms = 1000 * (time.monotonic() - prepared.ready_s)
        result = self._estimator.infer(prepared.network_input, self.config.output_size)
        stages_ms = {**prepared.assembly.stages_ms, "queue": queue_ms, **result.timings_ms}
        self._publishing.put(_Estimated(prepared.assembly, result, stages_ms))

    def _publish(self, estimated: _Estimated) -> None:
        start_s, config = time.monotonic(), self.config
        result = limit_depth(
            estimated.result, config.depth_min, config.depth_max, config.depth_max_error
        )
        estimated = replace(estimated, result=result)
        self._outputs.publish_depth(result, estimated.assembly.header, config)
        self.ledger.published()
        estimated.stages_ms["publish"] = 1000 * (time.monotonic() - start_s)
        try:
            self._outputs.publish_status(self._account(estimated))
            self._returns.check(estimated.assembly.frame, result.radar)
        except Exception as error:  # the depth is out: no loss of the frame
            self._count_picture_error(estimated, error)
        self._drawing.put(estimated)
        self.explanations.offer(estimated.assembly)

    def _account(self, estimated: _Estimated) -> DepthStatus:
        """Note how long a frame took; return its status."""
        assembly, now_s = estimated.assembly, time.monotonic()
        latency_ms = (self._ros_now_ns() - assembly.frame.stamp_ns) / 1e6
        age_ms = 1000 * (now_s - assembly.arrived_s)
        self.timing.latency_ms.add(latency_ms)
        self.timing.age_ms.add(age_ms)
        self.timing.published_s.add(now_s)
        self.timing.add_stages(estimated.stages_ms)
        return depth_status(
            assembly,
            estimated.result,
            self.ledger.state(),
            self._estimator.info,
            latency_ms,
            age_ms,
            estimated.stages_ms,
        )

    def _draw(self, estimated: _Estimated) -> None:
        assembly = estimated.assembly
        self._outputs.publish_pictures(
            estimated.result, assembly.frame, assembly.header, self.config
        )

    def _count_drop(self, item: object, reason: str) -> None:
        self.ledger.dropped(reason)

    def _count_error(self, item: _MatchT | _Prepared | _Estimated, error: Exception) -> None:
        self.ledger.dropped("worker_error")
        stamp_ns = item.stamp_ns if isinstance(item, Match) else item.assembly.frame.stamp_ns
        if self._alive():
            self._complain(
                f"image at {stamp_ns / NS:.3f} s dropped by {type(error).__name__}: {error}",
                "error",
            )

    def _count_picture_error(self, item: object, error: Exception) -> None:
        self.ledger.event("picture_errors")
        if self._alive():
            self._complain(f"no picture: {type(error).__name__}: {error}", "error")
