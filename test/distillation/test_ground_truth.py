# SPDX-License-Identifier: Apache-2.0
"""The terms of ground truth by hand: scale of the error, edges, sky, balance of images."""

import math

import pytest
import torch

from xd_rcdepth_ros.distillation import GroundTruthWeights, Supervision
from xd_rcdepth_ros.distillation.ground_truth import ground_truth_terms
from xd_rcdepth_ros.distillation.losses import depth_edges, laplace_nll
from xd_rcdepth_ros.errors import ConfigurationError

NAN = float("nan")
ONLY = {"dense": 0.0, "single": 0.0, "smoothness": 0.0}


def maps(*values):
    return torch.tensor(values, dtype=torch.float64).view(1, 1, 1, -1)


def test_the_best_scale_is_the_mean_error():
    """Errors of 1 and 3 m at 10 m: shares of 0.1 and 0.3, so the scale learns 0.2."""
    log_error = torch.zeros(1, 1, 1, 2, dtype=torch.float64, requires_grad=True)
    shared = torch.zeros((), dtype=torch.float64, requires_grad=True)
    depth, truth = maps(10.0, 10.0), maps(9.0, 13.0)
    everywhere = torch.ones(1, 1, 1, 2, dtype=torch.bool)
    for _ in range(300):
        loss = laplace_nll(log_error + shared, depth, truth, everywhere)
        (gradient,) = torch.autograd.grad(loss, shared)
        shared = (shared - 0.5 * gradient).detach().requires_grad_()
    assert math.exp(shared.item()) == pytest.approx(0.2, abs=1e-6)
    assert laplace_nll(shared.expand(1, 1, 1, 2), depth, truth, everywhere).item() == pytest.approx(
        1 + math.log(0.2)
    )


def test_depth_learns_nothing_from_its_scale():
    depth = maps(10.0, 20.0).requires_grad_()
    log_error = torch.zeros(1, 1, 1, 2, dtype=torch.float64, requires_grad=True)
    laplace_nll(log_error, depth, maps(9.0, NAN), torch.tensor([[[[True, False]]]])).backward()
    assert depth.grad is None and log_error.grad[..., 1].eq(0).all()
    assert log_error.grad[..., 0].item() == pytest.approx(1 - 0.1)


def test_edges_forgive_a_scale_and_see_a_step():
    truth = 5 + torch.rand(2, 1, 9, 12, generator=torch.Generator().manual_seed(0)) * 50
    everywhere = torch.ones_like(truth, dtype=torch.bool)
    assert depth_edges(1.3 * truth, truth, everywhere) < 1e-6
    flat, step = torch.full((1, 1, 2, 2), 10.0), torch.tensor([[[[10.0, 20.0], [10.0, 20.0]]]])
    found = depth_edges(flat, step, torch.ones(1, 1, 2, 2, dtype=torch.bool), scales=1)
    assert found.item() == pytest.approx(math.log(2) / 2)  # both steps along x, none along y
    unknown = torch.tensor([[[[True, False], [True, False]]]])
    assert depth_edges(flat, step, unknown, scales=1) == 0


def terms(depth, supervision, head=None, **weights):
    image = torch.rand(len(depth), 3, *depth.shape[2:], dtype=depth.dtype)
    return ground_truth_terms(
        depth, image, supervision, GroundTruthWeights(**{**ONLY, **weights}), head
    )


def test_edges_are_learnt_from_exact_depth_alone():
    depth = torch.full((2, 1, 2, 2), 10.0)
    dense = torch.tensor([10.0, 20.0]).expand(2, 1, 2, 2)
    for exact, expected in (([False, False], 0.0), ([True, False], math.log(2) / 2 / 3)):
        found = terms(depth, Supervision(dense, exact=torch.tensor(exact)), edges=1.0)["edges"]
        assert found.item() == pytest.approx(expected, rel=1e-5)


def test_sky_is_heard_where_it_is_known():
    logit = maps(0.0, 0.0, 9.0)
    sky = maps(1.0, 0.0, NAN)
    found = terms(maps(1.0, 1.0, 1.0), Supervision(sky=sky), {"sky_logit": logit}, sky=1.0)
    assert found["sky"].item() == pytest.approx(math.log(2))


def test_each_image_counts_alike_when_they_are_balanced():
    """One image knows 1 pixel (error 8 m), the other 4 (errors 2 m): means of 3.2 and of 5 m."""
    depth = torch.full((2, 1, 1, 4), 10.0)
    dense = torch.tensor([[18.0, NAN, NAN, NAN], [12.0] * 4]).view(2, 1, 1, 4)
    plain = terms(depth, Supervision(dense), dense=1.0)["dense"]
    balanced = terms(depth, Supervision(dense), dense=1.0, balance_images=True)["dense"]
    assert plain.item() == pytest.approx(3.2) and balanced.item() == pytest.approx(5.0)


def test_the_relative_term_prefers_the_sweep_to_interpolation():
    depth, dense, single = maps(10.0, 10.0), maps(10.0, 20.0), maps(5.0, NAN)
    found = terms(depth, Supervision(dense, single), relative=1.0)["relative"]
    assert found.item() == pytest.approx(math.log(2))


def test_a_picture_without_depth_or_sky_gives_no_term():
    depth = torch.full((1, 1, 2, 2), 10.0)
    nothing = torch.full_like(depth, NAN)
    head = {"log_error": torch.zeros_like(depth), "sky_logit": torch.zeros_like(depth)}
    weights = {"dense": 1.0, "single": 1.0, "relative": 1.0, "error": 1.0, "sky": 1.0}
    found = terms(depth, Supervision(nothing, nothing, nothing), head, **weights)
    assert all(value == 0 for value in found.values())


@pytest.mark.parametrize("name", ["dense", "edges", "error", "sky"])
def test_a_weight_below_zero_is_refused_by_name(name):
    with pytest.raises(ConfigurationError, match=f"{name} is -1"):
        GroundTruthWeights(**{name: -1.0})
