# SPDX-License-Identifier: Apache-2.0
"""The Python API: plain arrays in, docs/python_api.md as it stands, imports that wait."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import xd_rcdepth_ros
from xd_rcdepth_ros import (
    DepthEstimator,
    PinholeCamera,
    RadarPoints,
    RadarSweep,
    RigidTransform,
    SensorFrame,
    XDRCDepthError,
    frame_from_arrays,
)
from xd_rcdepth_ros.errors import GeometryError

PROJECT = Path(__file__).resolve().parents[2]
PAGE = PROJECT / "docs" / "python_api.md"
MODEL = PROJECT / "models" / "student.safetensors"
K = np.array([[600.0, 0, 352], [0, 600, 176], [0, 0, 1]])
MOUNTING = np.array([[0, -1, 0, 0.0], [0, 0, -1, 0.6], [1, 0, 0, -0.4], [0, 0, 0, 1]])


def picture(height=352, width=704):
    return np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)


def returns(columns=6):
    table = np.random.default_rng(1).uniform([5, -6, -1, 0, -9, -1], [50, 6, 1, 20, 9, 1], (40, 6))
    return table[:, :columns]


@pytest.fixture(scope="module")
def estimator():
    return DepthEstimator.load(MODEL, device="cpu", backend="torch")


def test_arrays_and_a_frame_give_the_same_depth(estimator):
    image, radar = picture(), returns()
    frame = SensorFrame(
        image,
        PinholeCamera.from_focal(704, 352, 600, 600, 352, 176),
        (RadarSweep(RadarPoints.from_columns(radar), RigidTransform.from_matrix(MOUNTING)),),
    )
    expected = estimator.estimate(frame)
    result = estimator.estimate(image, radar, K, MOUNTING)
    np.testing.assert_array_equal(result.depth_m, expected.depth_m)
    assert "no_radar" not in result.flags
    assert "no_radar" in estimator.estimate(image, camera=K).flags


@pytest.mark.parametrize(
    ("columns", "rcs", "velocity"),
    [(3, 0, (0, 0)), (4, 7, (0, 0)), (5, 7, (0, 5)), (6, 7, (5, 2))],
)
def test_columns_of_the_radar(columns, rcs, velocity):
    """A return straight to the left, receding at 5 m/s: a range rate lies along the sight."""
    table = np.array([[0.0, 10, 1, 7, 5, 2]])[:, :columns]
    (sweep,) = frame_from_arrays(picture(), table, K, MOUNTING).radar
    np.testing.assert_allclose(sweep.points.position_m, [[0, 10, 1]])
    np.testing.assert_allclose(sweep.points.rcs_dbsm, [rcs])
    np.testing.assert_allclose(sweep.points.velocity_mps, [velocity], atol=1e-6)


def test_a_drivers_structured_array_is_read_by_its_field_names():
    cloud = np.array(
        [(10, 1, 0, 12, -3)], [(n, np.float32) for n in ("x", "y", "z", "RCS", "doppler")]
    )
    (sweep,) = frame_from_arrays(picture(), cloud, K, MOUNTING).radar
    np.testing.assert_allclose(sweep.points.position_m, [[10, 1, 0]])
    assert sweep.points.rcs_dbsm == 12 and sweep.points.velocity_mps[0, 0] < -2.9


def test_distortion_is_taken_out_and_grey_becomes_rgb():
    distorted = PinholeCamera(704, 352, K, distortion=(-0.3, 0.1, 0, 0, 0))
    frame = frame_from_arrays(picture(), camera=distorted)
    assert frame.camera.is_rectified and not np.array_equal(frame.image, picture())
    grey = frame_from_arrays(picture()[..., 0], camera=K)
    np.testing.assert_array_equal(grey.image[..., 2], picture()[..., 0])


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"camera": None}, "no camera was given"),
        ({"camera_from_radar": None}, "without camera_from_radar"),
        ({"image": picture().astype(float)}, r"float64; expected \(H, W, 3\) RGB"),
        ({"image": picture()[:, :, :2]}, r"expected \(H, W, 3\) RGB"),
        ({"radar": np.zeros((4, 2))}, r"\(4, 2\) float64; expected numbers \(N, 3\)"),
        ({"camera": PinholeCamera.from_focal(640, 480, 600, 600, 320, 240)}, r"camera\.resize"),
        ({"camera": np.zeros((3, 3))}, "not a pinhole"),
        ({"camera_from_radar": np.ones((4, 4))}, "not a rigid transform"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_named(arguments, text):
    whole = {"image": picture(), "radar": returns(), "camera": K, "camera_from_radar": MOUNTING}
    with pytest.raises(GeometryError, match=text) as caught:
        frame_from_arrays(**{**whole, **arguments})
    assert isinstance(caught.value, XDRCDepthError)


def test_the_page_runs_as_it_stands(tmp_path):
    """All of its code, one block after the other, in a process of its own."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 5
    cv2.imwrite(str(tmp_path / "image.png"), picture())
    np.save(tmp_path / "radar.npy", returns())
    shutil.copy(MODEL, tmp_path / "my_student.safetensors")
    shown = "\nassert depth_m.shape == (352, 704) and points_m.shape[1] == 3"
    shown += "\nassert shares.shape == (40,) and abs(shares.sum() - 1) < 1e-3"
    (tmp_path / "page.py").write_text("".join(blocks) + shown)
    done = subprocess.run(
        [sys.executable, "page.py"], cwd=tmp_path, capture_output=True, text=True, timeout=280,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(PROJECT), *sys.path])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("my_student.safetensors ")
    assert cv2.imread(str(tmp_path / "depth.png")).shape == (704, 704, 3)


def test_nothing_heavy_is_imported_before_it_is_used():
    code = "import sys, xd_rcdepth_ros.cli.main; print({'torch', 'cv2', 'numpy'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_names_and_their_types_are_the_same():
    """What ``__init__.py`` offers at run time is what ``__init__.pyi`` tells type checkers."""
    stub = (PROJECT / "xd_rcdepth_ros" / "__init__.pyi").read_text()
    told = set(re.findall(r"import (\w+) as \1$", stub, re.MULTILINE)) | {"__version__"}
    assert told == set(xd_rcdepth_ros.__all__) <= set(dir(xd_rcdepth_ros))
    for name in told - {"__version__"}:
        assert getattr(xd_rcdepth_ros, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'Depth'"):
        xd_rcdepth_ros.Depth  # noqa: B018


def test_the_notebook_runs_from_top_to_bottom(monkeypatch, capsys):
    pyplot = pytest.importorskip("matplotlib.pyplot", reason="matplotlib is not installed")
    pyplot.switch_backend("Agg")
    notebook = json.loads((PROJECT / "docs" / "depth.ipynb").read_text("utf-8"))
    names = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    pyplot.close("all")
    # The frame is one of those that the student's kind has seen, so what it says is near.
    assert names["counts"].sum() > 50 and names["mae_m"] < 5
    assert [axis.get_title() for axis in names["axes"].flat] == list(names["pictures"])
    assert "returns" in capsys.readouterr().out
