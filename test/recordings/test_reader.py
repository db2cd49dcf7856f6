# SPDX-License-Identifier: Apache-2.0
"""Frames out of bags: ours, other people's, and damaged ones."""

import logging
import multiprocessing
import pickle

import cv2
import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer

from xd_rcdepth_ros.errors import MessageError, RecordingError
from xd_rcdepth_ros.geometry import PinholeCamera, RadarPoints, RigidTransform
from xd_rcdepth_ros.recordings import schema
from xd_rcdepth_ros.recordings.messages import (
    camera_of,
    depth_of,
    rectify,
    reference_maps,
    sky_of,
)
from xd_rcdepth_ros.recordings.reader import Recording
from xd_rcdepth_ros.recordings.schema import TopicNames
from xd_rcdepth_ros.recordings.writer import DriveWriter

T0 = 1_600_000_000_000_000_000
MS = 1_000_000
CAMERA = PinholeCamera.from_focal(64, 48, 50, 50, 31.5, 23.5, frame_id="camera_front_optical")
# Radar x forward, y left, z up -> optical z forward, x right, y down.
OPTICAL = RigidTransform(
    np.array([[0, 0, 1], [-1, 0, 0], [0, -1, 0]], float), np.array([1.0, 0.0, 0.5])
)
IMAGE = np.zeros((48, 64, 3), np.uint8)
IMAGE[:, :32] = (200, 30, 10)  # RGB, left half
PNG = cv2.imencode(".png", IMAGE[:, :, ::-1])[1].tobytes()


def write(path, *, frames=5, speed=10.0, odometry=True, images=None, transforms=True, **radar):
    """Write a bag at 10 Hz: radar 20 ms before each image, lidar 5 ms after."""
    with DriveWriter(path, info={"tags": ["rain"]}) as writer:
        if transforms:
            writer.static_transform("base_link", "camera_front_optical", OPTICAL)
            writer.static_transform("base_link", "radar_front", RigidTransform.identity())
            writer.static_transform("base_link", "lidar_top", RigidTransform.identity())
        for i in range(frames):
            stamp = T0 + i * 100 * MS
            for offset in (-20, 0, 5) if odometry else ():
                at = (i * 0.1 + offset / 1000) * speed
                pose = RigidTransform(np.eye(3), np.array([at, 0, 0]))
                writer.transform("odom", "base_link", stamp + offset * MS, pose)
            writer.radar("front", stamp - 20 * MS, RadarPoints.from_arrays([[10.0 + i, 0, 0.5]]))
            writer.camera_info("front", stamp, CAMERA)
            writer.image("front", stamp, (images or {}).get(i, PNG), "png")
            writer.lidar("top", stamp + 5 * MS, [[20.0, 1, 0], [np.nan, 0, 0]])
            writer.depth("front", stamp, np.full((48, 64), 5.0 + i))


def test_frame_holds_what_was_written(tmp_path):
    write(tmp_path / "bag")
    with Recording(tmp_path / "bag") as recording:
        assert len(recording) == 5
        assert recording.duration_s == pytest.approx(0.425)
        assert recording.topics["/radar/front"] == "sensor_msgs/msg/PointCloud2"
        frame = recording.frame(2)
    np.testing.assert_array_equal(frame.image, IMAGE)
    assert frame.camera == CAMERA
    assert frame.stamp_ns == T0 + 200 * MS
    assert frame.name == f"bag/{frame.stamp_ns}"
    assert frame.tags == {"rain"}
    assert (frame.depth_m == 7.0).all()
    (sweep,) = frame.radar
    assert sweep.name == "front"
    assert sweep.stamp_ns == frame.stamp_ns - 20 * MS
    assert sweep.ego_motion
    # 12 m ahead of the radar, 1 m less to the camera, 20 ms x 10 m/s less driven.
    np.testing.assert_allclose(
        sweep.camera_from_radar.apply(sweep.points.position_m), [[0, 0, 10.8]], atol=1e-6
    )
    np.testing.assert_allclose(
        frame.lidar.camera_from_lidar.apply(frame.lidar.points_m), [[-1, 0.5, 19.05]], atol=1e-6
    )
    raster = frame.radar_raster()
    assert raster.channels[0, 24, 32] == pytest.approx(10.8)


