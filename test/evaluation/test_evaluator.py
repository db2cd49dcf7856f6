# SPDX-License-Identifier: Apache-2.0
"""Frames in, figures out: breakdowns, baselines, skipped frames, examples."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from xd_rcdepth_ros.errors import ConfigurationError, RecordingError
from xd_rcdepth_ros.evaluation.baselines import nearest_return, plain_baselines, smaller_of
from xd_rcdepth_ros.evaluation.evaluator import (
    CLEAR_TAG,
    Prediction,
    distance_to_radar,
    evaluate,
    pick_examples,
    truth_between,
)
from xd_rcdepth_ros.evaluation.protocol import Clamp, Protocol, Truth, parse_rows
from xd_rcdepth_ros.inference import DepthEstimator
from xd_rcdepth_ros.network import ModelHeader, Student, save_checkpoint


def constant(depth_m):
    return lambda frame: Prediction(np.full(frame.image.shape[:2], depth_m, np.float32))


def offset(metres):
    return lambda frame: Prediction(frame.depth_m + np.float32(metres))


def test_known_offset_gives_known_errors(make_frame):
    frames = [make_frame(seed) for seed in range(3)]
    result = evaluate(frames, {"model": offset(2.0)}).to_json()
    assert result["frames"] == 3
    assert set(result["caps"]) == {"50", "70", "80"}
    # Depths end at 60.5 m, so nothing is clamped at 70 and 80 m.
    for cap in ("70", "80"):
        assert result["caps"][cap]["mae_m"] == pytest.approx(2.0, abs=1e-3)
        assert result["caps"][cap]["rmse_m"] == pytest.approx(2.0, abs=1e-3)
    json.dumps(result, allow_nan=False)


def test_breakdowns_add_up(make_frame):
    frames = [make_frame(seed, lidar_points=500) for seed in range(3)]
    result = evaluate(frames, {"model": constant(20.0)}).to_json()
    pixels = result["counts"]["80"]["pixels"]
    pooled = result["pixel_pooled"]["80"]["mae_m"] * pixels
    for parts in (result["by_range"], result["by_radar_distance"]):
        assert sum(p["pixels"] for p in parts) == pixels
        total = sum(p["mae_m"] * p["pixels"] for p in parts if p["pixels"])
        assert total == pytest.approx(pooled)
    near = result["by_range"][0]
    assert (near["from_m"], near["to_m"]) == (0, 10)
    assert near["mae_m"] > 10  # truth below 10 m, prediction 20 m


def test_tags(make_frame):
    frames = [make_frame(0, tags=["night"]), make_frame(1, tags=["night", "rain"]), make_frame(2)]
    result = evaluate(frames, {"model": constant(20.0)}).to_json()
    counts = {tag: figures["frames_scored"] for tag, figures in result["by_tag"].items()}
    assert counts == {"night": 2, "rain": 1, CLEAR_TAG: 1}


def test_frames_without_truth_and_without_radar(make_frame):
    frames = [
        make_frame(0, lidar_points=None, dense=False),
        make_frame(1, returns=0),
        make_frame(2),
    ]
    result = evaluate(frames, {"model": constant(20.0), "near": nearest_return}).to_json()
    assert result["frames"] == 3
    assert result["counts"]["80"]["frames_without_truth"] == 1
    assert result["per_frame"][0]["mae_m"] is None
    assert result["without_radar"]["frames_scored"] == 1
    # Without a return the baseline has nothing to say, and that is counted.
    assert result["baselines"]["near"]["counts"]["80"]["pixels_without_prediction"] > 100
    json.dumps(result, allow_nan=False)


def test_no_truth_at_all_gives_null(make_frame):
    frames = [make_frame(0, lidar_points=None, dense=False)]
    result = evaluate(frames, {"model": constant(20.0)}).to_json()
    assert set(result["caps"]["80"].values()) == {None}
    json.dumps(result, allow_nan=False)


def test_which_truth_is_used(make_frame):
    frame = make_frame(0)
    assert np.isfinite(Protocol(truth=Truth.DEPTH).ground_truth(frame)).all()
    sparse = Protocol(truth=Truth.LIDAR).ground_truth(frame)
    assert 50 < np.isfinite(sparse).sum() <= 200
    np.testing.assert_array_equal(Protocol().ground_truth(frame), sparse)
    without = make_frame(0, lidar_points=None)
    assert np.isfinite(Protocol().ground_truth(without)).all()
    assert np.isnan(Protocol(truth=Truth.LIDAR).ground_truth(without)).all()


def test_rows(make_frame):
    truth = Protocol(truth=Truth.DEPTH, rows=(4, 60)).ground_truth(make_frame(0))
    assert np.isnan(truth[:4]).all() and np.isnan(truth[60:]).all()
    assert np.isfinite(truth[4:60]).all()
    assert parse_rows("nuscenes") == (4, None)
    assert parse_rows("zju") == (240, 540)
    assert parse_rows("10:20") == (10, 20)
    assert parse_rows(":20") == (0, 20)
    for text in ("four", "1:2:3", "-1:4", ""):
        with pytest.raises(ConfigurationError, match="START:STOP"):
            parse_rows(text)


def test_the_clamp_is_stated(make_frame):
    frames = [make_frame(0)]
    figures = {}
    for clamp in Clamp:
        result = evaluate(frames, {"model": constant(90.0)}, Protocol(clamp=clamp)).to_json()
        assert result["protocol"]["clamp"] == clamp.value
        figures[clamp] = result["caps"]["50"]["mae_m"]
    assert figures[Clamp.NESL] == pytest.approx(figures[Clamp.CAFNET] + 40, abs=1e-3)


def test_distance_to_radar(make_frame):
    frame = make_frame(3, returns=5)
    everywhere = np.ones(frame.image.shape[:2], bool)
    distance = distance_to_radar(frame, everywhere)
    pixels = frame.radar_raster().pixels
    rows, columns = np.mgrid[: everywhere.shape[0], : everywhere.shape[1]]
    gaps = [np.hypot(columns - u, rows - v) for u, v in pixels]
    np.testing.assert_allclose(distance, np.min(gaps, axis=0), rtol=1e-6)
    assert np.isinf(distance_to_radar(make_frame(0, returns=0), everywhere)).all()


def test_what_is_right_on_the_scan_lines_only_is_found_out(make_frame):
    rows = np.arange(64)[:, None].repeat(128, axis=1)
    plane = (1 / (0.02 + 0.002 * rows)).astype(np.float32)
    lines = rows % 6 == 0
    scanned = np.where(lines, plane, np.nan).astype(np.float32)
    frames = [replace(make_frame(0), depth_m=scanned, lidar=None)]
    protocol = Protocol(truth=Truth.DEPTH)
    predictors = {
        "right": lambda frame: Prediction(plane),
        "striped": lambda frame: Prediction(np.where(lines, plane, plane + 3).astype(np.float32)),
    }
    result = evaluate(frames, predictors, protocol).to_json()
    striped = result["baselines"]["striped"]
    assert result["caps"]["80"]["mae_m"] == striped["caps"]["80"]["mae_m"] == 0
    assert result["between_points"]["mae_m"] < 1e-3
    assert striped["between_points"]["mae_m"] == pytest.approx(3, abs=1e-3)
    dense = np.isfinite(truth_between(plane))
    assert not dense.any()


def test_nearest_return_is_the_brute_force_one(make_frame):
    frame = make_frame(4, returns=1)
    raster = frame.radar_raster()
    if len(raster.pixels):
        assert (nearest_return(frame).depth_m == raster.depth_m[0]).all()
    frame = make_frame(5, returns=6)
    raster = frame.radar_raster()
    v, u = 40, 20
    gaps = np.hypot(raster.pixels[:, 0] - u, raster.pixels[:, 1] - v)
    candidates = raster.depth_m[gaps == gaps.min()]
    assert nearest_return(frame).depth_m[v, u] in candidates


def test_smaller_of_ignores_nan(make_frame):
    frame = make_frame(0)
    depth = smaller_of([constant(np.nan), constant(7.0), constant(9.0)])(frame).depth_m
    assert (depth == 7).all()


def test_row_median_lies_on_the_networks_grid(make_frame, model_file):
    estimator = DepthEstimator.load(model_file, "cpu", "torch")
    frame = make_frame(0)
    baselines, notes = plain_baselines(estimator, [frame], Protocol())
    plain = {"row_median", "nearest_return", "smaller_of_both"}
    assert set(baselines) == plain | {"model_without_radar"}
    assert notes["row_median"] == "rows as in the training data"
    expected = np.linspace(60, 5, 64)  # the grid is the image itself: 64 rows at that focal length
    np.testing.assert_allclose(baselines["row_median"](frame).depth_m[:, 7], expected, atol=1e-4)


def test_row_median_is_slid_to_suit_another_camera(make_frame, model_file):
    estimator = DepthEstimator.load(model_file, "cpu", "torch")
    # 40 rows more at the bottom: the grid is 128 rows high, and the row medians 64.
    frame = replace(make_frame(0).pad(0, 0, 0, 40), lidar=None)
    truth = np.repeat(np.linspace(60, 5, 64)[:, None], 128, axis=1)
    depth = np.full((104, 128), np.nan, np.float32)
    depth[10:74] = truth
    frame = replace(frame, depth_m=depth)
    baselines, notes = plain_baselines(estimator, [frame], Protocol())
    # The medians' bottom row belongs to row 73 of 104: 30 rows above the bottom.
    assert "slid down by -30" in notes["row_median"]
    np.testing.assert_allclose(baselines["row_median"](frame).depth_m[10:74], truth, atol=1e-3)


def test_a_model_without_row_medians_is_told(make_frame, tmp_path):
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, Student(), ModelHeader("xd_rcdepth_student"))
    estimator = DepthEstimator.load(path, "cpu", "torch")
    baselines, notes = plain_baselines(estimator, [make_frame(0)], Protocol())
    assert set(baselines) == {"model_without_radar", "nearest_return"}
    assert "carries no row medians" in notes["row_median"]


class FakeDamaged:
    """Frames of which some cannot be read."""

    def __init__(self, frames, broken):
        self.frames, self.broken = frames, broken

    def __len__(self):
        return len(self.frames)

    def __getitem__(self, index):
        if index in self.broken:
            raise RecordingError(f"frame {index} is damaged")
        return self.frames[index]


def test_damaged_frames_are_skipped_and_counted(make_frame):
    frames = [make_frame(seed) for seed in range(4)]
    result = evaluate(FakeDamaged(frames, {1}), {"model": offset(1.0)}).to_json()
    assert result["frames"] == 3
    assert result["skipped"] == {"1": "frame 1 is damaged"}
    with pytest.raises(RecordingError, match=r"none could be used.*frame 0 is damaged"):
        evaluate(FakeDamaged(frames, {0, 1, 2, 3}), {"model": offset(1.0)})
    with pytest.raises(RecordingError, match="of 0 frames"):
        evaluate([], {"model": offset(1.0)})


def test_examples_are_the_worst_median_and_best(make_frame):
    frames = [make_frame(seed) for seed in range(9)]
    order = iter([5.0, 1.0, 9.0, 3.0, 7.0, 2.0, 8.0, 4.0, 6.0])
    card = evaluate(
        frames, {"model": lambda f: Prediction(f.depth_m + np.float32(next(order)))}
    ).cards["model"]
    chosen = pick_examples(card.frames, count=1)
    assert [chosen[k][0].index for k in ("worst", "median", "best")] == [2, 0, 1]
    assert pick_examples([], 3) == {"worst": [], "median": [], "best": []}
    few = pick_examples(card.frames[:2], 3)
    assert sorted(s.index for group in few.values() for s in group) == [0, 1]
