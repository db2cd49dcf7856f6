# SPDX-License-Identifier: Apache-2.0
"""The networks and their model files (torch only)."""

from xd_rcdepth_ros.network.checkpoint import (
    ModelHeader,
    build_model,
    file_sha256,
    load_checkpoint,
    read_header,
    save_checkpoint,
)
from xd_rcdepth_ros.network.student import STRIDE, Student, StudentConfig

__all__ = [
    "STRIDE",
    "ModelHeader",
    "Student",
    "StudentConfig",
    "build_model",
    "file_sha256",
    "load_checkpoint",
    "read_header",
    "save_checkpoint",
]
