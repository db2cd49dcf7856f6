# SPDX-License-Identifier: Apache-2.0
"""The command evaluate on bags: figures, report, exit status."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from xd_rcdepth_ros.cli.main import main
from xd_rcdepth_ros.errors import RecordingError
from xd_rcdepth_ros.evaluation.data import RecordedFrames
from xd_rcdepth_ros.evaluation.error_map import METRICS
from xd_rcdepth_ros.evaluation.evaluator import Prediction, evaluate
from xd_rcdepth_ros.evaluation.pictures import error_picture, frame_pictures, thicken
from xd_rcdepth_ros.evaluation.protocol import Protocol


def test_frames_come_back_from_bags(make_frame, write_drive, tmp_path):
    write_drive(tmp_path / "a", frames=2)
    write_drive(tmp_path / "b", frames=3, split="train", tags=["night"])
    with RecordedFrames(tmp_path) as frames:
        assert len(frames) == 5
        first = frames[0]
    np.testing.assert_allclose(first.depth_m, make_frame(0).depth_m)
    assert np.isfinite(first.lidar_depth()).sum() == np.isfinite(make_frame(0).lidar_depth()).sum()
    assert len(first.radar[0].points) == 12
    with RecordedFrames(tmp_path, split="train") as frames:
        assert len(frames) == 3
        assert "night" in frames[0].tags
        # The exact depth scores nothing but the lidar's rounding.
        result = evaluate(frames, {"model": lambda f: Prediction(f.depth_m)}).to_json()
    assert result["caps"]["80"]["mae_m"] < 1e-3
    with pytest.raises(RecordingError, match="split 'test'"):
        RecordedFrames(tmp_path, split="test")


def test_evaluate_writes_figures_and_report(write_drive, model_file, tmp_path):
    write_drive(tmp_path / "bags" / "one", frames=4)
    write_drive(tmp_path / "bags" / "two", frames=2, split="train")
    out = tmp_path / "out" / "z.json"
    arguments = ["--model", str(model_file), "--data", str(tmp_path / "bags"), "--split", "val"]
    arguments += ["--json", str(out), "--report", str(tmp_path / "report"), "--baselines"]
    assert main(["evaluate", *arguments, "--device", "cpu"]) == 0
    result = json.loads(out.read_text())
    assert result["frames"] == 4
    for cap in ("50", "70", "80"):
        assert set(result["caps"][cap]) == set(METRICS)
        assert all(value is not None for value in result["caps"][cap].values())
    plain = {"row_median", "nearest_return", "smaller_of_both"}
    assert set(result["baselines"]) == plain | {"model_without_radar"}
    assert result["model"]["model"] == model_file.name
    html = (tmp_path / "report" / "report.html").read_text()
    assert not re.search(r'(src|href)="(?!data:)', html)  # needs no other file
    assert html.count("data:image/jpeg;base64,") == 4 * 3  # worst, median, best: four pictures each
    assert "made by a test" in html
    assert f"{result['caps']['80']['mae_m']:.3f}" in html
    assert not list(tmp_path.rglob("*.partial"))


def test_evaluate_refuses(model_file, write_drive, tmp_path, capsys):
    write_drive(tmp_path / "bag", frames=1)
    data = ["--data", str(tmp_path / "bag")]
    assert main(["evaluate", "--model", str(tmp_path / "none.safetensors"), *data]) == 1
    assert "no model file" in capsys.readouterr().err
    assert main(["evaluate", "--model", str(model_file), "--data", str(tmp_path / "empty")]) == 1
    assert main(["evaluate", "--model", str(model_file), *data, "--rows", "top"]) == 1
    assert "START:STOP" in capsys.readouterr().err
    assert main(["evaluate", "--model", str(model_file), *data, "--clamp", "other"]) == 2


def test_a_damaged_bag_is_left_out_and_said(write_drive, model_file, tmp_path):
    write_drive(tmp_path / "bags" / "good", frames=1)
    bad = write_drive(tmp_path / "bags" / "bad", frames=1)
    next(bad.glob("*.mcap")).write_bytes(b"not a bag")
    out = tmp_path / "z.json"
    arguments = ["--model", str(model_file), "--data", str(tmp_path / "bags"), "--json", str(out)]
    assert main(["evaluate", *arguments]) == 0
    result = json.loads(out.read_text())
    assert result["frames"] == 1
    assert list(result["data"]["unreadable"]) == [str(bad)]


def score(model_file, data, out, *options):
    arguments = ["--model", str(model_file), "--data", str(data), "--json", str(out)]
    assert main(["evaluate", *arguments, "--device", "cpu", *options]) == 0
    return json.loads(out.read_text())


def test_pointcloudset_76_a_lone_mcap_is_scored_itself(write_drive, model_file, tmp_path):
    """Another bag lies beside the file: it is not the one that is scored."""
    beside = write_drive(tmp_path / "d", frames=1)
    other = write_drive(tmp_path / "elsewhere", frames=3)
    lone = beside / "mine.mcap"
    (other / "elsewhere.mcap").rename(lone)
    result = score(model_file, lone, tmp_path / "z.json")
    assert result["frames"] == 3
    assert result["data"]["bags"] == ["mine.mcap"]


def test_urbanloco_5_unset_stamps_are_scored_by_the_log_and_said(
    write_drive, copy_without_stamps, model_file, tmp_path, capsys
):
    bag = copy_without_stamps(write_drive(tmp_path / "sound", frames=4), tmp_path / "zero")
    result = score(model_file, bag, tmp_path / "z.json")
    assert result["frames"] == 4
    assert result["frames_without_radar"] == 0
    counted = result["left_out"]["messages"][str(bag)]
    assert counted["/camera/front/image/compressed: stamp is 0, taken from the log"] == 4
    assert "4 x /radar/front: stamp is 0, taken from the log" in capsys.readouterr().err


def test_frames_without_radar_and_left_out_frames_are_said(
    write_drive, model_file, tmp_path, capsys
):
    bag = write_drive(tmp_path / "bag", frames=3)
    names = "image=/camera/front/image,radar.front=/radar/front,depth=/camera/front/depth"
    fields = "rcs=,radial_speed="
    result = score(
        model_file, bag, tmp_path / "z.json", "--topics", names, "--radar-fields", fields
    )
    assert result["frames"] == 3
    assert result["left_out"]["frames_in"] == 3
    assert main(
        ["evaluate", "--model", str(model_file), "--data", str(bag), "--topics", "picture=/a"]
    ) == 1  # fmt: skip
    assert "expected image=TOPIC" in capsys.readouterr().err
    late = write_drive(tmp_path / "late", frames=2, radar_late_ns=10**10)
    result = score(model_file, late, tmp_path / "late.json")
    assert result["frames_without_radar"] == 2
    assert "2 frames have no radar sweep near the image" in capsys.readouterr().err


def test_thicken_takes_the_nearest_value():
    values = np.full((5, 5), np.nan, np.float32)
    values[0, 0], values[4, 4] = 3.0, 7.0
    spread = thicken(values, 1.0)
    assert spread[0, 1] == spread[1, 0] == 3 and spread[3, 4] == 7
    assert np.isnan(spread[1, 1]) and np.isnan(spread[2, 2])
    assert np.isnan(thicken(np.full((2, 2), np.nan, np.float32), 1.0)).all()


def test_error_colours():
    truth = np.array([[10.0, 10.0, 10.0, np.nan]], np.float32)
    near, right, far, unknown = error_picture(np.array([[0.0, 10.0, 20.0, 5.0]]), truth)[0]
    assert near[2] > near[0]  # blue: said too near
    assert far[0] > far[2]  # red: said too far
    assert np.ptp(right.astype(int)) < 5  # grey: right
    assert unknown.max() < 40  # dark: not scored


def test_errors_are_drawn_where_there_is_truth_within_the_cap(make_frame):
    frame = make_frame(lidar_points=None)
    frame.depth_m[:, :60] = 20.0
    frame.depth_m[:, 60:] = 200.0
    drawn = frame_pictures(frame, np.full(frame.depth_m.shape, 20, np.float32), Protocol())["error"]
    assert drawn[:, :60].min() > 200  # grey: right
    assert drawn[:, 60:].max() < 40  # dark: beyond the cap


def test_a_sparse_sweep_is_drawn_as_dots_that_can_be_seen(make_frame):
    frame = make_frame(lidar_points=20, dense=False)
    drawn = frame_pictures(frame, np.full((64, 128), 5, np.float32), Protocol())["error"]
    points = np.isfinite(Protocol().ground_truth(frame)).sum()
    assert 2 * points < (drawn.max(axis=2) > 40).sum() < 10 * points
