# SPDX-License-Identifier: Apache-2.0
"""Calibration files: our own format as YAML and JSON, Astyx, and what is refused."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from xd_rcdepth_ros.datasets.zju_4dradarcam import read_rig
from xd_rcdepth_ros.errors import GeometryError, RecordingError, XDRCDepthError
from xd_rcdepth_ros.recordings.calibration_file import read_calibration

MATRIX = [[0, -1, 0, 0.5], [0, 0, -1, 0.6], [1, 0, 0, -0.4], [0, 0, 0, 1]]
K = [[1000, 0, 640], [0, 1000, 360], [0, 0, 1]]
OWN = {"camera": {"k": K}, "camera_from_radar": MATRIX}


def write(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content) if path.suffix == ".json" else yaml.safe_dump(content))
    return path


@pytest.mark.parametrize("name", ["c.json", "c.yaml"])
def test_own_format(tmp_path, name):
    calibration = read_calibration(write(tmp_path / name, OWN))
    camera = calibration.camera(1280, 720)
    assert (camera.width, camera.height, camera.is_rectified) == (1280, 720, True)
    np.testing.assert_array_equal(camera.k, K)
    # A return 10 m ahead, 1 m left, 2 m up lies right -1 + 0.5, down -2 + 0.6, forward 10 - 0.4.
    moved = calibration.camera_from_radar.apply(np.array([[10.0, 1, 2]]))
    np.testing.assert_allclose(moved, [[-0.5, -1.4, 9.6]])


def test_distortion_and_size(tmp_path):
    camera = {"k": K, "distortion": [-0.3, 0.1, 0, 0, 0], "width": 1280, "height": 720}
    calibration = read_calibration(write(tmp_path / "c.yaml", {**OWN, "camera": camera}))
    assert not calibration.camera(1280, 720).is_rectified
    with pytest.raises(GeometryError, match="belongs to 1280 x 720"):
        calibration.camera(640, 360)


def test_the_example_in_the_description_is_valid(tmp_path):
    import xd_rcdepth_ros.recordings.calibration_file as module

    example = module.__doc__.split("::\n")[1].split("\n``camera_from_lidar``")[0]
    path = tmp_path / "c.yaml"
    path.write_text(example)
    assert read_calibration(path).camera(1600, 900).k[0, 0] == 1266.4


def test_the_other_spelling_says_the_same(tmp_path):
    """As in the calibration.json of ZJU-4DRadarCam's layout, for predict and converter alike."""
    lidar = [[0, -1, 0, 0.1], [0, 0, -1, 0.2], [1, 0, 0, 0.3], [0, 0, 0, 1]]
    own = {**OWN, "camera_from_lidar": lidar, "camera": {"k": K, "width": 1280, "height": 720}}
    other = {"K": K, "width": 1280, "height": 720, "T_camera_radar": MATRIX,
             "T_camera_lidar": lidar}  # fmt: skip
    first = read_calibration(write(tmp_path / "own.yaml", own))
    second = read_calibration(write(tmp_path / "other.json", other))
    assert first.size == second.size == (1280, 720)
    assert first.camera(1280, 720) == second.camera(1280, 720)
    for name in ("camera_from_radar", "camera_from_lidar"):
        np.testing.assert_array_equal(getattr(first, name).matrix, getattr(second, name).matrix)
    for name, content in (("zju.json", other), ("zju.yaml", own)):
        rig = read_rig(write(tmp_path / name, content))
        np.testing.assert_array_equal(rig.camera_from_lidar.matrix, lidar)
    with pytest.raises(RecordingError, match="T_camera_lidar"):
        read_rig(write(tmp_path / "no_lidar.json", OWN))
    with pytest.raises(RecordingError, match="T_camera_radar"):
        read_calibration(write(tmp_path / "no_radar.json", {"K": K}))


def test_astyx_agrees_with_its_own_definition(tmp_path):
    turned = np.array([[0, 0, 1, 2.0], [-1, 0, 0, 0.1], [0, -1, 0, 1.0], [0, 0, 0, 1]])
    sensors = [
        {"sensor_uid": "radar_6455", "calib_data": {"T_to_ref_COS": np.eye(4).tolist()}},
        {"sensor_uid": "camera_front", "calib_data": {"K": K, "T_to_ref_COS": turned.tolist()}},
    ]
    calibration = read_calibration(write(tmp_path / "c.json", {"sensors": sensors}))
    point = np.array([[20.0, 3.0, 0.5]])
    expected = (np.linalg.inv(turned) @ [20.0, 3.0, 0.5, 1])[:3]
    np.testing.assert_allclose(calibration.camera_from_radar.apply(point)[0], expected)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ({}, RecordingError),
        ([1, 2], RecordingError),
        ({"camera": {"k": K}}, RecordingError),
        ({"camera": {"k": "none"}, "camera_from_radar": MATRIX}, RecordingError),
        ({"camera": K, "camera_from_radar": MATRIX}, RecordingError),
        ({"camera": {"k": K}, "camera_from_radar": K}, GeometryError),
        ({"camera": {"k": K}, "camera_from_radar": (2 * np.eye(4)).tolist()}, GeometryError),
        ({"camera": {"k": [[10**400] * 3] * 3}, "camera_from_radar": MATRIX}, RecordingError),
        ({"sensors": []}, RecordingError),
        ({"sensors": [{"sensor_uid": "camera_front"}]}, RecordingError),
    ],
)
def test_refusals_name_the_file(tmp_path, content, error):
    with pytest.raises(error, match=r"c\.json"):
        read_calibration(write(tmp_path / "c.json", content))


def test_missing_and_unreadable(tmp_path):
    with pytest.raises(RecordingError, match="cannot read"):
        read_calibration(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("{: ]")
    with pytest.raises(RecordingError, match="neither JSON nor YAML"):
        read_calibration(tmp_path / "bad.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(RecordingError):
        read_calibration(tmp_path / "binary.yaml")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@settings(deadline=None, max_examples=150)
@given(camera=JSON_VALUES, matrix=JSON_VALUES, sensors=JSON_VALUES, astyx=st.booleans())
def test_any_content_gives_a_camera_or_a_named_error(
    tmp_path_factory, camera, matrix, sensors, astyx
):
    content = {"sensors": sensors} if astyx else {"camera": camera, "camera_from_radar": matrix}
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(json.dumps(content))
    with contextlib.suppress(XDRCDepthError):
        read_calibration(path).camera(64, 48)


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=60))
def test_any_bytes_give_a_named_error(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "bytes.yaml"
    path.write_bytes(data)
    with pytest.raises(XDRCDepthError):
        read_calibration(path)
