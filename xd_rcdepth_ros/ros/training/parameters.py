# SPDX-License-Identifier: Apache-2.0
"""Every parameter of distillation_node, and the run that they describe; knows no ROS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from xd_rcdepth_ros.errors import ConfigurationError, DeviceError
from xd_rcdepth_ros.inference import shipped_model
from xd_rcdepth_ros.network import read_header
from xd_rcdepth_ros.recordings.index import find_recordings
from xd_rcdepth_ros.ros.parameters.spec import ParameterSpec
from xd_rcdepth_ros.training.checkpoints import ARCHITECTURE_OF
from xd_rcdepth_ros.training.config import (
    STAGES,
    RunConfig,
    read_config,
    settings_of,
    sources_of,
)

TRAINING_PARAMETERS: tuple[ParameterSpec, ...] = (
    ParameterSpec(
        "autostart", True, "Configure and activate by itself when started.", change="start"
    ),
    ParameterSpec(
        "recordings",
        ("",),
        "Bags to learn from, or folders that hold bags at any depth; those of split train are "
        "learnt from, those of split val choose the best model. [''] for those that the "
        "configuration names.",
        change="unconfigured",
    ),
    ParameterSpec(
        "validation",
        ("",),
        "Bags that choose the best model, or folders of such; then recordings are learnt from "
        "whole, whatever their split. [''] for the bags of split val in recordings.",
        change="unconfigured",
    ),
    ParameterSpec(
        "stage",
        "student",
        "What is trained: the teacher, or the student, which learns from it.",
        change="unconfigured",
        choices=STAGES,
    ),
    ParameterSpec(
        "config",
        "",
        "Training configuration (YAML), as for `xd-rcdepth train`; empty for the one that is "
        "shipped for the stage.",
        change="unconfigured",
    ),
    ParameterSpec(
        "teacher",
        "",
        "Model file of the teacher (.safetensors), for a student that learns from one.",
        change="unconfigured",
    ),
    ParameterSpec(
        "output",
        "",
        "Folder of the run: resumable state, best model, curves. Empty for the one that the "
        "configuration names.",
        change="unconfigured",
    ),
    ParameterSpec(
        "resume",
        True,
        "Go on from the state in the output folder, if there is one; false begins anew.",
        change="unconfigured",
    ),
    ParameterSpec(
        "settings",
        ("",),
        "KEY=VALUE pairs that replace single values of the configuration, such as "
        "schedule.steps=2000. [''] for none.",
        change="unconfigured",
        pattern=(r"([A-Za-z_][\w.]*\s*=.*)?", "KEY=VALUE"),
    ),
)


def shipped_config(stage: str) -> Path:
    """Return the training configuration that the package ships for a stage."""
    return shipped_model().parents[1] / "config" / "distill" / f"{stage}.yaml"


def run_of(values: Mapping[str, Any]) -> RunConfig:
    """Return the run that the parameters describe.

    Args:
        values: Parameters by name; arrays as tuples.

    Raises:
        ConfigurationError: The configuration cannot be read, a value is not allowed, or the file
            is of the other stage.
    """
    stage, file = values["stage"], values["config"]
    recordings, validation = _paths(values["recordings"]), _paths(values["validation"])
    overrides: dict[str, Any] = {}
    if validation:
        overrides["validation"] = [{"path": path} for path in validation]
        if recordings:
            overrides["train"] = [{"path": path} for path in recordings]
    elif recordings:
        overrides |= sources_of(recordings)
    for key in ("teacher", "output"):
        overrides |= {key: str(Path(values[key]).expanduser())} if values[key] else {}
    if not file:
        missing = [
            name for name in ("recordings", "output") if not values[name] or not any(values[name])
        ]
        if missing:
            raise ConfigurationError(
                f"parameters {' and '.join(missing)} are empty; the shipped configuration for the "
                f"{stage} names no folders. Set them, or set config to a file that does."
            )
    path = Path(file).expanduser() if file else shipped_config(stage)
    run = read_config(path, overrides | settings_of(values["settings"]))
    if run.stage != stage:
        raise ConfigurationError(
            f"{path} trains the {run.stage}, but parameter stage is {stage!r}; expected the same. "
            f"Set stage to {run.stage!r}, or give another configuration."
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
