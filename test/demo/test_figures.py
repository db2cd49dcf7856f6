# SPDX-License-Identifier: Apache-2.0
"""Latency, rate, errors, resampling and the row baseline, against values worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from demo_helpers import frame_of
from hypothesis import given
from hypothesis import strategies as st

from xd_rcdepth_ros.demo.figures import (
    Traffic,
    mean_of,
    rate_hz,
    score_frame,
    summarize,
)
from xd_rcdepth_ros.demo.outputs import Answer, onto_image
from xd_rcdepth_ros.errors import ConfigurationError, RecordingError
from xd_rcdepth_ros.evaluation.row_baseline import RowBaseline, fit_row_baseline
from xd_rcdepth_ros.geometry import NetworkGrid, PinholeCamera

MS = 1_000_000


def arrivals(tmp_path: Path, images: list, depths: list) -> Path:
    file = tmp_path / "arrivals.json"
    topics = {"/img": images, "/n/depth/image": depths, "/n/saliency/image": [[1, 2, 3]]}
    file.write_text(
        json.dumps(
            {"pid": 7, "image_topic": "/img", "depth_topic": "/n/depth/image", "topics": topics}
        )
    )
    return file


def test_latency_is_from_publishing_of_the_image_to_reception_of_its_depth(tmp_path: Path) -> None:
    images = [[1, 100 * MS, 101 * MS], [2, 200 * MS, 230 * MS]]
    depths = [[1, 140 * MS, 150 * MS], [2, 290 * MS, 300 * MS], [3, 0, 400 * MS]]
    traffic = Traffic.read(arrivals(tmp_path, images, depths))
    assert traffic.latencies_ms() == {1: 50.0, 2: 100.0}
    assert traffic.saliency_maps == 1
    assert traffic.answered([1, 2, 9]) == 2


def test_rate_leaves_out_the_pause_between_replays() -> None:
    first = Traffic(1, {}, {1: 0, 2: 500 * MS, 3: 1000 * MS})
    second = Traffic(1, {}, {4: 60_000 * MS, 5: 60_500 * MS})
    assert rate_hz([first, second]) == pytest.approx(2.0)
    assert rate_hz([Traffic(1, {}, {1: 5})]) == 0.0


@pytest.mark.parametrize("text", ["", "{}", "[1", '{"pid": 1, "topics": {}}'])
def test_damaged_times_are_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "arrivals.json"
    file.write_text(text)
    with pytest.raises(RecordingError, match=r"arrivals\.json"):
        Traffic.read(file)


def test_error_is_scored_below_the_cap_with_the_depth_clamped() -> None:
    truth = np.full((4, 6), np.nan, np.float32)
    truth[0] = 10.0
    truth[1] = 70.0
    truth[2] = 90.0  # beyond the cap: not scored
    depth = np.full((4, 6), 12.0, np.float32)
    depth[1] = np.inf  # clamped to 80 m: 10 m off
    frame = frame_of(6, 4)
    answer = Answer(0, depth, frame.camera)
    baseline = RowBaseline(np.array([11, 70, 0, 0], np.float32), 0)
    figures, at_image = score_frame(frame, answer, truth, baseline)
    assert figures.mae_m == pytest.approx((2 + 10) / 2)
    assert figures.mae_baseline_m == pytest.approx(0.5)
    assert at_image.shape == (4, 6)


def test_a_frame_without_truth_has_no_error() -> None:
    frame = frame_of(6, 4)
    answer = Answer(0, np.ones((4, 6), np.float32), frame.camera)
    figures, _ = score_frame(frame, answer, np.full((4, 6), np.nan, np.float32), None)
    assert figures.mae_m is None
    assert figures.mae_baseline_m is None
    assert mean_of([None, 2.0, 4.0]) == 3.0
    assert mean_of([None]) is None


def test_summary_has_what_is_promised() -> None:
    traffic = Traffic(1, {1: 0, 2: 100 * MS}, {1: 30 * MS, 2: 150 * MS})
    processes = [{"name": "a", "pid": 1}]
    summary = summarize(2, 2, [], [traffic], processes, 0.5, {"more": 1})
    assert summary["latency_ms"]["p50"] == pytest.approx(40.0)
    assert summary["latency_ms"]["p95"] == pytest.approx(49.0)
    assert summary["fps"] == pytest.approx(1 / 0.12)
    assert summary["mae_m"] is None
    assert json.loads(json.dumps(summary))["more"] == 1


def test_depth_lands_where_the_intrinsics_say() -> None:
    full = PinholeCamera.from_focal(8, 6, 10, 10, 3.5, 2.5)
    part = full.resize(16, 12).crop(4, 2, 8, 8)  # columns 2 to 5, rows 1 to 4 of the image
    depth = np.tile(np.arange(8, dtype=np.float32), (8, 1))
    moved = onto_image(depth, part, full)
    assert np.isnan(moved[0]).all()
    assert np.isnan(moved[:, :2]).all()
    # The centre of image column 2 lies between columns 0 and 1 of the depth map.
    assert moved[1:5, 2:6] == pytest.approx(np.tile([0.5, 2.5, 4.5, 6.5], (4, 1)))


def test_infinite_depth_does_not_spoil_its_neighbours() -> None:
    camera = PinholeCamera.from_focal(3, 2, 10, 10, 1.0, 0.5)
    depth = np.array([[1, np.inf, -np.inf]] * 2, np.float32)
    assert onto_image(depth, camera, camera)[0].tolist() == [1.0, 1000.0, 0.0]


def test_unknown_depth_stays_unknown() -> None:
    camera = PinholeCamera.from_focal(3, 2, 10, 10, 1.0, 0.5)
    depth = np.array([[1, 2, np.nan]] * 2, np.float32)
    moved = onto_image(depth, camera, camera)
    assert moved[0, 0] == 1.0
    assert np.isnan(moved[0, 2])


@given(st.integers(1, 40), st.integers(1, 40))
def test_same_camera_changes_nothing(width: int, height: int) -> None:
    camera = PinholeCamera.from_focal(width, height, 10, 10, width / 2, height / 2)
    depth = np.random.default_rng(width).uniform(1, 80, (height, width)).astype(np.float32)
    assert onto_image(depth, camera, camera) == pytest.approx(depth, rel=1e-3)


def test_row_medians_are_slid_to_where_they_fit() -> None:
    camera = PinholeCamera.from_focal(4, 64, 100, 100, 1.5, 31.5)
    grid = NetworkGrid.for_camera(camera, 100.0)
    medians = np.linspace(60, 2, 32)  # the training grid is 32 rows high
    truth = np.full((64, 4), np.nan, np.float32)
    truth[20:52] = medians[:, None]  # here the same column starts at row 20
    baseline = fit_row_baseline(medians.tolist(), grid, camera, [truth])
    assert baseline.shift_rows == -12  # bottom of the medians at row 52 of 64
    assert baseline.depth(camera)[20:52] == pytest.approx(truth[20:52], abs=1e-3)
    assert baseline.row_depth_m[0] == 60
    assert baseline.row_depth_m[-1] == 2


def test_a_model_without_row_medians_is_named() -> None:
    camera = PinholeCamera.from_focal(4, 64, 100, 100, 1.5, 31.5)
    grid = NetworkGrid.for_camera(camera, 100.0)
    with pytest.raises(ConfigurationError, match="row medians"):
        fit_row_baseline([], grid, camera, [])
