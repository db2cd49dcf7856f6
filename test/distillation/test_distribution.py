# SPDX-License-Identifier: Apache-2.0
"""Depth-distribution distillation: known values, exact gradients in chunks, memory, numerics."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.profiler import ProfilerActivity, profile

from xd_rcdepth_ros.distillation import distribution
from xd_rcdepth_ros.distillation.distribution import (
    DistributionConfig,
    bin_centres,
    class_distribution_loss,
    depth_distribution_loss,
)
from xd_rcdepth_ros.errors import ConfigurationError


def depth_map(values, dtype=torch.float64):
    return torch.as_tensor(values, dtype=dtype).reshape(1, 1, 1, -1)


def plain(student, teacher, config):
    """The definition, written down directly with PyTorch's own divergence."""
    centres = bin_centres(config).to(student.dtype)
    own, goal = (
        torch.log_softmax(-(d.reshape(-1, 1) - centres).abs() / config.temperature, dim=1)
        for d in (student, teacher)
    )
    if config.direction == "student_teacher":
        own, goal = goal, own
    return torch.nn.functional.kl_div(own, goal, log_target=True, reduction="batchmean")


@pytest.mark.parametrize(("gap", "value"), [(0.25, 0.031), (1, 0.30), (5, 3.9), (20, 18.9)])
def test_known_values(gap, value):
    """80 uniform bins over 0-100 m, temperature 1 m, teacher at a bin's edge."""
    loss = depth_distribution_loss(depth_map([30 + gap]), depth_map([30]), DistributionConfig())
    assert loss.item() == pytest.approx(value, rel=0.02)


@pytest.mark.parametrize("gap", [0.1, 0.5, 1.0, 3.0, 20.0])
def test_narrow_bins_give_the_smooth_l1_of_theory(gap):
    config = DistributionConfig(bins=20_000, temperature=2.0)
    loss = depth_distribution_loss(depth_map([40 + gap]), depth_map([40]), config)
    assert loss.item() == pytest.approx(gap / 2 + math.exp(-gap / 2) - 1, rel=1e-3)


@pytest.mark.parametrize("direction", distribution.DIRECTIONS)
@pytest.mark.parametrize("spacing", distribution.SPACINGS)
def test_agrees_with_the_plain_definition(spacing, direction):
    torch.manual_seed(0)
    config = DistributionConfig(37, spacing, 1.0, 80.0, 1.7, direction=direction)
    student = (80 * torch.rand(2, 1, 6, 7, dtype=torch.float64)).requires_grad_(True)
    teacher = 80 * torch.rand(2, 1, 6, 7, dtype=torch.float64)
    loss, expected = (f(student, teacher, config) for f in (depth_distribution_loss, plain))
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(*(torch.autograd.grad(x, student)[0] for x in (loss, expected)))


@pytest.mark.parametrize("direction", distribution.DIRECTIONS)
def test_gradcheck_in_chunks(monkeypatch, direction):
    monkeypatch.setattr(distribution, "_CHUNK_VALUES", 5 * 20)  # 5 of 23 places at a time
    torch.manual_seed(0)
    config = DistributionConfig(20, "sid", 1.0, 60.0, 3.0, True, direction)
    student = depth_map(60 * torch.rand(23)).requires_grad_(True)
    teacher = depth_map(60 * torch.rand(23))
    assert torch.autograd.gradcheck(
        lambda s: 3 * depth_distribution_loss(s, teacher, config), student
    )


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 400), st.integers(2, 12), st.integers(0, 10**6))
def test_chunks_change_neither_value_nor_gradient(chunk, bins, seed):
    generator = torch.Generator().manual_seed(seed)
    student, teacher = (100 * torch.rand(1, 1, 4, 9, generator=generator).double() for _ in "st")
    student.requires_grad_(True)
    config = DistributionConfig(bins, temperature=5.0)
    whole = depth_distribution_loss(student, teacher, config)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distribution, "_CHUNK_VALUES", chunk)
        parts = depth_distribution_loss(student, teacher, config)
    torch.testing.assert_close(parts, whole)
    torch.testing.assert_close(*(torch.autograd.grad(x, student)[0] for x in (parts, whole)))


