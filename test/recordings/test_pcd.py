# SPDX-License-Identifier: Apache-2.0
"""PCD files: known bytes, round trips, refusals."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xd_rcdepth_ros.errors import RecordingError
from xd_rcdepth_ros.recordings.pcd import encode_pcd, parse_pcd, read_pcd

HEADER = (
    "# .PCD v0.7 - Point Cloud Data file format\nVERSION 0.7\nFIELDS x id flag\nSIZE 4 2 1\n"
    "TYPE F I U\nCOUNT 1 1 1\nWIDTH 2\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS 2\n"
)


def test_binary_known_bytes():
    body = struct.pack("<fhB", 1.5, -2, 200) + struct.pack("<fhB", -0.25, 3, 0)
    points = parse_pcd(HEADER.encode() + b"DATA binary\n" + body + b"\n")
    assert points["x"].tolist() == [1.5, -0.25]
    assert points["id"].tolist() == [-2, 3]
    assert points["flag"].tolist() == [200, 0]


def test_ascii_gives_the_same_as_binary():
    body = struct.pack("<fhB", 1.5, -2, 200) + struct.pack("<fhB", np.nan, 3, 0)
    binary = parse_pcd(HEADER.encode() + b"DATA binary\n" + body)
    text = parse_pcd(HEADER.encode() + b"DATA ascii\n1.5 -2 200\nnan 3 0\n")
    assert binary.dtype == text.dtype
    assert binary.tobytes() == text.tobytes()


def test_field_with_several_values_and_padding():
    header = (
        "VERSION .7\nFIELDS xyz _ a _\nSIZE 4 1 4 1\nTYPE F U F U\nCOUNT 3 2 1 1\n"
        "WIDTH 1\nHEIGHT 1\nPOINTS 1\nDATA binary\n"
    )
    points = parse_pcd(header.encode() + struct.pack("<3f2xfx", 1, 2, 3, 4))
    assert points["xyz"].tolist() == [[1, 2, 3]]
    assert points["a"].tolist() == [4]


def test_empty_cloud_is_read():
    header = HEADER.replace("WIDTH 2", "WIDTH 0").replace("POINTS 2", "POINTS 0")
    assert len(parse_pcd(header.encode() + b"DATA binary\n")) == 0
    assert len(parse_pcd(header.encode() + b"DATA ascii\n")) == 0


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [
        ("VERSION 0.7", "VERSION 0.5", "version"),
        ("SIZE 4 2 1", "SIZE 4 2", "sizes"),
        ("SIZE 4 2 1", "SIZE 3 2 1", "size 3"),
        ("TYPE F I U", "TYPE F X U", "type X"),
        ("POINTS 2", "POINTS 3", "width x height"),
        ("POINTS 2", "POINTS two", "whole numbers"),
        ("POINTS 2", "POINTS 2 2", "one number"),
        ("FIELDS x id flag", "FIELDS x id x", "twice"),
        ("FIELDS x id flag", "FILDS x id flag", "unknown"),
        ("DATA binary", "DATA binary_compressed", "binary_compressed"),
        ("DATA binary", "NOTHING", "unknown"),
        ("COUNT 1 1 1", "COUNT 1 1 0", "count 0"),
    ],
)
def test_wrong_header_is_refused_by_name(before, after, word):
    text = HEADER + "DATA binary\n"
    assert before in text
    with pytest.raises(RecordingError, match=word):
        parse_pcd(text.replace(before, after).encode() + bytes(14))


def test_truncated_files_are_refused(tmp_path):
    path = tmp_path / "radar.pcd"
    path.write_bytes(HEADER.encode() + b"DATA binary\n" + bytes(13))
    with pytest.raises(RecordingError, match=r"radar\.pcd.*cut off"):
        read_pcd(path)
    path.write_bytes(HEADER.encode() + b"DATA ascii\n1 2 3\n")
    with pytest.raises(RecordingError, match="cut off"):
        read_pcd(path)
    path.write_bytes(HEADER.encode())
    with pytest.raises(RecordingError, match="no PCD header"):
        read_pcd(path)
    path.write_bytes(b"")
    with pytest.raises(RecordingError, match="no PCD header"):
        read_pcd(path)
    with pytest.raises(RecordingError, match="cannot read"):
        read_pcd(tmp_path / "absent.pcd")


def test_ascii_value_out_of_range_is_refused():
    """NumPy before 2 kept the lower bits of 70000, with no more than a warning."""
    for value in (32768, -32769, 70000):
        with pytest.raises(RecordingError, match=r"'id'.*expected -32768 to 32767"):
            parse_pcd(HEADER.encode() + f"DATA ascii\n1 {value} 3\n1 2 3\n".encode())
    points = parse_pcd(HEADER.encode() + b"DATA ascii\n1 32767 3\n1 -32768 3\n")
    assert points["id"].tolist() == [32767, -32768]
    with pytest.raises(RecordingError, match="4 values"):
        parse_pcd(HEADER.encode() + b"DATA ascii\n1 2 3 4\n1 2 3\n")


names = st.lists(st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True), min_size=1, unique=True)
codes = st.sampled_from(["<f4", "<f8", "i1", "u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8"])


@given(st.data(), names, st.integers(0, 5))
def test_round_trip_of_any_cloud(data, fields, count):
    dtype = np.dtype([(name, data.draw(codes)) for name in fields[:6]])
    points = data.draw(hnp.arrays(dtype, count))
    again = parse_pcd(encode_pcd(points))
    assert again.dtype == points.dtype
    assert again.tobytes() == points.tobytes()


def test_encode_refuses_what_pcd_cannot_hold():
    with pytest.raises(RecordingError, match="named fields"):
        encode_pcd(np.zeros(3))
    with pytest.raises(RecordingError, match="no type"):
        encode_pcd(np.zeros(3, [("a", "<c8")]))


def test_a_real_radar_file_is_written_back_byte_by_byte(drive_root):
    path = sorted((drive_root / "samples" / "RADAR_FRONT").glob("*.pcd"))[0]
    points = read_pcd(path)
    assert len(points.dtype.names) == 18
    assert points.dtype.itemsize == 43
    assert encode_pcd(points) == path.read_bytes()
