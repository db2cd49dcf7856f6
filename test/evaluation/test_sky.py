# SPDX-License-Identifier: Apache-2.0
"""The sky's score: worked out by hand, on frames and by the command."""

from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from xd_rcdepth_ros.cli.main import main
from xd_rcdepth_ros.evaluation.evaluator import Prediction, evaluate
from xd_rcdepth_ros.evaluation.sky import SkyScore
from xd_rcdepth_ros.geometry import PinholeCamera
from xd_rcdepth_ros.recordings.writer import DriveWriter


def test_known_shares():
    score = SkyScore()
    nothing = {"frames": 0, "sky_pixels": 0, "other_pixels": 0}
    assert score.to_json() == {"recall": None, "false_share": None, **nothing}
    sky = np.array([[1, 1, 1, 1], [0, 0, 255, 255]], np.uint8)
    told = np.array([[np.inf, 101, 99, np.nan], [np.inf, 5, np.inf, 5]], np.float32)
    score.update(told, sky)
    score.update(told, None)  # a frame without labels says nothing
    figures = score.to_json()
    assert (figures["recall"], figures["false_share"]) == (0.5, 0.5)
    assert (figures["frames"], figures["sky_pixels"], figures["other_pixels"]) == (1, 4, 2)
    score.update(np.full((2, 4), 7, np.float32), np.zeros((2, 4), np.uint8))
    figures = score.to_json()
    assert (figures["recall"], figures["false_share"]) == (0.5, 0.1)


def test_each_predictor_has_its_own_score(make_frame):
    frames = []
    for seed in range(2):
        frame = make_frame(seed)
        sky = np.zeros(frame.image.shape[:2], np.uint8)
        sky[:10] = 1
        frames.append(replace(frame, sky=sky))

    def far_on_top(frame):
        depth = np.full(frame.image.shape[:2], 20, np.float32)
        depth[:9] = np.inf
        return Prediction(depth)

    def near(frame):
        return Prediction(np.full(frame.sky.shape, 20, np.float32))

    predictors = {"model": far_on_top, "near": near}
    result = evaluate(frames, predictors).to_json()
    assert result["sky"]["recall"] == pytest.approx(0.9)
    assert result["sky"]["false_share"] == 0
    assert result["baselines"]["near"]["sky"]["recall"] == 0
    unlabelled = evaluate([make_frame(0)], {"model": far_on_top}).to_json()["sky"]
    assert (unlabelled["recall"], unlabelled["frames"]) == (None, 0)


def test_pictures_with_labels_alone_are_evaluated(model_file, tmp_path, capsys):
    camera = PinholeCamera.from_focal(96, 64, 83.5, 83.5, 47.5, 31.5)
    sky = np.zeros((64, 96), np.uint8)
    sky[:20] = 1
    with DriveWriter(tmp_path / "pictures", info={"split": "val"}) as writer:
        image = cv2.imencode(".png", np.full((64, 96, 3), 99, np.uint8))[1].tobytes()
        writer.camera_info("front", 10**18, camera)
        writer.image("front", 10**18, image, "png")
        writer.sky("front", 10**18, sky)
    command = ["evaluate", "--model", str(model_file), "--data", str(tmp_path), "--split", "val"]
    report = ["--report", str(tmp_path / "report"), "--json", str(tmp_path / "f.json")]
    assert main([*command, *report, "--device", "cpu"]) == 0
    result = json.loads((tmp_path / "f.json").read_text())
    assert result["counts"]["80"]["pixels"] == 0
    # A model whose head says depth alone never tells the sky.
    assert result["sky"] == {
        "recall": 0, "false_share": 0, "frames": 1, "sky_pixels": 1920, "other_pixels": 4224,
    }  # fmt: skip
    assert "sky: 0.0% of 1,920 pixels told beyond range, 0.00% of 4,224 other" in (
        " ".join(capsys.readouterr().out.split())
    )
    assert "none of them has ground truth" in (tmp_path / "report" / "report.html").read_text()