def test_sky_comes_from_its_mask_else_from_the_depth(tmp_path):
    mask = np.zeros((48, 64), np.uint8)
    mask[:20], mask[20:30] = 1, 255
    depth = np.full((48, 64), 30.0)
    depth[:10], depth[10:12], depth[12:14] = np.inf, 120.0, np.nan
    with DriveWriter(tmp_path / "bag") as writer:
        for i in range(4):  # mask and depth, mask, depth, neither
            writer.camera_info("front", T0 + i * 100 * MS, CAMERA)
            writer.image("front", T0 + i * 100 * MS, PNG, "png")
        for i in (0, 1):
            writer.sky("front", T0 + i * 100 * MS, mask)
        for i in (0, 2):
            writer.depth("front", T0 + i * 100 * MS, depth)
    with Recording(tmp_path / "bag") as recording:
        both, masked, measured, neither = recording.frames()
    np.testing.assert_array_equal(both.sky, mask)
    np.testing.assert_array_equal(masked.sky, mask)
    expected = np.zeros((48, 64), np.uint8)
    expected[:12], expected[12:14] = 1, 255
    np.testing.assert_array_equal(measured.sky, expected)
    np.testing.assert_array_equal(both.depth_m, measured.depth_m)
    assert np.isnan(measured.depth_m[:10]).all()  # no depth to compare with
    assert (measured.depth_m[10:12] == 120).all()
    assert neither.sky is None and neither.depth_m is None and masked.depth_m is None


@pytest.mark.parametrize(
    ("mask", "error", "words"),
    [
        (np.zeros((24, 64), np.uint8), RecordingError, "sky mask is 64 x 24, .* 64 x 48"),
        (np.full((48, 64), 7, np.uint8), MessageError, r"has the values \[7\]"),
    ],
)
def test_wrong_sky_masks_are_refused(tmp_path, mask, error, words):
    with DriveWriter(tmp_path / "bag") as writer:
        writer.camera_info("front", T0, CAMERA)
        writer.image("front", T0, PNG, "png")
        writer.sky("front", T0, mask)
    with Recording(tmp_path / "bag") as recording, pytest.raises(error, match=words):
        recording.frame(0)


def test_sky_of_a_distorted_camera_is_unknown_where_nothing_was_seen():
    k = np.array([[50, 0, 31.5], [0, 50, 23.5], [0, 0, 1.0]])
    camera = PinholeCamera(64, 48, k, distortion=(0.4, 0, 0, 0))
    message = image_message(np.ones((48, 64), np.uint8), "mono8")
    _, sky = reference_maps(None, message, camera)
    assert set(np.unique(sky)) == {1, 255}
    assert (sky[15:35, 20:45] == 1).all()
    with pytest.raises(MessageError, match="'16UC1'; expected mono8"):
        sky_of(image_message(np.ones((2, 2), "<u2"), "16UC1"))


def test_ego_motion_can_be_left_out(tmp_path):
    write(tmp_path / "bag")
    with Recording(tmp_path / "bag") as recording:
        (sweep,) = recording.frame(2, ego_motion=False).radar
    assert not sweep.ego_motion
    np.testing.assert_allclose(
        sweep.camera_from_radar.apply(sweep.points.position_m), [[0, 0, 11]], atol=1e-6
    )


