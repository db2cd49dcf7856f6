# SPDX-License-Identifier: Apache-2.0
"""What is done in one step: Lightning modules of the teacher and of the student."""

from __future__ import annotations

import copy
from typing import Any, cast

import lightning.pytorch as lightning
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torchmetrics import MeanMetric

from xd_rcdepth_ros.distillation import (
    Explainable,
    Supervision,
    TeacherReference,
    confidence_labels,
    refer,
    student_loss,
    teacher_loss,
)
from xd_rcdepth_ros.errors import TrainingError
from xd_rcdepth_ros.network.student import Student
from xd_rcdepth_ros.network.teacher import Teacher
from xd_rcdepth_ros.training.batches import Batch
from xd_rcdepth_ros.training.config import RunConfig, ScheduleConfig
from xd_rcdepth_ros.training.references import ReferenceStore

VALIDATION_CAP_M = 80.0
MAX_NONFINITE_STEPS = 20
_NORMS = (nn.BatchNorm2d, nn.SyncBatchNorm)


def learning_rate_factor(step: int, schedule: ScheduleConfig) -> float:
    """Return the learning rate at a step as a share of its peak: linear rise, polynomial decay."""
    if step < schedule.warmup_steps:
        return (step + 1) / schedule.warmup_steps
    left = max(0, schedule.steps - step)
    return float((left / max(1, schedule.steps - schedule.warmup_steps)) ** schedule.power)


def teacher_factor(step: int, schedule: ScheduleConfig) -> float:
    """Return the weight of what the teacher says at a step, as a share of its weight at first.

    Stopping distillation early: Cho and Hariharan, https://arxiv.org/abs/1910.01348.
    """
    if not schedule.teacher_fades:
        return 1.0
    return max(0.0, 1 - step / (schedule.teacher_fades * schedule.steps))


def image_mae(prediction_m: Tensor, truth_m: Tensor, cap_m: float = VALIDATION_CAP_M) -> Tensor:
    """Return the MAE of each image that has truth, metres, by the CaFNet rule.

    Args:
        prediction_m: (B, 1, H, W); clamped to [0.001 m, cap].
        truth_m: (B, 1, H, W), NaN where unknown; counts where 0.001 m < truth < cap.
        cap_m: The cap, metres.
    """
    mask = (truth_m > 1e-3) & (truth_m < cap_m)
    gap = (prediction_m.clamp(1e-3, cap_m) - torch.where(mask, truth_m, 0)).abs() * mask
    counts = mask.flatten(1).sum(dim=1)
    maes = gap.flatten(1).sum(dim=1) / counts.clamp(min=1)
    return maes[counts > 0]


def channels_last(network: nn.Module) -> nn.Module:
    """Lay a network's weights out as convolutions run fastest."""
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


