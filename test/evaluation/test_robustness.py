# SPDX-License-Identifier: Apache-2.0
"""Each fault does what it says, by hand; the suite keeps clean and faulty figures apart."""

from __future__ import annotations

import json

import numpy as np
import pytest

from xd_rcdepth_ros.cli.main import main
from xd_rcdepth_ros.errors import ConfigurationError, RecordingError
from xd_rcdepth_ros.evaluation import faults
from xd_rcdepth_ros.evaluation.evaluator import Prediction
from xd_rcdepth_ros.evaluation.faults import FAULTS, Situation, choose_faults, ego_velocity
from xd_rcdepth_ros.evaluation.robustness import markdown_table, robustness_page, run_faults
from xd_rcdepth_ros.geometry import RadarPoints


@pytest.fixture
def situation(make_frame):
    return Situation(7, make_frame(0).depth_m)


def seen(frame):
    """Return the radar points in the camera's frame."""
    (sweep,) = frame.radar
    return sweep.camera_from_radar.apply(sweep.points.position_m)


def test_returns_are_kept_in_part(make_frame, situation):
    frame = make_frame(0, returns=2000)
    assert len(faults.keep_returns(frame, 0, situation).radar[0].points) == 0
    assert len(faults.keep_returns(frame, 100, situation).radar[0].points) == 2000
    half = faults.keep_returns(frame, 50, situation)
    assert 900 < len(half.radar[0].points) < 1100
    again = faults.keep_returns(frame, 50, situation)
    np.testing.assert_array_equal(seen(half), seen(again))  # the same seed, the same returns
    # A lower level keeps a part of what a higher one keeps.
    tenth = faults.keep_returns(frame, 10, situation).radar[0].points.position_m
    kept = {tuple(p) for p in half.radar[0].points.position_m}
    assert all(tuple(p) in kept for p in tenth)


def test_rotations_by_hand(make_frame, situation):
    frame = make_frame(0, returns=50)
    forward, left, up = frame.radar[0].points.position_m.T.astype(float)
    turned = faults.yaw_radar(frame, 2.0, situation)
    c, s = np.cos(np.radians(2)), np.sin(np.radians(2))
    # Camera: right = -left, down = 0.2 - up, depth = forward - 0.1.
    np.testing.assert_allclose(seen(turned)[:, 0], -(s * forward + c * left), atol=1e-6)
    np.testing.assert_allclose(seen(turned)[:, 2], c * forward - s * left - 0.1, atol=1e-6)
    down = faults.pitch_radar(frame, 2.0, situation)
    np.testing.assert_allclose(seen(down)[:, 1], 0.2 + s * forward - c * up, atol=1e-6)


def test_ego_velocity_comes_from_the_returns(make_frame):
    points = make_frame(0, returns=30, ego_speed_mps=15.0).radar[0].points
    np.testing.assert_allclose(ego_velocity(points), [15, 0], atol=1e-4)
    assert ego_velocity(make_frame(0).radar[0].points) is None  # not known
    assert ego_velocity(points.select([0])) is None  # one direction
    assert ego_velocity(RadarPoints.empty()) is None


def test_delay_shows_static_things_further_away(make_frame, situation):
    frame = make_frame(0, ego_speed_mps=20.0)
    late = faults.delay_radar(frame, 100, situation)
    np.testing.assert_allclose(seen(late) - seen(frame), [[0, 0, 2.0]] * 12, atol=1e-4)


def test_delay_moves_moving_things_by_their_own_velocity(make_frame, situation):
    frame = make_frame(0, returns=2, ego_speed_mps=20.0)
    (sweep,) = frame.radar
    # A car straight ahead drives at our own 20 m/s: 100 ms before, it was as far away as now.
    position = np.array([[30.0, 0, 0], [20.0, 5, 0]])
    azimuth = np.arctan2(5, 20)
    points = RadarPoints.from_arrays(
        position,
        velocity_mps=np.array([0.0, -20 * np.cos(azimuth)]),
        velocity_compensated_mps=np.array([20.0, 0.0]),
    )
    from dataclasses import replace

    frame = replace(frame, radar=(replace(sweep, points=points),))
    late = faults.delay_radar(frame, 100, situation)
    np.testing.assert_allclose(late.radar[0].points.position_m, [[30, 0, 0], [22, 5, 0]], atol=1e-4)


