# SPDX-License-Identifier: Apache-2.0
"""The twelve errors against values worked out by hand, and properties of clamping and averaging."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.evaluation.error_map import METRICS, ErrorMap, prepare_prediction
from xd_rcdepth_ros.evaluation.metrics import DepthErrors
from xd_rcdepth_ros.evaluation.protocol import Clamp, Protocol

# SIlog is 100 times the root of a difference of sums: their rounding, 1e-14, is 1e-5 of it.
ROUNDING = 1e-4

DEPTHS = st.floats(0.5, 99.0, width=32)
IMAGES = st.integers(1, 4).flatmap(
    lambda n: st.tuples(
        arrays(np.float32, (n, 3, 5), elements=DEPTHS),
        arrays(np.float32, (n, 3, 5), elements=st.one_of(DEPTHS, st.just(np.float32(0)))),
    )
)


def measured(prediction, truth, cap_m=80.0, clamp="cafnet", averaging="image"):
    metric = DepthErrors(cap_m, clamp, averaging)
    metric.update(torch.as_tensor(prediction).float(), torch.as_tensor(truth).float())
    return metric


def test_two_pixels_by_hand():
    # Errors 1 and -4 m on truths 10 and 20 m; the third pixel has no truth.
    figures = measured([[11.0, 16.0, 7.0]], [[10.0, 20.0, 0.0]]).figures()
    assert figures["mae_m"] == pytest.approx(2.5)
    assert figures["rmse_m"] == pytest.approx(math.sqrt(8.5))
    assert figures["abs_rel"] == pytest.approx(0.15)
    assert figures["sq_rel"] == pytest.approx(0.45)
    assert figures["log10"] == pytest.approx(math.log10(1.1 * 1.25) / 2)
    assert figures["rmse_log"] == pytest.approx(math.hypot(math.log(1.1), math.log(0.8)) / 2**0.5)
    # Of two values a and b the standard deviation is |a - b| / 2.
    assert figures["silog"] == pytest.approx(50 * math.log(1.1 / 0.8))
    assert figures["delta1"] == pytest.approx(0.5)  # 20 / 16 = 1.25 is not below 1.25
    assert figures["delta2"] == figures["delta3"] == 1.0
    first, second = 1000 / 10 - 1000 / 11, 1000 / 16 - 1000 / 20
    assert figures["imae_per_km"] == pytest.approx((first + second) / 2)
    assert figures["irmse_per_km"] == pytest.approx(math.sqrt((first**2 + second**2) / 2))


def test_delta_thresholds_by_hand():
    # Ratios 1.2, 1.5, 1.9, 2.0 against 1.25, 1.5625, 1.953.
    figures = measured([[12.0, 15.0, 10.0, 20.0]], [[10.0, 10.0, 19.0, 10.0]]).figures()
    assert [figures[f"delta{n}"] for n in (1, 2, 3)] == [0.25, 0.5, 0.75]


def test_the_families_clamp_differently():
    prediction, truth = [[70.0, math.nan, math.inf, -3.0]], [[40.0, 10.0, 30.0, 20.0]]
    cafnet = measured(prediction, truth, 50.0, "cafnet").figures()
    nesl = measured(prediction, truth, 50.0, "nesl").figures()
    # cafnet: 50 - 40, 10 - 0.001, 50 - 30, 20 - 0.001; nesl: 70 - 40, the same, 100 - 30, the same.
    assert cafnet["mae_m"] == pytest.approx((10 + 9.999 + 20 + 19.999) / 4)
    assert nesl["mae_m"] == pytest.approx((30 + 9.999 + 70 + 19.999) / 4)


def test_truth_at_the_limits():
    # The cap itself does not count; 0.001 m does not count for cafnet, but does for nesl.
    truth = [[80.0, 79.999, 1e-4, math.nan, math.inf, -1.0]]
    assert measured([[1.0] * 6], truth, 80.0, "cafnet").counts()["pixels"] == 1
    assert measured([[1.0] * 6], truth, 80.0, "nesl").counts()["pixels"] == 2


def test_averaging_by_image_and_by_pixel():
    # Image 1: one pixel, error 4 m. Image 2: three pixels, error 0.
    prediction = [[[14.0, 9.0, 9.0]], [[10.0, 20.0, 30.0]]]
    truth = [[[10.0, 0.0, 0.0]], [[10.0, 20.0, 30.0]]]
    metric = measured(prediction, truth)
    assert metric.figures("image")["mae_m"] == pytest.approx(2.0)
    assert metric.figures("pixel")["mae_m"] == pytest.approx(1.0)
    assert metric.figures("image")["rmse_m"] == pytest.approx(2.0)  # (4 + 0) / 2
    assert metric.figures("pixel")["rmse_m"] == pytest.approx(2.0)  # sqrt(16 / 4)


def test_empty_truth_is_counted_and_never_nan():
    metric = DepthErrors(50.0)
    nothing = torch.full((2, 4, 4), torch.nan)
    metric.update(torch.ones(2, 4, 4), nothing)
    assert metric.compute() == {}
    assert set(metric.figures().values()) == {None}
    metric.update(torch.full((1, 4, 4), 12.0), torch.full((1, 4, 4), 10.0))
    assert metric.compute()["mae_m"] == 2.0
    assert metric.counts()["frames_without_truth"] == 2
    assert metric.counts()["frames_scored"] == 1


def test_missing_predictions_are_counted():
    metric = measured([[math.nan, math.inf, 5.0]], [[5.0, 5.0, 5.0]])
    assert metric.counts()["pixels_without_prediction"] == 2


def test_where_limits_the_pixels():
    metric = DepthErrors()
    where = torch.tensor([[True, False]])
    metric.update(torch.tensor([[11.0, 99.0]]), torch.tensor([[10.0, 10.0]]), where)
    assert metric.figures()["mae_m"] == pytest.approx(1.0)


def test_refusals():
    with pytest.raises(ConfigurationError, match="expected 'image' or 'pixel'"):
        DepthErrors(averaging="median")
    with pytest.raises(ConfigurationError, match="must be equal"):
        DepthErrors().update(torch.ones(2, 3), torch.ones(3, 2))
    with pytest.raises(ConfigurationError, match="ascending"):
        Protocol(caps_m=(80.0, 50.0))


@settings(deadline=None, max_examples=40)
@given(IMAGES, st.sampled_from(["cafnet", "nesl"]), st.randoms(use_true_random=False))
def test_order_and_split_of_images_do_not_matter(images, clamp, random):
    prediction, truth = map(torch.from_numpy, images)
    together, parts = DepthErrors(clamp=clamp), [DepthErrors(clamp=clamp) for _ in range(2)]
    together.update(prediction, truth)
    order = list(range(len(truth)))
    random.shuffle(order)
    for index in order:
        random.choice(parts).update(prediction[index], truth[index])
    # What a reduction over two processes does: the sum of each state.
    for name in ("image_sums", "images", "empty_images", "pixel_sums", "pixels"):
        merged = sum(getattr(part, name) for part in parts)
        torch.testing.assert_close(merged, getattr(together, name), rtol=1e-9, atol=1e-9)


@settings(deadline=None, max_examples=40)
@given(IMAGES, st.sampled_from([50.0, 70.0, 80.0]))
def test_properties_of_the_figures(images, cap_m):
    prediction, truth = map(torch.from_numpy, images)
    metric = DepthErrors(cap_m)
    metric.update(prediction, truth)
    for averaging in ("image", "pixel"):
        figures = metric.figures(averaging)
        if metric.images == 0:
            assert set(figures.values()) == {None}
            continue
        assert set(figures) == set(METRICS)
        assert all(math.isfinite(value) for value in figures.values())
        assert figures["mae_m"] <= figures["rmse_m"] + 1e-9
        assert figures["mae_m"] < cap_m
        assert 0 <= figures["delta1"] <= figures["delta2"] <= figures["delta3"] <= 1
    if len(truth) == 1 and metric.images == 1:
        assert metric.figures("image") == pytest.approx(metric.figures("pixel"))


@settings(deadline=None)
@given(arrays(np.float32, 8, elements=st.floats(width=32)), st.floats(1.0, 90.0))
def test_a_prepared_prediction_can_always_be_scored(values, cap_m):
    prediction = torch.from_numpy(values)
    cafnet = prepare_prediction(prediction, cap_m, "cafnet")
    assert ((cafnet >= 1e-3 - 1e-9) & (cafnet <= cap_m + 1e-4)).all()
    nesl = prepare_prediction(prediction, cap_m, "nesl")
    assert torch.isfinite(nesl).all() and (nesl >= 1e-3 - 1e-9).all()
    fine = torch.isfinite(prediction) & (prediction >= 1e-3)
    assert torch.equal(nesl[fine], prediction[fine])


def test_scaling_the_prediction_leaves_silog_alone():
    truth = torch.rand(1, 6, 6) * 40 + 2
    once, twice = (DepthErrors(80) for _ in range(2))
    noisy = truth * (1 + 0.2 * torch.rand(1, 6, 6))
    once.update(noisy, truth)
    twice.update(noisy * 1.5, truth)
    assert once.figures()["silog"] == pytest.approx(twice.figures()["silog"], rel=1e-4)


@settings(deadline=None, max_examples=40)
@given(IMAGES, st.sampled_from(["cafnet", "nesl"]), st.sampled_from([30.0, 50.0, 80.0]))
def test_sums_of_one_error_map_are_those_of_separate_passes(images, clamp, cap_m):
    """What a cap or bin gets from the one map is what a pass of its own over the image gives."""
    prediction, truth = map(torch.from_numpy, images)
    prediction = torch.where(prediction > 90, torch.inf, prediction)
    errors = ErrorMap(prediction, truth, 80.0, Clamp(clamp))
    lower = measured(prediction[None], truth[None], cap_m, clamp)
    assert errors.below(cap_m).figures() == pytest.approx(lower.figures(), abs=ROUNDING)
    assert errors.below(cap_m).missing_pixels == lower.counts()["pixels_without_prediction"]
    tags = torch.where(prediction > 60, torch.nan, prediction)  # any value a pixel
    edges = [0.0, 10.0, 20.0, 40.0]
    for low, high, sums in zip(edges, edges[1:], errors.by(tags, edges), strict=False):
        alone = DepthErrors(80.0, clamp)
        alone.update(prediction[None], truth[None], ((tags >= low) & (tags < high))[None])
        assert sums.pixels == alone.counts()["pixels"]
        assert sums.figures() == pytest.approx(alone.figures(), abs=ROUNDING)
        assert sums.missing_pixels == alone.counts()["pixels_without_prediction"]


PROCESS = """
import json, sys
import torch
from xd_rcdepth_ros.evaluation.metrics import DepthErrors

