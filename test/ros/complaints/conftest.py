# SPDX-License-Identifier: Apache-2.0
"""Launched nodes for the tests, and a model that sees a wall at 10 m whatever it looks at."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from complaint_rig import Launched

sys.path.insert(0, str(Path(__file__).parent))  # for complaint_rig


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Callable[..., Launched]]:
    """Launches depth_node."""
    from complaint_rig import launcher

    with launcher(tmp_path) as function:
        yield function


@pytest.fixture(scope="session")
def wall_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student whose head says 10 m whatever it sees: sigmoid(bias) x 100 m."""
    import torch

    from xd_rcdepth_ros.network import ModelHeader, Student, StudentConfig, save_checkpoint

    student = Student(StudentConfig())
    with torch.no_grad():
        student.head.weight.zero_()
        student.head.bias.fill_(math.log(0.1 / 0.9))
    path = tmp_path_factory.mktemp("wall") / "wall.safetensors"
    header = ModelHeader("xd_rcdepth_student", asdict(student.config), input_size=(96, 160))
    save_checkpoint(path, student, header)
    return path
