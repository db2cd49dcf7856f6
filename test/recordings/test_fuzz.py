# SPDX-License-Identifier: Apache-2.0
"""Thousands of damaged inputs: each is understood or refused by name, and none crashes."""

from types import SimpleNamespace

import numpy as np
import pytest

from xd_rcdepth_ros.errors import XDRCDepthError
from xd_rcdepth_ros.geometry import PinholeCamera, RadarPoints, RigidTransform
from xd_rcdepth_ros.recordings import schema
from xd_rcdepth_ros.recordings.images import decode_image, raw_image_rgb
from xd_rcdepth_ros.recordings.index import decode_message, header_of
from xd_rcdepth_ros.recordings.messages import (
    camera_of,
    depth_of,
    sky_of,
)
from xd_rcdepth_ros.recordings.pcd import encode_pcd, parse_pcd
from xd_rcdepth_ros.recordings.pointcloud import cloud_xyz, decode_cloud, radar_points
from xd_rcdepth_ros.recordings.writer import DriveWriter

T0 = 1_600_000_000_000_000_000
# fmt: off
WORDS = [b"0", b"1", b"-1", b"4294967295", b"99999999999999999999", b"nan", b"F", b"U", b"x",
         b"ascii", b"binary", b"\n", b" ", b"#", b"", b"POINTS", b"FIELDS", b"\xff", b"1e999"]
# fmt: on
EXTREMES = [0, 1, 2, 3, 7, 8, 9, 255, 2**15, 2**31 - 1, 2**31, 2**32 - 1]


def mutate(rng, data):
    """Return the bytes with one to three changes: flips, cuts, doublings, extreme values."""
    data = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        if not data:
            return bytes(data)
        at = int(rng.integers(len(data)))
        kind = rng.integers(7)
        if kind == 0:
            data[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            data[at] = int(rng.integers(256))
        elif kind == 2:
            del data[at:]
        elif kind == 3:
            del data[at : at + int(rng.integers(1, 9))]
        elif kind == 4:
            data[at:at] = data[at : at + int(rng.integers(1, 30))]
        elif kind == 5:
            at -= at % 4
            data[at : at + 4] = int(rng.choice(EXTREMES)).to_bytes(4, "little")
        else:
            data[at : at + int(rng.integers(0, 4))] = WORDS[int(rng.integers(len(WORDS)))]
    return bytes(data)


def survive(read, inputs):
    """Read every input; return how many were understood and how many refused by name."""
    understood = refused = 0
    for number, data in enumerate(inputs):
        try:
            read(data)
            understood += 1
        except XDRCDepthError as error:
            assert str(error)
            refused += 1
        except BaseException as error:
            raise AssertionError(f"input {number} crashed: {data!r}") from error
    return understood, refused


def pcd_bases():
    rng = np.random.default_rng(0)
    dtype = [("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("id", "<i2"), ("rcs", "<f4"), ("q", "i1")]
    points = np.zeros(4, dtype)
    points["x"] = rng.normal(size=4)
    binary = encode_pcd(points)
    rows = "\n".join(" ".join(map(str, row)) for row in points.tolist())
    return [binary, binary.split(b"DATA")[0] + b"DATA ascii\n" + rows.encode() + b"\n"]


def test_pcd():
    rng = np.random.default_rng(1)
    bases = pcd_bases()
    inputs = (mutate(rng, bases[i % 2]) for i in range(5000))
    understood, refused = survive(lambda data: radar_points(parse_pcd(data)), inputs)
    assert understood + refused == 5000
    assert min(understood, refused) > 500


@pytest.fixture(scope="module")
def raw_messages(tmp_path_factory):
    """Return the serialized messages of a small bag by topic, and the function to decode them."""
    from rosbags.highlevel import AnyReader

    path = tmp_path_factory.mktemp("fuzz") / "bag"
    with DriveWriter(path) as writer:
        writer.static_transform("a", "b", RigidTransform.identity())
        camera = PinholeCamera.from_focal(8, 6, 5, 5, 3.5, 2.5)
        writer.camera_info("front", T0, camera)
        writer.radar("front", T0, RadarPoints.from_arrays(np.ones((3, 3)), np.ones(3)))
        writer.depth("front", T0, np.ones((6, 8)))
        writer.sky("front", T0, np.ones((6, 8), np.uint8))
    with AnyReader([path]) as reader:
        return {c.topic: bytes(raw) for c, _, raw in reader.messages()}


def decoder(kind):
    reader = SimpleNamespace(deserialize=schema.typestore().deserialize_cdr)
    connection = SimpleNamespace(topic="/fuzz", msgtype=kind)
    return lambda data: decode_message(reader, connection, data)


def read_cloud(message):
    points = decode_cloud(message)
    radar_points(points)
    cloud_xyz(points)


@pytest.mark.parametrize(
    ("topic", "kind", "read", "count"),
    [
        ("/radar/front", schema.POINT_CLOUD, read_cloud, 3000),
        ("/camera/front/camera_info", schema.CAMERA_INFO, camera_of, 3000),
        ("/camera/front/depth", schema.IMAGE, depth_of, 1500),
        ("/camera/front/sky", schema.IMAGE, sky_of, 1500),
    ],
)
def test_serialized_messages(raw_messages, topic, kind, read, count):
    rng = np.random.default_rng(2)
    decode = decoder(kind)

    def whole(data):
        header_of(data)
        read(decode(data))

    read(decode(raw_messages[topic]))  # undamaged, it is understood
    inputs = (mutate(rng, raw_messages[topic]) for _ in range(count))
    understood, refused = survive(whole, inputs)
    assert understood + refused == count
    assert refused > count // 10


def test_cloud_attributes(raw_messages):
    """Sizes, offsets and types at their extremes, in a message that was decoded well."""
    rng = np.random.default_rng(3)
    decode = decoder(schema.POINT_CLOUD)
    names = ["width", "height", "point_step", "row_step"]

    def damaged():
        message = decode(raw_messages["/radar/front"])
        for _ in range(int(rng.integers(1, 3))):
            value = int(rng.choice(EXTREMES))
            if rng.random() < 0.5:
                setattr(message, names[int(rng.integers(4))], value)
            else:
                field = message.fields[int(rng.integers(8))]
                setattr(field, ["offset", "datatype", "count"][int(rng.integers(3))], value)
        return message

    understood, refused = survive(read_cloud, (damaged() for _ in range(2000)))
    assert understood > 10
    assert refused > 500


def test_images(raw_messages, random_jpeg):
    rng = np.random.default_rng(4)
    jpeg = random_jpeg(rng)
    survive(decode_image, (mutate(rng, jpeg) for _ in range(1000)))
    decode = decoder(schema.IMAGE)
    encodings = ["rgb8", "mono8", "bayer_rggb8", "uyvy", "bgra8", "32FC1", "nonsense"]

    def damaged():
        message = decode(raw_messages["/camera/front/depth"])
        message.encoding = str(rng.choice(encodings))
        name = str(rng.choice(["width", "height", "step"]))
        setattr(message, name, int(rng.choice(EXTREMES)))
        return message

    understood, refused = survive(raw_image_rgb, (damaged() for _ in range(1000)))
    assert min(understood, refused) > 20
