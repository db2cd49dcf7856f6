# SPDX-License-Identifier: Apache-2.0
"""ZJU-4DRadarCam to bags: pixels and depths come back exactly; the bit depth is asserted."""

import json
import shutil

import cv2
import numpy as np
import pytest

from xd_rcdepth_ros.datasets import zju_4dradarcam as zju
from xd_rcdepth_ros.datasets.check import check_bags
from xd_rcdepth_ros.datasets.conversion import convert_plans
from xd_rcdepth_ros.errors import RecordingError
from xd_rcdepth_ros.recordings.bags import find_recordings, read_info
from xd_rcdepth_ros.recordings.reader import Recording

FRAMES = ("1664091257.800000", "1664091257.900000", "1664091258.000000", "1664091258.100001")
SMALL = {
    "width": 64, "height": 36, "K": [[50, 0, 31.5], [0, 51, 17.5], [0, 0, 1]],
    "T_camera_radar": [[0, -1, 0, 0.1], [0, 0, -1, 0.2], [1, 0, 0, 0.3], [0, 0, 0, 1]],
    "T_camera_lidar": [[0, -1, 0, 0.0], [0, 0, -1, -0.3], [1, 0, 0, 0.1], [0, 0, 0, 1]],
}  # fmt: skip


def make_zju(root, frames=FRAMES, own_calibration=True):
    rng = np.random.default_rng(0)
    width, height = (64, 36) if own_calibration else (1280, 720)
    for folder in ("image", "radar", "gt", "gt_interp"):
        (root / folder).mkdir(parents=True)
    for frame in frames:
        image = cv2.resize(rng.integers(0, 256, (4, 8, 3), np.uint8), (width, height))
        cv2.imwrite(str(root / "image" / f"{frame}.png"), image)
        pixels = np.column_stack([rng.uniform(0, width - 1, 25), rng.uniform(0, height - 1, 25),
                                  rng.uniform(2, 80, 25)])  # fmt: skip
        np.save(root / "radar" / f"{frame}.npy", pixels)
        for folder, share in (("gt", 0.1), ("gt_interp", 0.9)):
            depth = rng.integers(256, 100 * 256, (height, width)).astype(np.uint16)
            depth[rng.random((height, width)) > share] = 0
            cv2.imwrite(str(root / folder / f"{frame}.png"), depth)
    if own_calibration:
        (root / "calibration.json").write_text(json.dumps(SMALL))
    (root / "train.txt").write_text("\n".join(reversed(frames[:-1])) + "\n")
    (root / "test.txt").write_text(frames[-1] + "\n")
    return root


def test_pixels_and_depths_come_back(tmp_path):
    root = make_zju(tmp_path / "zju" / "data")
    train, test = zju.convert_zju(tmp_path / "zju", tmp_path / "bags", dense=True)
    assert (train.name, test.name) == ("zju-train-000", "zju-test-000")
    with Recording(train) as recording:
        frames = list(recording.frames(sweeps=3))
    assert [f.stamp_ns for f in frames] == [1664091257_800000000, 1664091257_900000000,
                                            1664091258_000000000]  # fmt: skip
    for frame, name in zip(frames, FRAMES, strict=False):
        image = cv2.imread(str(root / "image" / f"{name}.png"))[:, :, ::-1]
        np.testing.assert_array_equal(frame.image, image)
        (sweep,) = frame.radar
        wanted = np.load(root / "radar" / f"{name}.npy")
        uv, depth = frame.camera.project(sweep.camera_from_radar.apply(sweep.points.position_m))
        np.testing.assert_allclose(uv, wanted[:, :2], atol=1e-3)
        np.testing.assert_allclose(depth, wanted[:, 2], atol=1e-5)
        assert (sweep.points.rcs_dbsm == 0).all()
        assert (sweep.points.velocity_mps == 0).all()
        for found, folder in ((frame.lidar_depth(), "gt"), (frame.depth_m, "gt_interp")):
            png = cv2.imread(str(root / folder / f"{name}.png"), cv2.IMREAD_UNCHANGED)
            np.testing.assert_array_equal(np.isfinite(found), png > 0)
            np.testing.assert_allclose(found[png > 0], png[png > 0] / 256.0, atol=1e-4)


def test_published_calibration(tmp_path):
    make_zju(tmp_path / "zju", frames=FRAMES[:2], own_calibration=False)
    bag, _ = zju.convert_zju(tmp_path / "zju", tmp_path / "bags")
    with Recording(bag) as recording:
        frame = recording.frame(0)
    assert frame.camera.k[0, 0] == 643.6709
    assert frame.depth_m is None
    rig = zju.published_calibration()
    # The radar looks where the camera looks, a quarter of a metre further ahead.
    ahead = rig.camera_from_radar.apply(np.array([[10.0, 0, 0]]))[0]
    np.testing.assert_allclose(ahead, [0.0386, 0.355, 10.237], atol=1e-3)
    uv, _ = rig.camera.project(ahead[None])
    assert 600 < uv[0, 0] < 680


