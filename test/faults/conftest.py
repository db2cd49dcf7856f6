# SPDX-License-Identifier: Apache-2.0
"""A running node and the robot around it, for the fault campaign."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from xd_rcdepth_ros.ros_environment import fast_dds_profile, this_machine_only

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "ros")]  # for the modules here, and for ros_rig
NEEDED = ("rclpy", "cv_bridge", "message_filters", "tf2_ros", "xd_rcdepth_ros.msg")
# Slow machines are no fault of the node: in tests waits may last this much longer.
PATIENCE = 6.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, saying why, what needs ROS where it is not built."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    for item in items if missing else []:
        if HERE in item.path.parents and item.get_closest_marker("ros"):
            reason = f"ROS is not built here: {', '.join(missing)} cannot be imported"
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """A node with random weights, driven at 10 Hz in a ROS domain of its own."""
    import torch

    from xd_rcdepth_ros.network import ModelHeader, Student, StudentConfig, save_checkpoint

    folder = tmp_path_factory.mktemp("faults")
    torch.manual_seed(0)
    config = StudentConfig()
    header = ModelHeader("xd_rcdepth_student", config=asdict(config), input_size=(96, 160))
    model_file = folder / "random.safetensors"
    save_checkpoint(model_file, Student(config), header)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROS_DOMAIN_ID", str(140 + os.getpid() % 30))
        profile = HERE.parents[1] / "config" / "fastdds_large_messages.xml"
        chosen = fast_dds_profile(os.environ, profile) | this_machine_only(os.environ)
        for name, value in chosen.items():
            patch.setenv(name, value)
        import rclpy
        from campaign import running

        rclpy.init(args=[])
        try:
            with running(folder, model_file, 10.0, 0.6, 1, PATIENCE, backend="torch") as campaign:
                yield campaign
        finally:
            rclpy.shutdown()
