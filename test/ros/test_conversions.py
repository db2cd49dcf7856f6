# SPDX-License-Identifier: Apache-2.0
"""Messages to NumPy and back, with what drivers really send; no DDS."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

pytestmark = pytest.mark.ros
pytest.importorskip("rclpy", reason="ROS is not built here: rclpy cannot be imported")
pytest.importorskip("cv_bridge", reason="cv_bridge cannot be imported")
pytest.importorskip("sensor_msgs_py", reason="sensor_msgs_py cannot be imported")

from sensor_msgs.msg import (  # noqa: E402
    CameraInfo,
    CompressedImage,
    Image,
    PointCloud2,
    RegionOfInterest,
)
from sensor_msgs_py import point_cloud2  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from xd_rcdepth_ros.errors import MessageError  # noqa: E402
from xd_rcdepth_ros.geometry import (  # noqa: E402
    DepthResult,
    PinholeCamera,
    RadarPoints,
    RadarSweep,
    RigidTransform,
    rasterize_radar,
)
from xd_rcdepth_ros.recordings.images import ENCODINGS, raw_image_rgb  # noqa: E402
from xd_rcdepth_ros.recordings.messages import camera_of, rectify, stamp_ns_of  # noqa: E402
from xd_rcdepth_ros.recordings.pointcloud import RadarFieldMap, fields_of, radar_cloud  # noqa: E402
from xd_rcdepth_ros.ros import conversions  # noqa: E402
from xd_rcdepth_ros.ros.parameters.radars import RadarInput  # noqa: E402
from xd_rcdepth_ros.ros.radars import decode_radar  # noqa: E402

RGB = np.random.default_rng(0).integers(0, 255, (6, 8, 3), np.uint8)
FIELDS = RadarFieldMap()


def image(array, encoding):
    return conversions.array_to_image(array, encoding, Header(frame_id="camera"))


def test_stamps_are_exact():
    for ns in (0, 1, 1_700_000_000_123_456_789):
        assert stamp_ns_of(Header(stamp=conversions.ns_to_stamp(ns))) == ns


def test_array_to_image_copies_the_bytes_and_says_their_layout():
    message = image(RGB[:, ::-1], "rgb8")  # not contiguous
    assert (message.height, message.width, message.step) == (6, 8, 24)
    assert bytes(message.data) == RGB[:, ::-1].tobytes()


@pytest.mark.parametrize(
    ("array", "encoding", "expected"),
    [
        (RGB, "rgb8", RGB),
        (RGB[..., ::-1], "bgr8", RGB),
        (np.dstack([RGB[..., ::-1], RGB[..., 0]]), "bgra8", RGB),
        (RGB[..., 0], "mono8", np.repeat(RGB[..., :1], 3, axis=2)),
    ],
)
def test_encodings_become_rgb(array, encoding, expected):
    np.testing.assert_array_equal(conversions.image_to_rgb(image(array, encoding)), expected)


def test_padded_rows_are_left_out():
    padded = np.concatenate([RGB.reshape(6, 24), np.full((6, 8), 99, np.uint8)], axis=1)
    message = image(padded, "mono8")
    message.encoding, message.width, message.step = "rgb8", 8, 32
    np.testing.assert_array_equal(conversions.image_to_rgb(message), RGB)


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize("encoding", [*ENCODINGS, "nv12", "nv21"])
def test_live_and_offline_read_images_alike(encoding, padding):
    """encoding_8UC3, padded images on cv_bridge, nv21: one reader for topics and bags."""
    rows = 9 if encoding.startswith("nv") else 6
    dtype, channels, _ = ENCODINGS.get(encoding, ("u1", 1, None))
    size = np.dtype(dtype).itemsize * channels * 8 + padding
    pixels = np.random.default_rng(1).integers(0, 255, (rows, size), np.uint8)
    message = image(pixels, "mono8")
    message.encoding, message.width, message.height = encoding, 8, 6
    np.testing.assert_array_equal(conversions.image_to_rgb(message), raw_image_rgb(message))


def compressed(data: bytes) -> CompressedImage:
    message = CompressedImage(format="jpeg")
    message.data.frombytes(data)
    return message


def test_png_comes_back_exactly():
    data = cv2.imencode(".png", RGB[..., ::-1])[1].tobytes()
    np.testing.assert_array_equal(conversions.image_to_rgb(compressed(data)), RGB)


def cut_jpeg() -> CompressedImage:
    return compressed(cv2.imencode(".jpg", RGB)[1].tobytes()[:-10])


def short_image() -> Image:
    message = image(RGB, "rgb8")
    message.height = 60
    return message


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (Image(encoding="rgb8"), "0 x 0"),
        (image(RGB, "yuv9000"), "yuv9000"),
        (image(RGB, ""), "encoding ''"),
        (short_image(), "8 x 60"),
        (compressed(b""), "0 bytes"),
        (compressed(b"no image at all"), "15 bytes"),
        (cut_jpeg(), "cut off"),
    ],
)
def test_images_that_cannot_be_read_are_named(message, said):
    with pytest.raises(MessageError) as caught:
        conversions.image_to_rgb(message)
    assert said in str(caught.value)


def info(**changes) -> CameraInfo:
    camera = PinholeCamera.from_focal(640, 480, 500.0, 510.0, 319.5, 239.5, "camera")
    message = conversions.info_from_camera(camera, Header(frame_id="/camera"))
    for name, value in changes.items():
        setattr(message, name, value)
    return message


def test_camera_info_round_trip():
    camera = camera_of(info()).rectified()
    assert camera == PinholeCamera.from_focal(640, 480, 500.0, 510.0, 319.5, 239.5, "camera")
    assert camera_of(info(p=[0.0] * 12)).rectified() == camera  # no P: it follows K


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"k": [0.0] * 9}, "calibrate"),
        ({"width": 0}, "0 x 480"),
        ({"k": [float("nan")] * 9}, "not finite"),
        ({"roi": RegionOfInterest(x_offset=600, width=100, height=100)}, "region of interest"),
    ],
)
def test_camera_info_that_cannot_be_used_is_named(changes, said):
    with pytest.raises(MessageError) as caught:
        camera_of(info(**changes))
    assert said in str(caught.value) and "camera" in str(caught.value)


def test_camera_info_roi_binning():
    """The message says the whole sensor's sizes, K and P; the image is its region, binned."""
    whole = camera_of(info())
    binned = camera_of(info(binning_x=2, binning_y=2))
    # (319.5 + 0.5) / 2 - 0.5 = 159.5: areas of pixels scale.
    assert (binned.width, binned.height) == (320, 240)
    np.testing.assert_allclose(binned.k[[0, 0, 1, 1], [0, 2, 1, 2]], [250, 159.5, 255, 119.5])
    roi = RegionOfInterest(x_offset=100, y_offset=50, width=320, height=192)
    part = camera_of(info(roi=roi))
    assert (part.width, part.height) == (320, 192)
    np.testing.assert_allclose(part.p[:, 2], whole.p[:, 2] - [100, 50, 0])
    both = camera_of(info(roi=roi, binning_x=2, binning_y=4))
    assert (both.width, both.height) == (160, 48)
    np.testing.assert_allclose(both.k[0, 2], (219.5 + 0.5) / 2 - 0.5)


