# SPDX-License-Identifier: Apache-2.0
"""A tiny simulated bag, and runs so small that they end in seconds."""

import pytest

from xd_rcdepth_ros.simulation import Drive, DriveSettings
from xd_rcdepth_ros.simulation.bag import write_bag
from xd_rcdepth_ros.training.config import RunConfig, parse


@pytest.fixture(scope="session")
def bag(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recordings") / "drive"
    settings = DriveSettings(
        seed=3, frames=6, place="country", width=128, height=64, radar="imaging", camera_hz=2.0
    )
    write_bag(Drive(settings), folder)
    return folder


@pytest.fixture
def config(bag, tmp_path):
    """A direct student's run of four steps."""
    source = {"path": str(bag), "supervision": {"sweeps_each_way": 0}}
    return parse(
        RunConfig,
        {
            "stage": "student",
            "output": str(tmp_path / "run"),
            "train": [source],
            "validation": [source],
            "focal_length_px": 80.0,
            "size": [64, 96],
            "student_objective": {"explanation": 0, "distribution": 0},
            "schedule": {
                "steps": 4,
                "batch_size": 2,
                "warmup_steps": 2,
                "validate_every": 2,
                "average": 0.9,
            },
            "accelerator": "cpu",
            "workers": 0,
        },
    )
