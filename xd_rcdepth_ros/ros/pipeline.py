# SPDX-License-Identifier: Apache-2.0
"""From messages to published depth: synchronise, assemble, estimate, publish, explain.

Callbacks only decode radar, synchronise and put the match into a slot. Three threads do the rest:
depth, pictures and saliency; each takes the newest item and the last two can only ever be late.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from message_filters import SimpleFilter

from xd_rcdepth_ros.errors import MessageError
from xd_rcdepth_ros.geometry import DepthResult
from xd_rcdepth_ros.inference import DepthEstimator
from xd_rcdepth_ros.ros.accounting import Complaints, FrameLedger, FrameTiming
from xd_rcdepth_ros.ros.assembly import Assembly, FrameAssembler, FrameRefusedError, RadarMessage
from xd_rcdepth_ros.ros.cameras import CameraBook
from xd_rcdepth_ros.ros.explanations import Explanations
from xd_rcdepth_ros.ros.outputs import Outputs
from xd_rcdepth_ros.ros.parameters.configuration import NodeConfig
from xd_rcdepth_ros.ros.radars import decode_radar
from xd_rcdepth_ros.ros.status import depth_status
from xd_rcdepth_ros.ros.sync.core import NS, Match, SyncCounts, SyncSettings
from xd_rcdepth_ros.ros.sync.filter import SynchronizerFilter
from xd_rcdepth_ros.ros.transforms import SweepTransforms
from xd_rcdepth_ros.ros.worker import NewestWorker

_MatchT = Match[Any, RadarMessage]


def sync_settings(config: NodeConfig) -> SyncSettings:
    """Return the synchroniser's part of the configuration."""
    return SyncSettings(
        window_s=config.sync_window,
        sweeps=config.sweeps,
        max_wait_s=config.sync_max_wait,
        on_missing_radar=config.sync_on_missing_radar,
        hold_s=config.sync_hold_time,
        time_jump_s=config.sync_time_jump,
    )


