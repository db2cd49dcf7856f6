# SPDX-License-Identifier: Apache-2.0
"""int8: what stays in floating point, what the loss is, and which files are refused."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from xd_rcdepth_ros.errors import CheckpointError, ConfigurationError, DeviceError
from xd_rcdepth_ros.inference import export, quantisation
from xd_rcdepth_ros.inference.backends import ModelFile, choose_backend
from xd_rcdepth_ros.inference.backends.base import import_runtime
from xd_rcdepth_ros.inference.backends.checked import quantised_file
from xd_rcdepth_ros.inference.backends.graph import to_openvino
from xd_rcdepth_ros.inference.backends.openvino import OpenVINOBackend
from xd_rcdepth_ros.inference.road_frames import RoadFrame, road_frames
from xd_rcdepth_ros.network import ModelHeader, Student, StudentConfig, save_checkpoint

pytest.importorskip("openvino", reason="OpenVINO is not installed")
SIZE = (64, 96)
SMALL = {"decoder_channels": (48, 32, 24, 16), "daspp_growth": 8}


def need_nncf():
    """Skip where NNCF is missing, or cannot be imported beside this NumPy."""
    try:
        import_runtime("export", "nncf")
    except DeviceError as error:
        pytest.skip(str(error))


class Chain(torch.nn.Module):
    """Three convolutions, the shortest chain with one between the first and the last."""

    def __init__(self):
        super().__init__()
        self.config = SimpleNamespace(radar_channels=4)
        self.first = torch.nn.Conv2d(7, 16, 3, padding=1)
        self.middle = torch.nn.Conv2d(16, 16, 3, padding=1)
        self.last = torch.nn.Conv2d(16, 1, 1)

    def forward(self, image, radar):
        x = torch.relu(self.first(torch.cat([image, radar / 100], 1)))
        return 20 + 5 * torch.tanh(self.last(torch.relu(self.middle(x))))


def test_only_what_lies_between_the_first_and_the_last_convolution_is_quantised():
    need_nncf()
    torch.manual_seed(0)
    graph = to_openvino(Chain().eval())
    frames = list(road_frames(SIZE, 4, 4))
    quantised = quantisation.quantise(graph, frames)
    stored = {
        op.get_friendly_name(): op.input_value(1).get_node().get_type_name()
        for op in quantised.get_ordered_ops()
        if op.get_type_name() == "Convolution"
    }
    kinds = {name.split("/")[0].rpartition(".")[2]: kind for name, kind in stored.items()}
    assert kinds["middle"] == "Multiply"  # by the scale of the 8-bit weights
    assert kinds["first"] == kinds["last"] == "Constant"
    exact, small = OpenVINOBackend(graph), OpenVINOBackend(quantised, "int8")
    assert small.precision == "int8"
    loss = quantisation.measure_loss(exact, small, frames)
    assert 0 < loss.difference < 0.05 and loss.frames == 4


def test_the_loss_by_hand():
    def backend(depth_m):
        return SimpleNamespace(run=lambda image, radar: np.full((1, 2, 2), depth_m, np.float32))

    known = np.array([[0, 0], [1, 1]])
    frame = RoadFrame(
        np.zeros((2, 2, 3), np.uint8), np.zeros((4, 2, 2)), known, np.array([12.0, 90.0])
    )
    loss = quantisation.measure_loss(backend(10.0), backend(11.0), [frame])
    assert loss.difference == pytest.approx(0.1)
    assert (loss.mae_float_m, loss.mae_int8_m) == (2.0, 1.0)  # 90 m is beyond the cap
    assert "10 % of the depth away from fp32 on 1 frames" in str(loss) and "(-50.0 %)" in str(loss)


def test_each_third_frame_measures_the_loss():
    calibration, held_out = quantisation.split_frames(list("abcdefg"))
    assert (calibration, held_out) == (["a", "b", "d", "e", "g"], ["c", "f"])
    with pytest.raises(ConfigurationError, match="at least 3"):
        quantisation.split_frames(["a", "b"])


@pytest.fixture
def exported(tmp_path, monkeypatch):
    """A model file and its quantised file, which here holds the graph as it is: NNCF is slow."""
    monkeypatch.setattr(export, "quantise", lambda graph, frames: graph)
    model = tmp_path / "small.safetensors"
    write_model(model, seed=1)
    out = quantised_file(model)
    result = export.export_model(model, out, "openvino", list(road_frames(SIZE, 4, 6)))
    assert (result["model"]["precision"], result["model"]["calibration_frames"]) == ("int8", 4)
    json.dumps(result)
    return model


def write_model(path, seed):
    torch.manual_seed(seed)
    header = ModelHeader("xd_rcdepth_student", SMALL, input_size=SIZE)
    save_checkpoint(path, Student(StudentConfig(**SMALL)), header)


def load(model, backend="openvino"):
    return choose_backend(ModelFile(model), backend, "cpu", "int8", 1, SIZE)


def test_a_quantised_file_is_loaded_with_its_loss_and_others_are_refused(exported):
    for backend in ("openvino", "auto"):
        chosen = load(exported, backend)
        assert (chosen.backend.name, chosen.backend.precision) == ("openvino", "int8")
        assert "% of the depth away from fp32 on 2 frames" in chosen.note
    with pytest.raises(ConfigurationError, match="does not run in int8"):
        load(exported, "torch")
    weights = quantised_file(exported).with_suffix(".bin")
    data = bytearray(weights.read_bytes())
    data[100] ^= 1
    weights.write_bytes(data)
    with pytest.raises(CheckpointError, match="does not belong to"):
        load(exported)
    write_model(exported, seed=2)
    with pytest.raises(CheckpointError, match="quantised from other weights"):
        load(exported)
    quantised_file(exported).write_text("<net/>")
    with pytest.raises(CheckpointError, match="no quantised file of this project, or damaged"):
        load(exported)
    quantised_file(exported).unlink()
    with pytest.raises(ConfigurationError, match="xd-rcdepth export --format openvino"):
        load(exported)