@pytest.mark.parametrize("model", ["plumb_bob", "rational_polynomial"])
@pytest.mark.parametrize("length", [4, 5, 8, 12, 14])
def test_plumb_bob_8_and_every_other_length_of_d(model, length):
    few = [-0.03, 0.035, -0.0001, -0.0001, -0.012][:length]
    camera = camera_of(info(distortion_model=model, d=[*few, *[0.0] * (length - len(few))]))
    assert not camera.is_rectified
    image = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)
    plain = camera_of(info(d=few))
    np.testing.assert_array_equal(rectify(image, camera)[0], rectify(image, plain)[0])


def test_an_unknown_lens_is_named_with_a_remedy():
    camera = camera_of(info(distortion_model="double_sphere", d=[0.1, 0.2]))
    with pytest.raises(MessageError, match=r"'double_sphere' with 2 .*rectify: false"):
        rectify(np.zeros((480, 640, 3), np.uint8), camera)


def test_an_ideal_equidistant_lens_still_bends_lines():
    camera = camera_of(info(distortion_model="equidistant", d=[0.0] * 4))
    assert not camera.is_rectified
    columns = np.broadcast_to(np.arange(640, dtype=np.float32), (480, 640))
    rectified, plain = rectify(columns, camera)
    # At the angle a from the axis the lens draws at f a, a pinhole at f tan a.
    for u in (100, 319, 500):
        seen_at = 319.5 + 500.0 * np.arctan((u - 319.5) / 500.0)
        assert rectified[240, u] == pytest.approx(seen_at, abs=0.05)
    assert plain.is_rectified and plain.distortion_model == "plumb_bob"
    assert camera_of(info(distortion_model="equidistant", d=[])).is_rectified  # an image_rect


DEPTH = np.array([[-np.inf, 10.0, 70.0, np.inf, np.nan]], np.float32)


