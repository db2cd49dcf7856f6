# SPDX-License-Identifier: Apache-2.0
"""The command predict: files in, depth out, the same as the estimator's."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from xd_rcdepth_ros.cli.main import main
from xd_rcdepth_ros.cli.predict import depth_to_png, load_frame
from xd_rcdepth_ros.inference import DepthEstimator
from xd_rcdepth_ros.recordings.wiring import parse_radar_fields

ASTYX = Path(__file__).parents[2].parent / "shared" / "data" / "astyx"


@pytest.fixture
def files(make_frame, tmp_path):
    """Write one frame as image, radar CSV and calibration; return the frame and the options."""
    frame = make_frame(0, ego_speed_mps=10.0)
    (sweep,) = frame.radar
    cv2.imwrite(str(tmp_path / "image.png"), frame.image[..., ::-1])
    table = np.column_stack(
        [sweep.points.position_m, sweep.points.rcs_dbsm, sweep.points.velocity_mps]
    )
    header = "x,y,z,rcs,vx,vy"
    np.savetxt(tmp_path / "radar.csv", table, delimiter=",", header=header, comments="")
    np.save(tmp_path / "radar.npy", table)
    matrix = np.eye(4)
    matrix[:3, :3] = sweep.camera_from_radar.rotation
    matrix[:3, 3] = sweep.camera_from_radar.translation_m
    content = {"camera": {"k": frame.camera.k.tolist()}, "camera_from_radar": matrix.tolist()}
    (tmp_path / "calibration.yaml").write_text(yaml.safe_dump(content))
    return frame, {
        "--image": tmp_path / "image.png",
        "--radar": tmp_path / "radar.csv",
        "--calibration": tmp_path / "calibration.yaml",
        "--out": tmp_path / "out",
    }


def run(options, *more):
    return main(["predict", *(str(x) for pair in options.items() for x in pair), *more])


def test_depth_is_the_estimators(files, model_file, tmp_path):
    frame, options = files
    out = tmp_path / "out"
    arguments = ["--model", str(model_file), "--device", "cpu", "--saliency"]
    assert run(options, *arguments, "--json", str(tmp_path / "r.json")) == 0
    expected = (
        DepthEstimator.load(model_file, device="cpu").estimate(frame, output_size="input").depth_m
    )
    depth = np.load(out / "depth.npy")
    assert depth.dtype == np.float32
    np.testing.assert_allclose(depth, expected, rtol=1e-4)
    png = cv2.imread(str(out / "depth.png"), cv2.IMREAD_UNCHANGED)
    assert png.dtype == np.uint16
    np.testing.assert_allclose(png / 256, expected, atol=1 / 512 + 1e-3)
    for name in ("preview.png", "radar.png", "saliency.png"):
        assert cv2.imread(str(out / name)).shape == frame.image.shape
    result = json.loads((tmp_path / "r.json").read_text())
    assert result["returns"] == 12
    assert result["returns_in_image"] == len(frame.radar_raster().pixels) > 0
    assert not [f for f in out.iterdir() if f.name.startswith(".")]


def test_radar_pixels_of_zju_come_back_as_they_are(files, tmp_path):
    """A ZJU-4DRadarCam file: u, v (pixels) and depth (m), projected by the owners."""
    _, options = files
    table = np.array([[10.0, 20.0, 7.5], [100.0, 40.0, 31.0], [5.0, 5.0, 0.0]])
    np.save(tmp_path / "pixels.npy", table)
    read = load_frame(
        options["--image"], tmp_path / "pixels.npy", options["--calibration"], radar_pixels=True
    )
    raster = read.radar_raster()
    order = np.argsort(raster.depth_m)
    np.testing.assert_allclose(raster.pixels[order], table[:2, :2], atol=1e-3)
    np.testing.assert_allclose(raster.depth_m[order], table[:2, 2], rtol=1e-5)


def test_radar_fields_of_a_csv_can_be_named(files, tmp_path):
    _, options = files
    (tmp_path / "r.csv").write_text("x,y,z,echo,v\n10,0,0,5,-3\n")
    fields = parse_radar_fields("rcs=echo,radial_speed=v")
    read = load_frame(options["--image"], tmp_path / "r.csv", options["--calibration"], fields)
    np.testing.assert_allclose(read.radar[0].points.rcs_dbsm, [5])
    np.testing.assert_allclose(read.radar[0].points.velocity_mps, [[-3, 0]], atol=1e-6)


def test_npy_and_csv_say_the_same(files):
    frame, options = files
    for name in ("radar.csv", "radar.npy"):
        radar = options["--radar"].with_name(name)
        read = load_frame(options["--image"], radar, options["--calibration"])
        np.testing.assert_allclose(
            read.radar_raster().channels, frame.radar_raster().channels, rtol=1e-5, atol=1e-5
        )
        np.testing.assert_array_equal(read.image, frame.image)


def test_without_radar(files, model_file, tmp_path):
    _, options = files
    options.pop("--radar")
    arguments = ["--model", str(model_file), "--json", str(tmp_path / "r.json")]
    assert run(options, *arguments) == 0
    assert json.loads((tmp_path / "r.json").read_text())["flags"] == ["no_radar"]


def test_an_inverted_calibration_is_told(files, model_file, capsys):
    _, options = files
    content = yaml.safe_load(options["--calibration"].read_text())
    content["camera_from_radar"] = np.linalg.inv(content["camera_from_radar"]).tolist()
    options["--calibration"].write_text(yaml.safe_dump(content))
    assert run(options, "--model", str(model_file)) == 0
    assert "is camera_from_radar the way" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("option", "name", "data", "text"),
    [
        ("--radar", "a.npy", b"junk", "no radar file of its kind"),
        ("--radar", "a.csv", b"a,b\n1,2\n", "cloud has no field"),
        ("--radar", "a.txt", b"\nX Y Z V_r Mag\n1 2 3\n", "a.txt has the line"),
        ("--radar", "a.pcd", b"junk", "PCD"),
        ("--radar", "a.bin", b"junk", "no radar file that can be read"),
        ("--image", "a.png", b"junk", "image"),
        ("--calibration", "a.yaml", b"k: 3", "no calibration"),
    ],
)
def test_bad_files_are_refused(files, model_file, tmp_path, capsys, option, name, data, text):
    _, options = files
    (tmp_path / name).write_bytes(data)
    options[option] = tmp_path / name
    assert run(options, "--model", str(model_file)) == 1
    assert text in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()


def test_missing_files(files, model_file, tmp_path, capsys):
    _, options = files
    for option in ("--image", "--radar", "--calibration"):
        changed = {**options, option: options[option].with_stem("none")}
        assert run(changed, "--model", str(model_file)) == 1
        assert "cannot read" in capsys.readouterr().err


def test_png_values():
    depth = np.array([[1.0, 0.5 / 256, np.nan, np.inf, -np.inf, 255.99609375, 300.0]])
    assert depth_to_png(depth).tolist() == [[256, 0, 0, 65535, 0, 65535, 65535]]


@pytest.mark.skipif(not ASTYX.exists(), reason=f"no Astyx data at {ASTYX}")
def test_astyx_files_as_they_are():
    name = (ASTYX / "val.txt").read_text().split()[0]
    frame = load_frame(
        ASTYX / f"camera_front/{name}.jpg",
        ASTYX / f"radar_6455/{name}.txt",
        ASTYX / f"calibration/{name}.json",
    )
    inside = len(frame.radar_raster().pixels)
    assert frame.image.shape == (309, 1024, 3)
    assert 300 <= inside <= 2100  # the data's own description gives 306 to 2079
