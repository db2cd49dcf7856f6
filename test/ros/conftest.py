# SPDX-License-Identifier: Apache-2.0
"""A model file, the node in a process of its own, and a rig around it."""

from __future__ import annotations

import importlib.util
import os
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from xd_rcdepth_ros.ros_environment import fast_dds_profile, this_machine_only

# Own domain, this machine only; set before rclpy is imported. Workers must not hear one another.
os.environ["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 100)
REPOSITORY = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "sync")]  # for ros_rig and sync_recorder
PROFILE = REPOSITORY / "config" / "fastdds_large_messages.xml"
os.environ.update(fast_dds_profile(os.environ, PROFILE) | this_machine_only(os.environ))
_NEEDED = (
    "rclpy",
    "cv_bridge",
    "message_filters",
    "tf2_ros",
    "sensor_msgs_py",
    "xd_rcdepth_ros.msg",
)


def _missing() -> list[str]:
    return [name for name in _NEEDED if importlib.util.find_spec(name) is None]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, saying why, what needs ROS where it is not built."""
    missing = _missing()
    if not missing:
        return
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and item.get_closest_marker("ros"):
            reason = f"ROS is not built here: {', '.join(missing)} cannot be imported"
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student with random weights, of the real architecture."""
    import torch

    from xd_rcdepth_ros.network import ModelHeader, Student, StudentConfig, save_checkpoint

    torch.manual_seed(0)
    config = StudentConfig()
    path = tmp_path_factory.mktemp("model") / "random.safetensors"
    header = ModelHeader("xd_rcdepth_student", config=asdict(config), input_size=(96, 160))
    save_checkpoint(path, Student(config), header)
    return path


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
        node = start(diagnostics__period=0.2)
        rig.log = lambda: node.text
        rig.connect("image", "camera_info", "radar", "tf_static")
        rig.send_static(RADAR_FRAME)
        rig.depth_of_next_frame()
        yield rig
    rig.close()
