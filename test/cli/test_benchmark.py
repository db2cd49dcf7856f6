# SPDX-License-Identifier: Apache-2.0
"""The command benchmark: every stage and backend has figures; how large they are is not tested."""

import importlib.util
import json

import numpy as np

from xd_rcdepth_ros.benchmark.stages import STAGES, benchmark_frame, measure
from xd_rcdepth_ros.cli import main as cli
from xd_rcdepth_ros.inference import DepthEstimator, shipped_model

SMALL = ["--parts", "network", "--size", "64", "96", "--frames", "6", "--threads", "1"]
HAS_OPENVINO = importlib.util.find_spec("openvino") is not None


def test_figures_of_every_stage_go_to_table_and_file(tmp_path, capsys):
    path = tmp_path / "deep" / "figures.json"
    names = ["torch:fp32", "torch:bf16"] + ["openvino:fp32"] * HAS_OPENVINO
    chosen = [text for name in names for text in ("--backend", name)]
    assert cli.main(["benchmark", *SMALL, *chosen, "--json", str(path)]) == 0
    assert "torch" in capsys.readouterr().out
    result = json.loads(path.read_text())
    assert (result["grid"], result["image"]) == ([64, 96], [128, 192])
    assert [row["precision"] for row in result["rows"]] == ["fp32", "bf16", "fp32"][: len(names)]
    for row in result["rows"]:
        assert row["frames"] == 6 and row["frames_per_second"] > 0
        assert 0 < row["cpu_ms"]["p50"] <= row["cpu_ms"]["p95"]
        assert set(row["stages_ms"]) == set(STAGES)
        for times in row["stages_ms"].values():
            assert 0 < times["p50"] <= times["p95"]
    for name in names:
        backend, precision = name.split(":")
        times = result["backends"][backend][precision]["64x96"]
        assert times["frames"] == 6 and 0 < times["median_ms"] <= times["p95_ms"]
    first, second = result["rows"][:2]
    assert first["times_as_fast"] == first["times_as_fast_by_cpu"] == 1
    assert first["largest_difference_m"] == 0
    assert second["largest_difference_m"] > 0


def test_a_backend_asked_for_must_be_there(capsys):
    assert cli.main(["benchmark", *SMALL, "--backend", "abacus"]) == 1
    assert "'abacus'" in capsys.readouterr().err
    assert cli.main(["benchmark", *SMALL, "--backend", "onnx:bf16"]) == 1
    assert "runs in fp32" in " ".join(capsys.readouterr().err.split())
    assert cli.main(["benchmark", "--size", "65", "96"]) == 1
    assert "multiples of 32" in capsys.readouterr().err


def test_a_run_is_compared_with_an_earlier_one(tmp_path, capsys):
    now, before = tmp_path / "now.json", tmp_path / "before.json"
    run = ["benchmark", "--parts", "raster", "--quick"]
    assert cli.main([*run, "--json", str(now), "--report", str(tmp_path / "out")]) == 0
    ms = json.loads(now.read_text())["raster"]["ms"]
    assert ms > 0 and f"{ms:.2f} ms" in (tmp_path / "out" / "report.html").read_text()
    before.write_text(json.dumps({"raster": {"ms": 1000 * ms}}))
    assert cli.main([*run, "--compare", str(before)]) == 0
    assert "raster.ms: 0.00 of the earlier run's" in capsys.readouterr().out
    before.write_text(json.dumps({"raster": {"ms": ms / 1000}}))
    assert cli.main([*run, "--compare", str(before)]) == 1
    assert "raster.ms (" in capsys.readouterr().err
    before.write_text("{")
    assert cli.main([*run, "--compare", str(before)]) == 1
    assert "cannot be compared with" in capsys.readouterr().err
    assert cli.main(["benchmark", "--parts", "rastor"]) == 1
    assert "'rastor'" in capsys.readouterr().err


def test_the_frame_falls_onto_the_grid_with_all_its_returns():
    estimator = DepthEstimator.load(shipped_model(), "cpu", "torch", network_size=(64, 96))
    frame = benchmark_frame(64, 96, estimator.info.header.focal_length_px, returns=40)
    grid = estimator.grid(frame.camera)
    assert (grid.image_height, grid.image_width, grid.left, grid.top) == (64, 96, 0, 0)
    result = estimator.estimate(frame)
    assert len(result.radar.pixels) == 40 and not np.isnan(result.depth_m).any()


def test_backends_take_turns():
    order = []

    class Watched:
        def __init__(self, name, estimator):
            self.name, self.info, self._estimator = name, estimator.info, estimator

        def estimate(self, frame):
            order.append(self.name)
            return self._estimator.estimate(frame)

    estimator = DepthEstimator.load(shipped_model(), "cpu", "torch", network_size=(64, 96))
    rows = measure(
        [Watched("a", estimator), Watched("b", estimator)],
        benchmark_frame(64, 96, estimator.info.header.focal_length_px),
        frames=7,
    )
    assert "".join(order) == "a" * 6 + "b" * 6 + "a" * 3 + "b" * 3  # one each is not counted
    assert [row["frames"] for row in rows] == [7, 7]
