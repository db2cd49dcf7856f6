# SPDX-License-Identifier: Apache-2.0
"""Astyx to bags: the reduced and the original layout, splits, mountings, refusals."""

import json
import shutil

import cv2
import numpy as np
import pytest

from xd_rcdepth_ros.datasets.astyx import FIRST_STAMP_NS, convert_astyx, plan_astyx
from xd_rcdepth_ros.datasets.check import check_bags
from xd_rcdepth_ros.datasets.conversion import convert_plans
from xd_rcdepth_ros.errors import RecordingError
from xd_rcdepth_ros.recordings.bags import find_recordings, read_info
from xd_rcdepth_ros.recordings.reader import Recording

# Reference frame x forward, y left, z up; camera optical.
T_CAMERA = [[0, 0, 1, 0.2], [-1, 0, 0, 0.1], [0, -1, 0, 0.3], [0, 0, 0, 1]]
T_LIDAR = [[1, 0, 0, -0.13], [0, 1, 0, 0.02], [0, 0, 1, 0.12], [0, 0, 0, 1]]


def calibration(size, shift=0.0):
    width, height = size
    camera = np.array(T_CAMERA, float)
    camera[2, 3] += shift
    k = [[width * 0.9, 0, width / 2], [0, width * 0.9, height / 2], [0, 0, 1]]
    return {
        "sensors": [
            {"sensor_uid": "radar_6455", "calib_data": {"T_to_ref_COS": np.eye(4).tolist()}},
            {"sensor_uid": "lidar_vlp16", "calib_data": {"T_to_ref_COS": T_LIDAR}},
            {"sensor_uid": "camera_front",
             "calib_data": {"T_to_ref_COS": camera.tolist(), "K": k}},
        ]
    }  # fmt: skip


def make_astyx(root, frames=(3, 7, 8), size=(64, 24), splits=True, changes_at=100):
    rng = np.random.default_rng(0)
    for folder in ("camera_front", "radar_6455", "lidar_vlp16", "calibration"):
        (root / folder).mkdir(parents=True)
    for number in frames:
        name = f"{number:06d}"
        image = cv2.resize(rng.integers(0, 256, (4, 8, 3), np.uint8), size)
        cv2.imwrite(str(root / "camera_front" / f"{name}.jpg"), image)
        rows = rng.uniform([5, -5, -1, -5, 40], [50, 5, 1, 5, 80], (9, 5))
        lines = [" ".join(f"{v:.3f}" for v in row) for row in rows]
        (root / "radar_6455" / f"{name}.txt").write_text("\nX Y Z V_r Mag\n" + "\n".join(lines))
        rows = np.column_stack([rng.uniform([5, -3, -1], [50, 3, 1], (20, 3)), rng.integers(
            0, 16, (20, 2)), np.full(20, 366252086)])  # fmt: skip
        lines = [" ".join(f"{v:.2f}" for v in row) for row in rows]
        header = "X Y Z Reflectivity LaserID Timestamp \n"
        (root / "lidar_vlp16" / f"{name}.txt").write_text(header + "\n".join(lines))
        data = calibration(size, 0.1 if number >= changes_at else 0.0)
        (root / "calibration" / f"{name}.json").write_text(json.dumps(data))
    if splits:
        names = [f"{number:06d}" for number in frames]
        (root / "train.txt").write_text("\n".join(names[:-1]) + "\n")
        (root / "val.txt").write_text(names[-1] + "\n")
    return root


# The original's images are 2048 x 618; the reduced ones half of it.
@pytest.mark.parametrize("size", [(1024, 309), (2048, 618)])
def test_both_image_sizes(tmp_path, size):
    root = make_astyx(tmp_path / "astyx", size=size)
    train, val = convert_astyx(root, tmp_path / "bags")
    with Recording(train) as recording:
        assert len(recording) == 2
        frame = recording.frame(0)
    assert (frame.camera.width, frame.camera.height) == size
    assert frame.camera.k[0, 2] == size[0] / 2
    assert frame.stamp_ns == FIRST_STAMP_NS + 3_000_000_000
    assert val.name == "astyx-val"


def test_content_of_a_frame(tmp_path):
    root = make_astyx(tmp_path / "astyx")
    (bag, _) = convert_astyx(root, tmp_path / "bags")
    with Recording(bag) as recording:
        frame = recording.frame(1, sweeps=5)
    (sweep,) = frame.radar  # frames are no sweeps of one past
    assert not sweep.ego_motion
    raw = np.loadtxt(root / "radar_6455" / "000007.txt", skiprows=2)
    np.testing.assert_allclose(sweep.points.position_m, raw[:, :3], rtol=1e-6)
    np.testing.assert_allclose(sweep.points.rcs_dbsm, raw[:, 4], rtol=1e-6)
    azimuth = np.arctan2(raw[:, 1], raw[:, 0])
    np.testing.assert_allclose(
        sweep.points.velocity_mps[:, 0], -raw[:, 3] * np.cos(azimuth), atol=1e-5
    )
    # p = K inv(T_camera) T_radar X, as the data set says
    inverse = np.linalg.inv(np.array(T_CAMERA, float))
    homogeneous = np.column_stack([raw[:, :3], np.ones(len(raw))])
    in_camera = (inverse @ homogeneous.T)[:3].T
    np.testing.assert_allclose(
        sweep.camera_from_radar.apply(sweep.points.position_m), in_camera, atol=1e-5
    )
    lidar = np.loadtxt(root / "lidar_vlp16" / "000007.txt", skiprows=1)
    np.testing.assert_allclose(frame.lidar.points_m, lidar[:, :3], rtol=1e-6)


