# SPDX-License-Identifier: Apache-2.0
"""Pieces of a step, by values worked out by hand."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from xd_rcdepth_ros.network import Student
from xd_rcdepth_ros.training.batches import Batch
from xd_rcdepth_ros.training.config import ScheduleConfig
from xd_rcdepth_ros.training.tasks import (
    DepthTask,
    StudentTask,
    image_mae,
    learning_rate_factor,
    teacher_factor,
)


def test_the_rate_rises_linearly_and_falls_to_zero():
    schedule = ScheduleConfig(steps=110, warmup_steps=10, power=1.0)
    factors = [learning_rate_factor(step, schedule) for step in (0, 4, 9, 10, 60, 110)]
    assert factors == pytest.approx([0.1, 0.5, 1.0, 1.0, 0.5, 0.0])


def test_a_power_bends_the_fall():
    schedule = ScheduleConfig(steps=100, warmup_steps=0, power=0.5)
    assert learning_rate_factor(75, schedule) == pytest.approx(0.5)


def test_the_teacher_fades_evenly_and_for_good():
    schedule = ScheduleConfig(steps=100, teacher_fades=0.5)
    factors = [teacher_factor(step, schedule) for step in (0, 10, 25, 50, 51, 100)]
    assert factors == pytest.approx([1.0, 0.8, 0.5, 0.0, 0.0, 0.0])
    assert teacher_factor(100, ScheduleConfig(steps=100)) == 1.0


def test_a_faded_teacher_weighs_less_and_is_then_not_asked(config, monkeypatch):
    objective = replace(config.student_objective, smoothness=0.0, response=2.0)
    schedule = replace(config.schedule, teacher_fades=0.5)  # of four steps
    config = replace(config, teacher="none", student_objective=objective, schedule=schedule)
    task = StudentTask(Student(), config, teacher=Student())
    depth = torch.full((1, 1, 64, 96), 10.0)
    batch = Batch(
        torch.rand(1, 3, 64, 96),
        torch.zeros(1, 4, 64, 96),
        depth,
        depth,
        torch.full_like(depth, float("nan")),
        torch.tensor([False]),
        torch.tensor([[0, 0, -1]]),
    )
    monkeypatch.setattr(StudentTask, "global_step", 1)
    total, terms = task.loss(batch)
    # Everywhere a sweep's value is, so the dense term is 0; the response weighs 2 x 0.5.
    torch.testing.assert_close(total.detach(), terms["single"] + terms["response"])
    task = StudentTask(task.network, config, teacher=None)
    monkeypatch.setattr(StudentTask, "global_step", 2)
    assert "response" not in task.loss(batch)[1]


def test_mae_counts_each_image_alone():
    truth = torch.tensor([[10.0, math.nan], [90.0, 20.0]]).view(2, 1, 1, 2)
    said = torch.tensor([[12.0, 50.0], [90.0, 100.0]]).view(2, 1, 1, 2)
    # Image 1: |12 - 10|. Image 2: 90 m is beyond the cap; 100 m is clamped to 80 m.
    torch.testing.assert_close(image_mae(said, truth), torch.tensor([2.0, 60.0]))


def test_images_without_truth_are_left_out():
    truth = torch.full((2, 1, 2, 2), math.nan)
    truth[1] = 5.0
    torch.testing.assert_close(image_mae(torch.ones(2, 1, 2, 2), truth), torch.tensor([4.0]))


def test_the_teacher_is_no_part_of_what_is_saved(config):
    task = StudentTask(Student(), config, teacher=Student())
    names = set(task.state_dict())
    assert {name.split(".")[0] for name in names} == {"network", "average"}
    assert all(p.requires_grad for p in task.network.parameters())
    assert not any(p.requires_grad for p in task.average.parameters())


def test_frozen_statistics_stay_frozen(config):
    schedule = replace(config.schedule, freeze_statistics=True)
    task = StudentTask(Student(), replace(config, schedule=schedule)).train()
    norms = [m for m in task.network.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms and not any(m.training for m in norms)
    assert task.network.training
    free = StudentTask(Student(), config).train()
    assert all(m.training for m in free.network.modules())
    assert not any(m.training for m in free.average.modules())


def test_biases_and_norms_do_not_decay(config):
    task = StudentTask(Student(), config)
    groups = task.configure_optimizers()["optimizer"].param_groups
    for group in groups:
        decays = group["weight_decay"] > 0
        assert group["params"] and all((p.dim() > 1) == decays for p in group["params"])
    assert {g["weight_decay"] for g in groups} == {config.schedule.weight_decay, 0.0}
    total = sum(len(g["params"]) for g in groups)
    assert total == len(list(task.network.parameters()))


class FakeNetwork(nn.Module):
    """Says the same depth everywhere."""

    def __init__(self, depth_m):
        super().__init__()
        self.encoder = nn.Linear(2, 2)
        self.depth_m = nn.Parameter(torch.full((1,), depth_m))

    def forward(self, image, radar):
        return self.depth_m.expand(len(image), 1, *image.shape[2:])


def validation_batch(source, truth_m):
    """One sample of a source: every pixel at one depth."""
    unknown = torch.full((1, 1, 4, 6), float("nan"))
    return Batch(
        torch.rand(1, 3, 4, 6),
        torch.zeros(1, 4, 4, 6),
        torch.full((1, 1, 4, 6), truth_m),
        unknown,
        unknown,
        torch.tensor([False]),
        torch.tensor([[source, 0, -1]]),
    )


def test_sets_count_alike_in_what_chooses_the_best(config, monkeypatch):
    """Two frames 1 m off in one set and one 4 m off in another: the geometric mean is 2 m."""
    config = replace(config, validation=(config.validation[0],) * 3)
    task = DepthTask(FakeNetwork(10.0), config)
    booked = {}
    monkeypatch.setattr(task, "log", lambda name, value: booked.update({name: float(value)}))
    monkeypatch.setattr(task, "log_dict", lambda values: booked.update(values))
    for source, truth_m in ((0, 11.0), (0, 9.0), (2, 14.0)):  # set 1 has no depth at all
        task.validation_step(validation_batch(source, truth_m), 0)
    task.validation_step(validation_batch(1, float("nan")), 0)
    task.on_validation_epoch_end()
    assert booked["validation/mae_m"] == pytest.approx(2.0)
    assert booked["validation/mae_m/0"] == 1.0 and booked["validation/mae_m/2"] == 4.0


def test_encoders_learn_at_a_rate_of_their_own(config):
    config = replace(config, schedule=replace(config.schedule, encoder_rate=0.25))
    task = DepthTask(FakeNetwork(10.0), config)
    groups = task.configure_optimizers()["optimizer"].param_groups
    peaks = {id(p): group["initial_lr"] for group in groups for p in group["params"]}
    rate = config.schedule.learning_rate
    network = task.network
    assert peaks[id(network.depth_m)] == rate
    assert peaks[id(network.encoder.weight)] == peaks[id(network.encoder.bias)] == 0.25 * rate
    decays = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    assert decays[id(network.encoder.weight)] > 0 == decays[id(network.encoder.bias)]


@pytest.mark.parametrize(
    ("steps", "every", "interval"),
    [(3200, 1600, 1600), (4150, 1150, 1037), (5, 2, 2), (7, 2, 1), (60, 500, 60), (1, 1, 1)],
)
def test_the_last_steps_are_validated(steps, every, interval):
    schedule = ScheduleConfig(steps=steps, validate_every=every)
    assert schedule.validation_interval == interval
    assert steps % interval < steps / interval  # what is left is less than a step a validation
