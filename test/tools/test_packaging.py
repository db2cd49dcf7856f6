# SPDX-License-Identifier: Apache-2.0
"""What pip and people are given: one version, sdist and wheel with all that the package needs."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
import yaml

import xd_rcdepth_ros
from xd_rcdepth_ros.cli import main as cli
from xd_rcdepth_ros.geometry import PinholeCamera
from xd_rcdepth_ros.recordings.writer import DriveWriter

PROJECT = Path(__file__).resolve().parents[2]
BUILD = "import sys; from setuptools import build_meta as b; getattr(b, sys.argv[1])(sys.argv[2])"
SHARED = (
    "models/student.safetensors",
    *("config/default.yaml", "config/distill/student.yaml", "viz/foxglove.json"),
)


def build(what, source, target):
    """Build as pip does, with the setuptools that is here instead of one from the network."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
    command = [sys.executable, "-c", BUILD, f"build_{what}", str(target)]
    done = subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (result,) = target.iterdir()
    return result


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Return a copy of what a release is built from: building writes beside its source."""
    copy = tmp_path_factory.mktemp("source") / "xd_rcdepth_ros"
    ignore = shutil.ignore_patterns(
        *(".venv", ".git", "build", "install", "log", "out", "dist", "test", "experiments", "docs"),
        *("pypi_ros", "__pycache__", "*.egg-info", ".*_cache"),
    )
    shutil.copytree(PROJECT, copy, ignore=ignore)
    return copy


@pytest.fixture(scope="module")
def sdist(source, tmp_path_factory):
    """Return the sdist unpacked."""
    folder = tmp_path_factory.mktemp("sdist")
    shutil.unpack_archive(build("sdist", source, folder), folder)
    return next(path for path in folder.iterdir() if path.is_dir())


@pytest.fixture(scope="module")
def wheel(sdist, tmp_path_factory):
    """Return the wheel, built from the sdist alone."""
    return build("wheel", sdist, tmp_path_factory.mktemp("wheel"))


def test_the_version_is_the_same_everywhere():
    version = xd_rcdepth_ros.__version__
    assert ElementTree.parse(PROJECT / "package.xml").findtext("version") == version
    assert yaml.safe_load((PROJECT / "CITATION.cff").read_text())["version"] == version
    newest = re.search(r"^(\S+)( \(.*\))?\n-+$", (PROJECT / "CHANGELOG.rst").read_text(), re.M)
    assert newest is not None and newest[1] in (version, "Forthcoming")


def test_the_sdist_holds_what_the_wheel_is_made_of(sdist):
    for name in (*SHARED, "setup.py", "pyproject.toml", "LICENSE", "README.md", "CHANGELOG.rst"):
        assert (sdist / name).is_file(), name
    assert not (sdist / "test").exists()


def test_the_wheel_holds_every_file_of_the_package(wheel):
    package = PROJECT / "xd_rcdepth_ros"
    files = {
        str(path.relative_to(PROJECT))
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and ".partial" not in path.name
    }
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        model = archive.read(f"xd_rcdepth_ros/share/{SHARED[0]}")
    assert files <= names
    assert {f"xd_rcdepth_ros/share/{name}" for name in SHARED} <= names
    assert model == (PROJECT / SHARED[0]).read_bytes()
    assert not [name for name in names if name.startswith(("test", "experiments", "pypi_ros"))]


def test_the_same_source_gives_the_same_wheel(sdist, wheel, tmp_path):
    assert build("wheel", sdist, tmp_path).read_bytes() == wheel.read_bytes()


@pytest.fixture
def drive(tmp_path):
    """Return a bag of one image with exact depth."""
    camera = PinholeCamera.from_focal(160, 96, 700, 700, 80, 48, "camera_front")
    with DriveWriter(tmp_path / "drive") as writer:
        writer.image("front", 10**18, cv2.imencode(".jpg", np.full((96, 160, 3), 90))[1].tobytes())
        writer.camera_info("front", 10**18, camera)
        writer.depth("front", 10**18, np.full((96, 160), 20, np.float32))
    return tmp_path / "drive"


def test_the_wheels_package_works_with_its_own_model_without_ros_and_extras(wheel, drive, tmp_path):
    """The unpacked wheel comes first on the path; ROS's and extras' packages cannot be imported."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    cv2.imwrite(str(tmp_path / "image.png"), np.full((96, 160, 3), 90, np.uint8))
    calibration = {"k": [[700, 0, 80], [0, 700, 48], [0, 0, 1]]}
    mounting = [[0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]]
    content = {"camera": calibration, "camera_from_radar": mounting}
    (tmp_path / "calibration.yaml").write_text(yaml.safe_dump(content))
    code = f"""
import sys
for name in ("rclpy", "ament_index_python", "launch", "sensor_msgs", *{sorted(cli.EXTRAS)}):
    sys.modules[name] = None
import xd_rcdepth_ros.inference
from xd_rcdepth_ros.cli.main import main
print(xd_rcdepth_ros.inference.shipped_model())
sys.exit(main(["predict", "--image", "image.png", "--calibration", "calibration.yaml",
               "--out", "out", "--device", "cpu"])
         or main(["view", "drive", "--device", "cpu"])
         or main(["evaluate", "--data", "drive", "--device", "cpu", "--json", "figures.json"])
         or main(["doctor", "--json", "doctor.json"]))
"""
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(tmp_path / "site/xd_rcdepth_ros/share/models"))
    assert np.load(tmp_path / "out/depth.npy").shape == (96, 160)
    page = (tmp_path / "view.html").read_text()
    assert "The bag holds no depth" in page and "MAE" in page
    assert json.loads((tmp_path / "figures.json").read_text())["frames"] == 1
    findings = json.loads((tmp_path / "doctor.json").read_text())["findings"]
    assert {f["subject"]: f["level"] for f in findings}["ROS"] == "note"


def test_every_extra_that_a_command_names_exists(monkeypatch, capsys):
    extras = set(re.findall(r"^(\w+) = \[", (PROJECT / "pyproject.toml").read_text(), re.M))
    assert set(cli.EXTRAS.values()) <= extras
    monkeypatch.setitem(sys.modules, "lightning", None)
    for name in [n for n in sys.modules if n.startswith("xd_rcdepth_ros.training")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "xd_rcdepth_ros.cli.train", raising=False)
    run = PROJECT / "config/distill/student.yaml"
    assert cli.main(["train", str(run)]) == 1
    assert "pip install 'xd-rcdepth-ros[train]'" in capsys.readouterr().err


@pytest.mark.parametrize("path", sorted((PROJECT / ".github").rglob("*.yml")), ids=lambda p: p.name)
def test_what_github_reads_is_yaml(path):
    assert isinstance(yaml.safe_load(path.read_text()), dict)
