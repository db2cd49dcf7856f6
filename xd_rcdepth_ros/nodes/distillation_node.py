# SPDX-License-Identifier: Apache-2.0
"""distillation_node: trains teacher or student from bags; a lifecycle node that starts itself."""

from __future__ import annotations

import logging
import sys
import time

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_srvs.srv import Trigger

from xd_rcdepth_ros.errors import XDRCDepthError
from xd_rcdepth_ros.msg import TrainingProgress
from xd_rcdepth_ros.ros import diagnostics
from xd_rcdepth_ros.ros.parameters.server import ParameterServer
from xd_rcdepth_ros.ros.process import run_node
from xd_rcdepth_ros.ros.training.parameters import TrainingParameters
from xd_rcdepth_ros.ros.training.run import check_run, run_of
from xd_rcdepth_ros.ros.training.status import progress_message, training_status
from xd_rcdepth_ros.ros.training.thread import TrainingThread
from xd_rcdepth_ros.training.config import RunConfig
from xd_rcdepth_ros.training.progress import Progress, State

POLL_PERIOD_S = 0.1
DIAGNOSTICS_PERIOD_S = 1.0
DELIVERY_S = 1.0


class DistillationNode(LifecycleNode):
    """Lifecycle of a training: the node is active exactly while its run continues.

    ``configure`` reads and checks what is to be trained, ``activate`` starts or continues it,
    ``deactivate`` saves a resumable state. When a run ends, the node deactivates itself.
    """

    def __init__(self, **kwargs: object) -> None:
        super().__init__("distillation_node", **kwargs)  # type: ignore[arg-type]
        self._problem = ""
        self._config: RunConfig | None = None
        self._run: TrainingThread | None = None
        self._progress: Progress | None = None
        self._resume = True
        self._unusable = 0
        self._recent = diagnostics.SinceLast()
        self._parameter_server = ParameterServer(self, TrainingParameters, lambda _: None)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._publisher = self.create_publisher(TrainingProgress, "~/progress", latched)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_service(Trigger, "~/pause", self._on_pause)
        self.create_service(Trigger, "~/resume", self._on_resume)
        self.create_service(Trigger, "~/stop", self._on_stop)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(POLL_PERIOD_S, self._poll, clock=steady)
        self.create_timer(DIAGNOSTICS_PERIOD_S, self._publish_diagnostics, clock=steady)
        self._start_timer = self.create_timer(0.0, self._start, clock=steady)
        for text in self._parameter_server.unknown().values():
            self.get_logger().warning(text)

    # Lifecycle -----------------------------------------------------------------------------------

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Read the configuration, and check what it names."""
        parameters = self._parameter_server.config
        try:
            config = run_of(parameters)
            check_run(config)
        except Exception as error:  # rclpy would swallow it
            name = "" if isinstance(error, XDRCDepthError) else f"{type(error).__name__}: "
            self._problem = f"configure failed: {name}{error}"
            self.get_logger().error(self._problem)
            return TransitionCallbackReturn.FAILURE
        self._problem, self._progress, self._unusable = "", None, 0
        self._config, self._resume = config, parameters.resume
        self._parameter_server.locked = True
        self.get_logger().info(
            f"configured: {config.stage}, {config.schedule.steps} steps of "
            f"{config.schedule.batch_size} samples, output in {config.output}"
        )
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start the run, or continue it."""
        assert self._config is not None
        self._run = TrainingThread(self._config, self._resume)
        self._resume = True  # from now on this run is continued
        self.get_logger().info(f"active; training the {self._config.stage}")
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Save a resumable state; that takes until the end of the current step or validation."""
        self._end_run()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Drop the configuration."""
        self._config = self._progress = None
        self._parameter_server.locked = False
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Save a resumable state."""
        self._end_run()
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Go back to unconfigured after a transition broke."""
        self._end_run()
        self._config = None
        self._parameter_server.locked = False
        return TransitionCallbackReturn.SUCCESS

    def close(self) -> None:
        """Save a resumable state and deliver the last report; before the node is destroyed."""
        self._end_run()
        if self.context.ok():
            self._publisher.wait_for_all_acked(Duration(seconds=DELIVERY_S))

    def _start(self) -> None:
        self._start_timer.cancel()
        if not self._parameter_server.config.autostart:
            return
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def _end_run(self) -> None:
        """Stop the run if there is one, wait for its end, and log the outcome."""
        run = self._run
        if run is None:
            return
        self._run = None
        run.stop()
        while run.alive:
            run.join(POLL_PERIOD_S)
            self._publish_reports(run)
        self._publish_reports(run)
        self._unusable = len(run.result.unusable) if run.result else 0
        end, log = run.newest, self.get_logger()
        outcome = f"{end.state.value} at step {end.step} of {end.steps_total}: {end.message}"
        if end.state == State.FAILED:
            log.error(outcome)
        else:
            model = run.result.model if run.result else None
            log.info(f"{outcome}; best model: {model or 'none yet'}")

    # Callbacks -----------------------------------------------------------------------------------

    def _poll(self) -> None:
        run = self._run
        if run is None:
            return
        ended = not run.alive
        self._publish_reports(run)
        if ended:
            self.trigger_deactivate()

    def _publish_reports(self, run: TrainingThread) -> None:
        for progress in run.reports.take(time.monotonic()):
            before = self._progress.nonfinite_steps if self._progress else 0
            stamp = self.get_clock().now().to_msg()
            self._progress = progress
            if self.context.ok():
                self._publisher.publish(progress_message(progress, run.config, stamp, before))

    def _on_pause(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if self._run is not None:
            self._run.pause()
        return self._answer(response, "the run pauses after its current step")

    def _on_resume(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if self._run is not None:
            self._run.resume()
        return self._answer(response, "the run continues")

    def _on_stop(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if self._run is not None:
            self._run.stop()
        return self._answer(response, "the run saves its state after its current step, and ends")

    def _answer(self, response: Trigger.Response, text: str) -> Trigger.Response:
        response.success = self._run is not None
        response.message = text if self._run is not None else "nothing runs; activate the node"
        return response

    def _publish_diagnostics(self) -> None:
        state = "active" if self._run else "inactive" if self._config else "unconfigured"
        nonfinite = self._progress.nonfinite_steps if self._progress else 0
        recent = self._recent({"nonfinite": nonfinite}).get("nonfinite", 0)
        status = training_status(
            self.get_fully_qualified_name(),
            state,
            self._problem,
            self._config,
            self._progress,
            recent,
            self._unusable,
        )
        stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(diagnostics.array(stamp, [status]))


def main(args: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM; exit status 1 if its parameters cannot be used."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    return run_node("distillation_node", DistillationNode, args)


if __name__ == "__main__":
    sys.exit(main())
