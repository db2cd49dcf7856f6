# SPDX-License-Identifier: Apache-2.0
"""What a run leaves: a resumable state, and the model file of the best validation."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch

from xd_rcdepth_ros.network import ModelHeader, save_checkpoint
from xd_rcdepth_ros.training.config import RunConfig
from xd_rcdepth_ros.training.progress import Control, RunStoppedError
from xd_rcdepth_ros.training.tasks import DepthTask

STATE_FILE = "last.ckpt"
ARCHITECTURE_OF = {"student": "xd_rcdepth_student", "teacher": "cafnet_teacher"}


def header_of(config: RunConfig, revision: str, row_medians_m: tuple[float, ...]) -> ModelHeader:
    """Return what a run's model files say about themselves."""
    network = config.student if config.stage == "student" else config.teacher_network
    return ModelHeader(
        architecture=ARCHITECTURE_OF[config.stage],
        config=asdict(network),
        focal_length_px=config.focal_length_px,
        input_size=config.size,
        training_data=" ".join(filter(None, (config.training_data, _made_radar(config)))),
        licence=config.licence,
        git_revision=revision,
        row_median_depth_m=row_medians_m,
    )


def _made_radar(config: RunConfig) -> str:
    """Return the sentence that says which sources' radar was made; empty if none was."""
    made = [f"{Path(s.path).name} ({s.radar})" for s in config.train if s.radar != "recorded"]
    return f"Radar made from lidar: {', '.join(made)}." if made else ""


class Checkpoints(lightning.Callback):
    """Saves the state after each validation and when the run is stopped, and the best model.

    Args:
        folder: Folder of the run.
        header: What the model files say about themselves.
        control: Asked after each step whether to save and end.
    """

    def __init__(self, folder: Path, header: ModelHeader, control: Control) -> None:
        self._folder, self._header, self._control = folder, header, control
        self._best_mae_m = float("inf")
        self._since_best = 0

    @property
    def state_file(self) -> Path:
        """Where the resumable state lies."""
        return self._folder / STATE_FILE

    @property
    def best_file(self) -> Path:
        """Where the best model lies."""
        return self._folder / f"{'teacher' if self._is_teacher else 'student'}.safetensors"

    @property
    def _is_teacher(self) -> bool:
        return self._header.architecture == ARCHITECTURE_OF["teacher"]

    def newest(self) -> str:
        """Return the path of the newest state, empty if there is none."""
        return str(self.state_file) if self.state_file.exists() else ""

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Save and end, if that is wanted."""
        if self._control.stopping:
            self.save(trainer)
            raise RunStoppedError(f"stopped after step {trainer.global_step}")

    def on_validation_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Keep the model if it is the best; end the run if it has not been for long."""
        if trainer.sanity_checking or not isinstance(pl_module, DepthTask):
            return
        mae = float(trainer.callback_metrics.get("validation/mae_m", torch.tensor(float("nan"))))
        if mae < self._best_mae_m:
            self._best_mae_m, self._since_best = mae, 0
            if trainer.is_global_zero:
                figures = {"validation_mae_m": mae, "step": trainer.global_step}
                header = replace(self._header, metrics={**self._header.metrics, **figures})
                save_checkpoint(self.best_file, pl_module.best_network, header)
        else:
            self._since_best += 1
        self.save(trainer)
        if pl_module.schedule.patience and self._since_best >= pl_module.schedule.patience:
            trainer.should_stop = True

    def save(self, trainer: lightning.Trainer) -> None:
        """Write the resumable state; the name appears only when it is complete."""
        partial = self.state_file.with_suffix(".partial")
        trainer.save_checkpoint(partial, weights_only=False)
        if trainer.is_global_zero:
            partial.replace(self.state_file)

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run must know."""
        return {"best_mae_m": self._best_mae_m, "since_best": self._since_best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take it back."""
        self._best_mae_m = state_dict["best_mae_m"]
        self._since_best = state_dict["since_best"]