def test_past_sweeps_newest_first_in_todays_place(tmp_path):
    write(tmp_path / "bag")
    with Recording(tmp_path / "bag") as recording:
        sweeps = recording.frame(4, sweeps=3).radar
        assert [s.stamp_ns for s in recording.frame(0, sweeps=3).radar] == [T0 - 20 * MS]
    assert [(T0 + 400 * MS - s.stamp_ns) // MS for s in sweeps] == [20, 120, 220]
    depths = [s.camera_from_radar.apply(s.points.position_m)[0, 2] for s in sweeps]
    np.testing.assert_allclose(depths, [14 - 1 - 0.2, 13 - 1 - 1.2, 12 - 1 - 2.2], atol=1e-6)


def test_without_odometry_past_sweeps_are_left_out(tmp_path):
    write(tmp_path / "bag", odometry=False)
    with Recording(tmp_path / "bag") as recording:
        sweeps = recording.frame(4, sweeps=3).radar
    assert [s.ego_motion for s in sweeps] == [False]


def test_radar_too_far_in_time_is_left_out(tmp_path):
    write(tmp_path / "bag")
    with Recording(tmp_path / "bag") as recording:
        frame = recording.frame(2, max_radar_offset_s=0.001)
    assert frame.radar == ()
    assert frame.lidar is None


def test_keyframes_only(tmp_path):
    with DriveWriter(tmp_path / "bag") as writer:
        writer.static_transform("base_link", "camera_front_optical", OPTICAL)
        writer.static_transform("base_link", "lidar_top", RigidTransform.identity())
        for i in range(6):
            stamp = T0 + i * 100 * MS
            writer.camera_info("front", stamp, CAMERA)
            writer.image("front", stamp, PNG, "png")
            writer.lidar("top", stamp - 10 * MS, [[20.0, 1, 0]])
            writer.lidar("top", stamp + 30 * MS, [[30.0, 1, 0]])
            if i % 3 == 0:
                writer.keyframe("camera_front_optical", stamp)
                writer.keyframe("lidar_top", stamp + 30 * MS)
    with Recording(tmp_path / "bag") as recording:
        frames = list(recording.frames(keyframes_only=True))
        assert [f.stamp_ns for f in frames] == [T0, T0 + 300 * MS]
        assert all("keyframe" in f.tags for f in frames)
        # A keyframe image takes the lidar's keyframe, another one the nearest sweep.
        assert frames[0].lidar.stamp_ns - T0 == 30 * MS
        assert recording.frame(1).lidar.stamp_ns - T0 == 90 * MS


def test_missing_topics_are_listed_with_those_found(tmp_path):
    write(tmp_path / "bag")
    with pytest.raises(RecordingError) as caught:
        Recording(tmp_path / "bag", camera="rear")
    text = str(caught.value)
    assert "lacks /camera/rear/image/compressed" in text
    assert "/camera/rear/camera_info" in text
    assert "/camera/front/image/compressed (sensor_msgs/msg/CompressedImage)" in text
    with pytest.raises(RecordingError, match="lacks /radar/left"):
        Recording(tmp_path / "bag", radars=["left"])
    wrong = TopicNames(image="/radar/front", camera_info="/camera/front/camera_info")
    with pytest.raises(RecordingError, match=r"lacks /radar/front \(sensor_msgs/msg/Compressed"):
        Recording(tmp_path / "bag", topics=wrong)


def test_a_bag_without_radar_is_read_and_known_as_such(tmp_path):
    with DriveWriter(tmp_path / "bag") as writer:
        writer.camera_info("front", T0, CAMERA)
        writer.image("front", T0, PNG, "png")
    with Recording(tmp_path / "bag") as recording:
        assert recording.lacks_radar and recording.frame(0).radar == ()
        assert recording.frame(0).depth_m is None
    with Recording(tmp_path / "bag", radars=[]) as recording:
        assert not recording.lacks_radar  # none was wanted


def test_missing_transforms_name_both_frames(tmp_path):
    write(tmp_path / "bag", transforms=False)
    with (
        Recording(tmp_path / "bag") as recording,
        pytest.raises(RecordingError, match="'camera_front_optical' and 'radar_front'"),
    ):
        recording.frame(0)


def raw_message(kind, **values):
    types = schema.typestore().types
    return types[kind](**values)


def header(stamp_ns, frame_id):
    time = raw_message("builtin_interfaces/msg/Time", sec=stamp_ns // 10**9,
                       nanosec=stamp_ns % 10**9)  # fmt: skip
    return raw_message("std_msgs/msg/Header", stamp=time, frame_id=frame_id)


def image_message(array, encoding, stamp_ns=T0, big_endian=0, padding=0):
    rows = np.ascontiguousarray(array).reshape(len(array), -1).view(np.uint8)
    rows = np.pad(rows, ((0, 0), (0, padding)))
    return raw_message(
        "sensor_msgs/msg/Image", header=header(stamp_ns, "cam"), height=array.shape[0],
        width=array.shape[1], encoding=encoding, is_bigendian=big_endian, step=rows.shape[1],
        data=rows.reshape(-1),
    )  # fmt: skip


def info_message(stamp_ns=T0, **changes):
    values = {
        "header": header(stamp_ns, "cam"), "height": 48, "width": 64,
        "distortion_model": "plumb_bob", "d": np.zeros(5), "k": CAMERA.k.ravel(),
        "r": np.eye(3).ravel(), "p": CAMERA.p.ravel(), "binning_x": 0, "binning_y": 0,
        "roi": raw_message("sensor_msgs/msg/RegionOfInterest", x_offset=0, y_offset=0, height=0,
                           width=0, do_rectify=False),
    }  # fmt: skip
    return raw_message("sensor_msgs/msg/CameraInfo", **{**values, **changes})


def write_raw(path, messages):
    """Write (topic, log time, message) as another recorder would: any order, any topics."""
    store = schema.typestore()
    with Writer(path, version=9, storage_plugin=StoragePlugin.SQLITE3) as writer:
        connections = {}
        for topic, stamp, message in messages:
            kind = message.__msgtype__
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=store)
            writer.write(connections[topic], stamp, store.serialize_cdr(message, kind))


