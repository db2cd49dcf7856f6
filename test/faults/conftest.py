# SPDX-License-Identifier: Apache-2.0
"""A running node and the robot around it, for the fault campaign."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ros_fixtures import write_random_model

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "ros")]  # for the modules here, and for ros_rig
# Slow machines are no fault of the node: in tests waits may last this much longer.
PATIENCE = 6.0


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """A node with random weights, driven at 10 Hz in a ROS domain of its own."""
    folder = tmp_path_factory.mktemp("faults")
    model_file = write_random_model(folder / "random.safetensors")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROS_DOMAIN_ID", str(140 + os.getpid() % 30))
        import rclpy
        from campaign import running

        rclpy.init(args=[])
        try:
            with running(folder, model_file, 10.0, 0.6, 1, PATIENCE, backend="torch") as campaign:
                yield campaign
        finally:
            rclpy.shutdown()
