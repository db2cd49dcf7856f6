# SPDX-License-Identifier: Apache-2.0
"""Bags as public reports describe them; each test is named after its report."""

from __future__ import annotations

import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
from rosbags.rosbag1 import Writer as Ros1Writer
from rosbags.typesys import Stores, get_typestore

from xd_rcdepth_ros.errors import ConfigurationError, RecordingError, TransformUnavailableError
from xd_rcdepth_ros.geometry import PinholeCamera, RadarPoints, RigidTransform
from xd_rcdepth_ros.recordings.bags import find_recordings
from xd_rcdepth_ros.recordings.pointcloud import RadarFieldMap, radar_points
from xd_rcdepth_ros.recordings.reader import Recording
from xd_rcdepth_ros.recordings.schema import TopicNames
from xd_rcdepth_ros.recordings.transforms import TransformTree
from xd_rcdepth_ros.recordings.wiring import parse_radar_fields, parse_topics
from xd_rcdepth_ros.recordings.writer import DriveWriter

T0 = 1_600_000_000_000_000_000
S, MS = 1_000_000_000, 1_000_000
CAMERA = PinholeCamera.from_focal(64, 48, 50, 50, 31.5, 23.5, frame_id="camera_front_optical")
OPTICAL = RigidTransform(
    np.array([[0, 0, 1], [-1, 0, 0], [0, -1, 0]], float), np.array([1.0, 0.0, 0.5])
)


def shift(x):
    return RigidTransform(np.eye(3), np.array([x, 0.0, 0.0]))


@pytest.fixture
def write_bag():
    """Return a writer of a bag with images at 10 Hz, each with a radar sweep at the same stamp."""

    def write(path, frames=3, split="val", mounting_on_tf=False):
        image = cv2.imencode(".jpg", np.zeros((48, 64, 3), np.uint8))[1].tobytes()
        with DriveWriter(path, info={"split": split}) as writer:
            mountings = (
                ("camera_front_optical", OPTICAL),
                ("radar_front", RigidTransform.identity()),
            )
            if not mounting_on_tf:
                for frame, mounting in mountings:
                    writer.static_transform("base_link", frame, mounting)
            for i in range(frames):
                stamp = T0 + i * 100 * MS
                writer.transform("odom", "base_link", stamp, shift(i))
                if mounting_on_tf and i == 0:
                    for frame, mounting in mountings:
                        writer.transform("base_link", frame, stamp, mounting)
                writer.camera_info("front", stamp, CAMERA)
                writer.image("front", stamp, image)
                writer.radar("front", stamp, RadarPoints.from_arrays([[10.0, 0, 0.5]]))
        return Path(path)

    return write


def test_pointcloudset_76_a_lone_mcap_is_read_itself(write_bag, tmp_path):
    other = write_bag(tmp_path / "d", frames=2)
    lone = tmp_path / "d" / "mine.mcap"
    write_bag(tmp_path / "elsewhere", frames=5).joinpath("elsewhere.mcap").rename(lone)
    assert find_recordings(lone) == [lone]
    with Recording(lone) as recording:
        assert len(recording) == 5
    # The file that is a whole bag stands for its folder, whose metadata name split and tags.
    assert find_recordings(other / "d.mcap", split="val") == [other]


def test_swri_console_76_a_lone_mcap_in_a_folder_is_found(write_bag, tmp_path):
    bag = write_bag(tmp_path / "a", frames=2)
    (bag / "metadata.yaml").unlink()
    assert find_recordings(tmp_path) == [bag / "a.mcap"]
    beside = write_bag(tmp_path / "b")
    write_bag(tmp_path / "c").joinpath("c.mcap").rename(beside / "c.mcap")
    assert find_recordings(beside) == [beside, beside / "c.mcap"]
    with pytest.raises(RecordingError, match="is no bag"):
        find_recordings(beside / "metadata.yaml")


