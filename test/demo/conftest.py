# SPDX-License-Identifier: Apache-2.0
"""A small model file, and what needs ROS is skipped where that is not built."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from xd_rcdepth_ros.network import ModelHeader, Student, StudentConfig, save_checkpoint

sys.path.insert(0, str(Path(__file__).parent))  # for demo_helpers
_NEEDED = ("rclpy", "launch_ros", "tf2_ros", "xd_rcdepth_ros.msg")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, saying why, what needs ROS where it is not built."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    for item in items if missing else []:
        if Path(__file__).parent in item.path.parents and item.get_closest_marker("ros"):
            reason = f"ROS is not built here: {', '.join(missing)} cannot be imported"
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def demo_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student with random weights, of the real architecture, with row medians."""
    torch.manual_seed(0)
    config = StudentConfig()
    path = tmp_path_factory.mktemp("model") / "random.safetensors"
    header = ModelHeader(
        "xd_rcdepth_student",
        config=asdict(config),
        focal_length_px=100.0,
        input_size=(96, 160),
        row_median_depth_m=tuple(np.linspace(40, 3, 96).tolist()),
    )
    save_checkpoint(path, Student(config), header)
    return path
