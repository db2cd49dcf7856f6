# SPDX-License-Identifier: Apache-2.0
"""Grad-CAM for regression: a case worked out by hand, invariances, differentiability."""

import pytest
import torch

from xd_rcdepth_ros.distillation.attribution import min_max
from xd_rcdepth_ros.distillation.explanation import ExplanationConfig, explain
from xd_rcdepth_ros.distillation.saliency import (
    grad_cam,
    mean_depth,
    near_depth,
    region_depth,
)


def test_by_hand():
    # target = 2 * mean(A_0) - 1 * mean(A_1): alpha = (2/4, -1/4) on 2 x 2 maps.
    activation = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]], [[0.0, 0.0], [8.0, 4.0]]]])
    activation.requires_grad_(True)
    target = 2 * activation[:, 0].mean() - activation[:, 1].mean()
    # sum alpha_c A_c = [[0.5, 1], [1.5 - 2, 2 - 1]] -> ReLU [[0.5, 1], [0, 1]] -> min-max
    cam = grad_cam(activation, target)
    torch.testing.assert_close(cam, torch.tensor([[[[0.5, 1.0], [0.0, 1.0]]]]))


def test_no_positive_place_gives_zeros_not_nan():
    activation = torch.ones(1, 2, 3, 3, requires_grad=True)
    cam = grad_cam(activation, -activation.sum())
    assert (cam == 0).all()


def test_images_of_a_batch_are_independent():
    torch.manual_seed(0)
    activation = torch.randn(3, 4, 5, 5, requires_grad=True)
    weights = torch.randn(1, 4, 5, 5)
    together = grad_cam(activation, mean_depth((activation * weights).sum(1, keepdim=True)))
    for i in range(3):
        alone = activation.detach()[i : i + 1].requires_grad_(True)
        cam = grad_cam(alone, mean_depth((alone * weights).sum(1, keepdim=True)))
        torch.testing.assert_close(cam, together[i : i + 1])


def test_targets_by_hand():
    depth = torch.tensor([[[[10.0, 30.0], [14.0, 50.0]]]])
    assert mean_depth(depth).item() == 26.0
    assert near_depth(depth).item() == 12.0
    assert near_depth(depth, 5.0).item() == 0.0
    assert region_depth(depth, (0.5, 0.0, 1.0, 1.0)).item() == 40.0
    assert region_depth(depth, (0.0, 0.5, 0.5, 1.0)).item() == 14.0


def test_double_backward_passes_gradcheck():
    torch.manual_seed(0)
    weight = torch.randn(3, 2, 1, 1, dtype=torch.float64, requires_grad=True)
    x = torch.rand(1, 2, 3, 3, dtype=torch.float64)

    def loss(weight):
        activation = torch.nn.functional.conv2d(x, weight).tanh()
        (gradient,) = torch.autograd.grad((activation**2).mean(), activation, create_graph=True)
        return (gradient.mean((2, 3), keepdim=True) * activation).sum(1).square().sum()

    assert torch.autograd.gradcheck(loss, weight)


def test_map_stays_in_the_graph_when_asked():
    conv = torch.nn.Conv2d(2, 3, 1)
    activation = conv(torch.rand(1, 2, 4, 4)).relu()
    cam = grad_cam(activation, (activation**2).mean(), create_graph=True)
    cam.sum().backward()
    assert torch.isfinite(conv.weight.grad).all() and conv.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_constant_maps_become_zero(value):
    assert (min_max(torch.full((2, 1, 3, 3), value)) == 0).all()


def test_the_live_map_is_the_distilled_map():
    """What the node shows is what the student was taught: one formula, one scaling."""
    torch.manual_seed(0)
    activation = torch.randn(2, 4, 5, 6, requires_grad=True)
    depth = (activation**2).sum(1, keepdim=True)
    taught = explain(depth * 1, {"x": activation}, ExplanationConfig(layers=("x",)))["x"]
    shown = grad_cam(activation, mean_depth((activation**2).sum(1, keepdim=True)))
    torch.testing.assert_close(taught, shown)
