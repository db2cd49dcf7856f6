# SPDX-License-Identifier: Apache-2.0
"""Contract of sensor_msgs_py.point_cloud2: clouds to arrays and back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("sensor_msgs_py", reason="sensor_msgs_py is not installed")

from sensor_msgs.msg import PointCloud2, PointField
from sensor_msgs_py import point_cloud2
from std_msgs.msg import Header

TYPES = {
    PointField.INT8: np.int8,
    PointField.UINT8: np.uint8,
    PointField.INT16: np.int16,
    PointField.UINT16: np.uint16,
    PointField.INT32: np.int32,
    PointField.UINT32: np.uint32,
    PointField.FLOAT32: np.float32,
    PointField.FLOAT64: np.float64,
}


def field(name: str, offset: int, datatype: int = PointField.FLOAT32, count: int = 1) -> PointField:
    return PointField(name=name, offset=offset, datatype=datatype, count=count)


XYZ_RCS = [field("x", 0), field("y", 4), field("z", 8), field("rcs", 12)]
XYZ = XYZ_RCS[:3]
POINTS = [(1.0, 2.0, 3.0, 10.0), (4.0, 5.0, 6.0, 20.0), (7.0, 8.0, 9.0, 30.0)]


def test_the_bytes_of_a_cloud_are_as_its_fields_say():
    header = Header(frame_id="radar")
    header.stamp.sec = 7
    cloud = point_cloud2.create_cloud(header, XYZ, [(1.0, 2.0, 3.0), (4.0, 5.0, 6.0)])
    assert cloud.header == header
    assert [(f.name, f.offset, f.datatype, f.count) for f in cloud.fields] == [
        ("x", 0, PointField.FLOAT32, 1),
        ("y", 4, PointField.FLOAT32, 1),
        ("z", 8, PointField.FLOAT32, 1),
    ]
    assert (cloud.width, cloud.height, cloud.point_step, cloud.row_step) == (2, 1, 12, 24)
    assert bytes(cloud.data) == np.arange(1, 7, dtype=np.float32).tobytes()


def test_read_points_gives_named_fields():
    cloud = point_cloud2.create_cloud(Header(), XYZ_RCS, POINTS)
    points = point_cloud2.read_points(cloud)
    assert points.dtype.names == ("x", "y", "z", "rcs")
    assert points["rcs"].tolist() == [10, 20, 30]
    some = point_cloud2.read_points(cloud, field_names=["rcs", "x"])
    assert some.dtype.names == ("rcs", "x")
    assert some["x"].tolist() == [1, 4, 7]


def test_read_points_numpy_gives_a_plain_array():
    cloud = point_cloud2.create_cloud(Header(), XYZ_RCS, POINTS)
    points = point_cloud2.read_points_numpy(cloud)
    assert points.dtype == np.float32
    assert points.tolist() == [list(point) for point in POINTS]
    assert point_cloud2.read_points_numpy(cloud, ["z", "x"]).tolist() == [[3, 1], [6, 4], [9, 7]]


def test_fields_of_different_types_and_gaps():
    fields = [
        field("x", 0),
        field("id", 5, PointField.INT16),
        field("time", 8, PointField.FLOAT64),
        field("flags", 16, PointField.UINT8, count=2),
    ]
    cloud = point_cloud2.create_cloud(
        Header(), fields, [(0.5, -3, 1e9, 1, 2), (1.5, 4, 2e9, 3, 255)]
    )
    assert (cloud.point_step, len(cloud.data)) == (18, 36)
    points = point_cloud2.read_points(cloud)
    assert points.dtype.names == ("x", "id", "time", "flags_0", "flags_1")
    assert points.tolist() == [(0.5, -3, 1e9, 1, 2), (1.5, 4, 2e9, 3, 255)]
    with pytest.raises(AssertionError):
        point_cloud2.read_points_numpy(cloud)


def test_unnamed_and_impossible_fields():
    dtype = point_cloud2.dtype_from_fields([field("", 0), field("y", 4)])
    assert dtype.names == ("unnamed_field_0", "y")
    assert point_cloud2.dtype_from_fields(XYZ_RCS, point_step=32).itemsize == 32
    with pytest.raises(AssertionError):
        point_cloud2.dtype_from_fields([field("x", 0), field("x", 4)])
    with pytest.raises(AssertionError):
        point_cloud2.dtype_from_fields([field("x", 0, count=0)])


def test_big_endian_clouds():
    numbers = np.array([(1.5, -7), (2.5, 300)], dtype=[("x", ">f4"), ("n", ">i2")])
    cloud = PointCloud2(
        height=1, width=2, point_step=6, row_step=12, is_bigendian=True, is_dense=True
    )
    cloud.fields = [field("x", 0), field("n", 4, PointField.INT16)]
    cloud.data = numbers.tobytes()
    assert point_cloud2.read_points(cloud).tolist() == [(1.5, -7), (2.5, 300)]


def test_reading_does_not_change_the_message(only_here):
    only_here(point_cloud2)  # upstream swaps the message's own bytes
    cloud = PointCloud2(height=1, width=1, point_step=4, row_step=4, is_bigendian=True)
    cloud.fields = [field("x", 0)]
    cloud.data = np.array([1.5], dtype=">f4").tobytes()
    for _ in range(2):
        assert point_cloud2.read_points(cloud).tolist() == [(1.5,)]


def test_nans_are_skipped_on_demand():
    points = [(1.0, 2.0, 3.0, 0.0), (np.nan, 0.0, 0.0, 0.0), (4.0, 5.0, 6.0, np.nan)]
    cloud = point_cloud2.create_cloud(Header(), XYZ_RCS, points)
    assert len(point_cloud2.read_points(cloud)) == 3
    assert len(point_cloud2.read_points(cloud, skip_nans=True)) == 1
    assert len(point_cloud2.read_points(cloud, ["x", "y", "z"], skip_nans=True)) == 2
    cloud.is_dense = True
    assert len(point_cloud2.read_points(cloud, skip_nans=True)) == 3


def test_padded_rows(only_here):
    only_here(point_cloud2)  # upstream reads over the padding
    cloud = PointCloud2(height=2, width=2, point_step=4, row_step=12)
    cloud.fields = [field("x", 0)]
    cloud.data = np.array([1, 2, 99, 3, 4, 99], dtype=np.float32).tobytes()
    assert point_cloud2.read_points(cloud)["x"].tolist() == [1, 2, 3, 4]


def test_structured_arrays_have_to_fit():
    dtype = point_cloud2.dtype_from_fields(XYZ_RCS)
    points = np.array(POINTS, dtype=dtype)
    assert np.array_equal(
        point_cloud2.read_points(point_cloud2.create_cloud(Header(), XYZ_RCS, points)), points
    )
    with pytest.raises(AssertionError):
        point_cloud2.create_cloud(Header(), XYZ, points)
    with pytest.raises(AssertionError):
        point_cloud2.create_cloud(Header(), XYZ, np.zeros((2, 2, 2, 3), np.float32))


@pytest.mark.parametrize("empty", [np.zeros((0, 3), np.float32), []])
def test_empty_cloud(empty, only_here):
    only_here(point_cloud2)  # upstream cannot make one
    cloud = point_cloud2.create_cloud(Header(), XYZ, empty)
    assert (cloud.width, len(cloud.data)) == (0, 0)
    assert point_cloud2.read_points_numpy(cloud, skip_nans=True).shape == (0, 3)


def test_wrong_requests_are_refused():
    cloud = point_cloud2.create_cloud(Header(), XYZ_RCS, POINTS)
    with pytest.raises(AssertionError):
        point_cloud2.read_points(cloud, field_names=["doppler"])
    with pytest.raises(AssertionError):
        point_cloud2.read_points(Header())
    cloud.width = 4
    with pytest.raises(TypeError):
        point_cloud2.read_points(cloud)


def test_missing_fields_are_named(only_here):
    only_here(point_cloud2)
    cloud = point_cloud2.create_cloud(Header(), XYZ_RCS, POINTS)
    with pytest.raises(AssertionError, match=r"doppler.*rcs"):
        point_cloud2.read_points(cloud, field_names=["doppler"])


@st.composite
def layouts(draw):
    """Fields of any types with gaps between them, and points of these fields."""
    fields, offset = [], 0
    for index, datatype in enumerate(
        draw(st.lists(st.sampled_from(sorted(TYPES)), min_size=1, max_size=6))
    ):
        offset += draw(st.integers(0, 3))
        fields.append(field(f"f{index}", offset, datatype))
        offset += np.dtype(TYPES[datatype]).itemsize
    dtype = point_cloud2.dtype_from_fields(fields)
    points = np.zeros(draw(st.integers(1, 20)), dtype)
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    for name in dtype.names:
        points[name] = random.integers(0, 100, len(points))
    return fields, points


@settings(deadline=None, max_examples=60)
@given(layouts())
def test_any_cloud_goes_round(layout):
    fields, points = layout
    cloud = point_cloud2.create_cloud(Header(), fields, points)
    assert len(cloud.data) == cloud.row_step == len(points) * cloud.point_step
    assert point_cloud2.read_points(cloud).tolist() == points.tolist()
    again = point_cloud2.create_cloud(Header(), fields, points.tolist())
    assert point_cloud2.read_points(again).tolist() == points.tolist()