class DepthTask(lightning.LightningModule):
    """A network in training, with a moving average of its weights, which is what is validated.

    Args:
        network: Student or teacher.
        config: The run.
    """

    def __init__(self, network: nn.Module, config: RunConfig) -> None:
        super().__init__()
        self.network = channels_last(network)
        self.config = config
        self.schedule = config.schedule
        self.average: nn.Module | None = None
        if self.schedule.average:
            self.average = copy.deepcopy(self.network).requires_grad_(False)
        self.last_terms: dict[str, float] = {}
        self.nonfinite_steps = 0
        self._nonfinite_in_a_row = 0
        self._maes = nn.ModuleList(MeanMetric() for _ in config.validation)
        self._dense_mae = MeanMetric()
        self.train()

    @property
    def best_network(self) -> nn.Module:
        """The network to validate and to save: the average if there is one."""
        return self.network if self.average is None else self.average

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss of a batch, and its terms before weighting."""
        raise NotImplementedError

    def train(self, mode: bool = True) -> DepthTask:
        """Set the mode; the average never trains, and frozen statistics stay."""
        super().train(mode)
        if self.average is not None:
            self.average.eval()
        if self.schedule.freeze_statistics:
            for module in self.network.modules():
                if isinstance(module, _NORMS):
                    module.eval()
        return self

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Make what is drawn in a step (dropout) depend on the step alone."""
        torch.manual_seed(self.config.seed * 1_000_003 + self.global_step)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor | None:
        """Return the loss; None, which skips the step, if it is not finite in any process."""
        loss, terms = self.loss(batch)
        finite = torch.isfinite(loss.detach()).float()
        if self.trainer.world_size > 1:
            finite = self.trainer.strategy.reduce(finite, reduce_op="sum") / self.trainer.world_size
        if finite < 1:
            self._count_nonfinite()
            return None
        self._nonfinite_in_a_row = 0
        self.last_terms = {"total": float(loss.detach())} | {k: float(v) for k, v in terms.items()}
        shown = {f"train/{name}": value for name, value in self.last_terms.items()}
        self.log_dict(shown, batch_size=len(batch.image))
        return loss

    def _count_nonfinite(self) -> None:
        """Count a step whose loss is not finite; too many in a row end the run."""
        self.nonfinite_steps += 1
        self._nonfinite_in_a_row += 1
        if self._nonfinite_in_a_row >= MAX_NONFINITE_STEPS:
            raise TrainingError(
                f"the loss was not finite in {MAX_NONFINITE_STEPS} steps in a row up to step "
                f"{self.global_step}: the training diverged. Resume from the last state with a "
                "lower schedule.learning_rate, or with precision 32-true."
            )

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Take the step, then move the average: before any callback saves the state."""
        steps = self.global_step
        super().optimizer_step(*args, **kwargs)
        if self.average is None:
            return
        decay = min(self.schedule.average, (1 + steps) / (10 + steps))
        with torch.no_grad():
            pairs = zip(self.average.parameters(), self.network.parameters(), strict=True)
            for mean, value in pairs:
                mean.lerp_(value, 1 - decay)
            buffers = zip(self.average.buffers(), self.network.buffers(), strict=True)
            for old, new in buffers:
                old.copy_(new)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Score the average on one batch."""
        depth = self.best_network(batch.image, batch.radar)[:, :1].float()
        single, dense = image_mae(depth, batch.single_m), image_mae(depth, batch.dense_m)
        # Where there is no lidar, exact depth is the truth. Batches hold one sample.
        source = int(batch.keys[0, 0])
        scores = single if len(single) else dense
        if len(scores):
            cast(MeanMetric, self._maes[source]).update(scores)
        if len(dense):
            self._dense_mae.update(dense)

    def on_validation_epoch_end(self) -> None:
        """Book the figures: ``mae_m`` chooses the best checkpoint.

        It is the geometric mean over the sources, so that a tenth better on one of them makes up
        for a tenth worse on another, whatever their depths and numbers of frames.
        """
        metrics = [cast(MeanMetric, metric) for metric in self._maes]
        maes = {i: m.compute() for i, m in enumerate(metrics) if m.update_called}
        self.log("validation/mae_m", torch.stack(list(maes.values())).log().mean().exp())
        if len(maes) > 1:
            self.log_dict({f"validation/mae_m/{i}": mae for i, mae in maes.items()})
        if self._dense_mae.update_called:
            self.log("validation/dense_mae_m", self._dense_mae.compute())
        for metric in (*metrics, self._dense_mae):
            metric.reset()

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW, without decay of biases and normalisation; warm-up and polynomial decay."""
        schedule = self.schedule
        groups: list[dict[str, Any]] = []
        for encoders, share in ((False, 1.0), (True, schedule.encoder_rate)):
            learning = [
                parameter
                for name, parameter in self.network.named_parameters()
                if parameter.requires_grad and ("encoder." in name) == encoders
            ]
            for decayed, decay in ((True, schedule.weight_decay), (False, 0.0)):
                part = [p for p in learning if (p.dim() > 1) == decayed]
                lr = share * schedule.learning_rate
                groups.append({"params": part, "weight_decay": decay, "lr": lr})
        optimiser = torch.optim.AdamW(groups, lr=schedule.learning_rate)
        rate = torch.optim.lr_scheduler.LambdaLR(
            optimiser, lambda step: learning_rate_factor(step, self.schedule)
        )
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": rate, "interval": "step"}}


class TeacherTask(DepthTask):
    """Trains the teacher: depth, and confidence in the radar."""

    network: Teacher

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the teacher's loss."""
        output = self.network.predict(batch.image, batch.radar)
        labels = confidence_labels(batch.dense_m, batch.radar, self.config.confidence)
        supervision = Supervision(batch.dense_m, batch.single_m, batch.sky, batch.exact)
        objective = self.config.teacher_objective
        return teacher_loss(output, batch.image, supervision, labels, objective)


class StudentTask(DepthTask):
    """Trains the student, directly or with what a teacher says.

    Args:
        network: The student.
        config: The run.
        teacher: The teacher, if the objective needs one. It is no part of the checkpoints.
        references: Where the teacher's answers on fixed variants are kept.
    """

    network: Student

    def __init__(
        self,
        network: nn.Module,
        config: RunConfig,
        teacher: nn.Module | None = None,
        references: ReferenceStore | None = None,
    ) -> None:
        super().__init__(network, config)
        if teacher is not None:
            teacher = channels_last(teacher.eval().requires_grad_(False))
        self._outside = {"teacher": teacher}  # hidden in a dictionary from state_dict
        self._references = references

    def on_fit_start(self) -> None:
        """Bring the teacher to the student's device."""
        teacher = self._outside["teacher"]
        if teacher is not None:
            teacher.to(self.device)

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the student's loss."""
        supervision = Supervision(batch.dense_m, batch.single_m, batch.sky, batch.exact)
        factor = teacher_factor(self.global_step, self.schedule)
        objective = self.config.student_objective.with_teacher(factor)
        reference = self.refer(batch) if objective.needs_teacher else None
        loss, terms, _ = student_loss(
            self.network, batch.image, batch.radar, supervision, objective, reference
        )
        return loss, terms

    def refer(self, batch: Batch) -> TeacherReference:
        """Return what the teacher says about a batch, kept or new."""
        teacher = cast(Explainable, self._outside["teacher"])
        keys = [tuple(key) for key in batch.keys.tolist()]
        kept = self._references is not None and all(variant >= 0 for *_, variant in keys)
        if kept and self._references is not None:
            found = self._references.get(keys, self.device)
            if found is not None:
                return found
        supervision = Supervision(batch.dense_m, batch.single_m, batch.sky, batch.exact)
        seed = 0 if kept else self.global_step
        objective = self.config.student_objective
        reference = refer(teacher, batch.image, batch.radar, objective, supervision, seed)
        if kept and self._references is not None:
            self._references.put(keys, reference)
        return reference
