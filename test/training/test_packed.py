# SPDX-License-Identifier: Apache-2.0
"""Packed frames are those of the bags, but for what the files' precision takes."""

import pickle
import zipfile

import numpy as np
import pytest

from xd_rcdepth_ros.errors import RecordingError
from xd_rcdepth_ros.training.frames import TrainingFrames
from xd_rcdepth_ros.training.packed import PackedFrames, pack_frames
from xd_rcdepth_ros.training.source import SourceConfig

FOCAL_PX = 60.0


@pytest.fixture(scope="module")
def packed(bag, tmp_path_factory):
    """Frames of a bag, and the same from a pack."""
    folder = tmp_path_factory.mktemp("packed")
    source = SourceConfig(str(bag))
    frames = TrainingFrames(source, "front", FOCAL_PX, folder / "cache")
    frames.prepare()
    seen = []
    file = folder / "drive.frames.zip"
    size = pack_frames(frames, file, on_frame=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (len(frames), len(frames)) and size == file.stat().st_size
    return frames, file


def test_a_packed_frame_is_that_of_the_bag(packed):
    frames, file = packed
    with PackedFrames(SourceConfig(str(file)), FOCAL_PX) as pack:
        assert len(pack) == len(frames) and pack.exact == frames.exact
        assert pack.prepare() == {}
        for index in range(len(frames)):
            one, two = frames[index], pack[index]
            assert (one.name, one.stamp_ns, one.tags) == (two.name, two.stamp_ns, two.tags)
            np.testing.assert_array_equal(one.camera.p, two.camera.p)
            assert np.abs(one.image.astype(int) - two.image).mean() < 6
            np.testing.assert_array_equal(np.isposinf(one.depth_m), np.isposinf(two.depth_m))
            known = np.isfinite(one.depth_m) & (one.depth_m > 0.25)
            np.testing.assert_allclose(two.depth_m[known], one.depth_m[known], rtol=1.4e-3)
            np.testing.assert_array_equal(one.sky, two.sky)
            lidar = one.lidar_depth()
            np.testing.assert_allclose(two.lidar_depth(), lidar, rtol=1.4e-3)  # NaN where NaN
            for a, b in zip(one.radar, two.radar, strict=True):
                np.testing.assert_allclose(
                    b.points.position_m, a.points.position_m, rtol=6e-4, atol=1e-3
                )
                np.testing.assert_allclose(
                    b.points.rcs_dbsm, a.points.rcs_dbsm, rtol=6e-4, atol=1e-3
                )
                np.testing.assert_allclose(
                    b.points.velocity_mps, a.points.velocity_mps, rtol=6e-4, atol=1e-3
                )
                matrix = a.camera_from_radar.matrix
                np.testing.assert_allclose(b.camera_from_radar.matrix, matrix)


def test_radar_is_made_from_a_packs_lidar_with_the_cars_own_velocity(packed):
    frames, file = packed
    with PackedFrames(SourceConfig(str(file), radar="sparse"), FOCAL_PX) as pack:
        sweep = pack.with_radar(1, np.random.default_rng(2)).radar[0]
        again = pack.with_radar(1, np.random.default_rng(2)).radar[0]
    np.testing.assert_array_equal(sweep.points.position_m, again.points.position_m)
    speed = np.linalg.norm(frames.velocity_mps(1, frames[1]))
    closing = np.median(np.linalg.norm(sweep.points.velocity_mps, axis=1))
    assert speed > 1 and closing == pytest.approx(speed, rel=0.1)  # ahead, most things stand


def test_a_pack_travels_to_workers(packed):
    _, file = packed
    pack = PackedFrames(SourceConfig(str(file)), FOCAL_PX)
    twin = pickle.loads(pickle.dumps(pack))
    np.testing.assert_array_equal(twin[0].image, pack[0].image)


def test_what_is_no_pack_of_this_training_is_refused(packed, tmp_path):
    _, file = packed
    with pytest.raises(RecordingError, match=r"focal length \(1, 60\.0\).*\(1, 70\.0\).*anew"):
        PackedFrames(SourceConfig(str(file)), 70.0)
    with pytest.raises(RecordingError, match=r"cannot read frames\.json.*no\.frames\.zip"):
        PackedFrames(SourceConfig(str(tmp_path / "no.frames.zip")), FOCAL_PX)
    bad = tmp_path / "bad.frames.zip"
    with zipfile.ZipFile(bad, "w") as pack:
        pack.writestr("frames.json", "{")
    with pytest.raises(RecordingError, match=r"frames\.json is damaged"):
        PackedFrames(SourceConfig(str(bad)), FOCAL_PX)