torch.set_num_threads(1)
rank, rendezvous = int(sys.argv[1]), sys.argv[2]
torch.distributed.init_process_group("gloo", f"file://{rendezvous}", rank=rank, world_size=2)
metric = DepthErrors(80)
# Process 0 has two images (errors 1 and 2 m), process 1 has one (error 6 m) and an empty one.
truth = torch.full((2, 4, 4), 10.0)
if rank == 1:
    truth[1] = torch.nan
errors = torch.tensor([[1.0, 2.0], [6.0, 9.0]])[rank]
metric.update(10 + errors[:, None, None].expand(2, 4, 4), truth)
print(json.dumps({name: float(value) for name, value in metric.compute().items()}))
torch.distributed.destroy_process_group()
"""


def test_two_processes_agree_on_the_mean_over_all_images(tmp_path):
    arguments = [sys.executable, "-c", PROCESS]
    processes = [
        subprocess.Popen(
            [*arguments, str(rank), str(tmp_path / "rendezvous")], stdout=subprocess.PIPE, text=True
        )
        for rank in (0, 1)
    ]
    answers = [json.loads(process.communicate(timeout=120)[0]) for process in processes]
    assert answers[0] == answers[1]
    assert answers[0]["mae_m"] == pytest.approx((1 + 2 + 6) / 3)
