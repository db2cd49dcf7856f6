# SPDX-License-Identifier: Apache-2.0
"""Ground-truth losses and confidence labels: by hand, and the faults of the published code."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from xd_rcdepth_ros.distillation.confidence import (
    ConfidenceConfig,
    confidence_label,
    confidence_labels,
)
from xd_rcdepth_ros.distillation.losses import (
    known,
    masked_bce,
    masked_l1,
    smoothness,
    uncertainty_weights,
)

NAN = float("nan")


def maps(*values):
    return torch.tensor(values, dtype=torch.float64).view(1, 1, 1, -1)


def test_known_places():
    assert known(maps(NAN, 0.0, 0.01, 0.02, math.inf, -1.0)).flatten().tolist() == [
        False, False, False, True, False, False,
    ]  # fmt: skip


def test_l1_by_hand():
    prediction = maps(10, 20, 30).requires_grad_(True)
    goal = maps(12, NAN, 27)
    loss = masked_l1(prediction, goal, known(goal))
    assert loss.item() == 2.5
    loss.backward()
    assert prediction.grad.flatten().tolist() == [-0.5, 0, 0.5]
    assert masked_l1(prediction, goal, known(goal), maps(3, 9, 1)).item() == 9 / 4


def test_no_ground_truth_at_all_is_zero_not_nan():
    prediction = maps(10, 20).requires_grad_(True)
    empty = known(maps(NAN, 0))
    loss = masked_l1(prediction, maps(NAN, 0), empty) + masked_bce(prediction, maps(1, 1), empty)
    loss.backward()
    assert loss.item() == 0 and (prediction.grad == 0).all()


def test_bce_by_hand():
    loss = masked_bce(maps(0, 0, 9), maps(1, 0, 0), known(maps(1, 1, 0)))
    assert loss.item() == pytest.approx(math.log(2))


def test_smoothness_by_hand():
    image = torch.zeros(1, 3, 2, 2, dtype=torch.float64)
    depth = torch.tensor([[[[1.0, 4.0], [1.0, 4.0]]]], dtype=torch.float64)
    assert smoothness(depth, image).item() == 3.0
    image[..., 1] = torch.tensor([0.229, 0.224, 0.225]).view(3, 1)  # one standard deviation
    assert smoothness(depth, image).item() == pytest.approx(3 * math.exp(-1), rel=1e-6)


def random_batch(count, seed):
    generator = torch.Generator().manual_seed(seed)
    prediction, dense, single = (
        80 * torch.rand(count, 1, 5, 6, generator=generator, dtype=torch.float64) for _ in range(3)
    )
    single[torch.rand(single.shape, generator=generator) < 0.7] = NAN
    return prediction, dense, single


@settings(deadline=None, max_examples=20)
@given(st.integers(2, 5), st.integers(0, 10**6))
def test_weights_of_an_image_never_meet_anothers(count, seed):
    """The published code multiplies (B, 1, H, W) by (B, H, W), which weighs all with all."""
    prediction, dense, single = random_batch(count, seed)
    together = uncertainty_weights(prediction, dense, single)
    for i in range(count):
        part = slice(i, i + 1)
        alone = uncertainty_weights(prediction[part], dense[part], single[part])
        for a, b in zip(alone, together, strict=True):
            torch.testing.assert_close(a, b[part])
    order = torch.randperm(count)
    for weight, single_map in zip(together, (dense, single), strict=True):
        loss = masked_l1(prediction, single_map, known(single_map), weight)
        permuted = masked_l1(
            prediction[order], single_map[order], known(single_map)[order], weight[order]
        )
        torch.testing.assert_close(loss, permuted)


def test_a_lost_dimension_is_refused():
    prediction, dense, single = random_batch(3, 0)
    with pytest.raises(ValueError, match="agree"):
        masked_l1(prediction, dense, known(dense)[:, 0])
    with pytest.raises(ValueError, match="agree"):
        masked_l1(prediction, dense, known(dense), prediction[:, 0])
    with pytest.raises(ValueError, match="agree"):
        uncertainty_weights(prediction, dense[:, 0], single)


def test_uncertainty_weights_by_hand():
    dense, single = uncertainty_weights(maps(10), maps(30), maps(10))
    # u = 1 - exp(-5 * 20 / 40) for dense, 1 - 1 for the sweep.
    expected = 1 / (1 + math.exp(-(1 - math.exp(-2.5))))
    assert dense.item() == pytest.approx(expected, rel=1e-5)
    assert (dense + single).item() == pytest.approx(1)


# Confidence labels.

SMALL = ConfidenceConfig(half_height_px=1, half_width_px=2)


def test_label_by_hand():
    depth = torch.full((4, 8), 20.0)
    depth[:, 5:] = 20.39
    depth[2, 3] = 20.5
    label = confidence_label(depth, torch.tensor([[4.0, 1.0, 20.0]]), SMALL)
    expected = torch.zeros(4, 8)
    expected[0:3, 2:7] = 1  # one row up and down, two columns left and right
    expected[2, 3] = 0  # half a metre off
    assert torch.equal(label, expected)


def test_windows_do_not_overwrite_each_other():
    """A far return behind a near one must not erase what the near one got right."""
    depth = torch.full((5, 9), 20.0)
    near, far = [4.0, 2.0, 20.0], [4.0, 2.0, 60.0]
    for order in ([near, far], [far, near]):
        label = confidence_label(depth, torch.tensor(order), SMALL)
        assert label.sum() == 15


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 12), st.integers(0, 10**6), st.booleans())
def test_labels_do_not_depend_on_the_order_of_returns(count, seed, with_boxes):
    generator = torch.Generator().manual_seed(seed)
    depth = (30 * torch.rand(12, 20, generator=generator)).round()
    returns = torch.rand(count, 3, generator=generator) * torch.tensor([20.0, 12.0, 30.0])
    boxes = None
    if with_boxes:
        corner = torch.rand(count, 2, generator=generator) * torch.tensor([15.0, 8.0])
        boxes = torch.cat([corner, corner + 4], dim=1)
        boxes[::2] = NAN
    order = torch.randperm(count, generator=generator)
    a = confidence_label(depth, returns, SMALL, boxes)
    b = confidence_label(depth, returns[order], SMALL, None if boxes is None else boxes[order])
    assert torch.equal(a, b)


def test_a_box_replaces_the_window():
    depth = torch.full((6, 10), 20.0)
    returns = torch.tensor([[5.0, 3.0, 20.0], [0.0, 0.0, 20.0]])
    boxes = torch.tensor([[4.0, 2.0, 5.0, 4.0], [NAN] * 4])
    label = confidence_label(depth, returns, SMALL, boxes)
    expected = torch.zeros(6, 10)
    expected[2:5, 4:6] = 1
    expected[0:2, 0:3] = 1
    assert torch.equal(label, expected)


def test_unknown_depth_returns_outside_and_none_at_all():
    depth = torch.full((4, 6), NAN)
    assert confidence_label(depth, torch.tensor([[2.0, 2.0, 20.0]]), SMALL).sum() == 0
    depth = torch.full((4, 6), 20.0)
    assert confidence_label(depth, torch.zeros(0, 3), SMALL).sum() == 0
    outside = torch.tensor([[-9.0, 1.0, 20.0], [15.0, 1.0, 20.0], [2.0, 99.0, 20.0]])
    assert confidence_label(depth, outside, SMALL).sum() == 0


def test_labels_of_a_batch_come_from_its_rasters():
    depth = torch.full((2, 1, 6, 10), 20.0)
    radar = torch.zeros(2, 4, 6, 10)
    radar[0, 0, 3, 5], radar[1, 0, 0, 0], radar[1, 0, 5, 9] = 20.0, 20.0, 40.0
    labels = confidence_labels(depth, radar, SMALL)
    for i, returns in enumerate(([[5.0, 3.0, 20.0]], [[0.0, 0.0, 20.0], [9.0, 5.0, 40.0]])):
        expected = confidence_label(depth[i, 0], torch.tensor(returns), SMALL)
        assert torch.equal(labels[i, 0], expected) and expected.sum() > 0
