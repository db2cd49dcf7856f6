# SPDX-License-Identifier: Apache-2.0
"""The full objectives on the real networks and on others."""

import pytest
import torch

from xd_rcdepth_ros.distillation import (
    DistributionConfig,
    ExplanationConfig,
    StudentObjective,
    Supervision,
    TeacherObjective,
    alignment_loss,
    class_distribution_loss,
    confidence_labels,
    explain,
    refer,
    student_loss,
    teacher_loss,
)
from xd_rcdepth_ros.distillation.losses import known
from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.network import Student, StudentConfig, Teacher, TeacherConfig

NAN = float("nan")
LAYERS = ExplanationConfig(layers=("decoder_4",))


@pytest.fixture(scope="module")
def teacher():
    torch.manual_seed(0)
    config = TeacherConfig(
        "efficientnet_lite2",
        "mobilenet_v2",
        decoder_width=64,
        confidence_channels=(16, 16, 16, 8, 8),
    )
    return Teacher(config)


@pytest.fixture(scope="module")
def student():
    torch.manual_seed(1)
    return Student(StudentConfig(decoder_channels=(48, 32, 24, 16), daspp_growth=8))


def ground_truth(count=2, height=16, width=24, seed=3, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    dense = 80 * torch.rand(count, 1, height, width, generator=generator, dtype=dtype)
    single = dense + 1
    dense[:, :, :4] = NAN
    single[torch.rand(single.shape, generator=generator) < 0.8] = NAN
    return Supervision(dense, single)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_every_weight_of_the_student_learns_from_both_distillations(student, teacher, precision):
    image, radar = torch.rand(2, 3, 64, 96), torch.zeros(2, 4, 64, 96)
    radar[:, :, 30, 40] = torch.tensor([20.0, 10.0, -3.0, 0.5])
    truth = ground_truth(2, 64, 96, dtype=torch.float32)
    objective = StudentObjective(
        response=1.0,
        uncertainty=True,
        explanations=ExplanationConfig(layers=("decoder_16", "decoder_8", "decoder_4")),
    )
    student.train().zero_grad()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision != torch.float32):
        reference = refer(teacher.eval(), image, radar, objective, truth)
        loss, terms, depth = student_loss(student, image, radar, truth, objective, reference)
    loss.backward()
    assert set(terms) == {
        "dense", "single", "smoothness", "explanation", "distribution", "response",
    }  # fmt: skip
    assert depth.shape == (2, 1, 64, 96) and all(t > 0 for t in terms.values())
    for name, parameter in student.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name
    assert all(p.grad is None for p in teacher.parameters())


def test_the_sum_is_that_of_its_weighted_terms(make_network, batch):
    teacher, student = make_network(1, scale=30.0).eval(), make_network(0, scale=30.0)
    objective = StudentObjective(
        dense=0.5,
        single=2.0,
        smoothness=0.01,
        explanation=3.0,
        distribution=0.7,
        response=0.2,
        explanations=LAYERS,
    )
    truth = ground_truth()
    reference = refer(teacher, *batch(), objective, truth)
    loss, terms, depth = student_loss(student, *batch(), truth, objective, reference)
    weights = {"dense": 0.5, "single": 2, "smoothness": 0.01, "explanation": 3}
    weights |= {"distribution": 0.7, "response": 0.2}
    expected = sum(weights[k] * v for k, v in terms.items())
    torch.testing.assert_close(loss.detach(), expected)
    dense = known(truth.dense_m) & ~known(truth.single_m)
    by_hand = (depth - truth.dense_m)[dense].abs().mean()
    torch.testing.assert_close(terms["dense"], by_hand)
    torch.testing.assert_close(terms["response"], (depth - reference.depth_m).abs().mean())


@pytest.mark.parametrize("target", ["mean", "valid", "near", "projection"])
@pytest.mark.parametrize("uncertainty", [False, True])
def test_the_order_of_a_batch_does_not_matter(make_network, batch, target, uncertainty):
    student, teacher = make_network(0, scale=30.0), make_network(1, scale=30.0).eval()
    objective = StudentObjective(
        uncertainty=uncertainty,
        response=1.0,
        explanations=ExplanationConfig(target=target, layers=("decoder_4",), rectify=False),
    )
    image, radar = batch(4)
    truth = ground_truth(4)

    def loss(order):
        part = Supervision(truth.dense_m[order], truth.single_m[order])
        reference = refer(teacher, image[order], radar[order], objective, part, seed=7)
        return student_loss(student, image[order], radar[order], part, objective, reference)[0]

    torch.testing.assert_close(loss([2, 0, 3, 1]), loss([0, 1, 2, 3]))


def test_near_places_are_those_of_the_teacher(make_network, batch):
    """Both networks must explain the same places, or their maps answer different questions."""
    student, teacher = make_network(0, scale=30.0), make_network(1, scale=30.0).eval()
    objective = StudentObjective(
        explanations=ExplanationConfig(target="near", layers=("decoder_4",), near_m=0.0)
    )
    reference = refer(teacher, *batch(), objective)
    near = reference.depth_m < 0
    depth, taps = student.forward_taps(*batch())
    assert 0 < near.sum() < near.numel() and not torch.equal(near, depth < 0)
    maps = explain(depth, taps, objective.explanations, mask=near, create_graph=True)
    expected = alignment_loss(maps, reference.maps, objective.explanations)
    terms = student_loss(student, *batch(), Supervision(), objective, reference)[1]
    torch.testing.assert_close(terms["explanation"], expected.detach())


def test_direct_training_needs_no_teacher(make_network, batch):
    objective = StudentObjective(explanation=0, distribution=0)
    loss, terms, _ = student_loss(make_network(), *batch(), ground_truth(), objective)
    assert set(terms) == {"dense", "single", "smoothness"} and loss.requires_grad
    assert not objective.needs_teacher and StudentObjective().needs_teacher
    with pytest.raises(ConfigurationError, match="refer"):
        student_loss(make_network(), *batch(), ground_truth(), StudentObjective())


