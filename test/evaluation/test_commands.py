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
from xd_rcdepth_ros.evaluation.evaluator import evaluate
from xd_rcdepth_ros.evaluation.metrics import METRICS
from xd_rcdepth_ros.evaluation.pictures import error_picture, thicken


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
        result = evaluate(frames, {"model": lambda f: f.depth_m}).to_json()
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
