# SPDX-License-Identifier: Apache-2.0
"""Contract of the interfaces: on the wire they are what the rest of the world speaks."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
tf2_msgs = pytest.importorskip("tf2_msgs.msg", reason="tf2_msgs is not installed")
radar_msgs = pytest.importorskip("radar_msgs.msg", reason="radar_msgs is not installed")
rosbags = pytest.importorskip("rosbags.typesys", reason="rosbags is not installed")

from geometry_msgs.msg import TransformStamped  # noqa: E402
from rclpy.serialization import deserialize_message, serialize_message  # noqa: E402

# Upstream's fields in upstream's order; a name or type that differs changes the type's hash.
RADAR_MSGS = {
    "RadarReturn": """
        float32 range
        float32 azimuth
        float32 elevation
        float32 doppler_velocity
        float32 amplitude
    """,
    "RadarScan": """
        std_msgs/Header header
        radar_msgs/RadarReturn[] returns
    """,
    "RadarTrack": """
        uint16 NO_CLASSIFICATION=0
        uint16 STATIC=1
        uint16 DYNAMIC=2
        unique_identifier_msgs/UUID uuid
        geometry_msgs/Point position
        geometry_msgs/Vector3 velocity
        geometry_msgs/Vector3 acceleration
        geometry_msgs/Vector3 size
        uint16 classification
        float32[6] position_covariance
        float32[6] velocity_covariance
        float32[6] acceleration_covariance
        float32[6] size_covariance
    """,
    "RadarTracks": """
        std_msgs/Header header
        radar_msgs/RadarTrack[] tracks
    """,
}


@pytest.fixture(scope="module")
def typestore():
    store = rosbags.get_typestore(rosbags.Stores.LATEST)
    types = rosbags.get_types_from_msg("uint8[16] uuid", "unique_identifier_msgs/msg/UUID")
    for name, text in RADAR_MSGS.items():
        types |= rosbags.get_types_from_msg(text, f"radar_msgs/msg/{name}")
    store.register({name: type_ for name, type_ in types.items() if name not in store.fielddefs})
    return store


@pytest.mark.parametrize(
    "name",
    [
        "tf2_msgs/msg/TFMessage",
        "tf2_msgs/msg/TF2Error",
        *(f"radar_msgs/msg/{n}" for n in RADAR_MSGS),
    ],
)
def test_type_hash_is_the_one_of_the_upstream_definition(name, typestore):
    package, kind, short = name.split("/")
    module = {"tf2_msgs": tf2_msgs, "radar_msgs": radar_msgs}[package]
    file = Path("share", package, kind, f"{short}.json")
    described = [p / file for p in Path(module.__file__).parents if (p / file).is_file()]
    if not described:
        pytest.skip(f"no {file} above {module.__file__}: this distribution describes no types")
    hashes = {
        entry["type_name"]: entry["hash_string"]
        for entry in json.loads(described[0].read_text())["type_hashes"]
    }
    assert hashes[name] == typestore.hash_rihs01(name)


def test_radar_scan_bytes_are_read_by_others(typestore):
    scan = radar_msgs.RadarScan()
    scan.header.frame_id = "radar_front"
    scan.header.stamp.sec = 12
    for index in range(3):
        scan.returns.append(
            radar_msgs.RadarReturn(
                range=10.5 + index,
                azimuth=-0.25,
                elevation=0.5,
                doppler_velocity=-3.5,
                amplitude=float(index),
            )
        )
    read = typestore.deserialize_cdr(serialize_message(scan), "radar_msgs/msg/RadarScan")
    assert read.header.frame_id == "radar_front"
    assert [r.range for r in read.returns] == [10.5, 11.5, 12.5]
    assert [r.amplitude for r in read.returns] == [0, 1, 2]
    assert (read.returns[1].azimuth, read.returns[1].elevation) == (-0.25, 0.5)
    assert read.returns[2].doppler_velocity == -3.5


def test_radar_tracks_written_by_others_are_read(typestore):
    track_type = typestore.types["radar_msgs/msg/RadarTrack"]
    ours = radar_msgs.RadarTracks(tracks=[radar_msgs.RadarTrack(classification=2)])
    ours.tracks[0].position.x = 42.0
    ours.tracks[0].position_covariance = np.arange(6, dtype=np.float32)
    name = "radar_msgs/msg/RadarTracks"
    read = typestore.deserialize_cdr(serialize_message(ours), name)
    assert isinstance(read.tracks[0], track_type)
    assert track_type.DYNAMIC == radar_msgs.RadarTrack.DYNAMIC == 2
    back = deserialize_message(bytes(typestore.serialize_cdr(read, name)), radar_msgs.RadarTracks)
    assert back == ours


def test_transforms_are_read_by_others(typestore):
    link = TransformStamped(child_frame_id="base")
    link.header.frame_id = "odom"
    link.transform.rotation.z = link.transform.rotation.w = math.sqrt(0.5)
    message = tf2_msgs.TFMessage(transforms=[link])
    read = typestore.deserialize_cdr(serialize_message(message), "tf2_msgs/msg/TFMessage")
    assert read.transforms[0].header.frame_id == "odom"
    assert read.transforms[0].child_frame_id == "base"
    assert read.transforms[0].transform.rotation.z == math.sqrt(0.5)


def test_error_codes_and_the_service_and_the_action():
    from tf2_msgs.action import LookupTransform
    from tf2_msgs.srv import FrameGraph

    codes = ["NO", "LOOKUP", "CONNECTIVITY", "EXTRAPOLATION", "INVALID_ARGUMENT", "TIMEOUT"]
    assert [getattr(tf2_msgs.TF2Error, f"{code}_ERROR") for code in codes] == [0, 1, 2, 3, 4, 5]
    assert tf2_msgs.TF2Error.TRANSFORM_ERROR == 6
    assert FrameGraph.Response(frame_yaml="x").frame_yaml == "x"
    assert list(LookupTransform.Goal.get_fields_and_field_types()) == [
        "target_frame",
        "source_frame",
        "source_time",
        "timeout",
        "target_time",
        "fixed_frame",
        "advanced",
    ]
    assert list(LookupTransform.Result.get_fields_and_field_types()) == ["transform", "error"]
