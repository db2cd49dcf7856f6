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


@pytest.fixture(scope="session")
def make_config(bag):
    """Return a function that gives a direct student's run of four steps, with its folder."""
    source = {"path": str(bag), "supervision": {"sweeps_each_way": 0}}

    def make(output):
        return parse(
            RunConfig,
            {
                "stage": "student",
                "output": str(output),
                "train": [source],
                "validation": [source],
                "focal_length_px": 80.0,
                "size": [64, 96],
                "student": {"decoder_channels": [32, 16, 16, 8], "daspp_growth": 8},
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

    return make


@pytest.fixture
def config(make_config, tmp_path):
    """A run of four steps with a folder of its own."""
    return make_config(tmp_path / "run")
