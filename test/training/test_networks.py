# SPDX-License-Identifier: Apache-2.0
"""What a run takes over from the model that it starts from."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from xd_rcdepth_ros.errors import CheckpointError
from xd_rcdepth_ros.inference.shipped import shipped_model
from xd_rcdepth_ros.network import (
    ModelHeader,
    Student,
    StudentConfig,
    load_checkpoint,
    save_checkpoint,
)
from xd_rcdepth_ros.training.config import read_config
from xd_rcdepth_ros.training.networks import make_network

SMALL = StudentConfig(decoder_channels=(48, 32, 24, 16), daspp_growth=8)


@pytest.fixture
def start(tmp_path):
    torch.manual_seed(5)
    student = Student(SMALL)
    file = tmp_path / "start.safetensors"
    save_checkpoint(file, student, ModelHeader("xd_rcdepth_student", asdict(SMALL)))
    return file


def test_a_student_of_depth_alone_learns_to_say_more(config, start):
    """The head's first channel, and so the depth, is that of the model it starts from."""
    full = replace(SMALL, error_and_sky=True)
    network = make_network(replace(config, student=full, start=str(start))).eval()
    source = make_network(replace(config, student=SMALL, start=str(start))).eval()
    inputs = torch.rand(1, 3, 64, 96), torch.zeros(1, 4, 64, 96)
    with torch.no_grad():
        torch.testing.assert_close(network(*inputs)[:, :1], source(*inputs))


def test_other_widths_stay_fresh_and_the_encoders_are_taken(config, start):
    other = replace(SMALL, decoder_channels=(64, 32, 24, 16))
    network = make_network(replace(config, student=other, start=str(start)))
    source = make_network(replace(config, student=SMALL, start=str(start)))
    for one, two in zip(
        network.image_encoder.parameters(), source.image_encoder.parameters(), strict=True
    ):
        assert torch.equal(one, two)
    assert network.ups[0].fuse[1].weight.shape != source.ups[0].fuse[1].weight.shape


def test_a_start_of_which_little_fits_is_refused(config, start, monkeypatch):
    wide = StudentConfig(decoder_channels=(2048, 1024, 512, 256), daspp_growth=256)
    with pytest.raises(CheckpointError, match="expected at least half"):
        make_network(replace(config, student=wide, start=str(start)))


def test_fine_tuning_begins_with_every_weight_of_the_shipped_student(bag, tmp_path):
    """Its file names the shipped architecture, so that nothing is left fresh."""
    file = Path(__file__).parents[2] / "config" / "distill" / "finetune.yaml"
    mine = [{"path": str(bag)}]
    more = {"train": mine, "validation": mine, "output": str(tmp_path)}
    network = make_network(read_config(file, more))
    shipped, _ = load_checkpoint(shipped_model())
    assert isinstance(network, Student)
    for name, value in shipped.state_dict().items():
        assert torch.equal(network.state_dict()[name], value), name
