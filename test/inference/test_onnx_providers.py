# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime's providers: which are asked, in which order, and what happens if one is missing."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from xd_rcdepth_ros.errors import DeviceError
from xd_rcdepth_ros.inference.backends import onnx
from xd_rcdepth_ros.inference.backends.onnx import CPU, CUDA, TENSORRT, onnx_backend, providers

GPU = torch.device("cuda", 1)
SIZE = (32, 64)
ALL = [TENSORRT, CUDA, CPU]


def depth_of(image, radar):
    return 5 + image[..., :1].transpose(2, 0, 1).astype(np.float32) / 10


class FakeRuntime:
    """ONNX Runtime on a machine with a GPU.

    Args:
        offered: Providers that it was built with.
        missing: Those of them whose libraries are not there.
        error: Share of the depth by which TensorRT is wrong.
    """

    def __init__(self, offered=ALL, missing=(), error=0.0):
        self.offered, self.missing, self.error, self.sessions = offered, missing, error, []

    def get_available_providers(self):
        return list(self.offered)

    def SessionOptions(self):
        return SimpleNamespace()

    def InferenceSession(self, data, options, providers):
        names = [name for name, _ in providers]
        assert set(names) <= set(self.offered)
        self.sessions.append(dict(providers))
        if "explodes" in self.missing and TENSORRT in names:
            raise RuntimeError("no engine could be built")
        used = [name for name in names if name not in self.missing]

        def run(outputs, inputs):
            depth = depth_of(inputs["image"][0], inputs["radar"][0])
            return [depth[None] * (1 + self.error * (TENSORRT in used))]

        return SimpleNamespace(get_providers=lambda: used, run=run)


@pytest.fixture
def make(monkeypatch, tmp_path):
    """Return a function that makes the backend that a runtime gives."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(onnx, "to_onnx", lambda network: b"graph and weights")
    twin = SimpleNamespace(run=depth_of, radar_channels=4)
    model = SimpleNamespace(network=lambda: None, twin=lambda device: twin)

    def make(runtime, precision, device=GPU):
        monkeypatch.setattr(onnx, "import_runtime", lambda backend, module: runtime)
        return onnx_backend(model, device, precision, 0, SIZE)

    return make


def test_tensorrt_then_cuda_then_cpu_of_those_that_are_offered():
    half = providers(ALL, GPU, "fp16", Path("/engines"))
    assert half == [
        (
            TENSORRT,
            {
                "device_id": 1,
                "trt_fp16_enable": True,
                "trt_engine_cache_enable": True,
                "trt_engine_cache_path": "/engines",
                "trt_timing_cache_enable": True,
                "trt_timing_cache_path": "/engines",
            },
        ),
        (CUDA, {"device_id": 1, "use_tf32": 0}),
        (CPU, {}),
    ]
    assert providers([CPU, CUDA], GPU, "fp16", Path("/engines")) == half[1:]
    assert providers(ALL, GPU, "fp32", Path("/engines")) == half[1:]
    assert providers(ALL, torch.device("cpu"), "fp32", Path("/engines")) == half[2:]


def test_auto_is_fp16_by_tensorrt_and_engines_lie_beside_the_graph_cache(make, tmp_path):
    runtime = FakeRuntime(error=0.01)
    backend, found = make(runtime, "auto")
    assert (backend.precision, backend.device) == ("fp16", "cuda:1")
    assert backend.note == f"by {TENSORRT}, {CUDA}, {CPU}" and "mean difference 1 %" in found
    folder = Path(runtime.sessions[0][TENSORRT]["trt_engine_cache_path"])
    assert folder.parent == tmp_path / "xd_rcdepth_ros" / "engines" and folder.is_dir()
    assert onnx.engine_folder(b"other weights") != folder


def test_where_engines_cannot_be_kept_they_are_built_anew(make, tmp_path):
    (tmp_path / "xd_rcdepth_ros").write_text("a file where the cache should be")
    runtime = FakeRuntime()
    assert make(runtime, "fp16")[0].precision == "fp16"
    assert runtime.sessions[0][TENSORRT] == {"device_id": 1, "trt_fp16_enable": True}


@pytest.mark.parametrize(
    ("runtime", "reason"),
    [
        (FakeRuntime([CUDA, CPU]), "runs in fp16 by TensorRT only"),
        (FakeRuntime(missing=[TENSORRT]), "runs in fp16 by TensorRT only"),
        (FakeRuntime(missing=["explodes"]), "no engine could be built"),
        (FakeRuntime(error=0.05), "changes the depth of road scenes too much"),
    ],
    ids=["not built in", "no library", "explodes", "wrong depth"],
)
def test_without_tensorrt_auto_is_fp32_by_cuda_and_fp16_is_refused(make, runtime, reason):
    backend, found = make(runtime, "auto")
    assert (backend.precision, backend.note) == ("fp32", f"by {CUDA}, {CPU}")
    assert "; fp32, since" in found and reason in found
    with pytest.raises((DeviceError, RuntimeError), match=reason):
        make(runtime, "fp16")


@pytest.mark.parametrize("runtime", [FakeRuntime([CPU]), FakeRuntime(missing=[CUDA, TENSORRT])])
def test_a_gpu_that_it_cannot_use_is_refused(make, runtime):
    for precision in ("auto", "fp32", "fp16"):
        with pytest.raises(DeviceError, match=r"offers only .* Install onnxruntime-gpu"):
            make(runtime, precision)


def test_on_a_cpu_it_is_fp32_and_no_other_provider_is_asked(make):
    runtime = FakeRuntime()
    backend, _ = make(runtime, "auto", torch.device("cpu"))
    assert (backend.precision, backend.note) == ("fp32", f"by {CPU}")
    assert runtime.sessions == [{CPU: {}}]