def test_depth_in_metres_stays_as_it_is():
    np.testing.assert_array_equal(conversions.encode_depth(DEPTH, "32FC1"), DEPTH)


def test_depth_in_millimetres_has_0_for_invalid_and_saturates():
    encoded = conversions.encode_depth(DEPTH, "16UC1")
    assert encoded.dtype == np.uint16
    np.testing.assert_array_equal(encoded, [[0, 10_000, 65_535, 0, 0]])


def test_a_plane_at_10_m_is_a_cloud_at_10_m():
    camera = PinholeCamera.from_focal(40, 30, 50.0, 50.0, 19.5, 14.5)
    depth = np.full((30, 40), 10.0, np.float32)
    depth[0, 0] = np.nan
    rgb = np.zeros((60, 80, 3), np.uint8)
    rgb[..., 0] = 200
    result = DepthResult(depth, camera, 0, rasterize_radar((), camera))
    cloud = conversions.depth_to_cloud(result, rgb, Header(frame_id="camera"))
    points = point_cloud2.read_points(cloud)
    assert len(points) == 30 * 40 - 1
    np.testing.assert_allclose(points["z"], 10.0)
    # As depth_image_proc does it: x = (u - cx) z / fx.
    np.testing.assert_allclose(points["x"].max(), (39 - 19.5) * 10 / 50)
    assert (points["rgb"].copy().view(np.uint32) == 200 << 16).all()
    coarse = conversions.depth_to_cloud(result, rgb, Header(), stride=2)
    assert coarse.width * coarse.height == 15 * 20 - 1


def test_a_cloud_keeps_what_lies_within_range_and_heights():
    """A plane at 10 m: rows lie at heights (14.5 - v) / 5 m, columns at (u - 19.5) / 5 m."""
    camera = PinholeCamera.from_focal(40, 30, 50.0, 50.0, 19.5, 14.5)
    depth = np.full((30, 40), 10.0, np.float32)
    depth[0] = np.inf  # sky
    result = DepthResult(depth, camera, 0, rasterize_radar((), camera))
    rgb = np.zeros((30, 40, 3), np.uint8)

    def points(**limits):
        cloud = conversions.depth_to_cloud(result, rgb, Header(), **limits)
        return point_cloud2.read_points(cloud)

    assert len(points()) == 29 * 40
    low = points(heights_m=(-1.0, 0.5))  # rows 12 to 19
    assert len(low) == 8 * 40
    assert -low["y"].max() == pytest.approx(-0.9) and -low["y"].min() == pytest.approx(0.5)
    near = points(max_range_m=10.5)
    distance = np.sqrt(sum(near[name].astype(float) ** 2 for name in "xyz"))
    assert 0 < len(near) < 29 * 40 and distance.max() <= 10.5


POINTS = RadarPoints.from_arrays(
    [[10.0, 1.0, 0.5], [20.0, -2.0, 0.0]], [3.0, 4.0], [[-1, 0], [2, 1]]
)


def cloud(array) -> PointCloud2:
    message = PointCloud2(height=1, width=len(array), point_step=array.dtype.itemsize)
    message.row_step = message.width * message.point_step
    from sensor_msgs.msg import PointField

    message.fields = [
        PointField(name=f.name, offset=f.offset, datatype=f.datatype, count=f.count)
        for f in fields_of(array.dtype)
    ]
    message.data.frombytes(array.tobytes())
    message.header.frame_id = "/radar"
    return message


def test_cloud_is_read_by_field_names():
    array = radar_cloud(POINTS)
    radar = RadarInput("point_cloud2", FIELDS)
    points = decode_radar(cloud(array), radar)
    np.testing.assert_array_equal(points.position_m, POINTS.position_m)
    np.testing.assert_array_equal(points.velocity_mps, POINTS.velocity_mps)
    assert np.isnan(points.velocity_compensated_mps).all()  # not mapped
    mapped = RadarInput("point_cloud2", RadarFieldMap(vx="", vy="", radial_speed="rcs"))
    rates = np.linalg.norm(decode_radar(cloud(array), mapped).velocity_mps, axis=1)
    np.testing.assert_allclose(rates, [3.0, 4.0], rtol=1e-6)


def test_a_wrong_field_map_lists_the_fields_that_are_there():
    radar = RadarInput("point_cloud2", RadarFieldMap(rcs="power"))
    with pytest.raises(MessageError) as caught:
        decode_radar(cloud(radar_cloud(POINTS)), radar)
    text = str(caught.value)
    assert "power" in text and "x, y, z, rcs, vx, vy, vx_comp, vy_comp" in text