def test_a_batch_without_ground_truth_still_distils(make_network, batch):
    student, teacher = make_network(0, scale=30.0), make_network(1, scale=30.0).eval()
    objective = StudentObjective(explanations=LAYERS)
    nothing = torch.full((2, 1, 16, 24), NAN, dtype=torch.float64)
    for truth in (Supervision(), Supervision(nothing, nothing)):
        reference = refer(teacher, *batch(), objective, truth)
        loss, terms, _ = student_loss(student, *batch(), truth, objective, reference)
        loss.backward()
        assert terms["distribution"] > 0
        assert all(torch.isfinite(p.grad).all() for p in student.parameters())


def test_projection_maps_belong_to_their_seed(make_network, batch):
    """A student equal to its teacher has nothing to learn, whatever the seed of the day."""
    network = make_network(0).eval()
    objective = StudentObjective(
        explanations=ExplanationConfig(target="projection", layers=("decoder_4",))
    )
    for seed in (1, 2):
        reference = refer(network, *batch(), objective, seed=seed)
        terms = student_loss(network, *batch(), Supervision(), objective, reference)[1]
        assert terms["explanation"] < 1e-9 and terms["distribution"] < 1e-9


def test_wrong_weights_are_named():
    with pytest.raises(ConfigurationError, match=r"response is -1"):
        StudentObjective(response=-1)


def test_teachers_loss(teacher):
    image, radar = torch.rand(2, 3, 64, 96), torch.zeros(2, 4, 64, 96)
    radar[:, 0, 30, 40] = 20.0
    truth = ground_truth(2, 64, 96, dtype=torch.float32)
    labels = confidence_labels(truth.dense_m, radar)
    teacher.train().zero_grad()
    output = teacher.predict(image, radar)
    loss, terms = teacher_loss(output, image, truth, labels, TeacherObjective())
    expected = terms["dense"] + terms["confidence"] + 0.5 * terms["coarse"]
    torch.testing.assert_close(loss.detach(), expected + 0.001 * terms["smoothness"])
    loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in teacher.parameters())
    teacher.zero_grad()
    both, terms = teacher_loss(output, image, truth, labels, TeacherObjective(single=1.0))
    torch.testing.assert_close(both.detach(), loss.detach() + terms["single"])
    with pytest.raises(ConfigurationError, match="dense"):
        teacher_loss(output, image, Supervision(), labels, TeacherObjective())


def test_a_teachers_loss_ignores_the_order_of_its_batch(make_network):
    from xd_rcdepth_ros.network import TeacherOutput

    generator = torch.Generator().manual_seed(0)
    maps = [torch.rand(3, 1, 16, 24, generator=generator) * s for s in (80, 80, 1)]
    image = torch.rand(3, 3, 16, 24, generator=generator)
    truth = ground_truth(3, dtype=torch.float32)
    radar = torch.zeros(3, 4, 16, 24)
    radar[torch.arange(3), 0, 5 + torch.arange(3), 7] = truth.dense_m[:, 0, 8, 8]

    def loss(order):
        labels = confidence_labels(truth.dense_m[order], radar[order])
        part = Supervision(truth.dense_m[order], truth.single_m[order])
        output = TeacherOutput(*(m[order] for m in maps))
        objective = TeacherObjective(single=1.0)
        return teacher_loss(output, image[order], part, labels, objective)[0]

    torch.testing.assert_close(loss([2, 0, 1]), loss([0, 1, 2]))


def test_a_segmentation_network_is_distilled_by_the_same_code(make_network, batch):
    """Nothing here is about depth: four classes, explained through one of them."""
    inputs = batch(3, torch.float32)
    student, teacher = (make_network(i, torch.float32, outputs=4, scale=5.0) for i in range(2))
    config = ExplanationConfig(
        method="hires_cam", layers=("decoder_4",), rectify=False, loss="cosine"
    )

    def explained(network, scores, taps, create_graph=False):
        return explain(scores[:, 1:2], taps, config, create_graph=create_graph)

    goal, taps = teacher.forward_taps(*inputs)
    goal_maps = explained(teacher, goal, taps)
    optimiser = torch.optim.Adam(student.parameters(), 0.01)
    history = []
    for _ in range(80):
        optimiser.zero_grad()
        scores, taps = student.forward_taps(*inputs)
        maps = explained(student, scores, taps, create_graph=True)
        terms = (
            alignment_loss(maps, goal_maps, config),
            class_distribution_loss(scores, goal, temperature=2.0),
        )
        sum(terms).backward()
        optimiser.step()
        history.append([t.item() for t in terms])
    assert history[-1][0] < 0.5 * history[0][0] and history[-1][1] < 0.5 * history[0][1]


def test_both_distillations_bring_a_student_nearer_to_its_teacher(make_network, batch):
    inputs = batch(3, torch.float32)
    teacher = make_network(1, torch.float32, scale=40.0).eval()
    objective = StudentObjective(
        smoothness=0,
        explanations=LAYERS,
        distributions=DistributionConfig(temperature=2.0),
    )
    reference = refer(teacher, *inputs, objective)
    student = make_network(0, torch.float32, scale=40.0)
    optimiser = torch.optim.Adam(student.parameters(), 0.01)
    gaps = []
    for _ in range(60):
        optimiser.zero_grad()
        loss, _, depth = student_loss(student, *inputs, Supervision(), objective, reference)
        loss.backward()
        optimiser.step()
        gaps.append((depth - reference.depth_m).abs().mean().item())
    assert gaps[-1] < 0.3 * gaps[0]
