# SPDX-License-Identifier: Apache-2.0
"""A model file, the node in a process of its own, and a rig around it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from ros_fixtures import write_random_model

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "sync")]  # for ros_rig and sync_recorder


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student with random weights, of the real architecture."""
    return write_random_model(tmp_path_factory.mktemp("model") / "random.safetensors")


@pytest.fixture(scope="session")
def ros_context():
    """rclpy, initialised once."""
    import rclpy

    rclpy.init(args=[])
    yield
    rclpy.shutdown()


@pytest.fixture
def rig(ros_context):
    """Publishers of all inputs and subscribers of all outputs."""
    from ros_rig import Rig

    rig = Rig()
    yield rig
    rig.close()


@pytest.fixture
def start_node(model_file: Path, tmp_path: Path):
    """Starts depth_node in a process of its own; all are ended after the test."""
    from ros_rig import starter

    with starter(model_file, tmp_path) as start:
        yield start


@pytest.fixture(scope="module")
def live(ros_context, model_file: Path, tmp_path_factory: pytest.TempPathFactory):
    """A rig with a running node, shared by the tests of a module; ``live.log()`` is its text."""
    from ros_rig import RADAR_FRAME, Rig, starter

    rig = Rig()
    with starter(model_file, tmp_path_factory.mktemp("live")) as start:
        node = start(backend="auto", diagnostics__period=0.2)
        rig.log = lambda: node.text
        rig.connect("image", "camera_info", "radar", "tf_static")
        rig.send_static(RADAR_FRAME)
        rig.depth_of_next_frame()
        yield rig
    rig.close()
