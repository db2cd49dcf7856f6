# SPDX-License-Identifier: Apache-2.0
"""The network that a run begins with: fresh, from ImageNet encoders, or from another model."""

from __future__ import annotations

import logging

import torch
from torch import nn

from xd_rcdepth_ros.errors import CheckpointError, ConfigurationError
from xd_rcdepth_ros.inference.shipped import shipped_model
from xd_rcdepth_ros.network import load_checkpoint
from xd_rcdepth_ros.network.pretrained import load_encoder
from xd_rcdepth_ros.network.student import Student
from xd_rcdepth_ros.network.teacher import Teacher
from xd_rcdepth_ros.training.config import RunConfig

_log = logging.getLogger(__name__)
SHIPPED = "shipped"  # as ``start``: the student that comes with the package


def make_network(config: RunConfig) -> nn.Module:
    """Return the network of a run: fresh, with ``encoders`` loaded, then what ``start`` has."""
    torch.manual_seed(config.seed)
    network: nn.Module
    if config.stage == "student":
        network = Student(config.student)
    else:
        network = Teacher(config.teacher_network)
    for name, file in config.encoders.items():
        path = f"{name}.encoder" if name == "stage1" else name
        try:
            encoder = network.get_submodule(path)
        except AttributeError as error:
            raise ConfigurationError(
                f"encoders names {name!r}; expected image_encoder, radar_encoder or stage1."
            ) from error
        load_encoder(encoder, file)
    if config.start is not None:
        shipped = config.start == SHIPPED
        take_over(network, str(shipped_model()) if shipped else config.start)
    return network.train()


def take_over(network: nn.Module, file: str) -> None:
    """Load the weights of a model file that have the name and shape of a network's own.

    The first channels of a head with fewer outputs are taken too, so that a network that says depth
    alone can learn to say more.

    Raises:
        CheckpointError: The file cannot be used, or less than half of the weights fit.
    """
    source, _ = load_checkpoint(file)
    own = network.state_dict()
    taken = 0
    for name, value in source.state_dict().items():
        goal = own.get(name)
        if goal is not None and name.startswith("head.") and goal.shape[1:] == value.shape[1:]:
            goal = goal[: len(value)]
        if goal is not None and goal.shape == value.shape:
            goal.copy_(value)  # a view of the network's own
            taken += value.numel()
    total = sum(value.numel() for value in own.values())
    if type(source) is not type(network) or taken < total / 2:
        raise CheckpointError(
            f"start {file} holds a {type(source).__name__}; {taken} of its weights fit the "
            f"{type(network).__name__} of {total} that is configured, expected at least half. Name "
            "the architecture of that file in the configuration, or another start."
        )
    network.load_state_dict(own)
    _log.info("%d of %d weights taken over from %s", taken, total, file)
