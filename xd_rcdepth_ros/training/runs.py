# SPDX-License-Identifier: Apache-2.0
"""Runs a training from its configuration: for the command, the node and the experiments."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import warnings
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from torch.utils.data import DataLoader

from xd_rcdepth_ros.errors import CheckpointError, ConfigurationError, XDRCDepthError
from xd_rcdepth_ros.network import file_sha256, load_checkpoint
from xd_rcdepth_ros.training.batches import (
    Batch,
    Samples,
    StepSampler,
    ValidationSamples,
    collate,
)
from xd_rcdepth_ros.training.checkpoints import Checkpoints, header_of
from xd_rcdepth_ros.training.config import RunConfig
from xd_rcdepth_ros.training.frames import TrainingFrames, row_medians
from xd_rcdepth_ros.training.networks import make_network
from xd_rcdepth_ros.training.packed import SUFFIX, PackedFrames
from xd_rcdepth_ros.training.progress import (
    Control,
    Progress,
    ProgressCallback,
    Report,
    RunStoppedError,
    State,
)
from xd_rcdepth_ros.training.references import ReferenceStore
from xd_rcdepth_ros.training.source import Frames, SourceConfig
from xd_rcdepth_ros.training.tasks import DepthTask, StudentTask, TeacherTask

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunResult:
    """What came of a run.

    Attributes:
        progress: Where it ended.
        model: Best model file; None if there was no validation.
        unusable: Reasons by frame for those that were left out.
        is_main: True in the one process that reports, of all that took part.
    """

    progress: Progress
    model: Path | None
    unusable: dict[str, str]
    is_main: bool = True


def run(
    config: RunConfig,
    resume: bool = True,
    report: Report | None = None,
    control: Control | None = None,
) -> RunResult:
    """Train as a configuration says.

    Args:
        config: The run.
        resume: Go on from the state in the output folder, if there is one; else begin anew.
        report: Called with each change of progress, in this thread.
        control: Pauses and stops the run from another thread.

    Returns:
        Where it ended: ``FINISHED``, or ``STOPPED`` with a resumable state.

    Raises:
        ConfigurationError: The output folder holds a run of another configuration.
        CheckpointError: A model file or the state cannot be read.
        RecordingError: Bags are missing, or no frame can be used.
    """
    report, control = report or (lambda progress: None), control or Control()
    folder = Path(config.output)
    folder.mkdir(parents=True, exist_ok=True)
    _claim(folder, config, resume)
    with ExitStack() as stack:
        loaders = _Loaders(config, stack, report)
        task = make_task(config, _references(config, loaders))
        medians = row_medians(loaders.train_sources)
        checkpoints = Checkpoints(folder, header_of(config, _revision(), medians), control)
        resumed = resume and checkpoints.state_file.exists()
        watcher = ProgressCallback(
            report, control, loaders.frames, resumed, newest_checkpoint=checkpoints.newest
        )
        trainer = _trainer(config, folder, [watcher, checkpoints])
        state, message = State.FINISHED, "all steps done"
        try:
            _fit(trainer, task, loaders, checkpoints.state_file if resumed else None)
            if trainer.global_step < config.schedule.steps:
                message = f"no better validation {config.schedule.patience} times in a row"
        except RunStoppedError as stop:
            state, message = State.STOPPED, str(stop)
        progress = replace(
            watcher.progress,
            state=state,
            stage=config.stage,
            step=trainer.global_step or watcher.progress.step,
            checkpoint=checkpoints.newest(),
            message=message,
        )
        report(progress)
        model = checkpoints.best_file if checkpoints.best_file.exists() else None
        return RunResult(progress, model, loaders.unusable, trainer.is_global_zero)


def make_task(config: RunConfig, references: ReferenceStore | None = None) -> DepthTask:
    """Return the Lightning module of a run."""
    network = make_network(config)
    if config.stage == "teacher":
        return TeacherTask(network, config)
    teacher = None
    if config.student_objective.needs_teacher and config.teacher is not None:
        teacher, _ = load_checkpoint(config.teacher)
    return StudentTask(network, config, teacher, references)


class _Loaders(lightning.LightningDataModule):
    """Opens the bags, and makes loaders that begin where the run stands."""

    def __init__(self, config: RunConfig, stack: ExitStack, report: Report) -> None:
        super().__init__()
        self.config = config
        self.unusable: dict[str, str] = {}
        cache = Path(config.cache or Path(config.output) / "cache")
        opened: list[list[Frames]] = []
        for sources in (config.train, config.validation):
            opened.append([stack.enter_context(self._open(s, cache)) for s in sources])
        self.train_sources, self.validation_sources = opened
        for frames in (*self.train_sources, *self.validation_sources):
            self._prepare(frames, report)
        self.frames = sum(map(len, self.train_sources))

    def _open(self, source: SourceConfig, cache: Path) -> Frames:
        config = self.config
        if source.path.endswith(SUFFIX):
            return PackedFrames(source, config.focal_length_px)
        return TrainingFrames(
            source, config.camera, config.focal_length_px, cache, config.memory_mb
        )

    def _prepare(self, frames: Frames, report: Report) -> None:
        def tell(done: int, total: int) -> None:
            message = f"preparing {frames.source.path}: frame {done} of {total}"
            report(Progress(State.PREPARING, self.config.stage, message=message))

        for index, reason in frames.prepare(tell).items():
            self.unusable[f"{frames.source.path} frame {index}"] = reason
            _log.warning("%s: frame %d left out: %s", frames.source.path, index, reason)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return the samples of the steps that are left."""
        config, trainer = self.config, self.trainer
        assert trainer is not None
        sampler = StepSampler(
            [len(frames) for frames in self.train_sources],
            [source.share for source in config.train],
            config.schedule.batch_size,
            config.schedule.steps,
            config.seed,
            config.variants,
            start=trainer.global_step,
            rank=trainer.global_rank,
            world=trainer.world_size,
        )
        samples = Samples(self.train_sources, config.size, config.augmentation, config.zero_radar)
        return DataLoader(
            samples,
            batch_sampler=sampler,
            collate_fn=collate,
            num_workers=config.workers,
            pin_memory=torch.cuda.is_available() and config.accelerator != "cpu",
            persistent_workers=config.workers > 0,
            worker_init_fn=_one_thread,
        )

    def val_dataloader(self) -> DataLoader[Batch]:
        """Return this process' part of the validation samples."""
        trainer = self.trainer
        assert trainer is not None
        samples = ValidationSamples(
            self.validation_sources, self.config.focal_length_px, self.config.zero_radar
        )
        numbers = range(trainer.global_rank, len(samples), trainer.world_size)
        return DataLoader(samples, sampler=numbers, collate_fn=collate)