def radar_message(stamp_ns, points):
    field = "sensor_msgs/msg/PointField"
    names = [("x", 0), ("y", 4), ("z", 8), ("power", 12), ("doppler", 16)]
    data = np.asarray(points, "<f4")
    return raw_message(
        "sensor_msgs/msg/PointCloud2", header=header(stamp_ns, "/ars"), height=1, width=len(data),
        fields=[raw_message(field, name=n, offset=o, datatype=7, count=1) for n, o in names],
        is_bigendian=False, point_step=20, row_step=20 * len(data), is_dense=True,
        data=data.reshape(-1).view(np.uint8),
    )  # fmt: skip


def test_other_peoples_bags(tmp_path):
    """Raw images, other topic names, log times unlike stamps, non-monotonic, a stamp twice."""
    static = raw_message("tf2_msgs/msg/TFMessage", transforms=[
        raw_message("geometry_msgs/msg/TransformStamped", header=header(0, "cam"),
                    child_frame_id="ars", transform=raw_message(
            "geometry_msgs/msg/Transform",
            translation=raw_message("geometry_msgs/msg/Vector3", x=0.0, y=0.0, z=0.0),
            rotation=raw_message("geometry_msgs/msg/Quaternion", x=0.5, y=-0.5, z=0.5, w=0.5)))
    ])  # fmt: skip
    messages = [("/tf_static", T0 + 9, static)]
    for k, i in enumerate((3, 1, 2, 1)):
        stamp, log = T0 + i * 50 * MS, T0 + k * 10 * MS
        messages += [
            ("/cam/image", log + 7, image_message(IMAGE, "rgb8", stamp)),
            ("/cam/info", log + 8, info_message(stamp)),
            ("/ars/points", log + 3, radar_message(stamp, [[i, 0, 0, 30, -2]])),
        ]
    write_raw(tmp_path / "bag", messages)
    names = TopicNames("/cam/image", "/cam/info", {"long_range": "/ars/points"})
    with Recording(tmp_path / "bag", topics=names) as recording:
        frames = list(recording.frames())
        assert [f.stamp_ns - T0 for f in frames] == [50 * MS, 100 * MS, 150 * MS]
        assert recording.skipped["/cam/image: stamp came twice"] == 1
        assert recording.skipped["/cam/image: jumped back in time, put in order"] == 2
    np.testing.assert_array_equal(frames[0].image, IMAGE)
    points = frames[1].radar[0].points
    assert frames[1].radar[0].name == "long_range"
    np.testing.assert_array_equal(points.position_m, [[2, 0, 0]])
    np.testing.assert_array_equal(points.rcs_dbsm, [30])
    np.testing.assert_allclose(points.velocity_mps, [[-2, 0]], atol=1e-6)


