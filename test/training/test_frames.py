# SPDX-License-Identifier: Apache-2.0
"""Training frames carry the sky, and sources load with what they have."""

import logging

import cv2
import numpy as np
import pytest

from xd_rcdepth_ros.geometry import PinholeCamera
from xd_rcdepth_ros.recordings.reader import Recording
from xd_rcdepth_ros.recordings.writer import DriveWriter
from xd_rcdepth_ros.training.batches import ValidationSamples
from xd_rcdepth_ros.training.config import SourceConfig
from xd_rcdepth_ros.training.frames import TrainingFrames, row_medians

T0 = 1_600_000_000_000_000_000


@pytest.fixture
def pictures(tmp_path):
    """A bag of two pictures with masks of the sky: no depth, no lidar, no radar, no transforms."""
    camera = PinholeCamera.from_focal(96, 72, 83.5, 83.5, 47.5, 35.5)
    sky = np.zeros((72, 96), np.uint8)
    sky[:30], sky[30:36] = 1, 255
    with DriveWriter(tmp_path / "pictures") as writer:
        for number in range(2):
            stamp_ns = T0 + number * 1_000_000_000
            image = np.random.default_rng(number).integers(0, 256, (72, 96, 3), np.uint8)
            writer.camera_info("front", stamp_ns, camera)
            writer.image("front", stamp_ns, cv2.imencode(".png", image)[1].tobytes(), "png")
            writer.sky("front", stamp_ns, sky)
    return tmp_path / "pictures"


@pytest.mark.parametrize("dense", ["auto", "none"])
def test_pictures_with_nothing_but_sky_load(pictures, tmp_path, dense, caplog):
    source = SourceConfig(str(pictures), dense=dense)
    with caplog.at_level(logging.WARNING):
        frames = TrainingFrames(source, "front", 41.75, tmp_path / "cache")
    with frames:
        assert frames.prepare() == {}
        frame = frames[1]
        assert (frame.depth_m, frame.lidar, frame.radar) == (None, None, ())
        assert frame.sky.shape == frame.image.shape[:2] == (36, 48)
        assert (frame.sky[:15] == 1).all() and (frame.sky[18:] == 0).all()
        assert set(np.unique(frame.sky[15:18])) == {255}
        assert row_medians([frames]) == ()
        sample = ValidationSamples([frames], 41.75)[0]
        assert sample.single_m.isnan().all() and sample.dense_m.isnan().all()
        assert not sample.radar.any()
    told = [r for r in caplog.records if "neither reference depth nor lidar" in r.message]
    assert len(told) == (dense == "auto")  # once, and only where it was not asked for


@pytest.mark.parametrize("dense", ["auto", "none", "lidar"])
def test_exact_sky_of_a_simulated_drive_stays(bag, tmp_path, dense):
    with Recording(bag) as recording:
        whole = recording.frame(2)
    focal_px = float(whole.camera.k[0, 0])
    with TrainingFrames(SourceConfig(str(bag), dense=dense), "front", focal_px, tmp_path) as frames:
        frame = frames[2]
    np.testing.assert_array_equal(frame.sky, whole.sky)
    assert (frame.sky == 1).any() and (frame.sky == 0).any()
    assert (frame.depth_m is None) == (dense == "none")
