# SPDX-License-Identifier: Apache-2.0
"""Training frames carry the sky, and sources load with what they have."""

import logging
import shutil

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from xd_rcdepth_ros.errors import CheckpointError, RecordingError
from xd_rcdepth_ros.geometry import NOT_SKY, SKY, UNKNOWN, PinholeCamera, RigidTransform
from xd_rcdepth_ros.network import ModelHeader, Student, StudentConfig, save_checkpoint
from xd_rcdepth_ros.recordings.reader import Recording
from xd_rcdepth_ros.recordings.writer import DriveWriter
from xd_rcdepth_ros.supervision.lidar_depth import SupervisionSettings
from xd_rcdepth_ros.training.batches import ValidationSamples
from xd_rcdepth_ros.training.frames import TrainingFrames, part_of, row_medians
from xd_rcdepth_ros.training.source import SourceConfig

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
    warnings = [r for r in caplog.records if "neither reference depth nor lidar" in r.message]
    assert len(warnings) == (dense == "auto")  # once, and only where it was not asked for


@pytest.mark.parametrize(("radar", "warnings"), [("recorded", 1), ("mixed", 0)])
def test_a_source_without_radar_is_warned_of_once_and_not_where_radar_is_made(
    pictures, tmp_path, radar, warnings, caplog
):
    shutil.copytree(pictures, tmp_path / "source/first")
    shutil.copytree(pictures, tmp_path / "source/second")
    source = SourceConfig(str(tmp_path / "source"), dense="none", radar=radar)
    with (
        caplog.at_level(logging.WARNING),
        TrainingFrames(source, "front", 41.75, tmp_path / "cache"),
    ):
        pass
    found = [r.message for r in caplog.records if "no radar topic" in r.message]
    assert len(found) == warnings
    assert all("first" in text and "second" in text for text in found)


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


@pytest.fixture
def lidar_bag(tmp_path):
    """A bag of one picture with a wall of lidar points in its lower half; no mask, no depth."""
    camera = PinholeCamera.from_focal(128, 64, 80, 80, 63.5, 31.5)
    rows, columns = np.mgrid[32:64:2, 40:90:2]
    wall = np.stack([(columns - 63.5) / 80, (rows - 31.5) / 80, np.ones_like(rows)], -1) * 20
    with DriveWriter(tmp_path / "lidar") as writer:
        writer.static_transform("base_link", "camera_front_optical", RigidTransform.identity())
        writer.static_transform("base_link", "lidar_top", RigidTransform.identity())
        image = cv2.imencode(".png", np.full((64, 128, 3), 200, np.uint8))[1].tobytes()
        writer.camera_info("front", T0, camera)
        writer.image("front", T0, image, "png")
        writer.lidar("top", T0, wall.reshape(-1, 3))
    return tmp_path / "lidar"


def sky_model(path, logit, error_and_sky=True):
    """A model that has the same opinion of the sky everywhere."""
    torch.manual_seed(0)
    student = Student(StudentConfig(error_and_sky=error_and_sky))
    with torch.no_grad():
        student.head.weight.zero_()
        student.head.bias.fill_(logit)
    header = ModelHeader(
        "xd_rcdepth_student", {"error_and_sky": error_and_sky}, focal_length_px=80.0
    )
    save_checkpoint(path, student, header)
    return str(path)


def test_labels_of_the_sky_come_from_a_model_and_the_lidar(lidar_bag, tmp_path):
    def labels(model):
        settings = {"supervision": SupervisionSettings(sweeps_each_way=0)}
        source = SourceConfig(str(lidar_bag), sky_model=model, **settings)
        with TrainingFrames(source, "front", 80.0, tmp_path / "cache") as frames:
            assert frames.prepare() == {}
            return frames[0].sky

    sure = labels(sky_model(tmp_path / "sure.safetensors", 5.0))  # 99.3 %
    assert (sure[:29] == SKY).all()
    assert (sure[32:64:2, 40:90:2] == NOT_SKY).all()
    assert not (sure[29:, 40:89:2] == SKY).any()  # near points, and below them
    unsure = labels(sky_model(tmp_path / "unsure.safetensors", 0.0))
    assert (unsure[:32] == UNKNOWN).all() and (unsure[36:60, 44:86] == NOT_SKY).all()
    kept = list((tmp_path / "cache").glob("*/sky-*/*.npy"))
    assert len(kept) == 2  # one a model
    np.save(next(f for f in kept if (np.load(f) == SKY).any()), np.full((64, 128), UNKNOWN))
    again = labels(str(tmp_path / "sure.safetensors"))
    assert (again == UNKNOWN).all()  # from disk


def test_a_model_labels_only_what_the_bag_leaves_open(pictures, bag, tmp_path):
    model = sky_model(tmp_path / "sure.safetensors", 5.0)
    with Recording(bag) as recording:
        whole = recording.frame(2)
    focal_px = float(whole.camera.k[0, 0])
    with TrainingFrames(SourceConfig(str(bag), sky_model=model), "front", focal_px, tmp_path) as fs:
        np.testing.assert_array_equal(fs[2].sky, whole.sky)  # exact: nothing is open
    source = SourceConfig(str(pictures), sky_model=model)
    with TrainingFrames(source, "front", 83.5, tmp_path) as frames:
        assert (frames[0].sky[30:36] == UNKNOWN).all()  # no lidar, no labels


def test_models_that_do_not_tell_the_sky_are_refused(lidar_bag, tmp_path):
    source = SourceConfig(str(lidar_bag), dense="none", sky_model=str(tmp_path / "no.safetensors"))
    with pytest.raises(CheckpointError, match=r"no\.safetensors cannot be read"):
        TrainingFrames(source, "front", 80.0, tmp_path)
    model = sky_model(tmp_path / "depth.safetensors", 5.0, error_and_sky=False)
    source = SourceConfig(str(lidar_bag), dense="none", sky_model=model)
    with (
        TrainingFrames(source, "front", 80.0, tmp_path) as frames,
        pytest.raises(RecordingError, match="tells depth alone; expected a model trained"),
    ):
        frames.prepare()


@given(st.integers(0, 60), st.floats(0.05, 0.95))
def test_parts_of_a_bag_share_no_frame_and_leave_none_out(frames, cut):
    numbers = range(100, 100 + frames)
    first, last = part_of(numbers, (0.0, cut)), part_of(numbers, (cut, 1.0))
    assert [*first, *last] == list(numbers)


def test_a_part_of_a_bag_is_counted_by_time(bag, tmp_path):
    source = SourceConfig(str(bag), part=(0.5, 1.0))
    with TrainingFrames(source, "front", 80.0, tmp_path) as late, Recording(bag) as recording:
        assert [number for _, number in late.places] == [3, 4, 5]  # of six frames
        assert late[0].stamp_ns == recording.frame(3).stamp_ns
