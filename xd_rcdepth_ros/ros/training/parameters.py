# SPDX-License-Identifier: Apache-2.0
"""Every parameter of distillation_node, in one table; it knows neither ROS nor torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from xd_rcdepth_ros.ros.parameters.spec import ParameterTable, parameter


@dataclass(frozen=True)
class TrainingParameters(ParameterTable):
    """The parameters of distillation_node."""

    autostart: bool = parameter(
        "autostart", True, "Configure and activate by itself when started.", change="start"
    )
    recordings: tuple[str, ...] = parameter(
        "recordings",
        ("",),
        "Bags to learn from, or folders that hold bags at any depth; those of split train are "
        "learnt from, those of split val choose the best model. [''] for those that the "
        "configuration names.",
        change="unconfigured",
    )
    validation: tuple[str, ...] = parameter(
        "validation",
        ("",),
        "Bags that choose the best model, or folders of such; then recordings are learnt from "
        "whole, whatever their split. [''] for the bags of split val in recordings.",
        change="unconfigured",
    )
    stage: Literal["student", "teacher"] = parameter(
        "stage",
        "student",
        "What is trained: the teacher, or the student, which learns from it.",
        change="unconfigured",
    )
    config: str = parameter(
        "config",
        "",
        "Training configuration (YAML), as for `xd-rcdepth train`; empty for the one that is "
        "shipped for the stage.",
        change="unconfigured",
    )
    teacher: str = parameter(
        "teacher",
        "",
        "Model file of the teacher (.safetensors), for a student that learns from one.",
        change="unconfigured",
    )
    output: str = parameter(
        "output",
        "",
        "Folder of the run: resumable state, best model, curves. Empty for the one that the "
        "configuration names.",
        change="unconfigured",
    )
    resume: bool = parameter(
        "resume",
        True,
        "Continue from the state in the output folder, if there is one; false starts anew.",
        change="unconfigured",
    )
    settings: tuple[str, ...] = parameter(
        "settings",
        ("",),
        "KEY=VALUE pairs that replace single values of the configuration, such as "
        "schedule.steps=2000. [''] for none.",
        change="unconfigured",
        separator=";",
        pattern=(r"([A-Za-z_][\w.]*\s*=.*)?", "KEY=VALUE"),
    )