def test_depth_encodings():
    metres = np.array([[1.5, np.nan, np.inf], [0, -1, 80]], "<f4")
    expected = np.array([[1.5, np.nan, np.inf], [np.nan, np.nan, 80]], np.float32)
    np.testing.assert_array_equal(depth_of(image_message(metres, "32FC1")), expected)
    big = metres.astype(">f4")
    np.testing.assert_array_equal(depth_of(image_message(big, "32FC1", big_endian=1)), expected)
    millimetres = np.array([[1500, 0]], "<u2")
    np.testing.assert_array_equal(
        depth_of(image_message(millimetres, "16UC1")), np.array([[1.5, np.nan]], np.float32)
    )
    with pytest.raises(MessageError, match="8UC1"):
        depth_of(image_message(np.zeros((2, 2), np.uint8), "8UC1"))


def test_cameras():
    camera = camera_of(info_message())
    assert (camera.width, camera.height, camera.frame_id) == (64, 48, "cam")
    np.testing.assert_array_equal(camera_of(info_message(p=np.zeros(12))).p, CAMERA.p)
    for changes in (
        {"k": np.zeros(9)}, {"width": 0}, {"k": np.full(9, np.nan)}, {"p": np.full(12, np.inf)},
        {"d": np.array([np.nan])}, {"binning_x": 65},
    ):  # fmt: skip
        with pytest.raises(MessageError, match="cam"):
            camera_of(info_message(**changes))


def test_distorted_images_come_out_rectified():
    """A dot drawn where the distorted lens shows a known direction lands on its pinhole pixel."""
    d = np.array([-0.3, 0.1, 0.001, -0.001, 0.0])
    k = np.array([[300.0, 0, 159.5], [0, 310, 119.5], [0, 0, 1]])
    ray = np.array([[0.4, 0.3, 1.0]])
    distorted = cv2.projectPoints(ray, np.zeros(3), np.zeros(3), k, d)[0].reshape(2)
    image = np.zeros((240, 320, 3), np.uint8)
    cv2.circle(image, tuple(round(float(v)) for v in distorted), 4, (255, 255, 255), -1)
    camera = PinholeCamera(320, 240, k, distortion=tuple(d))
    rectified, pinhole = rectify(image, camera)
    assert pinhole.is_rectified
    rows, columns = np.nonzero(rectified[:, :, 0] > 128)
    uv = pinhole.project(ray)[0][0]
    np.testing.assert_allclose([columns.mean(), rows.mean()], uv, atol=0.7)
    assert np.hypot(*(uv - distorted)) > 5
    with pytest.raises(MessageError, match="'magic'"):
        rectify(image, PinholeCamera(320, 240, k, distortion=(0.1,), distortion_model="magic"))


def test_rectified_recording_and_depth(tmp_path):
    messages = []
    k = np.array([[50.0, 0, 31.5], [0, 50, 23.5], [0, 0, 1]])
    d = np.array([-0.2, 0.05, 0, 0, 0])
    messages.append(("/i", T0, image_message(IMAGE, "rgb8")))
    messages.append(("/c", T0, info_message(d=d, k=k.ravel())))
    messages.append(("/d", T0, image_message(np.full((48, 64), 9, "<f4"), "32FC1")))
    write_raw(tmp_path / "bag", messages)
    with Recording(tmp_path / "bag", topics=TopicNames("/i", "/c", {}, depth="/d")) as recording:
        frame = recording.frame(0)
    assert frame.camera.is_rectified
    assert frame.depth_m[24, 32] == 9


