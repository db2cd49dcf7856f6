# SPDX-License-Identifier: Apache-2.0
"""What a model knows of its own error, by hand and for a Laplace distribution."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xd_rcdepth_ros.evaluation.calibration import (
    LAPLACE_WITHIN_SCALE,
    SHARES_LEFT_OUT,
    Calibration,
    sparsification,
)
from xd_rcdepth_ros.evaluation.evaluator import evaluate
from xd_rcdepth_ros.evaluation.model import ModelPredictor


def test_four_pixels_by_hand():
    """Errors 1, 2, 3, 10 m, of which the model doubts 3 m most: without a quarter, 13/3 m."""
    curve = sparsification(np.array([1.0, 2.0, 3.0, 10.0]), np.array([0.1, 0.2, 9.0, 0.3]))
    assert curve[0] == 4 and curve[5] == pytest.approx(13 / 3) and curve[-1] == 1
    assert SHARES_LEFT_OUT[5] == pytest.approx(0.25)


def test_true_scales_are_calibrated_and_a_constant_says_nothing():
    rng = np.random.default_rng(0)
    scale = rng.uniform(0.1, 5, 200_000)
    error = rng.exponential(scale)
    known, constant = Calibration(), Calibration()
    known.add(error, scale)
    constant.add(error, np.ones_like(error))
    figures, dull = known.figures(), constant.figures()
    assert figures["within_scale"] == pytest.approx(LAPLACE_WITHIN_SCALE, abs=0.005)
    assert figures["trusted_half"] == pytest.approx(1.325 / 2.55, abs=0.02)
    assert dull["trusted_half"] == pytest.approx(1, abs=0.02)
    assert 0 < figures["ause"] < 0.7 * dull["ause"]


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=50), st.integers(0, 2**31))
def test_no_order_is_better_than_that_of_the_error(errors, seed):
    error = np.array(errors)
    best = sparsification(error, error)
    some = sparsification(error, np.random.default_rng(seed).random(len(error)))
    assert (best <= some + 1e-9).all() and best[0] == pytest.approx(error.mean())


def test_images_count_alike_and_those_without_expectation_not_at_all():
    calibration = Calibration()
    assert calibration.figures() is None
    calibration.add(np.array([1.0]), np.array([2.0]))
    calibration.add(np.array([3.0] * 9), np.array([2.0] * 9))
    calibration.add(np.array([1.0, np.nan]), np.array([np.nan, 1.0]))
    figures = calibration.figures()
    assert figures["images"] == 2 and figures["within_scale"] == 0.5


class FakeEstimator:
    """Says a depth, and the error that it expects; without radar it says twice the depth."""

    def __init__(self, depth_m, error):
        self.depth_m, self.error = depth_m, error

    def estimate(self, frame, output_size):
        factor = 1 if frame.radar else 2
        shape = frame.image.shape[:2]
        depth = np.full(shape, factor * self.depth_m, np.float32)
        error = None if self.error is None else np.full(shape, self.error, np.float32)
        return SimpleNamespace(depth_m=depth, error=error)


@pytest.mark.parametrize(("error", "within"), [(0.3, 1.0), (0.1, 0.0), (None, None)])
def test_the_evaluation_scores_what_a_model_expects(make_frame, error, within):
    """Truth 12.5 m, depth 10 m: within a scale of 3 m, not of 1 m; no scale, no figure."""
    frame = make_frame()
    frame = replace(frame, depth_m=np.full_like(frame.depth_m, 12.5), lidar=None)
    model = ModelPredictor(FakeEstimator(10.0, error))
    result = evaluate([frame], {"model": model}).to_json()
    assert result["caps"]["80"]["mae_m"] == pytest.approx(2.5)
    if error is None:
        assert result["calibration"] is None
    else:
        assert result["calibration"]["within_scale"] == within


def test_a_model_can_be_asked_without_radar(make_frame):
    blind = ModelPredictor(FakeEstimator(10.0, 0.1), radar=False)
    assert (blind(make_frame()).depth_m == 20).all()