def _one_thread(worker: int) -> None:
    import cv2

    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def _references(config: RunConfig, loaders: _Loaders) -> ReferenceStore | None:
    """Return the store of the teacher's answers, if the samples are such that it can be used."""
    objective = config.student_objective
    if config.stage != "student" or not objective.needs_teacher or not config.variants:
        return None
    assert config.teacher is not None
    identity = (
        file_sha256(config.teacher),
        [str(path.resolve()) for frames in loaders.train_sources for path in frames.paths],
        [asdict(source) for source in config.train],
        (config.camera, config.focal_length_px, config.size, config.zero_radar),
        asdict(config.augmentation),
    )
    cache = Path(config.cache or Path(config.output) / "cache")
    return ReferenceStore(cache / "references", identity, objective)


def _trainer(
    config: RunConfig, folder: Path, callbacks: list[lightning.Callback]
) -> lightning.Trainer:
    # A resumed run writes a further part; the logger would delete what is there.
    part = len(list((folder / "curves").glob("part-*")))
    loggers: list[Logger] = [
        CSVLogger(folder, "curves", version=f"part-{part}", flush_logs_every_n_steps=50),
        TensorBoardLogger(folder, name="", version="tensorboard"),
    ]
    processes = config.devices * config.nodes
    accelerator = {"cuda": "gpu"}.get(config.accelerator, config.accelerator)
    return lightning.Trainer(
        accelerator=accelerator,
        devices=config.devices,
        num_nodes=config.nodes,
        strategy="ddp" if processes > 1 else "auto",
        sync_batchnorm=processes > 1 and torch.cuda.is_available(),
        precision=config.precision,  # type: ignore[arg-type]
        max_epochs=1,  # one pass over all steps
        val_check_interval=config.schedule.validation_interval,
        gradient_clip_val=config.schedule.gradient_clip,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=10,
        logger=loggers,
        callbacks=callbacks,
    )


def _fit(
    trainer: lightning.Trainer, task: DepthTask, loaders: _Loaders, state: Path | None
) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        # The sampler begins where the run stands; Lightning cannot know.
        warnings.filterwarnings("ignore", message=".*your dataloader is not resumable.*")
        warnings.filterwarnings("ignore", message=".*in eval mode at the start of training.*")
        warnings.filterwarnings("ignore", message=".*smaller than the logging interval.*")
        warnings.filterwarnings("ignore", message=".*LeafSpec.*is deprecated.*")
        try:
            trainer.fit(task, datamodule=loaders, ckpt_path=state, weights_only=True)
        except Exception as error:
            known = isinstance(error, (XDRCDepthError, RunStoppedError))
            if known or state is None or trainer.global_step:
                raise
            raise CheckpointError(
                f"the state {state} cannot be taken up again: {error}. Begin anew with resume off, "
                "or choose another output folder."
            ) from error


def _claim(folder: Path, config: RunConfig, resume: bool) -> None:
    """Write the run's configuration into its folder; refuse one of another run."""
    file = folder / "config.json"
    text = json.dumps(asdict(config), indent=1, default=str) + "\n"
    if resume and file.exists() and (folder / "last.ckpt").exists():
        before, now = json.loads(file.read_text()), json.loads(text)
        free = ("workers", "memory_mb", "cache", "output", "devices", "nodes", "accelerator")
        differs = sorted(k for k in now if k not in free and before.get(k) != now[k])
        if differs:
            raise ConfigurationError(
                f"{folder} holds a run that differs in {', '.join(differs)}. Resume it with its "
                "own configuration, choose another output folder, or turn resume off."
            )
    if not resume:  # else the old state would be taken for this run's
        (folder / "last.ckpt").unlink(missing_ok=True)
    partial = file.with_suffix(f".{os.getpid()}.partial")
    partial.write_text(text, encoding="utf8")
    partial.replace(file)


def _revision() -> str:
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def figures(progress: Progress) -> dict[str, Any]:
    """Return the progress as plain values, for JSON."""
    return {**asdict(progress), "state": progress.state.value}
