# SPDX-License-Identifier: Apache-2.0
"""CamVid to bags: the sky as labelled, blocks held back with a gap, refusals."""

import json
import shutil

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xd_rcdepth_ros.cli.main import main
from xd_rcdepth_ros.datasets.camvid import (
    FIRST_STAMP_NS,
    GAP,
    convert_camvid,
    plan_camvid,
    split_drive,
)
from xd_rcdepth_ros.datasets.check import check_bags
from xd_rcdepth_ros.datasets.conversion import convert_plans
from xd_rcdepth_ros.errors import RecordingError
from xd_rcdepth_ros.recordings.bags import find_recordings, read_info
from xd_rcdepth_ros.recordings.reader import Recording

CLASSES = np.array([[0, 0, 0, 0], [0, 5, 1, 11], [3, 3, 8, 11]], np.uint8)
SKY = np.array([[1, 1, 1, 1], [1, 0, 0, 255], [0, 0, 0, 255]], np.uint8)


def make_camvid(root, drives=(("0001TP", 12), ("0006R0", 3))):
    rng = np.random.default_rng(0)
    for folder in ("images", "labels"):
        (root / folder).mkdir(parents=True)
    for drive, count in drives:
        for number in range(count):
            name = f"{drive}_{30 * number:06d}"
            picture = rng.integers(0, 256, (3, 4, 3), np.uint8)
            cv2.imwrite(str(root / "images" / f"{name}.jpg"), picture)
            cv2.imwrite(str(root / "labels" / f"{name}.png"), CLASSES)
    return root


def test_a_frame_is_a_picture_with_its_sky(tmp_path):
    root = make_camvid(tmp_path / "camvid")
    train, val = convert_camvid(root, tmp_path / "bags")
    assert find_recordings(tmp_path / "bags", "val") == [val]
    with Recording(val) as recording:
        assert len(recording) == 2
        frame = recording.frame(0)
    np.testing.assert_array_equal(frame.sky, SKY)
    # Of a drive of 12 the pictures 5 and 6 are held back.
    picture = cv2.imread(str(root / "images" / "0001TP_000150.jpg"))
    np.testing.assert_array_equal(frame.image, picture[..., ::-1])
    assert frame.stamp_ns == FIRST_STAMP_NS + 5_000_000_000
    assert (frame.radar, frame.lidar, frame.depth_m) == ((), None, None)
    np.testing.assert_allclose(frame.camera.k, [[3.48, 0, 1.5], [0, 3.48, 1.0], [0, 0, 1]])
    with Recording(train) as recording:
        # Pictures 3, 4 and 7, 8 are in no split; the drive of 3 is too short to hold any back.
        seconds = [(stamp - FIRST_STAMP_NS) // 10**9 for stamp in recording.stamps_ns()]
        assert seconds == [0, 1, 2, 9, 10, 11, 12, 13, 14]
    assert read_info(train)["synthetic_stamps"] is True


@given(count=st.integers(0, 1000))
def test_held_back_blocks_have_a_gap_to_the_training_pictures(count):
    splits = split_drive(count)
    assert len(splits) == count
    train = np.array([i for i, split in enumerate(splits) if split == "train"])
    val = np.array([i for i, split in enumerate(splits) if split == "val"])
    if len(val):
        assert np.abs(train[:, None] - val).min() == GAP + 1
        assert 0.1 < len(val) / count < 0.3
    else:
        assert len(train) == count
    if count >= 50:
        assert len(val) / count == pytest.approx(0.2, abs=0.02)
        assert len(train) > 0.65 * count


def test_check_accepts_the_bags_and_finds_changes(tmp_path):
    root = make_camvid(tmp_path / "camvid")
    plans = plan_camvid(root)
    convert_plans(plans, tmp_path / "bags")
    assert [result.images for result in check_bags(plans, tmp_path / "bags")] == [18, 4]
    label = root / "labels" / "0001TP_000150.png"
    cv2.imwrite(str(label), np.where(CLASSES == 5, 0, CLASSES))
    with pytest.raises(RecordingError, match=r"/camera/front/sky .* is not the image on disk"):
        check_bags(plans, tmp_path / "bags")


def test_command(tmp_path):
    root = make_camvid(tmp_path / "camvid")
    command = ["convert", "camvid", str(root), "--out", str(tmp_path / "bags"), "--split", "val"]
    assert main([*command, "--check", "--json", str(tmp_path / "c.json")]) == 0
    (row,) = json.loads((tmp_path / "c.json").read_text())["bags"]
    assert row["messages"] == {"/camera/front/image/compressed": 2, "/camera/front/sky": 2}


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (lambda root: shutil.rmtree(root / "labels"), "no folder 'labels'"),
        (lambda root: [p.unlink() for p in (root / "images").iterdir()], "holds no pictures"),
        (lambda root: (root / "labels" / "0001TP_000000.png").unlink(), "needs its classes"),
        (lambda root: (root / "labels" / "0001TP_000000.png").write_bytes(b"no"), "one class"),
        (lambda root: (root / "images" / "0001TP_000000.jpg").write_bytes(b"no"), "no JPEG"),
        (
            lambda root: cv2.imwrite(
                str(root / "labels" / "0001TP_000000.png"), np.full((3, 4), 12, np.uint8)
            ),
            "0 to 11",
        ),
        (
            lambda root: cv2.imwrite(
                str(root / "labels" / "0001TP_000000.png"), np.zeros((6, 8), np.uint8)
            ),
            "is 8 x 6, but its picture is 4 x 3",
        ),
    ],
)
def test_damage_is_named_and_nothing_half_written(tmp_path, damage, word):
    root = make_camvid(tmp_path / "camvid")
    damage(root)
    with pytest.raises(RecordingError, match=word):
        convert_camvid(root, tmp_path / "bags")
    assert not (tmp_path / "bags" / "camvid-train").exists()


def test_other_splits_are_refused(tmp_path):
    root = make_camvid(tmp_path / "camvid")
    with pytest.raises(RecordingError, match="no split 'test'; expected train or val"):
        plan_camvid(root, split="test")
    short = make_camvid(tmp_path / "short", drives=(("a", 3),))
    with pytest.raises(RecordingError, match="too few"):
        plan_camvid(short, split="val")


def test_real_pictures(camvid_root, tmp_path):
    plans = plan_camvid(camvid_root)
    assert [len(plan.frames) for plan in plans] == [279, 72]
    (bag,) = convert_camvid(camvid_root, tmp_path, split="val")
    with Recording(bag) as recording:
        masks = [recording.frame(number).sky for number in range(0, 72, 8)]
    upper = np.mean([(mask[:60] == 1).mean() for mask in masks])
    lower = np.mean([(mask[-120:] == 1).mean() for mask in masks])
    assert upper > 0.3
    assert lower == 0