def test_empty_and_nan_clouds_are_no_error():
    radar = RadarInput("point_cloud2", FIELDS)
    assert len(decode_radar(cloud(radar_cloud(RadarPoints.empty())), radar)) == 0
    array = radar_cloud(POINTS)
    array["x"][0] = np.nan
    points = decode_radar(cloud(array), radar)
    assert list(points.usable()) == [False, True]


def test_cut_off_cloud_is_named():
    message = cloud(radar_cloud(POINTS))
    message.width = 50
    message.row_step = 50 * message.point_step
    with pytest.raises(MessageError, match="cut off"):
        decode_radar(message, RadarInput("point_cloud2", FIELDS))


def test_radar_scan_and_tracks():
    radar_msgs = pytest.importorskip("radar_msgs.msg", reason="radar_msgs cannot be imported")
    scan = radar_msgs.RadarScan()
    scan.returns = [
        radar_msgs.RadarReturn(
            range=10.0, azimuth=float(np.pi / 2), doppler_velocity=-2.0, amplitude=7.0
        )
    ]
    points = decode_radar(scan, RadarInput("radar_scan", FIELDS))
    np.testing.assert_allclose(points.position_m, [[0, 10, 0]], atol=1e-5)
    np.testing.assert_allclose(points.velocity_mps, [[0, -2]], atol=1e-5)
    assert points.rcs_dbsm[0] == 7.0
    track = radar_msgs.RadarTrack()
    track.position.x, track.velocity.y = 30.0, 1.5
    tracks = radar_msgs.RadarTracks(tracks=[track])
    points = decode_radar(tracks, RadarInput("radar_tracks", FIELDS))
    np.testing.assert_array_equal(points.position_m, [[30, 0, 0]])
    np.testing.assert_array_equal(points.velocity_mps, [[0, 1.5]])
    assert len(decode_radar(radar_msgs.RadarTracks(), RadarInput("radar_tracks", FIELDS))) == 0


@pytest.mark.parametrize(("speed", "velocity_y"), [("radial_speed", -2.0), ("-radial_speed", 2.0)])
def test_radar_msgs_11_the_map_may_turn_the_sign_of_a_scans_doppler(speed, velocity_y):
    radar_msgs = pytest.importorskip("radar_msgs.msg", reason="radar_msgs cannot be imported")
    found = radar_msgs.RadarReturn(range=10.0, azimuth=float(np.pi / 2), doppler_velocity=-2.0)
    radar = RadarInput("radar_scan", RadarFieldMap(radial_speed=speed))
    points = decode_radar(radar_msgs.RadarScan(returns=[found]), radar)
    np.testing.assert_allclose(points.velocity_mps, [[0, velocity_y]], atol=1e-5)


def test_attribution_cloud_has_every_return_in_the_cameras_frame():
    turn = np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]])
    front = RadarPoints.from_arrays(
        [[20.0, 1.0, 0.5], [np.nan, 0, 0]], [7.0, 1.0], [[-3.0, 0.5], [0.0, 0.0]]
    )
    left = RadarPoints.from_arrays([[5.0, -1.0, 0.0]])
    sweeps = [
        RadarSweep(front, RigidTransform(turn, np.array([0.0, 0.5, 1.5])), name="front"),
        RadarSweep(RadarPoints.empty(), RigidTransform.identity(), name="left"),
        RadarSweep(left, RigidTransform(turn, np.zeros(3)), name="left"),
    ]
    shares = [np.array([0.75, 0.0], np.float32), np.zeros(0, np.float32), np.array([0.25])]
    header = Header(frame_id="camera", stamp=conversions.ns_to_stamp(42))
    cloud = conversions.attribution_cloud(sweeps, shares, header)
    assert [f.name for f in cloud.fields] == ["x", "y", "z", "rcs", "vx", "vy", "share"]
    assert (cloud.header.frame_id, stamp_ns_of(cloud.header), cloud.width) == ("camera", 42, 3)
    rows = np.frombuffer(cloud.data, np.float32).reshape(3, 7)
    np.testing.assert_allclose(rows[0], [-1, 0, 21.5, 7, -3, 0.5, 0.75], atol=1e-6)
    assert np.isnan(rows[1, :3]).all() and rows[1, 6] == 0
    np.testing.assert_allclose(rows[2], [1, 0, 5, 0, 0, 0, 0.25], atol=1e-6)
    empty = conversions.attribution_cloud([], [], header)
    assert empty.width * empty.height == 0 and len(empty.fields) == 7
