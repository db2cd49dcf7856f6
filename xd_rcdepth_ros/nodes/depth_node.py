# SPDX-License-Identifier: Apache-2.0
"""depth_node: camera and radar topics in, metric depth out; a lifecycle node that starts itself."""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.clock import Clock, ClockType, JumpThreshold
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from tf2_ros import Buffer, TransformListener

from xd_rcdepth_ros.errors import XDRCDepthError
from xd_rcdepth_ros.geometry import PinholeCamera
from xd_rcdepth_ros.inference import DepthEstimator, shipped_model
from xd_rcdepth_ros.network import require_sha256
from xd_rcdepth_ros.ros import diagnostics
from xd_rcdepth_ros.ros.accounting import Complaints
from xd_rcdepth_ros.ros.inputs import Inputs, image_topic
from xd_rcdepth_ros.ros.memory import MemoryKeeper, prepare_heap, release_all
from xd_rcdepth_ros.ros.outputs import Outputs
from xd_rcdepth_ros.ros.parameters.configuration import NodeConfig
from xd_rcdepth_ros.ros.parameters.server import ParameterServer
from xd_rcdepth_ros.ros.pipeline import DepthPipeline
from xd_rcdepth_ros.ros.process import run_node
from xd_rcdepth_ros.ros.radars import message_type
from xd_rcdepth_ros.ros.transforms import SweepTransforms

POLL_PERIOD_S = 0.01
IMAGE_DEPTH, RADAR_DEPTH = 5, 10


