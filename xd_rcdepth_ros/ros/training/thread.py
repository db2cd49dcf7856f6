# SPDX-License-Identifier: Apache-2.0
"""A training run in a thread of its own; it knows no ROS, and its end is always a report."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace

from xd_rcdepth_ros.errors import XDRCDepthError
from xd_rcdepth_ros.training.config import RunConfig
from xd_rcdepth_ros.training.progress import Control, Progress, RunStoppedError, State
from xd_rcdepth_ros.training.runs import RunResult, run

REPORT_PERIOD_S = 0.5
_log = logging.getLogger(__name__)


class Reports:
    """Reports on their way from one thread to another: each change of state, else the newest."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Progress] = []
        self._taken: State | None = None
        self._taken_s = 0.0

    def put(self, progress: Progress) -> None:
        """Add a report; it replaces one of the same state that was not taken yet."""
        with self._lock:
            if self._waiting and self._waiting[-1].state == progress.state:
                self._waiting.pop()
            self._waiting.append(progress)

    def take(self, now_s: float) -> list[Progress]:
        """Return what is due: changes of state at once, else one each ``REPORT_PERIOD_S``.

        Args:
            now_s: Seconds of a steady clock.
        """
        with self._lock:
            same = all(progress.state == self._taken for progress in self._waiting)
            if not self._waiting or (same and now_s - self._taken_s < REPORT_PERIOD_S):
                return []
            due, self._waiting = self._waiting, []
            self._taken, self._taken_s = due[-1].state, now_s
            return due


class TrainingThread:
    """Runs a training. Whatever ends it, the last report says so: finished, stopped or failed.

    Args:
        config: The run.
        resume: Continue from the state in the output folder, if there is one.
    """

    def __init__(self, config: RunConfig, resume: bool) -> None:
        self.config = config
        self.reports = Reports()
        self.result: RunResult | None = None
        """What came of it; None if it failed, or was stopped before its first step."""
        self._control = Control()
        self.newest = Progress(
            State.PREPARING, config.stage, steps_total=config.schedule.steps, message="starting"
        )
        self.reports.put(self.newest)
        self._thread = threading.Thread(
            target=self._train, args=(resume,), name="training", daemon=True
        )
        self._thread.start()

    @property
    def alive(self) -> bool:
        """True until the last report has been put."""
        return self._thread.is_alive()

    def pause(self) -> None:
        """Let the run wait after its current step."""
        self._control.pause()

    def resume(self) -> None:
        """Let the run continue."""
        self._control.resume()

    def stop(self) -> None:
        """Let the run save its state after its current step, and end."""
        self._control.stop()

    def join(self, timeout_s: float) -> None:
        """Wait for the end, at most so many seconds."""
        self._thread.join(timeout_s)

    def _train(self, resume: bool) -> None:
        try:
            self.result = run(self.config, resume, self._report, self._control)
        except RunStoppedError as stop:
            self._report_end(State.STOPPED, str(stop))
        except XDRCDepthError as error:
            self._report_end(State.FAILED, str(error))
        except Exception as error:  # of a library: the node must survive it and report it
            _log.exception("the training failed")
            self._report_end(State.FAILED, f"{type(error).__name__}: {error}")

    def _report(self, progress: Progress) -> None:
        if progress.state == State.PREPARING and self._control.stopping:
            raise RunStoppedError("stopped before the first step")
        self.newest = replace(progress, steps_total=self.config.schedule.steps)
        self.reports.put(self.newest)

    def _report_end(self, state: State, message: str) -> None:
        self._report(replace(self.newest, state=state, message=message, remaining_s=0.0))
