# SPDX-License-Identifier: Apache-2.0
"""Where a run stands, for whoever shows it; and how it is paused and stopped from outside."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

import lightning.pytorch as lightning
import torch

from xd_rcdepth_ros.training.tasks import DepthTask

_RECENT_STEPS = 50


class State(Enum):
    """What a run is doing."""

    PREPARING = "preparing"
    RUNNING = "running"
    PAUSED = "paused"
    VALIDATING = "validating"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True)
class Progress:
    """Where a run stands.

    Attributes:
        state: What it is doing.
        stage: ``teacher`` or ``student``.
        step: Optimiser steps done.
        steps_total: Optimiser steps planned.
        epoch: Passes over the training frames, by samples drawn.
        losses: Terms of the last step by name, before weighting; ``total`` is weighted.
        learning_rate: Of the last step.
        samples_per_s: Recent mean, samples per second.
        data_wait_share: Share of the time in which a step waited for data, recent mean.
        validation_mae_m: Of the last validation, metres; NaN before.
        best_validation_mae_m: The best so far, metres; NaN before.
        is_best: The last validation was the best so far.
        nonfinite_steps: Steps that were left out because their loss was not finite.
        resumed: The run went on from a checkpoint.
        elapsed_s: Seconds since this process began.
        remaining_s: Estimated seconds left.
        checkpoint: Newest checkpoint; empty before the first.
        message: For people.
    """

    state: State
    stage: str
    step: int = 0
    steps_total: int = 0
    epoch: int = 0
    losses: dict[str, float] = field(default_factory=dict)
    learning_rate: float = 0.0
    samples_per_s: float = 0.0
    data_wait_share: float = 0.0
    validation_mae_m: float = float("nan")
    best_validation_mae_m: float = float("nan")
    is_best: bool = False
    nonfinite_steps: int = 0
    resumed: bool = False
    elapsed_s: float = 0.0
    remaining_s: float = 0.0
    checkpoint: str = ""
    message: str = ""


Report = Callable[[Progress], None]


class RunStoppedError(Exception):
    """Ends a run early, after its state was saved."""


class Control:
    """Pauses, resumes and stops a run from another thread; a run asks it between steps."""

    def __init__(self) -> None:
        self._go = threading.Event()
        self._go.set()
        self._stop = threading.Event()

    @property
    def paused(self) -> bool:
        """True while the run shall wait."""
        return not self._go.is_set() and not self.stopping

    @property
    def stopping(self) -> bool:
        """True once the run shall end."""
        return self._stop.is_set()

    def pause(self) -> None:
        """Let the run wait after its current step."""
        self._go.clear()

    def resume(self) -> None:
        """Let the run go on."""
        self._go.set()

    def stop(self) -> None:
        """Let the run save its state and end after its current step."""
        self._stop.set()
        self._go.set()

    def wait(self, timeout_s: float) -> None:
        """Wait until the run may go on or shall end, at most so many seconds."""
        self._go.wait(timeout_s)


class ProgressCallback(lightning.Callback):
    """Reports each step, and obeys a :class:`Control`.

    Args:
        report: Called in the training's thread; must not wait.
        control: Asked between steps.
        samples: Number of training frames.
        resumed: The run went on from a checkpoint.
        newest_checkpoint: Returns the path of the newest checkpoint.
    """

    def __init__(
        self,
        report: Report,
        control: Control,
        samples: int,
        resumed: bool,
        newest_checkpoint: Callable[[], str],
    ) -> None:
        self._report, self._control, self._samples = report, control, samples
        self._newest_checkpoint = newest_checkpoint
        self._began = time.monotonic()
        self._first_step = 0
        self._ends: deque[tuple[float, float]] = deque(maxlen=_RECENT_STEPS)  # end, data wait
        self._last_end = self._batch_start = self._began
        self.progress = Progress(State.PREPARING, "", resumed=resumed)

    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Begin to measure."""
        self._first_step = trainer.global_step
        self._last_end = time.monotonic()
        self._send(trainer, pl_module, State.RUNNING)

    def on_train_batch_start(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Wait while paused."""
        self._batch_start = time.monotonic()
        if self._control.paused:
            self._send(trainer, pl_module, State.PAUSED)
            while self._control.paused:
                self._control.wait(0.2)
            self._last_end += time.monotonic() - self._batch_start
            self._batch_start = time.monotonic()

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Report the step."""
        now = time.monotonic()
        self._ends.append((now - self._last_end, self._batch_start - self._last_end))
        self._last_end = now
        self._send(trainer, pl_module, State.RUNNING)

    def on_validation_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Report that it validates."""
        if not trainer.sanity_checking:
            self._send(trainer, pl_module, State.VALIDATING)

    def on_validation_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Book the figure."""
        if trainer.sanity_checking:
            return
        mae = float(trainer.callback_metrics.get("validation/mae_m", torch.tensor(float("nan"))))
        best = self.progress.best_validation_mae_m
        is_best = mae == mae and not mae >= best
        self.progress = replace(
            self.progress,
            validation_mae_m=mae,
            best_validation_mae_m=mae if is_best else best,
            is_best=is_best,
        )
        self._last_end = time.monotonic()
        self._send(trainer, pl_module, State.RUNNING)

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run must know."""
        return {"best_validation_mae_m": self.progress.best_validation_mae_m}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take it back."""
        self.progress = replace(self.progress, **state_dict)

    def _send(
        self, trainer: lightning.Trainer, module: lightning.LightningModule, state: State
    ) -> None:
        assert isinstance(module, DepthTask)
        schedule = module.config.schedule
        step, took = trainer.global_step, sum(total for total, _ in self._ends)
        per_step = took / len(self._ends) if self._ends else 0.0
        optimisers = trainer.optimizers
        self.progress = replace(
            self.progress,
            state=state,
            stage=module.config.stage,
            step=step,
            steps_total=schedule.steps,
            epoch=step * schedule.batch_size // max(1, self._samples),
            losses=dict(module.last_terms),
            learning_rate=float(optimisers[0].param_groups[0]["lr"]) if optimisers else 0.0,
            samples_per_s=schedule.batch_size / per_step if per_step else 0.0,
            data_wait_share=sum(wait for _, wait in self._ends) / took if took else 0.0,
            nonfinite_steps=module.nonfinite_steps,
            elapsed_s=time.monotonic() - self._began,
            remaining_s=per_step * (schedule.steps - step),
            checkpoint=self._newest_checkpoint(),
        )
        self._report(self.progress)
