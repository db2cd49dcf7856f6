# SPDX-License-Identifier: Apache-2.0
"""The run that distillation_node's parameters describe, and what it needs from the machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from xd_rcdepth_ros.errors import ConfigurationError, DeviceError
from xd_rcdepth_ros.inference import share_folder
from xd_rcdepth_ros.network import read_header
from xd_rcdepth_ros.recordings.bags import find_recordings
from xd_rcdepth_ros.ros.training.parameters import TrainingParameters
from xd_rcdepth_ros.training.checkpoints import ARCHITECTURE_OF
from xd_rcdepth_ros.training.config import RunConfig, read_config
from xd_rcdepth_ros.training.overrides import settings_of, sources_of


def shipped_config(stage: str) -> Path:
    """Return the training configuration that the package ships for a stage."""
    return share_folder() / "config" / "distill" / f"{stage}.yaml"


def run_of(given: TrainingParameters) -> RunConfig:
    """Return the run that the parameters describe.

    Raises:
        ConfigurationError: The configuration cannot be read, a value is not allowed, or the file
            is of the other stage.
    """
    recordings, validation = _paths(given.recordings), _paths(given.validation)
    overrides: dict[str, Any] = {}
    if validation:
        overrides["validation"] = [{"path": path} for path in validation]
        if recordings:
            overrides["train"] = [{"path": path} for path in recordings]
    elif recordings:
        overrides |= sources_of(recordings)
    for key, path in (("teacher", given.teacher), ("output", given.output)):
        overrides |= {key: str(Path(path).expanduser())} if path else {}
    if not given.config:
        needed = {"recordings": any(given.recordings), "output": given.output}
        missing = [name for name, value in needed.items() if not value]
        if missing:
            raise ConfigurationError(
                f"parameters {' and '.join(missing)} are empty; the shipped configuration for the "
                f"{given.stage} names no folders. Set them, or set config to a file that does."
            )
    file = Path(given.config).expanduser() if given.config else shipped_config(given.stage)
    run = read_config(file, overrides | settings_of(given.settings))
    if run.stage != given.stage:
        raise ConfigurationError(
            f"{file} trains the {run.stage}, but parameter stage is {given.stage!r}; expected the "
            f"same. Set stage to {run.stage!r}, or give another configuration."
        )
    return run


def check_run(run: RunConfig) -> None:
    """Check what a run needs from this machine, as far as that takes no time.

    Raises:
        RecordingError: There are no such bags.
        CheckpointError: A model file is missing, damaged, or of the wrong kind.
        ConfigurationError: The run wants several processes, or a file is missing.
        DeviceError: There is no such device.
    """
    for source in (*run.train, *run.validation):
        find_recordings(source.path, source.split)
    if run.stage == "student" and run.student_objective.needs_teacher:
        _check_model("teacher", str(run.teacher), "teacher")
    if run.start is not None:
        _check_model("start", run.start, run.stage)
    for name, file in run.encoders.items():
        if not Path(file).is_file():
            raise ConfigurationError(
                f"encoders.{name} is {file}; expected a file of ImageNet weights (safetensors)."
            )
    if run.devices * run.nodes > 1:
        raise ConfigurationError(
            f"devices {run.devices} x nodes {run.nodes} are several processes; expected 1 x 1 in a "
            "node. Start such a run by `xd-rcdepth train`."
        )
    if run.accelerator == "cuda" and not torch.cuda.is_available():
        raise DeviceError(
            "accelerator is 'cuda', but no CUDA device can be used. Set accelerator to 'auto' or "
            "'cpu', or mend the driver."
        )
    try:
        Path(run.output).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"output {run.output} cannot be made: {error}. Choose a folder that can be written."
        ) from error


def _check_model(key: str, file: str, stage: str) -> None:
    architecture = read_header(file).architecture
    if architecture != ARCHITECTURE_OF[stage]:
        raise ConfigurationError(
            f"{key} {file} holds architecture {architecture!r}; expected "
            f"{ARCHITECTURE_OF[stage]!r}, a {stage}."
        )


def _paths(texts: Sequence[str]) -> list[str]:
    return [str(Path(text).expanduser()) for text in texts if text]