def allocated_mb(action):
    """Return the largest memory that torch's allocator held for an action, megabytes."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        action()
    held = peak = 0
    events = record.profiler.kineto_results.events()
    for event in sorted((e for e in events if e.name() == "[memory]"), key=lambda e: e.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak / 1e6


def test_memory_at_full_size():
    config = DistributionConfig(bins=100)
    student = (80 * torch.rand(1, 1, 352, 704)).requires_grad_(True)
    teacher = 80 * torch.rand(1, 1, 352, 704)
    ours = allocated_mb(lambda: depth_distribution_loss(student, teacher, config).backward())
    assert 4 < ours < 200
    # The measure sees what it must see: the plain way holds several maps of 99 MB.
    small = (student.detach()[..., :88].requires_grad_(True), teacher[..., :88])
    assert allocated_mb(lambda: plain(*small, config).backward()) > 3 * 352 * 88 * 100 * 4 / 1e6


def test_extremes_are_finite():
    for temperature in (0.01, 0.5, 100.0):
        for direction in distribution.DIRECTIONS:
            config = DistributionConfig(temperature=temperature, direction=direction)
            student = depth_map([0, 1e-3, 100, 500, 50], torch.float32).requires_grad_(True)
            loss = depth_distribution_loss(
                student, depth_map([100, 100, 0, 1, 50], torch.float32), config
            )
            loss.backward()
            assert torch.isfinite(loss) and torch.isfinite(student.grad).all()


def test_equal_depths_cost_nothing():
    depth = depth_map([3, 50, 99]).requires_grad_(True)
    loss = depth_distribution_loss(depth, depth.detach(), DistributionConfig())
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-12) and depth.grad.abs().max() < 1e-12


def test_masks():
    teacher = depth_map([10, float("nan"), 30, float("inf")])
    student = depth_map([11, 20, 33, 40]).requires_grad_(True)
    config = DistributionConfig()
    loss = depth_distribution_loss(student, teacher, config)
    alone = [
        depth_distribution_loss(depth_map([s]), depth_map([t]), config)
        for s, t in ((11, 10), (33, 30))
    ]
    torch.testing.assert_close(loss, sum(alone) / 2)
    loss.backward()
    assert (student.grad[0, 0, 0] != 0).tolist() == [True, False, True, False]
    valid = torch.tensor([True, True, False, True]).view(1, 1, 1, 4)
    only = depth_distribution_loss(student, teacher, DistributionConfig(mask="valid"), valid)
    torch.testing.assert_close(only, alone[0])
    nothing = depth_distribution_loss(
        student, teacher, DistributionConfig(mask="valid"), torch.zeros_like(valid)
    )
    assert nothing.item() == 0 and torch.autograd.grad(nothing, student)[0].abs().sum() == 0
    with pytest.raises(ConfigurationError, match="ground truth"):
        depth_distribution_loss(student, teacher, DistributionConfig(mask="valid"))


def test_stride_takes_every_other_row_and_column():
    student, teacher = 50 * torch.rand(1, 1, 6, 8), 50 * torch.rand(1, 1, 6, 8)
    thin = depth_distribution_loss(student, teacher, DistributionConfig(stride=2))
    torch.testing.assert_close(
        thin,
        depth_distribution_loss(
            student[..., ::2, ::2], teacher[..., ::2, ::2], DistributionConfig()
        ),
    )


def test_bins_by_hand():
    assert bin_centres(DistributionConfig(4, max_m=8.0)).tolist() == [1, 3, 5, 7]
    # Widths 1, 2, 3, 4 from 2 m to 12 m.
    lid = bin_centres(DistributionConfig(4, "lid", 2.0, 12.0))
    torch.testing.assert_close(lid, torch.tensor([2.5, 4.0, 6.5, 10.0], dtype=torch.float64))
    # Edges 2^k - 1: 0, 1, 3, 7.
    sid = bin_centres(DistributionConfig(3, "sid", 0.0, 7.0))
    torch.testing.assert_close(sid, torch.tensor([0.5, 2.0, 5.0], dtype=torch.float64))


def test_no_gradient_goes_to_the_teacher():
    student, teacher = (depth_map([d]).requires_grad_(True) for d in (10.0, 20.0))
    depth_distribution_loss(student, teacher, DistributionConfig()).backward()
    assert teacher.grad is None and student.grad.item() < 0  # more depth would cost less


def test_bfloat16_depth():
    student = depth_map([10, 30], torch.bfloat16).requires_grad_(True)
    loss = depth_distribution_loss(
        student, depth_map([12, 28], torch.bfloat16), DistributionConfig()
    )
    loss.backward()
    assert loss.dtype == torch.float32 and torch.isfinite(student.grad).all()


def test_class_scores_by_hand():
    even, sure = torch.zeros(1, 2, 1, 1), torch.tensor([math.log(3), 0.0]).view(1, 2, 1, 1)
    # KL((3/4, 1/4) || (1/2, 1/2)) and the other way round.
    forward = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    backward = 0.5 * math.log(2 / 3) + 0.5 * math.log(2)
    assert class_distribution_loss(even, sure).item() == pytest.approx(forward, rel=1e-5)
    reverse = class_distribution_loss(even, sure, direction="student_teacher")
    assert reverse.item() == pytest.approx(backward, rel=1e-5)
    assert class_distribution_loss(even, sure, mask=torch.zeros(1, 1, 1, 1).bool()).item() == 0


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"spacing": "cubic"}, "cubic"),
        ({"direction": "both"}, "both"),
        ({"mask": "some"}, "some"),
        ({"bins": 1}, "1 bins"),
        ({"min_m": 100.0}, "min_m < max_m"),
        ({"temperature": 0.0}, "temperature"),
        ({"stride": 0}, "stride"),
    ],
)
def test_wrong_choices_are_named(options, text):
    with pytest.raises(ConfigurationError, match=text):
        DistributionConfig(**options)
