# SPDX-License-Identifier: Apache-2.0
"""Bags as written: layout, QoS, type hashes, definitions, and nothing half-written."""

import json
import resource
import signal
from pathlib import Path

import numpy as np
import pytest
import yaml
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
from rosbags.highlevel import AnyReader
from rosbags.interfaces import QosDurability, QosReliability

from xd_rcdepth_ros.errors import RecordingError
from xd_rcdepth_ros.geometry import PinholeCamera, RadarPoints, RigidTransform
from xd_rcdepth_ros.recordings.bags import find_recordings, read_info
from xd_rcdepth_ros.recordings.writer import DriveWriter

T0 = 1_600_000_000_000_000_000
CAMERA = PinholeCamera.from_focal(8, 6, 5, 5, 3.5, 2.5)


def write(path, storage="mcap", **options):
    with DriveWriter(path, storage, **options) as writer:
        writer.static_transform("base_link", "camera_front_optical", RigidTransform.identity())
        writer.static_transform("base_link", "radar_front", RigidTransform.identity())
        writer.transform("odom", "base_link", T0, RigidTransform.identity())
        writer.odometry(T0, RigidTransform.identity(), (3, 0, 0), (0, 0, 0.5))
        writer.camera_info("front", T0, CAMERA)
        writer.image("front", T0, b"\xff\xd8 not an image \xff\xd9")
        writer.depth("front", T0, np.full((6, 8), 7.0))
        writer.sky("front", T0, np.full((6, 8), 255, np.uint8))
        writer.radar("front", T0 + 5, RadarPoints.from_arrays([[1, 2, 3]], [4], [[5, 6]]))
        writer.lidar("top", T0 + 6, [[1, 2, 3], [4, 5, 6]], [7, 8], [9, 65535])
        writer.keyframe("radar_front", T0 + 5)


def messages(path):
    with AnyReader([path]) as reader:
        return {
            c.topic: (stamp, reader.deserialize(raw, c.msgtype))
            for c, stamp, raw in reader.messages()
        }


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_content_of_a_bag(tmp_path, storage):
    write(tmp_path / "bag", storage)
    found = messages(tmp_path / "bag")
    assert set(found) == {
        "/tf_static", "/tf", "/odom", "/camera/front/camera_info", "/camera/front/depth",
        "/camera/front/image/compressed", "/radar/front", "/lidar/top", "/keyframes",
        "/camera/front/sky",
    }  # fmt: skip
    stamp, image = found["/camera/front/image/compressed"]
    assert stamp == T0
    assert image.data.tobytes() == b"\xff\xd8 not an image \xff\xd9"
    assert image.format == "jpeg"
    assert image.header.frame_id == "camera_front_optical"
    info = found["/camera/front/camera_info"][1]
    assert info.k.tolist() == [5, 0, 3.5, 0, 5, 2.5, 0, 0, 1]
    assert info.p.tolist() == [5, 0, 3.5, 0, 0, 5, 2.5, 0, 0, 0, 1, 0]
    assert (info.width, info.height, info.distortion_model) == (8, 6, "plumb_bob")
    depth = found["/camera/front/depth"][1]
    assert (depth.encoding, depth.step, depth.data.view("<f4").tolist()) == ("32FC1", 32, [7] * 48)
    sky = found["/camera/front/sky"][1]
    assert (sky.encoding, sky.step, sky.data.tolist()) == ("mono8", 8, [255] * 48)
    radar = found["/radar/front"][1]
    assert [f.name for f in radar.fields] == ["x", "y", "z", "rcs", "vx", "vy", "vx_comp",
                                              "vy_comp"]  # fmt: skip
    np.testing.assert_array_equal(radar.data.view("<f4"), [1, 2, 3, 4, 5, 6, np.nan, np.nan])
    assert radar.is_dense
    lidar = found["/lidar/top"][1]
    assert [(f.name, f.offset, f.datatype) for f in lidar.fields] == [
        ("x", 0, 7), ("y", 4, 7), ("z", 8, 7), ("intensity", 12, 7), ("ring", 16, 4),
    ]  # fmt: skip
    assert (lidar.point_step, lidar.width, lidar.row_step) == (20, 2, 40)
    odometry = found["/odom"][1]
    assert odometry.child_frame_id == "base_link"
    assert (odometry.twist.twist.linear.x, odometry.twist.twist.angular.z) == (3, 0.5)
    assert [t.child_frame_id for t in found["/tf_static"][1].transforms] == [
        "camera_front_optical", "radar_front",
    ]  # fmt: skip
    assert found["/keyframes"][1].frame_id == "radar_front"


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_qos_and_definitions(tmp_path, storage):
    write(tmp_path / "bag", storage)
    with AnyReader([tmp_path / "bag"]) as reader:
        assert len(reader.connections) == 10
        for connection in reader.connections:
            (qos,) = connection.ext.offered_qos_profiles
            latched = connection.topic == "/tf_static"
            assert qos.durability == (
                QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE
            )
            assert qos.reliability == QosReliability.RELIABLE
            assert connection.msgdef.data, f"{connection.topic} has no definition"
    metadata = yaml.safe_load((tmp_path / "bag" / "metadata.yaml").read_text())
    info = metadata["rosbag2_bagfile_information"]
    assert info["storage_identifier"] == storage
    assert (tmp_path / "bag" / info["relative_file_paths"][0]).is_file()