def write_ros1(path, stamps):
    store = get_typestore(Stores.ROS1_NOETIC)
    types = store.types
    with Ros1Writer(path) as writer:
        for kind, topic in (
            ("sensor_msgs/msg/CompressedImage", "/cam/image/compressed"),
            ("sensor_msgs/msg/CameraInfo", "/cam/camera_info"),
        ):
            connection = writer.add_connection(topic, kind, typestore=store)
            for number, stamp in enumerate(stamps):
                time = types["builtin_interfaces/msg/Time"](stamp // S, stamp % S)
                header = types["std_msgs/msg/Header"](number, time, "cam")
                if kind.endswith("Image"):
                    message = types[kind](header, "jpeg", np.zeros(0, np.uint8))
                else:
                    roi = types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
                    message = types[kind](
                        header, 48, 64, "plumb_bob", np.zeros(5), CAMERA.k.ravel(),
                        np.eye(3).ravel(), CAMERA.p.ravel(), 0, 0, roi,
                    )  # fmt: skip
                writer.write(connection, stamp, store.serialize_ros1(message, kind))
    return path


def test_kimera_multi_data_15_a_ros1_bag_is_named_with_its_remedy(tmp_path):
    (tmp_path / "old").mkdir()
    bag = write_ros1(tmp_path / "old" / "drive.bag", [T0, T0 + S])
    for path in (bag, tmp_path / "old", tmp_path):
        with pytest.raises(
            RecordingError, match=r"ROS 1 bag.*rosbags-convert --src .* --dst-typestore ros2_humble"
        ):
            find_recordings(path)
    with pytest.raises(RecordingError, match="ROS 1 bag"):
        Recording(bag)
    # The remedy works as it is written.
    subprocess.run(
        [
            *("rosbags-convert", "--src", str(bag), "--dst", str(bag.with_suffix(""))),
            *("--dst-typestore", "ros2_humble"),
        ],
        check=True,
    )
    names = TopicNames("/cam/image", "/cam/camera_info", {})
    with Recording(bag.with_suffix(""), topics=names) as recording:
        assert recording.stamps_ns() == [T0, T0 + S]
        assert recording.topic_names.image == "/cam/image/compressed"


IMAGE, INFO, RADAR = "/camera/front/image/compressed", "/camera/front/camera_info", "/radar/front"


@pytest.mark.parametrize("topics", [(IMAGE, INFO, RADAR), (RADAR,), (IMAGE,)])
def test_zed_ros_wrapper_969_stamps_of_the_log_serve_where_headers_have_none(
    write_bag, copy_without_stamps, tmp_path, topics
):
    bag = copy_without_stamps(write_bag(tmp_path / "sound", frames=4), tmp_path / "zero", topics)
    with Recording(bag) as recording:
        frames = list(recording.frames())
        counts = {topic: recording.skipped[f"{topic}: stamp is 0, taken from the log"]
                  for topic in (IMAGE, INFO, RADAR)}  # fmt: skip
    assert [frame.stamp_ns for frame in frames] == [T0 + i * 100 * MS for i in range(4)]
    assert [frame.radar[0].stamp_ns for frame in frames] == [frame.stamp_ns for frame in frames]
    assert counts == {topic: 4 if topic in topics else 0 for topic in (IMAGE, INFO, RADAR)}


def test_jsk_common_1639_a_mounting_on_tf_holds_beyond_its_last_sample(write_bag, tmp_path):
    """The mounting is published once, on /tf: it holds for all frames, with the car's motion."""
    bag = write_bag(tmp_path / "bag", frames=20, mounting_on_tf=True)
    with Recording(bag) as recording:
        frames = list(recording.frames())
        assert not recording.skipped
    assert len(frames) == 20
    for frame in frames:
        (sweep,) = frame.radar
        assert sweep.ego_motion
        np.testing.assert_allclose(
            sweep.camera_from_radar.apply(sweep.points.position_m), [[0, 0, 9]], atol=1e-6
        )


def test_jsk_common_1639_the_frames_are_named():
    tree = TransformTree()
    tree.add("odom", "base_link", 0, shift(0))
    tree.add("odom", "base_link", S, shift(10))
    tree.add("base_link", "radar", 0, shift(1))
    # The motion of the carrier is not held: past its last sample there is none.
    transform, moved = tree.lookup("base_link", 5 * S, "radar", S)
    assert not moved
    np.testing.assert_allclose(transform.translation_m, [1, 0, 0])
    with pytest.raises(TransformUnavailableError, match=r"'odom' to 'base_link' from 0 to 1000000"):
        tree._up("base_link", "odom", 5 * S)


def test_radar_msgs_11_a_driver_may_count_approaching_as_positive():
    cloud = np.array([(10.0, 0.0, 0.0, 4.0)], [(name, "<f4") for name in ("x", "y", "z", "speed")])
    for text, receding in (("rcs=,radial_speed=speed", 4.0), ("rcs=,radial_speed=-speed", -4.0)):
        points = radar_points(cloud, parse_radar_fields(text))
        np.testing.assert_allclose(points.velocity_mps, [[receding, 0]], atol=1e-6)


def test_topics_and_fields_in_the_words_of_the_launch_file():
    names = parse_topics("image=/cam/image_raw, radar.front=/ars/points,radar.left=/l,lidar=/os1")
    assert names == TopicNames(
        "/cam/image_raw", "/cam/camera_info", {"front": "/ars/points", "left": "/l"}, "/os1"
    )
    assert parse_topics("") is None and parse_radar_fields(" ") is None
    assert parse_topics("image=/a/b/compressed").camera_info == "/a/camera_info"
    fields = parse_radar_fields("rcs=power,radial_speed=doppler")
    assert fields == RadarFieldMap(rcs="power", vx="", vy="", radial_speed="doppler")
    for text in ("radar.front=/x", "image=", "image=/a,speed=/b", "image", "image=/a,image=/b"):
        with pytest.raises(ConfigurationError, match="topics"):
            parse_topics(text)
    with pytest.raises(ConfigurationError, match=r"colour.*rcs"):
        parse_radar_fields("colour=c")
