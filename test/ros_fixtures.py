# SPDX-License-Identifier: Apache-2.0
"""What all tests that need ROS share: where they run, when they are skipped, and a model."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from xd_rcdepth_ros.ros_environment import fast_dds_profile, this_machine_only

PROFILE = Path(__file__).resolve().parents[1] / "config" / "fastdds_large_messages.xml"
NEEDED = (
    "rclpy",
    "cv_bridge",
    "launch",
    "launch_ros",
    "message_filters",
    "ros2cli",
    "sensor_msgs_py",
    "tf2_ros",
    "xd_rcdepth_ros.msg",
)

# A domain of this run's own, on this machine only; set before rclpy is imported.
os.environ["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 100)
os.environ.update(fast_dds_profile(os.environ, PROFILE) | this_machine_only(os.environ))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, saying why, what needs ROS where it is not built."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    reason = f"ROS is not built here: {', '.join(missing)} cannot be imported"
    for item in items if missing else []:
        if item.get_closest_marker("ros"):
            item.add_marker(pytest.mark.skip(reason=reason))


def write_random_model(path: Path, **header: Any) -> Path:
    """Write a student with random weights, of the real architecture, for images of 96 x 160."""
    import torch

    from xd_rcdepth_ros.network import ModelHeader, Student, StudentConfig, save_checkpoint

    torch.manual_seed(0)
    config = StudentConfig()
    content = {"config": asdict(config), "input_size": (96, 160), **header}
    save_checkpoint(path, Student(config), ModelHeader("xd_rcdepth_student", **content))
    return path