def test_damaged_images_are_counted_and_left_out(tmp_path, caplog):
    write(tmp_path / "bag", images={1: b"broken", 3: b""})
    with caplog.at_level(logging.WARNING), Recording(tmp_path / "bag") as recording:
        frames = list(recording.frames())
        assert recording.skipped["frame: MessageError"] == 2
        with pytest.raises(MessageError, match="decoded"):
            recording.frame(1)
    assert [(f.stamp_ns - T0) // (100 * MS) for f in frames] == [0, 2, 4]
    assert "frame 1 left out" in caplog.text


def test_if_no_frame_can_be_read_that_is_an_error(tmp_path):
    write(tmp_path / "bag", images=dict.fromkeys(range(5), b"broken"))
    with (
        Recording(tmp_path / "bag") as recording,
        pytest.raises(RecordingError, match=r"no frame of .* could be read"),
    ):
        list(recording.frames())


def test_zero_intrinsics_are_named(tmp_path):
    messages = [
        ("/i", T0, image_message(IMAGE, "rgb8")),
        ("/c", T0, info_message(k=np.zeros(9))),
    ]
    write_raw(tmp_path / "bag", messages)
    with pytest.raises(RecordingError, match=r"/c: .*calibrate it first"):
        Recording(tmp_path / "bag", topics=TopicNames("/i", "/c"))


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_truncated_bags_are_named(tmp_path, storage, share):
    with DriveWriter(tmp_path / "bag", storage) as writer:
        for i in range(20):
            writer.camera_info("front", T0 + i, CAMERA)
            writer.image("front", T0 + i, np.random.default_rng(i).bytes(20_000), "png")
    (file,) = [p for p in (tmp_path / "bag").iterdir() if p.suffix in (".mcap", ".db3")]
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(RecordingError, match="bag"), Recording(tmp_path / "bag") as recording:
        list(recording.frames())


def test_unfinished_and_absent_bags(tmp_path):
    with pytest.raises(RecordingError, match="no bag at"):
        Recording(tmp_path / "nothing")
    write(tmp_path / "bag")
    (tmp_path / "bag" / "metadata.yaml").unlink()
    with pytest.raises(RecordingError, match="reindex"):
        Recording(tmp_path / "bag")
    with Recording(tmp_path / "bag" / "bag.mcap") as recording:  # the storage file stands alone
        assert len(list(recording.frames())) == 5
    (tmp_path / "bag" / "metadata.yaml").write_text("rosbag2_bagfile_information: {version: x}")
    with pytest.raises(RecordingError, match="cannot be read"):
        Recording(tmp_path / "bag")


def test_number_out_of_range(tmp_path):
    write(tmp_path / "bag")
    with Recording(tmp_path / "bag") as recording:
        assert recording.frame(-1).stamp_ns == T0 + 400 * MS
        with pytest.raises(RecordingError, match="5 frames, but no number 5"):
            recording.frame(5)


def _stamp_in_child(recording, number, queue):
    queue.put(recording.frame(number).stamp_ns)


def test_pickled_and_forked_recordings_read_on(tmp_path):
    write(tmp_path / "bag")
    with Recording(tmp_path / "bag") as recording:
        copy = pickle.loads(pickle.dumps(recording))
        assert copy.frame(1).stamp_ns == recording.frame(1).stamp_ns
        copy.close()
        context = multiprocessing.get_context("fork")
        queue = context.Queue()
        children = [
            context.Process(target=_stamp_in_child, args=(recording, i, queue)) for i in range(5)
        ]
        for child in children:
            child.start()
        here = {recording.frame(i).stamp_ns for i in range(5)}
        there = {queue.get(timeout=60) for _ in children}
        for child in children:
            child.join()
    assert here == there