class DepthPipeline:
    """Everything between the subscriptions and the publishers of an active depth node.

    Args:
        config: Checked parameters; ``reconfigure`` exchanges them.
        estimator: The loaded model.
        transforms: Where radar sweeps lay.
        outputs: Publishers.
        complain: Says what goes wrong, once a cause.
        ros_now_ns: Time of the ROS clock, nanoseconds.
        alive: False once the ROS context is shut down: errors are then no news.
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
    ) -> None:
        self.config = config
        self.ledger = FrameLedger()
        self.timing = FrameTiming()
        self._estimator, self._transforms, self._outputs = estimator, transforms, outputs
        self._complain, self._ros_now_ns, self._alive = complain, ros_now_ns, alive
        self._cameras = CameraBook(complain)
        self._assembler = FrameAssembler(self._cameras, transforms, self.ledger, complain)
        self._depth: NewestWorker[_MatchT] = NewestWorker(
            "depth", self._work, lambda _, reason: self.ledger.dropped(reason), self._failed
        )
        self._pictures: NewestWorker[tuple[Assembly, DepthResult]] = NewestWorker(
            "pictures", self._draw, _ignore, self._side_failed
        )
        self.explanations = Explanations(config, estimator, outputs, self._side_failed)
        # What the callbacks below take in goes through filters: any other may be put between.
        self.images = SimpleFilter()
        self.radars = {name: SimpleFilter() for name in config.radars}
        self._sync = SynchronizerFilter(
            config.sync_policy,
            config.radars,
            sync_settings(config),
            self._unmatched,
            self._time_reset,
        )
        self._sync.connectInput(self.images, self.radars)
        self._sync.registerCallback(self._matched)

    # Callbacks of the node; all return at once. ------------------------------------------------

    def on_image(self, message: Any) -> None:
        """Take an Image or CompressedImage."""
        self.ledger.received()
        self.images.signalMessage(message)

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
        self.radars[name].signalMessage(RadarMessage(points, message.header))

    def poll(self) -> None:
        """Let images go whose wait for radar is over."""
        self._sync.poll()

    # State ---------------------------------------------------------------------------------------

    @property
    def pending(self) -> int:
        """Images that wait for radar."""
        return self._sync.pending

    def sync_counts(self) -> SyncCounts:
        """Return the synchroniser's counters."""
        return self._sync.counts()

    def reconfigure(self, config: NodeConfig) -> None:
        """Use other parameters from the next frame on."""
        self.config = self.explanations.config = config
        self._sync.settings = sync_settings(config)

    def forget_time(self) -> None:
        """Start anew after the clock jumped back."""
        self._sync.clear("time_reset")
        self._time_reset()

    def stop(self) -> None:
        """Drop what waits, finish what is being worked on, end the threads."""
        self._sync.clear("deactivated")
        for worker in (self._depth, self._pictures, self.explanations):
            worker.stop()

    # Between synchroniser and slot -------------------------------------------------------------

    def _matched(self, match: _MatchT) -> None:
        if match.missing or match.held:
            names = ", ".join(match.missing + match.held)
            self._complain(
                f"no sweep of radar {names} within sync.window = {self.config.sync_window:g} s of "
                f"the image at {match.stamp_ns / NS:.3f} s; going on by sync.on_missing_radar = "
                f"{self.config.sync_on_missing_radar}.",
            )
        self._depth.put(match)

    def _unmatched(self, stamp_ns: int, reason: str) -> None:
        self.ledger.dropped(reason)
        if reason in ("duplicate", "out_of_order"):
            self._complain(
                f"image with stamp {stamp_ns / NS:.3f} s dropped: {reason.replace('_', ' ')}. Each "
                "image needs a stamp of its own, later than the last; is there one source only?",
            )

    def _time_reset(self) -> None:
        self.ledger.event("time_resets")
        self._depth.clear("time_reset")
        self._transforms.reset()
        self._complain("stamps went back in time; starting anew.")

    # The depth thread --------------------------------------------------------------------------

    def _work(self, match: _MatchT) -> None:
        config = self.config
        try:
            assembly = self._assembler.assemble(match, config)
        except FrameRefusedError as error:
            self.ledger.dropped(error.reason)
            self._complain(f"image dropped: {error}", "error")
            return
        result = self._estimator.estimate(assembly.frame, config.output_size)
        publishing_s = time.monotonic()
        self._outputs.publish_depth(result, assembly.header, config)
        now_s = time.monotonic()
        self.ledger.published()
        stages_ms = {
            **assembly.stages_ms,
            **result.timings_ms,
            "publish": 1000 * (now_s - publishing_s),
        }
        latency_ms = (self._ros_now_ns() - match.stamp_ns) / 1e6
        age_ms = 1000 * (now_s - match.arrived_s)
        self.timing.latency_ms.add(latency_ms)
        self.timing.age_ms.add(age_ms)
        self.timing.published_s.add(now_s)
        self.timing.add_stages(stages_ms)
        self._outputs.publish_status(
            depth_status(
                assembly,
                result,
                self.ledger.state(),
                self._estimator.info,
                latency_ms,
                age_ms,
                stages_ms,
            )
        )
        self._pictures.put((assembly, result))
        self.explanations.offer(assembly)

    def _failed(self, match: _MatchT, error: Exception) -> None:
        self.ledger.dropped("worker_error")
        if self._alive():
            self._complain(
                f"image at {match.stamp_ns / NS:.3f} s dropped by {type(error).__name__}: {error}",
                "error",
            )

    # The side threads --------------------------------------------------------------------------

    def _draw(self, item: tuple[Assembly, DepthResult]) -> None:
        assembly, result = item
        self._outputs.publish_pictures(result, assembly.frame.image, assembly.header, self.config)

    def _side_failed(self, _: Any, error: Exception) -> None:
        self.ledger.event("picture_errors")
        if self._alive():
            self._complain(f"no picture: {type(error).__name__}: {error}", "error")


def _ignore(_: Any, reason: str) -> None:
    """A picture that is not drawn is no loss: the next one is newer."""