class DepthNode(LifecycleNode):
    """Lifecycle of the depth node.

    ``configure`` loads the model and warms it up, ``activate`` opens the topics, ``deactivate``
    closes them and keeps the model, ``cleanup`` releases it. ``estimators`` loads the model.
    """

    def __init__(self, estimators: type[DepthEstimator] = DepthEstimator, **kwargs: object) -> None:
        super().__init__("depth_node", **kwargs)  # type: ignore[arg-type]
        self._problem, self._estimators = "", estimators
        self._estimator: DepthEstimator | None = None
        self._transforms: SweepTransforms | None = None
        self._listener: TransformListener | None = None
        self._buffer: Buffer | None = None
        self._outputs: Outputs | None = None
        self._pipeline: DepthPipeline | None = None
        self._complain = Complaints(self._log)
        self._inputs = Inputs(self, self._complain)
        self._memory = MemoryKeeper()
        self._recent_drops = diagnostics.SinceLast()
        self._recent_transforms = diagnostics.SinceLast()
        self._parameter_server = ParameterServer(self, NodeConfig, self._reconfigure)
        self._warned_of: set[str] = set()
        config = self._parameter_server.config
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._diagnostics_timer = self.create_timer(
            config.diagnostics_period, self._watch, clock=self._steady
        )
        self._poll_timer = self.create_timer(POLL_PERIOD_S, self._poll, clock=self._steady)
        self._poll_timer.cancel()
        self._jump = self.get_clock().create_jump_callback(
            JumpThreshold(
                min_forward=None,
                min_backward=Duration(nanoseconds=-int(1e9 * config.sync_time_jump)),
                on_clock_change=False,
            ),
            post_callback=lambda _: self._reset_time(),
        )
        self._start_timer = self.create_timer(0.0, self._start, clock=self._steady)
        self._warn_of_unknown_parameters()

    # Lifecycle -----------------------------------------------------------------------------------

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model, warm it up, listen to transforms, make the publishers."""
        config = self._parameter_server.config
        named = Path(config.model_file).expanduser() if config.model_file else None
        try:
            model_file = (named or shipped_model()).resolve()
            require_sha256(model_file, config.model_sha256)
            estimator = self._estimators.load(
                model_file,
                config.device,
                config.backend,
                config.precision,
                config.network_size if any(config.network_size) else None,
                config.threads,
            )
            for radar in config.radar_inputs.values():
                message_type(radar.type)
            start_s = time.monotonic()
            estimator.warm_up(_warm_up_camera(estimator), explanations=False)
        except Exception as error:  # rclpy would swallow it; a driver may throw anything
            return self._fail_transition("configure", error)
        self._problem = ""
        self._estimator = estimator
        self._buffer = Buffer(node=self)
        self._listener = TransformListener(self._buffer, self, spin_thread=False)
        self._transforms = SweepTransforms(self._buffer)
        self._outputs = Outputs(self, estimator.info.estimates_error)
        self._parameter_server.locked = True
        info = estimator.info
        self.get_logger().info(
            f"loaded {info.identity} ({info.parameters / 1e6:.2f} M weights) on {info.device} by "
            f"{info.backend} in {info.precision}; warm-up took {time.monotonic() - start_s:.1f} s; "
            f"backend {estimator.describe()['backend_note']}"
        )
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Open the topics."""
        config = self._parameter_server.config
        assert self._estimator and self._transforms and self._outputs
        super().on_activate(state)
        pipeline = DepthPipeline(
            config,
            self._estimator,
            self._transforms,
            self._outputs,
            self._complain,
            lambda: self.get_clock().now().nanoseconds,
            self.context.ok,
            self.resolve_topic_name(image_topic(self, config.image_transport)),
        )
        self._pipeline = pipeline
        try:
            self._open_inputs(config, pipeline)
        except Exception as error:
            self._close_inputs()
            return self._fail_transition("activate", error)
        self._memory.reset()
        self._warn_of_unknown_parameters()
        topics = ", ".join(state.topic for state in self._inputs.states)
        self.get_logger().info(f"active; listening to {topics}")
        return TransitionCallbackReturn.SUCCESS

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close the topics; the model stays loaded."""
        self._close_inputs()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release the model and all that configure made."""
        self._release()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close and release everything."""
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Go back to unconfigured after a transition broke."""
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def close(self) -> None:
        """End all threads; to be called before the node is destroyed."""
        self._release()

    def _start(self) -> None:
        self._start_timer.cancel()
        if not self._parameter_server.config.autostart:
            return
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def _fail_transition(self, transition: str, error: Exception) -> TransitionCallbackReturn:
        name = "" if isinstance(error, XDRCDepthError) else f"{type(error).__name__}: "
        self._problem = f"{transition} failed: {name}{error}"
        self.get_logger().error(self._problem)
        return TransitionCallbackReturn.FAILURE

    def _open_inputs(self, config: NodeConfig, pipeline: DepthPipeline) -> None:
        kind = Image if config.image_transport == "raw" else CompressedImage
        topic = image_topic(self, config.image_transport)
        full = self.resolve_topic_name(topic)
        if kind is Image and full.endswith("/compressed"):
            self.get_logger().warning(
                f"topic {full} has the name of compressed images, but image_transport is raw: set "
                "image_transport to compressed."
            )
        self._inputs.open("camera_info", CameraInfo, "camera_info", pipeline.on_camera_info, 5)
        self._inputs.open("image", kind, topic, self._on_image, IMAGE_DEPTH)
        for name, radar in config.radar_inputs.items():
            take = partial(pipeline.on_radar, name)
            self._inputs.open(
                f"radar {name}", message_type(radar.type), f"radar/{name}", take, RADAR_DEPTH
            )

    def _close_inputs(self) -> None:
        self._poll_timer.cancel()
        self._inputs.close()
        if self._pipeline is not None:
            self._pipeline.stop()
            if self.context.ok():  # the last word on every image that came
                self._publish_diagnostics()
            self._pipeline = None

    def _release(self) -> None:
        self._close_inputs()
        if self._listener is not None:
            self._listener.unregister()
        if self._buffer is not None:
            # The buffer offers a service; and the clock, which holds no reference to the buffer,
            # would call a dead one when time jumps back. Neither is in every version.
            service, jump = (getattr(self._buffer, name, None) for name in ("srv", "jump_handle"))
            if service is not None:
                self.destroy_service(service)
            if jump is not None:
                jump.unregister()
        if self._outputs is not None:
            self._outputs.close()
        self._estimator = self._outputs = self._transforms = None
        self._listener = self._buffer = None
        self._parameter_server.locked = False
        release_all()

    # Callbacks -----------------------------------------------------------------------------------

    def _on_image(self, message: Image | CompressedImage) -> None:
        if self._pipeline is not None:
            self._pipeline.on_image(message)
            if self._pipeline.synchronizer.pending:
                self._poll_timer.reset()

    def _poll(self) -> None:
        if self._pipeline is not None:
            self._pipeline.synchronizer.poll(time.monotonic())
        if self._pipeline is None or not self._pipeline.synchronizer.pending:
            self._poll_timer.cancel()

    def _reset_time(self) -> None:
        if self._pipeline is not None:
            self._pipeline.reset_time()

    def _reconfigure(self, config: NodeConfig) -> None:
        self._diagnostics_timer.timer_period_ns = int(1e9 * config.diagnostics_period)
        if self._pipeline is not None:
            self._pipeline.reconfigure(config)

    def _watch(self) -> None:
        if self._pipeline is not None:
            take = self._pipeline.on_camera_info
            self._inputs.hear_latched("camera_info", CameraInfo, take)
        self._publish_diagnostics()
        self._warn_of_silence()
        self._memory.trim()

    def _publish_diagnostics(self) -> None:
        node = self.get_fully_qualified_name()
        state = "active" if self._pipeline else "inactive" if self._estimator else "unconfigured"
        info = self._estimator.describe() if self._estimator else {}
        statuses = [diagnostics.model_status(node, state, self._problem, info, self._effort())]
        if self._pipeline is not None and self._transforms is not None:
            statuses += self._activity(node, self._pipeline, self._transforms)
        statuses.append(diagnostics.complaints_status(node, self._complain.recent()))
        stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(diagnostics.array(stamp, statuses))

    def _activity(
        self, node: str, pipeline: DepthPipeline, transforms: SweepTransforms
    ) -> list[DiagnosticStatus]:
        """Return how frames, synchronisation, transforms and inputs of an active node are."""
        config, now_s = self._parameter_server.config, time.monotonic()
        ledger, counts = pipeline.ledger.state(), transforms.counts()
        drops, failures = self._recent_drops(ledger.drops), self._recent_transforms(counts)
        return [
            diagnostics.frames_status(node, ledger, drops, pipeline.timing, now_s),
            diagnostics.synchronisation_status(node, pipeline.synchronizer.counts()),
            diagnostics.transforms_status(node, counts, failures, config.fixed_frame),
            *(
                diagnostics.input_status(node, state, now_s, config.watchdog_timeout)
                for state in self._inputs.states
            ),
        ]

    def _warn_of_silence(self) -> None:
        """Warn of inputs that are silent, and of a clock that does not run."""
        timeout_s = self._parameter_server.config.watchdog_timeout
        self._inputs.complain_of_silence(timeout_s)
        opened_s = [state.opened_s for state in self._inputs.states]
        waited = bool(opened_s) and time.monotonic() - min(opened_s) >= timeout_s
        if waited and self.get_clock().now().nanoseconds == 0:
            self._complain(
                "use_sim_time is true, but nothing publishes /clock: play the bag with --clock, or "
                "set use_sim_time to false."
            )

    def _warn_of_unknown_parameters(self) -> None:
        """Warn once of each parameter that was given and has no effect.

        Those of ``qos_overrides`` are known when publishers and subscriptions have been made.
        """
        active = self._pipeline is not None
        for name, text in self._parameter_server.unknown().items():
            if name not in self._warned_of and (active or not name.startswith("qos_overrides.")):
                self._warned_of.add(name)
                self.get_logger().warning(text)

    def _effort(self) -> dict[str, int]:
        """Return how often the depth was explained; all of it stays 0 while nobody asks."""
        explanations = self._pipeline.explanations if self._pipeline else None
        return {
            "saliency_maps": explanations.saliency_maps if explanations else 0,
            "radar_attributions": explanations.radar_attributions if explanations else 0,
            "backward_passes": self._estimator.backward_passes if self._estimator else 0,
        }

    def _log(self, level: str, text: str) -> None:
        if level == "error":
            self.get_logger().error(text)
        elif level == "warning":
            self.get_logger().warning(text)
        else:
            self.get_logger().info(text)


def _warm_up_camera(estimator: DepthEstimator) -> PinholeCamera:
    """Return a camera whose image falls onto the grid that the model was trained on."""
    header = estimator.info.header
    height, width = header.input_size
    focal_px = header.focal_length_px or float(width)
    return PinholeCamera.from_focal(
        width, height, focal_px, focal_px, (width - 1) / 2, (height - 1) / 2
    )


def main(args: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM; exit status 1 if its parameters cannot be used."""
    prepare_heap()
    return run_node("depth_node", DepthNode, args)


if __name__ == "__main__":
    sys.exit(main())
