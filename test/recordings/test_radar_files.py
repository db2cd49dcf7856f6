# SPDX-License-Identifier: Apache-2.0
"""Radar as users have it: one RadarPoints from PCD, Astyx text and CSV."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xd_rcdepth_ros.errors import RecordingError
from xd_rcdepth_ros.recordings.pcd import encode_pcd
from xd_rcdepth_ros.recordings.pointcloud import RadarFieldMap
from xd_rcdepth_ros.recordings.radar_files import read_radar_file, read_table

ASTYX = "\nX Y Z V_r Mag\n3 4 0.5 2.5 48\n10 0 -1 -0.081 59.5\n"


def test_nuscenes_pcd(tmp_path, random_radar):
    cloud = random_radar(np.random.default_rng(0), 12)
    path = tmp_path / "radar.PCD"
    path.write_bytes(encode_pcd(cloud))
    points = read_radar_file(path)
    np.testing.assert_array_equal(points.position_m[:, 0], cloud["x"])
    np.testing.assert_array_equal(points.rcs_dbsm, cloud["rcs"])
    np.testing.assert_array_equal(points.velocity_mps[:, 1], cloud["vy"])
    np.testing.assert_array_equal(points.velocity_compensated_mps[:, 0], cloud["vx_comp"])


def test_astyx_sign_and_direction(tmp_path):
    path = tmp_path / "000000.txt"
    path.write_text(ASTYX)
    points = read_radar_file(path)
    np.testing.assert_allclose(points.position_m, [[3, 4, 0.5], [10, 0, -1]])
    np.testing.assert_allclose(points.rcs_dbsm, [48, 59.5])
    # 2.5 m/s approaching is -2.5 m/s along (0.6, 0.8).
    np.testing.assert_allclose(points.velocity_mps, [[-1.5, -2.0], [0.081, 0]], atol=1e-6)
    assert np.isnan(points.velocity_compensated_mps).all()


def test_astyx_static_points_recede_at_minus_the_cars_speed(astyx_root):
    """Unfolded with one speed of the car most strong points agree, so the sign is right."""
    points = read_radar_file(astyx_root / "radar_6455" / "000100.txt")
    strong = points.select(points.rcs_dbsm > np.percentile(points.rcs_dbsm, 70))
    azimuth = np.arctan2(strong.position_m[:, 1], strong.position_m[:, 0])
    elevation = np.arctan2(
        strong.position_m[:, 2], np.hypot(strong.position_m[:, 0], strong.position_m[:, 1])
    )
    rate = strong.velocity_mps[:, 0] * np.cos(azimuth) + strong.velocity_mps[:, 1] * np.sin(azimuth)
    line = np.cos(azimuth) * np.cos(elevation)

    def agreement(sign):
        best = 0.0
        for speed in np.arange(0, 30, 0.1):
            error = rate + sign * speed * line
            error -= 10.39 * np.round(error / 10.39)
            best = max(best, float((np.abs(error) < 0.25).mean()))
        return best

    assert agreement(+1) > 0.5
    assert agreement(+1) > agreement(-1)


@pytest.mark.parametrize("separator", [",", ";", "\t", ", "])
def test_csv_with_cartesian_columns(tmp_path, separator):
    path = tmp_path / "radar.csv"
    rows = [["x", "y", "z", "rcs", "doppler", "label"], [3, 4, 1, 5, 10, 7], [1, 0, 0, -3, -2, 7]]
    path.write_text("\n".join(separator.join(map(str, row)) for row in rows))
    points = read_radar_file(path)
    np.testing.assert_allclose(points.position_m, [[3, 4, 1], [1, 0, 0]])
    np.testing.assert_allclose(points.rcs_dbsm, [5, -3])
    np.testing.assert_allclose(points.velocity_mps, [[6, 8], [-2, 0]], atol=1e-6)


def test_csv_with_polar_columns_and_byte_order_mark(tmp_path):
    path = tmp_path / "radar.csv"
    text = f"range,azimuth,elevation,amplitude\n2,{math.pi / 2},0,1\n2,0,{math.pi / 6},1\n"
    path.write_text(text, encoding="utf-8-sig")
    points = read_radar_file(path)
    expected = [[0, 2, 0], [math.sqrt(3), 0, 1]]
    np.testing.assert_allclose(points.position_m, expected, atol=1e-6)


def test_csv_without_elevation_lies_flat(tmp_path):
    path = tmp_path / "radar.csv"
    path.write_text("range,azimuth\n2,0\n")
    np.testing.assert_allclose(read_radar_file(path).position_m, [[2, 0, 0]])
    path.write_text("x,y\n2,1\n")
    np.testing.assert_allclose(read_radar_file(path).position_m, [[2, 1, 0]])


def test_csv_with_a_field_map(tmp_path):
    path = tmp_path / "radar.csv"
    path.write_text("long,lat,strength,speed\n2,1,30,4\n")
    mapping = RadarFieldMap("long", "lat", "", "strength", "", "", "speed")
    points = read_radar_file(path, mapping)
    np.testing.assert_allclose(points.position_m, [[2, 1, 0]])
    np.testing.assert_allclose(points.rcs_dbsm, [30])
    with pytest.raises(RecordingError, match=r"no field x, y; it has: long, lat, strength, speed"):
        read_radar_file(path)


def test_files_without_points(tmp_path):
    for name, text in (("a.csv", "x,y,z\n"), ("a.txt", "\nX Y Z V_r Mag\n")):
        (tmp_path / name).write_text(text)
        assert len(read_radar_file(tmp_path / name)) == 0


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("a.txt", "X Y Z Mag\n1 2 3 4\n", "no column V_r"),
        ("a.txt", "X Y Z V_r Mag\n1 2 3 4\n", "number of values"),
        ("a.txt", "X Y Z V_r Mag\n1 2 3 4 five\n", "numbers"),
        ("a.txt", "", "column names"),
        ("a.csv", "x,x,z\n1,2,3\n", "column names"),
        ("a.csv", "x,,z\n1,2,3\n", "column names"),
        ("a.csv", "1,2,3\n", "no field x"),
        ("a.pcd", "VERSION", "no PCD header"),
        ("a.bin", "", r"expected \.pcd, \.txt, \.csv"),
    ],
)
def test_refusals_name_file_and_reason(tmp_path, name, text, word):
    (tmp_path / name).write_text(text)
    with pytest.raises(RecordingError, match=word) as caught:
        read_radar_file(tmp_path / name)
    assert name in str(caught.value)


def test_absent_and_binary_files(tmp_path):
    with pytest.raises(RecordingError, match="cannot read"):
        read_radar_file(tmp_path / "absent.txt")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecordingError, match="cannot read"):
        read_radar_file(tmp_path / "binary.csv")


numbers = st.floats(-1e6, 1e6).map(lambda value: round(value, 6))


@given(st.lists(st.tuples(numbers, numbers, numbers), max_size=20), st.sampled_from(" \t"))
def test_table_round_trip(tmp_path_factory, rows, blank):
    path = tmp_path_factory.mktemp("table") / "t.txt"
    path.write_text(blank.join("abc") + "\n" + "\n".join(blank.join(map(repr, r)) for r in rows))
    table = read_table(path, ("a", "c"))
    assert [tuple(row) for row in table.tolist()] == rows