def test_long_splits_become_several_bags(tmp_path, monkeypatch):
    monkeypatch.setattr(zju, "FRAMES_PER_BAG", 2)
    make_zju(tmp_path / "zju")
    bags = zju.convert_zju(tmp_path / "zju", tmp_path / "bags", split="train")
    assert [bag.name for bag in bags] == ["zju-train-000", "zju-train-001"]
    assert [read_info(bag)["frames"] for bag in bags] == [list(FRAMES[:2]), [FRAMES[2]] * 2]
    assert find_recordings(tmp_path / "bags", "train") == bags


def test_frames_named_by_number_get_synthetic_stamps(tmp_path):
    make_zju(tmp_path / "zju", frames=("0000", "0001", "0010"))
    bag, _ = zju.convert_zju(tmp_path / "zju", tmp_path / "bags")
    assert read_info(bag)["synthetic_stamps"] is True
    with Recording(bag) as recording:
        first, second = recording.stamps_ns()
    assert second - first == 1_000_000_000
    assert first > 0


def test_check(tmp_path):
    make_zju(tmp_path / "zju")
    plans = zju.plan_zju(tmp_path / "zju", dense=True)
    convert_plans(plans, tmp_path / "bags")
    results = check_bags(plans, tmp_path / "bags")
    assert [r.messages for r in results] == [12, 4]
    assert max(r.max_point_error_m for r in results) < 2e-5
    assert min(r.points for r in results) > 100


def png(array):
    return cv2.imencode(".png", array)[1].tobytes()


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (png(np.full((36, 64), 200, np.uint8)), r"uint8 .*expected uint16"),
        (png(np.zeros((36, 64, 3), np.uint16)), r"uint16 \(36, 64, 3\)"),
        (png(np.zeros((36, 63), np.uint16)), r"\(36, 63\)"),
        (b"", "cannot be decoded|no picture"),
        (b"no png", "no picture"),
    ],
)
def test_wrong_depth_pictures_are_refused(tmp_path, content, word):
    root = make_zju(tmp_path / "zju")
    (root / "gt" / f"{FRAMES[0]}.png").write_bytes(content)
    with pytest.raises(RecordingError, match=word):
        zju.convert_zju(root, tmp_path / "bags")
    assert [p.name for p in (tmp_path / "bags").iterdir()] == ["zju-test-000"]


@pytest.mark.parametrize(
    ("values", "word"),
    [
        (np.zeros((4, 2)), r"\(4, 2\)"),
        (np.zeros(3), r"\(3,\)"),
        (np.array([["a", "b", "c"]]), "<U1"),
        (np.array([{}], dtype=object), "cannot read"),
    ],
)
def test_wrong_radar_files_are_refused(tmp_path, values, word):
    root = make_zju(tmp_path / "zju")
    np.save(root / "radar" / f"{FRAMES[0]}.npy", values, allow_pickle=True)
    with pytest.raises(RecordingError, match=word):
        zju.convert_zju(root, tmp_path / "bags")


def test_points_without_depth_are_counted(tmp_path):
    root = make_zju(tmp_path / "zju")
    path = root / "radar" / f"{FRAMES[0]}.npy"
    pixels = np.load(path)
    pixels[0, 2], pixels[1, 2], pixels[2, 0] = 0.0, -1.0, np.nan
    np.save(path, pixels)
    bag, _ = zju.convert_zju(root, tmp_path / "bags")
    assert read_info(bag)["skipped"] == {"radar point without depth": 3}


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (lambda r: shutil.rmtree(r / "gt"), "no folder gt"),
        (lambda r: (r / "gt" / f"{FRAMES[0]}.png").unlink(), "lacks"),
        (lambda r: (r / "calibration.json").unlink(), "is 64 x 36, but the calibration"),
        (lambda r: (r / "calibration.json").write_text("{}"), "no calibration"),
        (lambda r: (r / "image" / f"{FRAMES[0]}.png").write_bytes(b"x"), "no JPEG or PNG"),
        (lambda r: [p.unlink() for p in (r / "image").glob("*")], "no images"),
    ],
)
def test_damage_is_named(tmp_path, damage, word):
    root = make_zju(tmp_path / "zju")
    damage(root)
    with pytest.raises(RecordingError, match=word):
        zju.convert_zju(root, tmp_path / "bags")


def test_frames_must_be_named_by_a_time(tmp_path):
    root = make_zju(tmp_path / "zju", frames=("first", "second"))
    with pytest.raises(RecordingError, match="'first' is named neither"):
        zju.convert_zju(root, tmp_path / "bags")
    shutil.rmtree(root)
    root = make_zju(tmp_path / "zju", frames=("1664091257.8", "1664091257.80", "1664091258"))
    with pytest.raises(RecordingError, match="same time"):
        zju.convert_zju(root, tmp_path / "bags")