def test_delay_needs_a_speed(make_frame, situation):
    assert faults.delay_radar(make_frame(0), 100, situation) is None
    stated = Situation(7, situation.depth_m, speed_mps=10.0)
    frame = make_frame(0)
    late = faults.delay_radar(frame, 200, stated)
    np.testing.assert_allclose(seen(late) - seen(frame), [[0, 0, 2.0]] * 12, atol=1e-5)


def test_weather_leaves_radar_and_truth_alone(make_frame, situation):
    frame = make_frame(0)
    for name in ("fog", "rain", "night"):
        changed = FAULTS[name].effect(frame, FAULTS[name].levels[-1], situation)
        assert changed.image.dtype == np.uint8 and not np.array_equal(changed.image, frame.image)
        assert changed.radar is frame.radar and changed.depth_m is frame.depth_m


def nearest_mean(frame):
    """Say the mean depth of the returns everywhere; 40 m without any."""
    depth = frame.radar_raster().depth_m
    value = depth.mean() if len(depth) else 40.0
    return Prediction(np.full(frame.image.shape[:2], value, np.float32))


def test_the_suite_scores_each_level(make_frame):
    frames = [make_frame(seed, ego_speed_mps=15.0) for seed in range(3)]
    ticks = []
    result = run_faults(frames, nearest_mean, on_prediction=lambda: ticks.append(1))
    assert len(ticks) == 3 * (1 + 25)
    assert result["clean"]["frames_scored"] == 3
    by_case = {(e["fault"], e["level"]): e for e in result["faults"]}
    assert len(by_case) == 25
    # This predictor does not look at the image.
    assert by_case["fog", 50]["mae_increase_percent"] == pytest.approx(0)
    assert by_case["delay", 200]["mae_m"] != pytest.approx(result["clean"]["mae_m"])
    blind = by_case["returns", 0]["mae_m"]
    expected = run_faults(
        frames, lambda f: Prediction(np.full(f.image.shape[:2], 40, np.float32)), {}
    )
    assert blind == pytest.approx(expected["clean"]["mae_m"])
    json.dumps(result, allow_nan=False)
    table = markdown_table(result)
    assert len(table.splitlines()) == 3 + 25
    page = robustness_page(result, "title")
    assert len(page.sections[0].charts) == 7
    worst = max(result["faults"], key=lambda e: e["mae_increase_percent"])
    assert f"{worst['mae_increase_percent']:+.1f} %" in page.lead


def test_a_fault_that_cannot_be_made_says_why(make_frame):
    result = run_faults([make_frame(0)], nearest_mean, choose_faults(["delay"]))
    assert all("compensated radar velocities" in e["left_out"] for e in result["faults"])
    table = markdown_table(result)
    assert table.count("| left out |") == 3 and table.count("compensated radar velocities") == 1
    page = robustness_page(result, "title")
    assert "by" not in page.lead and "compensated" in str(page.sections[-1].tables)


def test_refusals(make_frame):
    with pytest.raises(ConfigurationError, match="no fault 'snow'"):
        choose_faults(["snow"])
    blank = make_frame(0, lidar_points=None, dense=False)
    with pytest.raises(RecordingError, match="no frame has ground truth"):
        run_faults([blank], nearest_mean)


def test_command(write_drive, model_file, tmp_path):
    write_drive(tmp_path / "bag", frames=2)
    arguments = ["--model", str(model_file), "--data", str(tmp_path / "bag"), "--split", "val"]
    arguments += ["--fault", "returns", "--fault", "delay", "--out", str(tmp_path / "out")]
    assert main(["robustness", *arguments, "--speed", "12"]) == 0
    result = json.loads((tmp_path / "out" / "robustness.json").read_text())
    assert {e["fault"] for e in result["faults"]} == {"returns", "delay"}
    assert all("mae_m" in e for e in result["faults"])
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("<svg") == 2 and "radar returns kept" in page
    assert "| radar returns kept | 0 % |" in (tmp_path / "out" / "robustness.md").read_text()
    assert not list((tmp_path / "out").glob(".*"))