def test_type_hashes_are_those_of_ros(tmp_path):
    """The hashes in the bag equal those that ROS itself ships beside the message definitions."""
    write(tmp_path / "bag")
    metadata = yaml.safe_load((tmp_path / "bag" / "metadata.yaml").read_text())
    checked = 0
    for topic in metadata["rosbag2_bagfile_information"]["topics_with_message_count"]:
        kind = topic["topic_metadata"]["type"]
        package, _, name = kind.split("/")
        module = pytest.importorskip(f"{package}.msg", reason="ROS's messages are not installed")
        share = [
            parent / "share" / package / "msg" / f"{name}.json"
            for parent in Path(module.__file__).parents
        ]
        file = next((path for path in share if path.is_file()), None)
        if file is None:
            continue  # tf2_msgs built from source may come without it
        hashes = {e["type_name"]: e["hash_string"] for e in json.loads(file.read_text())[
            "type_hashes"]}  # fmt: skip
        assert topic["topic_metadata"]["type_description_hash"] == hashes[kind]
        checked += 1
    if not checked:
        pytest.skip("ROS's type descriptions are not installed")
    assert checked >= 7


def test_the_mcap_library_opens_and_decodes_it(tmp_path):
    write(tmp_path / "bag")
    with (tmp_path / "bag" / "bag.mcap").open("rb") as file:
        reader = make_reader(file, decoder_factories=[DecoderFactory()])
        decoded = {c.topic: m for _, c, _, m in reader.iter_decoded_messages()}
    assert len(decoded) == 10
    assert decoded["/radar/front"].width == 1
    assert decoded["/camera/front/camera_info"].k[2] == 3.5


def test_info_is_kept_and_found(tmp_path):
    write(tmp_path / "a", info={"split": "val", "tags": ["night"]})
    write(tmp_path / "deep" / "b", info={"split": "train"})
    write(tmp_path / "c")
    assert read_info(tmp_path / "a") == {"split": "val", "tags": ["night"]}
    assert read_info(tmp_path / "c") == {}
    assert [p.name for p in find_recordings(tmp_path)] == ["a", "c", "b"]
    assert find_recordings(tmp_path, "train") == [tmp_path / "deep" / "b"]
    assert find_recordings(tmp_path / "a") == [tmp_path / "a"]
    assert find_recordings(tmp_path / "a" / "a.mcap") == [tmp_path / "a"]
    with pytest.raises(RecordingError, match=r"split 'test' \(found: train, val\)"):
        find_recordings(tmp_path, "test")
    with pytest.raises(RecordingError, match="no bag"):
        find_recordings(tmp_path / "nowhere")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_exception_leaves_nothing(tmp_path, error):
    with pytest.raises(error), DriveWriter(tmp_path / "bag") as writer:
        writer.image("front", T0, b"x")
        assert not (tmp_path / "bag").exists()
        raise error
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_a_killed_process_are_replaced(tmp_path):
    (tmp_path / ".bag.partial" / "bag").mkdir(parents=True)
    (tmp_path / ".bag.partial" / "bag" / "bag.mcap").write_text("half")
    assert find_recordings(tmp_path, missing_ok=True) == []
    write(tmp_path / "bag")
    assert [p.name for p in tmp_path.iterdir()] == ["bag"]


def test_existing_folder_is_never_overwritten(tmp_path):
    write(tmp_path / "bag")
    before = (tmp_path / "bag" / "bag.mcap").read_bytes()
    with pytest.raises(RecordingError, match="exists already"):
        write(tmp_path / "bag")
    assert (tmp_path / "bag" / "bag.mcap").read_bytes() == before


def test_an_empty_bag_is_not_made(tmp_path):
    with pytest.raises(RecordingError, match="nothing was written"), DriveWriter(tmp_path / "bag"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_unknown_storage(tmp_path):
    with pytest.raises(RecordingError, match=r"rosbag.*mcap or sqlite3"):
        DriveWriter(tmp_path / "bag", "rosbag")


def test_writing_outside_the_block_is_refused(tmp_path):
    writer = DriveWriter(tmp_path / "bag")
    with pytest.raises(RecordingError, match="with block"):
        writer.image("front", T0, b"x")


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_full_disk_is_named_and_leaves_nothing(tmp_path, storage):
    """A file size limit makes the kernel refuse writes, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, hard))
    try:
        with (
            pytest.raises(RecordingError, match="bag"),
            DriveWriter(tmp_path / "bag", storage) as w,
        ):
            for i in range(100):
                w.image("front", T0 + i, bytes(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(RecordingError, match="cannot write"):
        write(tmp_path / "file" / "bag")
