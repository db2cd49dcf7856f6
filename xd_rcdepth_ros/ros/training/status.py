# SPDX-License-Identifier: Apache-2.0
"""Where a training run stands, as messages: TrainingProgress, and a diagnostic with a remedy."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from builtin_interfaces.msg import Duration, Time
from diagnostic_msgs.msg import DiagnosticStatus

from xd_rcdepth_ros.msg import TrainingProgress
from xd_rcdepth_ros.ros.diagnostics import ERROR, OK, STALE, WARN, status
from xd_rcdepth_ros.training.config import RunConfig
from xd_rcdepth_ros.training.progress import Progress, State

STATES = {
    State.PREPARING: TrainingProgress.STATE_PREPARING,
    State.RUNNING: TrainingProgress.STATE_RUNNING,
    State.PAUSED: TrainingProgress.STATE_PAUSED,
    State.VALIDATING: TrainingProgress.STATE_VALIDATING,
    State.FINISHED: TrainingProgress.STATE_FINISHED,
    State.STOPPED: TrainingProgress.STATE_STOPPED,
    State.FAILED: TrainingProgress.STATE_FAILED,
}
LOW_DISK_GB = 1.0
MUCH_WAITING = 0.3


def progress_message(
    progress: Progress, run: RunConfig, stamp: Time, nonfinite_before: int = 0
) -> TrainingProgress:
    """Return a report as a message.

    Args:
        progress: The report.
        run: The run.
        stamp: Time of the report.
        nonfinite_before: Steps with a loss that was not finite, by the report before.
    """
    flags = TrainingProgress.FLAG_RESUMED if progress.resumed else 0
    flags |= TrainingProgress.FLAG_BEST if progress.is_best else 0
    if progress.nonfinite_steps > nonfinite_before:
        flags |= TrainingProgress.FLAG_NONFINITE_LOSS
    message = TrainingProgress(
        state=STATES[progress.state],
        flags=flags,
        stage=run.stage,
        run=Path(run.output).resolve().name,
        message=progress.message,
        epoch=progress.epoch,
        step=progress.step,
        steps_total=progress.steps_total,
        samples_per_s=progress.samples_per_s,
        learning_rate=progress.learning_rate,
        loss_names=list(progress.losses),
        losses=list(progress.losses.values()),
        validation_mae_m=progress.validation_mae_m,
        best_validation_mae_m=progress.best_validation_mae_m,
        elapsed=_duration(progress.elapsed_s),
        remaining=_duration(progress.remaining_s),
        checkpoint=progress.checkpoint,
    )
    message.header.stamp = stamp
    return message


def _duration(seconds: float) -> Duration:
    whole, part = divmod(max(0.0, seconds), 1.0)
    return Duration(sec=int(whole), nanosec=int(1e9 * part))


def training_status(
    node: str,
    state: str,
    problem: str,
    run: RunConfig | None,
    progress: Progress | None,
    recent_nonfinite: int = 0,
    unusable_frames: int = 0,
) -> DiagnosticStatus:
    """Return the status of the training: how it is, and what to do if it is not well.

    Args:
        node: Full name of the node.
        state: Its lifecycle state.
        problem: Why the last transition failed; empty if it did not.
        run: The run; None while unconfigured.
        progress: Its newest report; None before the first.
        recent_nonfinite: Steps since the last status whose loss was not finite.
        unusable_frames: Frames that were left out.
    """
    values: dict[str, Any] = {"state": state}
    if run is not None:
        values |= {"stage": run.stage, "output": run.output, "free_disk_gb": _free_gb(run.output)}
    if progress is not None:
        values |= {
            "run": progress.state.value,
            "step": progress.step,
            "steps_total": progress.steps_total,
            "samples_per_s": progress.samples_per_s,
            "data_wait_share": progress.data_wait_share,
            "nonfinite_steps": progress.nonfinite_steps,
            "unusable_frames": unusable_frames,
            "validation_mae_m": progress.validation_mae_m,
            "best_validation_mae_m": progress.best_validation_mae_m,
            "elapsed_s": progress.elapsed_s,
            "remaining_s": progress.remaining_s,
            "checkpoint": progress.checkpoint,
        }
    level, text = _judge(state, problem, progress, recent_nonfinite)
    if level == OK and values.get("free_disk_gb", LOW_DISK_GB) < LOW_DISK_GB:
        level = WARN
        text = f"only {values['free_disk_gb']:.2f} GB are free for {values['output']}: make room"
    return status(node, "training", level, text, values)


def _judge(
    state: str, problem: str, progress: Progress | None, recent_nonfinite: int
) -> tuple[bytes, str]:
    if problem:
        return ERROR, problem
    if progress is None:
        return STALE, f"node is {state}: nothing is trained"
    where = f"at step {progress.step} of {progress.steps_total}"
    reason = f": {progress.message}" if progress.message else ""
    if progress.state == State.FAILED:
        return ERROR, f"failed {where}; correct it and activate again. Reason{reason}"
    if progress.state == State.STOPPED:
        return WARN, f"stopped {where}{reason}; activate again to continue"
    if progress.state == State.PAUSED:
        return WARN, f"paused {where}; call ~/resume to continue"
    if recent_nonfinite:
        return WARN, (
            f"{recent_nonfinite} steps were left out just now, their loss was not finite: if it "
            "continues, lower schedule.learning_rate, or set precision to 32-true"
        )
    if progress.state == State.RUNNING and progress.data_wait_share > MUCH_WAITING:
        return WARN, (
            f"steps wait for data {100 * progress.data_wait_share:.0f} % of the time: raise "
            "workers, or memory_mb"
        )
    return OK, f"{progress.state.value} {where}{reason}"


def _free_gb(folder: str) -> float:
    try:
        return shutil.disk_usage(folder).free / 1e9
    except OSError:
        return float("nan")
