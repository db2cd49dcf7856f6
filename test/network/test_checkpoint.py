# SPDX-License-Identifier: Apache-2.0
"""Model files: round trip, and every way a file can be wrong gives a named error."""

import json
import pickle
import struct

import pytest
import torch
from safetensors.torch import load_file, save_file

from xd_rcdepth_ros.errors import CheckpointError
from xd_rcdepth_ros.network import (
    ModelHeader,
    Student,
    StudentConfig,
    checkpoint,
    file_sha256,
    load_checkpoint,
    read_header,
    save_checkpoint,
)

CONFIG = {"decoder_channels": (48, 32, 24, 16), "daspp_growth": 8}
HEADER = ModelHeader(
    "xd_rcdepth_student", CONFIG, 454.5, (160, 512), row_median_depth_m=(1.0, 2.0), licence="x"
)


@pytest.fixture(scope="module")
def student():
    torch.manual_seed(0)
    return Student(StudentConfig(**CONFIG)).eval()


@pytest.fixture
def model_file(student, tmp_path):
    path = tmp_path / "student.safetensors"
    save_checkpoint(path, student, HEADER)
    return path


def test_round_trip(student, model_file):
    loaded, header = load_checkpoint(model_file)
    assert header.focal_length_px == 454.5
    assert tuple(header.row_median_depth_m) == (1.0, 2.0)
    image, radar = torch.rand(1, 3, 64, 64), torch.zeros(1, 4, 64, 64)
    with torch.no_grad():  # weights are stored in half precision
        torch.testing.assert_close(loaded(image, radar), student(image, radar), atol=0.2, rtol=0)
    assert not loaded.training
    assert [p.name for p in model_file.parent.iterdir()] == [model_file.name]


def test_vectors_keep_single_precision(model_file):
    tensors = load_file(model_file)
    assert tensors["head.weight"].dtype == torch.float16
    assert tensors["head.bias"].dtype == torch.float32


def test_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"no model file at .*nothing\.safetensors"):
        load_checkpoint(tmp_path / "nothing.safetensors")


def test_pickle_is_refused_without_being_run(tmp_path):
    canary = tmp_path / "ran"

    class Bomb:
        def __reduce__(self):
            return (open, (str(canary), "w"))

    path = tmp_path / "weights.pt"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(CheckpointError, match="Pickled"):
        load_checkpoint(path)
    assert not canary.exists()


@pytest.mark.parametrize("cut", [0, 7, 100, -1000])
def test_truncated_file(model_file, cut):
    model_file.write_bytes(model_file.read_bytes()[:cut])
    with pytest.raises(CheckpointError):
        load_checkpoint(model_file)


def test_safetensors_of_somebody_else(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"x": torch.zeros(3)}, path)
    with pytest.raises(CheckpointError, match="not written by this project"):
        load_checkpoint(path)


def rewrite(path, change):
    """Write the file again with changed tensors and header."""
    tensors = load_file(path)
    raw = path.read_bytes()
    size = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(json.loads(raw[8 : 8 + size])["__metadata__"]["xd_rcdepth"])
    change(tensors, header)
    save_file(tensors, path, metadata={"xd_rcdepth": json.dumps(header)})


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda t, h: t.pop("head.bias"), "missing .*head.bias"),
        (lambda t, h: t.update(extra=torch.zeros(1)), "unexpected .*extra"),
        (lambda t, h: t.update({"head.bias": torch.zeros(2)}), "shape"),
        (lambda t, h: t.update({"head.bias": torch.tensor([float("nan")])}), "not finite"),
        (lambda t, h: h.update(architecture="other"), "architecture 'other'"),
        (lambda t, h: h.update(focal_length_px=-1), "focal_length_px"),
        (lambda t, h: h["config"].update(unknown=1), "unknown"),
        (lambda t, h: h.pop("architecture"), "damaged"),
    ],
)
def test_wrong_content_is_named(model_file, change, text):
    rewrite(model_file, change)
    with pytest.raises(CheckpointError, match=text):
        load_checkpoint(model_file)


def test_size_limit(model_file, monkeypatch):
    monkeypatch.setattr(checkpoint, "MAX_FILE_BYTES", 1000)
    with pytest.raises(CheckpointError, match="at most 1000"):
        read_header(model_file)


def test_diverged_weights_are_not_written(tmp_path):
    student = Student(StudentConfig(**CONFIG))
    student.head.weight.data.fill_(1e6)  # infinite in half precision
    with pytest.raises(CheckpointError, match=r"head\.weight"):
        save_checkpoint(tmp_path / "bad.safetensors", student, HEADER)
    assert list(tmp_path.iterdir()) == []


def test_unknown_header_keys_of_later_versions_are_ignored(model_file):
    rewrite(model_file, lambda t, h: h.update(invented_later=1))
    assert read_header(model_file).architecture == "xd_rcdepth_student"


def test_checksum(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    assert file_sha256(path).startswith("ba7816bf8f01cfea")  # FIPS 180-2, appendix B.1
