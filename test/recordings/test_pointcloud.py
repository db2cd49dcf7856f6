# SPDX-License-Identifier: Apache-2.0
"""PointCloud2 buffers and field maps, without any message library."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xd_rcdepth_ros.errors import MessageError
from xd_rcdepth_ros.geometry import (
    PinholeCamera,
    RadarPoints,
    RadarSweep,
    RigidTransform,
    rasterize_radar,
)
from xd_rcdepth_ros.recordings.pointcloud import (
    CloudField,
    RadarFieldMap,
    cloud_xyz,
    decode_cloud,
    fields_of,
    radar_cloud,
    radar_points,
)


def cloud(points, *, height=1, padding=0, big_endian=False):
    """Return a PointCloud2-like object of a structured array."""
    width = len(points) // height
    step = points.dtype.itemsize
    raw = points.astype(points.dtype.newbyteorder(">")) if big_endian else points
    rows = raw.reshape(height, width)
    data = b"".join(row.tobytes() + bytes(padding) for row in rows)
    return SimpleNamespace(
        fields=fields_of(points.dtype),
        width=width,
        height=height,
        point_step=step,
        row_step=width * step + padding,
        is_bigendian=big_endian,
        data=data,
    )


def known(count=4):
    dtype = np.dtype([("x", "<f4"), ("power", "<i2"), ("y", "<f8"), ("z", "<f4")])
    points = np.zeros(count, dtype)
    points["x"], points["y"], points["z"] = 1 + np.arange(count), 10, -2
    points["power"] = 7
    return points


@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("padding", [0, 5])
def test_decode_is_exact_for_any_layout(big_endian, padding):
    points = known()
    decoded = decode_cloud(cloud(points, height=2, padding=padding, big_endian=big_endian))
    for name in points.dtype.names:
        np.testing.assert_array_equal(decoded[name], points[name])


def test_offsets_out_of_order_and_gaps():
    message = SimpleNamespace(
        fields=[CloudField("z", 8, 7), CloudField("x", 0, 7), CloudField("y", 4, 7)],
        width=1, height=1, point_step=16, row_step=16, is_bigendian=False,
        data=np.array([1, 2, 3, 99], "<f4").tobytes(),
    )  # fmt: skip
    np.testing.assert_array_equal(cloud_xyz(decode_cloud(message)), [[1, 2, 3]])


def test_empty_cloud_has_no_points_but_its_fields():
    message = cloud(known(0))
    assert decode_cloud(message).dtype.names == ("x", "power", "y", "z")
    assert cloud_xyz(decode_cloud(message)).shape == (0, 3)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"data": b"123"}, "cut off"),
        ({"row_step": 1, "data": bytes(40)}, "row_step"),
        ({"point_step": 3, "row_step": 100}, "point_step is 3"),
        ({"fields": [CloudField("x", 0, 9)]}, "datatype 9"),
        ({"fields": [CloudField("x", 0, 7), CloudField("x", 4, 7)]}, "twice"),
        ({"fields": []}, "no fields"),
    ],
)
def test_contradictions_are_refused(change, word):
    message = cloud(known())
    vars(message).update(change)
    with pytest.raises(MessageError, match=word):
        decode_cloud(message)


@pytest.mark.parametrize("height", [1, 2])
def test_row_step_zero_has_no_meaning_where_rows_have_no_padding(height):
    message = cloud(known(), height=height)
    message.row_step = 0
    np.testing.assert_array_equal(decode_cloud(message)["y"], known()["y"])


def test_padding_fields_are_left_out():
    message = cloud(known())
    message.fields += [CloudField(name, 0, kind) for name in ("", "_", "__") for kind in (2, 9)]
    assert decode_cloud(message).dtype.names == known().dtype.names


def test_an_empty_cloud_needs_no_fields():
    message = cloud(known(0))
    message.fields, message.point_step, message.row_step = [], 0, 0
    assert len(radar_points(decode_cloud(message), RadarFieldMap())) == 0


def test_nan_velocity_and_strength_are_not_measured():
    """nan_velocity: the returns keep their depth; what is not measured is drawn as 0."""
    points = radar_cloud(RadarPoints.from_arrays([[20.0, 0, 0], [30.0, 1, 0], [np.nan, 0, 0]]))
    points["vx"][0], points["rcs"][1], points["vy"] = np.nan, np.inf, 3.0
    radar = radar_points(decode_cloud(cloud(points)))
    assert radar.usable().tolist() == [True, True, False]
    assert radar.incomplete().tolist() == [True, True, False]
    forward = RigidTransform(np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]]), [0.1, 0, 0])
    camera = PinholeCamera.from_focal(40, 20, 300, 300, 19.5, 9.5)
    raster = rasterize_radar([RadarSweep(radar, forward)], camera)
    drawn = raster.channels[:, raster.pixels[:, 1], raster.pixels[:, 0]].T
    np.testing.assert_allclose(drawn, [[20, 0, 0, 0], [30, 0, 0, 3]], atol=1e-6)


def test_an_organised_cloud_with_nan_keeps_the_rest():
    points = known(6)
    points["x"][[1, 4]] = np.nan
    radar = radar_points(decode_cloud(cloud(points, height=2, padding=3)))
    assert radar.usable().tolist() == [True, False, True, True, False, True]


@pytest.mark.parametrize(("name", "sign"), [("doppler", 1), ("-doppler", -1)])
def test_doppler_sign_is_in_the_field_map(name, sign):
    """radar_msgs#11: some drivers count approaching as positive."""
    dtype = np.dtype([(field, "<f4") for field in ("x", "y", "z", "doppler")])
    points = np.array([(3, 4, 0, 10)], dtype)
    radar = radar_points(points, RadarFieldMap(rcs="", vx="", vy="", radial_speed=name))
    np.testing.assert_allclose(radar.velocity_mps, [[sign * 6, sign * 8]], atol=1e-6)


def test_missing_field_lists_what_is_there():
    points = decode_cloud(cloud(known()))
    with pytest.raises(MessageError, match=r"no field rcs, vx, vy; it has: x, power, y, z"):
        radar_points(points, RadarFieldMap())


def test_field_map_by_known_names():
    radar = radar_points(decode_cloud(cloud(known())))
    np.testing.assert_array_equal(radar.rcs_dbsm, np.full(4, 7))
    np.testing.assert_array_equal(radar.velocity_mps, np.zeros((4, 2)))
    assert np.isnan(radar.velocity_compensated_mps).all()


def test_radial_speed_goes_along_the_line_of_sight():
    dtype = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("radial_speed", "<f4")])
    points = np.array([(3, 4, 0, 10), (0, -2, 0, -1)], dtype)
    radar = radar_points(points)
    np.testing.assert_allclose(radar.velocity_mps, [[6, 8], [0, 1]], atol=1e-6)


@given(hnp.arrays(np.float32, st.tuples(st.integers(0, 20), st.just(8)), elements=st.floats(
    -1e3, 1e3, width=32)))  # fmt: skip
def test_radar_round_trip(values):
    radar = RadarPoints(values[:, :3], values[:, 3], values[:, 4:6], values[:, 6:])
    again = radar_points(decode_cloud(cloud(radar_cloud(radar))))
    for name in ("position_m", "rcs_dbsm", "velocity_mps", "velocity_compensated_mps"):
        np.testing.assert_array_equal(getattr(again, name), getattr(radar, name))


def test_fields_of_refuses_unknown_types():
    with pytest.raises(MessageError, match="'a'"):
        fields_of(np.dtype([("a", "<i8")]))
    with pytest.raises(MessageError, match="named fields"):
        fields_of(np.dtype("f4"))
