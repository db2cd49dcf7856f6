# SPDX-License-Identifier: Apache-2.0
"""The networks and their model files (torch only)."""

from xd_rcdepth_ros.network.checkpoint import (
    ModelHeader,
    build_model,
    file_sha256,
    load_checkpoint,
    read_header,
    require_sha256,
    save_checkpoint,
)
from xd_rcdepth_ros.network.encoders import ENCODERS
from xd_rcdepth_ros.network.student import STRIDE, Student, StudentConfig
from xd_rcdepth_ros.network.teacher import Teacher, TeacherConfig, TeacherOutput

__all__ = [
    "ENCODERS",
    "STRIDE",
    "ModelHeader",
    "Student",
    "StudentConfig",
    "Teacher",
    "TeacherConfig",
    "TeacherOutput",
    "build_model",
    "file_sha256",
    "load_checkpoint",
    "read_header",
    "require_sha256",
    "save_checkpoint",
]