def test_a_new_mounting_begins_a_new_bag(tmp_path):
    root = make_astyx(tmp_path / "astyx", frames=(1, 2, 470, 471, 472), changes_at=470)
    bags = convert_astyx(root, tmp_path / "bags")
    assert [bag.name for bag in bags] == ["astyx-train", "astyx-train-2", "astyx-val"]
    heights = []
    for bag in bags[:2]:
        with Recording(bag) as recording:
            heights.append(recording.frame(0).radar[0].camera_from_radar.translation_m[1])
    assert heights[1] - heights[0] == pytest.approx(0.1)
    assert find_recordings(tmp_path / "bags", "train") == bags[:2]
    assert read_info(bags[0])["synthetic_stamps"] is True


def test_without_lists_all_frames_go_into_one_bag(tmp_path):
    root = make_astyx(tmp_path / "astyx", splits=False)
    (bag,) = convert_astyx(root, tmp_path / "bags")
    assert bag.name == "astyx-all"
    assert read_info(bag)["split"] is None
    with pytest.raises(RecordingError, match=r"no list val\.txt; it has no list"):
        convert_astyx(root, tmp_path / "bags", split="val")


def test_one_split(tmp_path):
    root = make_astyx(tmp_path / "astyx")
    (bag,) = convert_astyx(root, tmp_path / "bags", split="val")
    assert read_info(bag)["split"] == "val"


def test_check_accepts_the_bag_and_finds_changes(tmp_path):
    root = make_astyx(tmp_path / "astyx")
    plans = plan_astyx(root)
    convert_plans(plans, tmp_path / "bags")
    results = check_bags(plans, tmp_path / "bags")
    assert [r.images for r in results] == [2, 1]
    assert sum(r.points for r in results) == 60
    image = root / "camera_front" / "000003.jpg"
    cv2.imwrite(str(image), np.zeros((24, 64, 3), np.uint8))
    with pytest.raises(RecordingError, match="not the image on disk"):
        check_bags(plans, tmp_path / "bags")


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (lambda root: shutil.rmtree(root / "radar_6455"), "no folder 'radar_6455'"),
        (lambda root: (root / "radar_6455" / "000003.txt").unlink(), "000003"),
        (lambda root: (root / "calibration" / "000007.json").unlink(), "000007.json"),
        (lambda root: (root / "calibration" / "000007.json").write_text("{}"), "sensors"),
        (lambda root: (root / "calibration" / "000007.json").write_text("nothing"), "JSON"),
        (lambda root: (root / "camera_front" / "000007.jpg").write_bytes(b"\xff\xd8"), "000007"),
        (lambda root: (root / "lidar_vlp16" / "000007.txt").write_text("X Y\n1 2"), "column Z"),
        (lambda root: (root / "train.txt").write_text("000003\n000099\n"), "000099"),
        (lambda root: (root / "train.txt").write_text("000003\n000003\n"), "twice"),
        (lambda root: (root / "train.txt").write_text(""), "0 frames"),
    ],
)
def test_damage_is_named_and_nothing_half_written(tmp_path, damage, word):
    root = make_astyx(tmp_path / "astyx")
    damage(root)
    with pytest.raises(RecordingError, match=word):
        convert_astyx(root, tmp_path / "bags")
    left = [p.name for p in (tmp_path / "bags").iterdir()] if (tmp_path / "bags").exists() else []
    assert "astyx-train" not in left
    assert not any(name.startswith(".") for name in left)


def test_intrinsics_of_another_image_size_are_refused(tmp_path):
    root = make_astyx(tmp_path / "astyx", size=(64, 24))
    path = root / "camera_front" / "000003.jpg"
    cv2.imwrite(str(path), cv2.resize(cv2.imread(str(path)), (32, 12)))
    with pytest.raises(RecordingError, match="image is 32 x 12, but K has its centre"):
        convert_astyx(root, tmp_path / "bags")


def test_real_frames(astyx_root, tmp_path):
    bags = convert_astyx(astyx_root, tmp_path, split="val")
    assert [bag.name for bag in bags] == ["astyx-val", "astyx-val-2"]
    counts, returns = 0, []
    for bag in bags:
        with Recording(bag) as recording:
            counts += len(recording)
            frame = recording.frame(0)
            returns.append(len(frame.radar_raster().pixels))
            assert np.isfinite(frame.lidar_depth()).sum() > 800
    assert counts == 70
    assert min(returns) > 300
