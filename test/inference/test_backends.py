# SPDX-License-Identifier: Apache-2.0
"""Backends: each says what PyTorch says, or is refused with its reason."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from xd_rcdepth_ros.errors import ConfigurationError, DeviceError
from xd_rcdepth_ros.geometry import (
    PinholeCamera,
    RadarPoints,
    RadarSweep,
    RigidTransform,
    SensorFrame,
)
from xd_rcdepth_ros.inference import DepthEstimator
from xd_rcdepth_ros.inference.backends import BACKENDS, agreement, checked, choose_backend
from xd_rcdepth_ros.inference.backends.agreement import TOLERANCES, compare, made_up_frame
from xd_rcdepth_ros.inference.backends.graph import takes_halved
from xd_rcdepth_ros.inference.backends.model_file import ModelFile
from xd_rcdepth_ros.inference.backends.onnx import OnnxBackend
from xd_rcdepth_ros.inference.backends.openvino import OpenVINOBackend
from xd_rcdepth_ros.inference.backends.torch import TorchBackend
from xd_rcdepth_ros.network import Teacher, load_checkpoint
from xd_rcdepth_ros.network.prediction import DEPTH

PROJECT = Path(__file__).resolve().parents[2]
MODEL = PROJECT / "models" / "student.safetensors"
CPU = torch.device("cpu")
FORWARD = RigidTransform(np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]]), np.zeros(3))
CAMERA = PinholeCamera.from_focal(320, 128, 454.5, 454.5, 159.5, 63.5)


def needs(*modules):
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


OPENVINO = pytest.param("openvino", marks=needs("openvino"))
ONNX = pytest.param("onnx", marks=needs("onnx", "onnxruntime"))


def network():
    return load_checkpoint(MODEL)[0]


@pytest.fixture(scope="module")
def make(convert):
    """Return a function that makes the backend of a network, here the shipped student, once."""
    made = {}

    def backend(name, model):
        if name == "openvino":
            return OpenVINOBackend(convert(model, takes_halved(model)), "fp32", threads=1)
        return OnnxBackend.from_network(model, CPU, threads=1)

    def make(name, model=None):
        if model is not None:
            return backend(name, model)
        if name not in made:
            made[name] = backend(name, network())
        return made[name]

    return make


def frames(*sizes):
    """A picture of a road scene, noise, and the frame of the start-up check, at each size."""
    picture = cv2.imread(str(PROJECT / "docs/images/simulation_places.jpg"))[..., ::-1]
    rng = np.random.default_rng(1)
    for height, width in sizes:
        made_up, radar = made_up_frame(height, width)
        scene = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        yield np.ascontiguousarray(scene), radar
        yield rng.integers(0, 256, (height, width, 3), dtype=np.uint8), radar
        yield made_up, np.zeros_like(radar)


def scene(radar=True):
    points = RadarPoints.from_arrays(
        np.random.default_rng(0).uniform([5, -6, -1], [60, 6, 1], (60, 3))
    )
    image = next(frames((128, 320)))[0]
    sweeps = (RadarSweep(points, FORWARD),) if radar else ()
    return SensorFrame(image, CAMERA, sweeps)


@pytest.fixture(scope="module")
def loaded(convert):
    """Estimators of the shipped student by backend, made once."""
    made = {}

    def load(name):
        if name not in made:
            made[name] = DepthEstimator.load(MODEL, "cpu", name, "fp32", threads=1)
        return made[name]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checked, "to_openvino", convert)
        yield load


@pytest.mark.parametrize("name", [OPENVINO, ONNX])
def test_it_agrees_with_pytorch_at_any_size(make, name):
    backend, twin = make(name), TorchBackend(network(), CPU)
    assert (backend.name, backend.device, backend.precision) == (name, "cpu", "fp32")
    assert backend.note == {"onnx": "by CPUExecutionProvider"}.get(name, "")
    for image, radar in frames((96, 160), (128, 256), (96, 160), (64, 320)):
        output = backend.run(image, radar)
        assert output.shape == (3, *image.shape[:2]) and output.dtype == np.float32
        np.testing.assert_allclose(output, twin.run(image, radar), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", [OPENVINO, ONNX])
def test_a_result_outlives_the_next_frame(make, name):
    backend = make(name)
    (first, radar), (second, _), _ = frames((96, 160))
    kept = backend.run(first, radar)
    copy = kept.copy()
    assert not np.allclose(backend.run(second, radar), copy)
    np.testing.assert_array_equal(kept, copy)


@pytest.mark.parametrize("name", [OPENVINO, ONNX])
def test_the_teacher_runs_too(make, name):
    torch.manual_seed(0)
    model = Teacher().eval().requires_grad_(False)
    backend, twin = make(name, model), TorchBackend(model, CPU)
    agreement.check_agreement(backend, twin, (64, 96))
    agreement.check_agreement(backend, twin, (96, 64))


@needs("openvino")
def test_openvino_compiles_for_the_first_grids_and_once_for_all_others(convert, monkeypatch):
    import xd_rcdepth_ros.inference.backends.openvino as module

    compiled = []

    def compile_model(model, *how):
        compiled.append(model.inputs[0].partial_shape.is_dynamic)
        return module_compile(model, *how)

    module_compile = module.compile_model
    graph = convert(network())
    backend = OpenVINOBackend(graph, "fp32", 1, grids=2)
    monkeypatch.setattr(module, "compile_model", compile_model)
    sizes = [(64, 96), (96, 64), (64, 128), (64, 96), (96, 96)]
    outputs = [backend.run(*made_up_frame(*size)) for size in sizes]
    assert compiled == [False, False, True]
    for size, output in zip(sizes, outputs, strict=True):
        expected = OpenVINOBackend(graph, "fp32", 1, grids=0).run(*made_up_frame(*size))
        np.testing.assert_allclose(output, expected, rtol=1e-3, atol=1e-3)


@needs("openvino")
def test_a_graph_without_the_halving_says_the_same(convert):
    backends = [OpenVINOBackend(convert(network(), halved), "fp32", 1) for halved in (False, True)]
    for image, radar in frames((96, 160)):
        whole, halved = (backend.run(image, radar) for backend in backends)
        np.testing.assert_allclose(whole, halved, rtol=1e-4, atol=1e-4)


@needs("openvino")
def test_openvino_in_bf16_says_so_and_keeps_the_depth_of_road_scenes(convert):
    graph = convert(network())
    try:
        backend = OpenVINOBackend(graph, "bf16", 1)
    except DeviceError as error:
        assert "does not compute in bf16" in str(error)
        pytest.skip(f"no bfloat16 here: {error}")
    assert backend.precision == "bf16"
    found = agreement.check_precision(backend, OpenVINOBackend(graph), (128, 320), 4)
    assert 1e-4 < found.mean < 0.02  # it did compute in half precision


@needs("openvino")
def test_openvino_refuses_a_precision_that_the_cpu_lacks(monkeypatch):
    import xd_rcdepth_ros.inference.backends.openvino as module

    class FakeCore:
        def get_property(self, *names):
            return ["FP32", "INT8"]

    monkeypatch.setattr(module, "openvino_core", FakeCore)
    with pytest.raises(DeviceError, match=r"does not compute in bf16 .* offers FP32, INT8"):
        OpenVINOBackend(None, "bf16")


@pytest.mark.parametrize("name", [OPENVINO, ONNX])
def test_estimator_gives_the_same_depth(loaded, name):
    frame = scene()
    fast, reference = loaded(name).estimate(frame), loaded("torch").estimate(frame)
    np.testing.assert_allclose(fast.depth_m, reference.depth_m, rtol=1e-3, atol=1e-3)
    assert set(fast.timings_ms) == {"preprocess", "rasterize", "network", "postprocess"}
    identity = loaded(name).describe()
    assert (identity["backend"], identity["precision"]) == (name, "fp32")
    assert "agrees with PyTorch" in identity["backend_note"]


@pytest.mark.parametrize("name", [OPENVINO, ONNX])
def test_explanations_come_from_the_twin_in_pytorch(loaded, name):
    frame = scene()
    fast, reference = loaded(name), loaded("torch")
    for method in ("grad_cam", "gradient_x_input"):
        heat = fast.explain(frame, "near", method=method)
        assert heat.max() == pytest.approx(1)
        np.testing.assert_allclose(heat, reference.explain(frame, "near", method=method), atol=1e-4)
    (shares,), (expected,) = fast.attribute_radar(frame), reference.attribute_radar(frame)
    assert shares.sum() == pytest.approx(1)
    np.testing.assert_allclose(shares, expected, atol=1e-4)


def test_auto_is_the_fastest_that_is_there(loaded):
    info = loaded("auto").info
    expected = "openvino" if importlib.util.find_spec("openvino") else "torch"
    assert info.backend == expected and info.backend_note.startswith("auto: ")
    assert loaded("torch").info.backend_note == "as asked for"
    frame = scene(radar=False)
    np.testing.assert_allclose(
        loaded("auto").estimate(frame).depth_m, loaded("torch").estimate(frame).depth_m, rtol=1e-3
    )


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [
        ("openvino", "openvino", "openvino"),
        ("onnx", "onnx", "onnx"),
        ("onnx", "onnxruntime", "onnx"),
    ],
)
def test_an_absent_backend_is_refused_by_name_and_auto_does_without(
    monkeypatch, name, module, extra
):
    if name == "onnx" and importlib.util.find_spec("onnx") is None:
        module = "onnx"
    monkeypatch.setitem(sys.modules, module, None)  # as if it were not installed
    with pytest.raises(DeviceError, match=rf"{module}.*pip install 'xd-rcdepth-ros\[{extra}\]'"):
        choose_backend(ModelFile(MODEL), name, "cpu")
    if name == "openvino":
        choice = choose_backend(ModelFile(MODEL), "auto", "cpu")
        assert choice.backend.name == "torch"
        assert choice.note.startswith("auto: PyTorch, since") and "xd-rcdepth-ros" in choice.note


@needs("openvino")
@pytest.mark.parametrize("fault", ["one pixel off", "not a number", "explodes"])
def test_a_backend_that_disagrees_or_fails_is_refused_and_auto_does_without(
    monkeypatch, tmp_path, convert, fault
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # nothing has been checked yet
    monkeypatch.setattr(checked, "to_openvino", convert)
    monkeypatch.setattr(checked.CheckedGraph, "_last", None)
    right = OpenVINOBackend.run

    def wrong(self, image, radar):
        if fault == "explodes":
            raise RuntimeError("illegal instruction")
        output = right(self, image, radar)
        wrong_m = output[DEPTH, 3, 5] * 1.01 if fault == "one pixel off" else np.nan
        output[DEPTH, 3, 5] = wrong_m
        return output

    monkeypatch.setattr(OpenVINOBackend, "run", wrong)
    expected = "illegal instruction" if fault == "explodes" else "does not agree with PyTorch"
    with pytest.raises(DeviceError, match=expected):
        choose_backend(ModelFile(MODEL), "openvino", size=(64, 96))
    choice = choose_backend(ModelFile(MODEL), "auto", "cpu", size=(64, 96))
    assert choice.backend.name == "torch" and expected in choice.note


def test_comparison_by_hand():
    reference_m = np.array([[0.5, 10.0], [20.0, 40.0]])
    found = compare(reference_m + np.array([[0, 0], [1, 0]]), reference_m, TOLERANCES["fp32"])
    assert found.worst == pytest.approx(0.05) and found.worst_m == pytest.approx(1)
    assert found.mean == pytest.approx(0.0125) and not found.holds
    assert compare(reference_m + 5e-4, reference_m, TOLERANCES["fp32"]).worst == pytest.approx(5e-4)
    assert compare(reference_m, reference_m, TOLERANCES["fp32"]).holds
    for bad in (reference_m * np.nan, reference_m[:1], reference_m * np.inf):
        assert not compare(bad, reference_m, TOLERANCES["bf16"]).holds


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"backend": "tensorrt"}, ConfigurationError, r"'auto', 'torch', 'openvino', 'onnx'"),
        ({"threads": -1}, ConfigurationError, "threads is -1"),
        ({"backend": "onnx", "precision": "bf16"}, ConfigurationError, "runs in fp32"),
        ({"backend": "openvino", "precision": "fp16"}, ConfigurationError, "not supported on the"),
        ({"backend": "openvino", "device": "cuda:99"}, DeviceError, "cuda:99"),
    ],
)
def test_wrong_options_are_refused(options, error, text):
    with pytest.raises(error, match=text):
        choose_backend(ModelFile(MODEL), **{"device": "cpu", **options})


@pytest.mark.parametrize("name", ["torch", OPENVINO, ONNX])
def test_threads_are_as_asked_for(loaded, name):
    assert loaded(name).info.threads == loaded(name).describe()["threads"] == 1


def test_another_camera_is_another_grid_and_counted(loaded):
    estimator = loaded("auto")
    estimator.warm_up(CAMERA)
    assert estimator.describe()["grid_changes"] == 0
    small = SensorFrame(
        np.zeros((96, 160, 3), np.uint8), PinholeCamera.from_focal(160, 96, 454.5, 454.5, 80, 48)
    )
    shapes = [estimator.estimate(f).depth_m.shape for f in (scene(), small, small, scene())]
    assert shapes == [(128, 320), (96, 160), (96, 160), (128, 320)]
    assert estimator.describe()["grid_changes"] == 2


@needs("openvino")
def test_openvino_does_not_report_to_anyone():
    """Its telemetry package, which sends at each import, never loads."""
    script = (
        "import sys\n"
        "from xd_rcdepth_ros.inference.backends.graph import import_openvino\n"
        "import_openvino()\n"
        "assert 'openvino' in sys.modules and sys.modules['openvino_telemetry'] is None\n"
        "assert not [m for m in sys.modules if m.startswith('openvino_telemetry.')]\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment)


def test_every_backend_is_a_choice_of_the_node():
    from xd_rcdepth_ros.ros.parameters.table import NodeParameters

    (spec,) = (spec for spec in NodeParameters.specs() if spec.name == "backend")
    assert spec.choices == ("auto", *BACKENDS)
