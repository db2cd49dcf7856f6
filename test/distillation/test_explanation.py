# SPDX-License-Identifier: Apache-2.0
"""Alignment of explanations: targets, losses, second derivatives, half precision, generality."""

import itertools

import pytest
import torch

from xd_rcdepth_ros.distillation import StudentObjective, Supervision, refer
from xd_rcdepth_ros.distillation.attribution import METHODS, NORMALISATIONS
from xd_rcdepth_ros.distillation.explanation import (
    ExplanationConfig,
    alignment_loss,
    explain,
    random_signs,
    target_scalar,
)
from xd_rcdepth_ros.errors import ConfigurationError

LOSSES = ("l1", "mse", "cosine", "e2kd")


def test_targets_by_hand():
    depth = torch.tensor([[[[10.0, 30.0], [14.0, 50.0]]]])
    mask = torch.tensor([[[[True, False], [False, True]]]])

    def scalar(target, **options):
        return target_scalar(depth, ExplanationConfig(target=target), **options).item()

    assert scalar("mean") == 26
    assert scalar("valid", mask=mask) == 30
    assert scalar("valid", mask=mask & False) == 0
    assert scalar("near") == 12
    assert scalar("near", mask=mask) == 30  # the teacher's near places win over the student's own
    signs = random_signs(depth, 3)
    assert scalar("projection", seed=3) == (depth * signs).mean().item()
    region = ExplanationConfig(target="region", region=(0.5, 0.0, 1.0, 1.0))
    assert target_scalar(depth, region).item() == 40
    with pytest.raises(ConfigurationError, match="ground truth"):
        scalar("valid")


def test_projection_is_the_same_for_both_networks_and_new_by_seed():
    a, b = torch.zeros(4, 1, 20, 30), torch.zeros(2, 1, 20, 30, dtype=torch.float64)
    assert torch.equal(random_signs(a, 5), random_signs(b, 5).float())
    assert not torch.equal(random_signs(a, 5), random_signs(a, 6))
    assert set(random_signs(a, 5).unique().tolist()) == {-1.0, 1.0}


@pytest.mark.parametrize("method", ["grad_cam", "grad_cam_pp", "hires_cam"])
def test_images_are_explained_independently(make_network, batch, method):
    network, (image, radar) = make_network(), batch(3)
    config = ExplanationConfig(method=method, layers=("decoder_2", "decoder_4"), rectify=False)

    def maps(rows):
        return explain(*network.forward_taps(image[rows], radar[rows], config.layers), config)

    together, permuted, alone = maps([0, 1, 2]), maps([2, 0, 1]), maps([1])
    for name in config.layers:
        torch.testing.assert_close(permuted[name], together[name][[2, 0, 1]])
        torch.testing.assert_close(alone[name], together[name][1:2])


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_equal_maps_cost_nothing_and_others_something(loss, normalisation):
    config = ExplanationConfig(loss=loss, normalisation=normalisation)
    torch.manual_seed(0)
    maps = {"decoder_8": torch.rand(2, 1, 5, 7)}
    other = {"decoder_8": torch.rand(2, 1, 5, 7)}
    assert alignment_loss(maps, maps, config).item() == pytest.approx(0, abs=1e-6)
    assert alignment_loss(maps, other, config).item() > 0.01


def test_losses_by_hand():
    student = {"a": torch.tensor([[[[1.0, 0.0]]], [[[0.0, 2.0]]]])}
    teacher = {"a": torch.tensor([[[[0.0, 1.0]]], [[[0.0, 1.0]]]])}

    def loss(name, **options):
        return alignment_loss(student, teacher, ExplanationConfig(loss=name, **options)).item()

    assert loss("l1") == 0.75
    assert loss("mse") == 0.75
    assert loss("cosine") == pytest.approx(0.5)  # orthogonal, parallel
    assert loss("l1", normalisation="sum") == 1.5  # summed over places, averaged over images


def test_maps_of_another_size_are_resized_to_the_teachers():
    student, teacher = {"a": torch.full((1, 1, 2, 3), 0.5)}, {"a": torch.full((1, 1, 4, 6), 0.7)}
    assert alignment_loss(student, teacher, ExplanationConfig()).item() == pytest.approx(0.2)


@pytest.mark.parametrize("loss", LOSSES)
def test_an_empty_map_has_a_loss_and_finite_gradients(loss):
    student = {"a": torch.zeros(1, 1, 3, 3, requires_grad=True)}
    value = alignment_loss(student, {"a": torch.rand(1, 1, 3, 3)}, ExplanationConfig(loss=loss))
    value.backward()
    assert value > 0 and torch.isfinite(student["a"].grad).all()


