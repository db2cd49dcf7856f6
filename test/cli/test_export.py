# SPDX-License-Identifier: Apache-2.0
"""The command export: files that other runtimes load, and that say what PyTorch says."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from xd_rcdepth_ros.cli import main as cli
from xd_rcdepth_ros.inference.backends.agreement import made_up_frame
from xd_rcdepth_ros.inference.backends.torch import TorchBackend
from xd_rcdepth_ros.network import load_checkpoint

MODEL = Path(__file__).resolve().parents[2] / "models" / "student.safetensors"
SIZES = ((128, 192), (160, 256))


def needs(*modules):
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


def run_onnx(path):
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    facts = session.get_modelmeta().custom_metadata_map
    return lambda i, r: session.run(["depth"], {"image": i, "radar": r})[0], facts[
        "xd_rcdepth.licence"
    ]


def run_openvino(path):
    from xd_rcdepth_ros.inference.backends.graph import openvino_core

    model = openvino_core().read_model(path)
    options = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino_core().compile_model(model, "CPU", options)
    licence = model.get_rt_info(["xd_rcdepth", "licence"]).astype(str)
    return lambda i, r: compiled({"image": i, "radar": r})["depth"], licence


def run_program(path):
    extra = {"xd_rcdepth.json": ""}
    module = torch.export.load(path, extra_files=extra).module()
    licence = json.loads(extra["xd_rcdepth.json"])["licence"]
    return lambda i, r: module(torch.from_numpy(i), torch.from_numpy(r)).detach().numpy(), licence


@pytest.mark.timeout(900)  # torch.export alone computes for 15 s
@pytest.mark.parametrize(
    ("file_format", "suffix", "runner"),
    [
        pytest.param("onnx", ".onnx", run_onnx, marks=needs("onnx", "onnxruntime")),
        pytest.param("openvino", ".xml", run_openvino, marks=needs("openvino")),
        ("torch_export", ".pt2", run_program),
    ],
)
def test_what_was_exported_says_what_pytorch_says(tmp_path, file_format, suffix, runner):
    out, report = tmp_path / "deep" / f"student{suffix}", tmp_path / "report.json"
    arguments = ["--model", MODEL, "--format", file_format, "--out", out, "--json", report]
    assert cli.main(["export", *map(str, arguments)]) == 0
    run, licence = runner(out)
    network, header = load_checkpoint(MODEL)
    assert licence == header.licence
    twin = TorchBackend(network, torch.device("cpu"))
    for size in SIZES:
        image, radar = made_up_frame(*size)
        output = run(image[None], radar[None])
        assert output.shape == (1, 3, *size)  # depth, its error, sky
        np.testing.assert_allclose(output[0], twin.run(image, radar), rtol=1e-3, atol=1e-3)
    result = json.loads(report.read_text())
    listed = {Path(file["name"]) for file in result["files"]}
    assert listed == set(out.parent.iterdir())  # nothing half-written stays
    assert len(result["checks"]) == 2
    for check in result["checks"]:
        assert 0 <= check["largest_difference_share"] <= check["allowed_share"]


def test_a_wrong_name_or_format_is_refused(tmp_path, capsys):
    wrong = tmp_path / "student.pb"
    assert cli.main(["export", "--format", "onnx", "--out", str(wrong)]) == 1
    assert "must end in .onnx" in capsys.readouterr().err
    assert cli.main(["export", "--format", "tensorflow", "--out", str(wrong)]) == 2
    assert not list(tmp_path.iterdir())


@needs("openvino")
def test_a_file_that_differs_from_pytorch_is_not_written(tmp_path, capsys, monkeypatch):
    from xd_rcdepth_ros.inference.backends.openvino import OpenVINOBackend

    right = OpenVINOBackend.run
    monkeypatch.setattr(OpenVINOBackend, "run", lambda self, i, r: right(self, i, r) * 1.01)
    out = tmp_path / "student.xml"
    out.write_text("what was there before")
    assert cli.main(["export", "--format", "openvino", "--out", str(out)]) == 1
    assert "does not agree with PyTorch" in " ".join(capsys.readouterr().err.split())
    assert [path.name for path in tmp_path.iterdir()] == ["student.xml"]
    assert out.read_text() == "what was there before"