CASES = [
    ("grad_cam", "mean", ("decoder_4",)),
    ("grad_cam", "valid", ("decoder_2", "decoder_4")),
    ("grad_cam_pp", "near", ("decoder_4",)),
    ("hires_cam", "projection", ("decoder_2",)),
    ("gradient_x_input", "region", ("image", "radar")),
]


@pytest.mark.parametrize(("method", "target", "layers"), CASES)
@pytest.mark.parametrize(("loss", "normalisation"), [("mse", "min_max"), ("cosine", "sum")])
def test_second_derivatives_pass_gradcheck(
    make_network, batch, method, target, layers, loss, normalisation
):
    """Gradient of the alignment loss by a weight of the student, against differences."""
    config = ExplanationConfig(
        method, target, layers, rectify=False, normalisation=normalisation, loss=loss
    )
    student, teacher = make_network(0), make_network(1, width=9)
    inputs = batch(2)
    mask = torch.rand(2, 1, 16, 24) < 0.3
    goal = explain(*teacher.forward_taps(*inputs, layers), config, mask, seed=1)

    def loss_of(weight):
        parameters = {"second.weight": weight}
        prediction, taps = torch.func.functional_call(
            _Tapped(student), {f"network.{k}": v for k, v in parameters.items()}, (inputs, layers)
        )
        maps = explain(prediction, taps, config, mask, seed=1, create_graph=True)
        return alignment_loss(maps, goal, config)

    weight = student.second.weight.detach().clone().requires_grad_(True)
    assert torch.autograd.gradcheck(loss_of, weight, fast_mode=True)
    assert torch.autograd.grad(loss_of(weight), weight)[0].abs().sum() > 0


class _Tapped(torch.nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, inputs, layers):
        return self.network.forward_taps(*inputs, layers)


@pytest.mark.parametrize(
    ("method", "target"), list(itertools.product(METHODS, ("mean", "valid", "near", "projection")))
)
def test_every_choice_gives_finite_gradients_in_bfloat16(make_network, batch, method, target):
    layers = ("image",) if method == "gradient_x_input" else ("decoder_2", "decoder_4")
    student, teacher = (make_network(i, torch.float32, scale=30.0) for i in range(2))
    teacher.eval().requires_grad_(False)
    config = ExplanationConfig(method, target, layers, near_m=5.0)
    inputs = batch(2, torch.float32)
    mask = torch.rand(2, 1, 16, 24) < 0.5
    with torch.autocast("cpu", dtype=torch.bfloat16):
        goal = explain(*teacher.forward_taps(*inputs, layers), config, mask)
        maps = explain(*student.forward_taps(*inputs, layers), config, mask, create_graph=True)
        loss = alignment_loss(maps, goal, config)
    assert all(m.dtype == torch.float32 for m in (*goal.values(), *maps.values()))
    loss.backward()
    gradients = [p.grad for p in student.parameters() if p.grad is not None]
    assert loss > 0 and len(gradients) >= 4
    assert all(torch.isfinite(g).all() for g in gradients)


def test_the_teacher_is_left_alone(make_network, batch):
    teacher = make_network()
    objective = StudentObjective(explanations=ExplanationConfig(layers=("decoder_4",)))
    with pytest.raises(ConfigurationError, match=r"eval\(\)"):
        refer(teacher, *batch(), objective)
    reference = refer(teacher.eval(), *batch(), objective)
    assert not reference.depth_m.requires_grad and not reference.maps["decoder_4"].requires_grad
    assert all(p.grad is None for p in teacher.parameters())
    with torch.no_grad():  # as in a validation step
        again = refer(teacher.requires_grad_(False), *batch(), objective)
    torch.testing.assert_close(again.maps["decoder_4"], reference.maps["decoder_4"])


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"method": "lime"}, "lime"),
        ({"target": "far"}, "far"),
        ({"loss": "l7"}, "l7"),
        ({"normalisation": "z"}, "'z'"),
        ({"layers": ()}, "empty"),
        ({"method": "gradient_x_input"}, "hires_cam"),
        ({"region": (0.5, 0, 0.5, 1)}, "region"),
    ],
)
def test_wrong_choices_are_named(options, text):
    with pytest.raises(ConfigurationError, match=text):
        ExplanationConfig(**options)


def test_alignment_alone_moves_a_student_to_look_where_its_teacher_looks(make_network, batch):
    student, teacher = make_network(0, torch.float32), make_network(1, torch.float32)
    inputs = batch(4, torch.float32)
    objective = StudentObjective(explanations=ExplanationConfig(layers=("decoder_4",)))
    goal = refer(teacher.eval(), *inputs, objective, Supervision()).maps
    config = objective.explanations
    optimiser = torch.optim.Adam(student.parameters(), 0.01)
    losses = []
    for _ in range(60):
        optimiser.zero_grad()
        maps = explain(*student.forward_taps(*inputs, config.layers), config, create_graph=True)
        loss = alignment_loss(maps, goal, config)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
