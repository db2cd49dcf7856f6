# SPDX-License-Identifier: Apache-2.0
"""PyTorch on a GPU: buffers, graphs and turns; on the CPU by a device that does all at the last."""

import inspect
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from xd_rcdepth_ros.errors import DeviceError
from xd_rcdepth_ros.geometry import PinholeCamera, SensorFrame
from xd_rcdepth_ros.inference import DepthEstimator
from xd_rcdepth_ros.inference.backends import agreement, choice, cuda
from xd_rcdepth_ros.inference.backends.cuda import GRIDS, CudaBackend, cuda_backend
from xd_rcdepth_ros.inference.backends.cuda_device import CudaDevice
from xd_rcdepth_ros.inference.backends.model_file import ModelFile
from xd_rcdepth_ros.inference.backends.torch import TorchBackend
from xd_rcdepth_ros.network.prediction import DEPTH

CPU = torch.device("cpu")
GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU here")
SIZE = (32, 64)
FRAME, EAGER_FRAME = (["upload", "upload", way, "download", "wait"] for way in ("replay", "run"))


class FakeDevice:
    """A ``CudaDevice`` on the CPU whose stream is as late as CUDA's may be: it moves when awaited.

    Args:
        fault: ``""``, ``capture`` (nothing can be captured) or ``replay`` (replays do nothing).
    """

    def __init__(self, device=CPU, fault=""):
        self.device, self.calls = CPU, []
        self._fault, self._queue, self._pinned = fault, [], set()

    def place(self, network):
        return network

    def pinned(self, shape, dtype):
        made = self.allocate(shape, dtype)
        self._pinned.add(made.data_ptr())
        return made

    def allocate(self, shape, dtype):
        self.calls.append("allocate")
        return torch.zeros(shape, dtype=dtype)

    def copy(self, target, source):
        self.calls.append("download" if target.data_ptr() in self._pinned else "upload")
        self._queue.append(lambda: target.copy_(source))

    def run(self, work):
        self.calls.append("run")
        self._move()
        return work()

    def capture(self, work):
        self.calls.append("capture")
        if self._fault == "capture":
            raise RuntimeError("operation not permitted when stream is capturing")
        output = torch.full_like(work(), torch.nan)  # capturing computes nothing

        def replay():
            self.calls.append("replay")
            if self._fault != "replay":
                self._queue.append(lambda: output.copy_(work()))

        return output, replay

    def wait(self):
        self.calls.append("wait")
        self._move()

    def _move(self):
        while self._queue:
            self._queue.pop(0)()


class FakeNetwork(nn.Module):
    """A convolution that is large enough to tell frames and pixels apart."""

    config = SimpleNamespace(radar_channels=4)

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.convolution = nn.Conv2d(7, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3)

    def forward(self, image, radar):
        mixed = self.norm(self.convolution(torch.cat([image, radar / 50], dim=1)))
        return 50 * torch.sigmoid(mixed.float())


@pytest.fixture(params=["fake", pytest.param("gpu", marks=GPU)])
def device(request):
    return FakeDevice() if request.param == "fake" else CudaDevice(torch.device("cuda", 0))


def frames(count, size=SIZE):
    rng = np.random.default_rng(0)
    for _ in range(count):
        image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        yield image, rng.uniform(0, 60, (4, *size)).astype(np.float32)


def expected(image, radar):
    return TorchBackend(FakeNetwork(), CPU).run(image, radar)


def near(found, reference):
    np.testing.assert_allclose(found, reference, rtol=2e-3)  # TF32 on a GPU


def test_the_fake_has_the_calls_of_the_real_device():
    public = [name for name in vars(CudaDevice) if not name.startswith("_")]
    assert len(public) == 7
    for name in public:
        real, fake = (
            list(inspect.signature(getattr(kind, name)).parameters)
            for kind in (CudaDevice, FakeDevice)
        )
        assert fake == real, name


def test_each_frame_of_each_grid_has_the_depth_of_plain_pytorch(device):
    backend = CudaBackend(FakeNetwork(), device)
    for size in (SIZE, (64, 32), SIZE):
        for frame in frames(3, size):
            output = backend.run(*frame)
            assert output.shape == (3, *size) and output.dtype == np.float32
            near(output, expected(*frame))
    assert backend.note == "as CUDA graphs"


def test_a_result_outlives_the_next_frame(device):
    backend = CudaBackend(FakeNetwork(), device)
    results = [(backend.run(*frame), frame) for frame in frames(4)]
    for output, frame in results:
        near(output, expected(*frame))


def test_threads_take_turns_and_each_gets_the_depth_of_its_own_frame(device):
    backend = CudaBackend(FakeNetwork(), device)
    inputs = [*frames(8), *frames(8, (64, 32))] * 2
    with ThreadPoolExecutor(4) as threads:
        outputs = list(threads.map(lambda frame: backend.run(*frame), inputs))
    for output, frame in zip(outputs, inputs, strict=True):
        near(output, expected(*frame))


def test_after_the_first_frame_of_a_grid_nothing_is_allocated():
    device = FakeDevice()
    backend = CudaBackend(FakeNetwork(), device)
    (first, *others) = frames(4)
    backend.run(*first)
    assert device.calls == [
        *["allocate"] * 4, "upload", "upload", *["run"] * 3, "allocate", "download", "wait",
        "capture", "replay", "download", "wait", *FRAME,
    ]  # fmt: skip
    device.calls.clear()
    for frame in others:
        backend.run(*frame)
    assert device.calls == 3 * FRAME


def test_a_new_grid_is_captured_and_the_one_unused_the_longest_dropped():
    device = FakeDevice()
    backend = CudaBackend(FakeNetwork(), device)

    def captures(width):
        device.calls.clear()
        backend.run(*next(frames(1, (32, width))))
        return device.calls.count("capture")

    widths = [32 * n for n in range(1, GRIDS + 1)]
    assert [captures(width) for width in widths] == [1] * GRIDS
    assert [captures(width) for width in widths] == [0] * GRIDS
    assert captures(widths[0]) == 0
    assert captures(320) == 1
    assert captures(widths[0]) == 0  # it was in use
    assert captures(widths[1]) == 1


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("capture", "not permitted when stream is capturing"), ("replay", "another depth")],
)
def test_without_a_graph_the_network_goes_on_and_says_so_once(caplog, fault, reason):
    device = FakeDevice(fault=fault)
    backend = CudaBackend(FakeNetwork(), device)
    for size in (SIZE, (64, 32)):
        for frame in frames(2, size):
            near(backend.run(*frame), expected(*frame))
    assert device.calls.count("capture") == 1 and device.calls[-5:] == EAGER_FRAME
    assert backend.note.startswith("without CUDA graphs") and reason in backend.note
    (record,) = [r for r in caplog.records if "kernel by kernel" in r.message]
    assert record.levelname == "WARNING" and reason in record.message


def test_half_precision_is_that_of_the_convolutions():
    network = FakeNetwork()
    backend = CudaBackend(network, FakeDevice(), "bf16")
    (frame,) = frames(1)
    output, reference = backend.run(*frame), expected(*frame)
    assert backend.precision == "bf16" and output.dtype == np.float32
    assert 1e-5 < np.abs(output / reference - 1).mean() < 0.02
    assert network.convolution.weight.dtype == torch.float32  # the caller's is left alone


def test_half_precision_is_checked_on_road_scenes(monkeypatch):
    model = SimpleNamespace(
        network=FakeNetwork,
        config=FakeNetwork.config,
        twin=lambda device: TorchBackend(FakeNetwork(), device),
    )
    backend, found = cuda_backend(model, FakeDevice(), "bf16", SIZE)
    assert backend.precision == "bf16" and "bf16 on road scenes: mean difference" in found

    monkeypatch.setattr(cuda, "PRECISIONS", {**cuda.PRECISIONS, "fp16": torch.bfloat16})  # a CPU
    strict = dict.fromkeys(("fp16", "bf16"), agreement.Tolerance(1e-6))
    monkeypatch.setattr(agreement, "TOLERANCES", strict)
    with pytest.raises(DeviceError, match="changes the depth of road scenes too much"):
        cuda_backend(model, FakeDevice(), "bf16", SIZE)
    backend, found = cuda_backend(model, FakeDevice(), "auto", SIZE)
    assert backend.precision == "fp32" and found.startswith("; fp32, since backend 'torch' in fp16")


def test_the_estimator_takes_it_on_a_gpu_and_says_how_it_runs(monkeypatch):
    monkeypatch.setattr(choice, "select_device", lambda name: torch.device("cuda", 0))
    monkeypatch.setattr(choice, "CudaDevice", FakeDevice)
    twin = ModelFile.twin
    monkeypatch.setattr(ModelFile, "twin", lambda self, device, threads=0: twin(self, CPU, threads))
    estimator = DepthEstimator.load(None, "cuda", precision="fp32")
    assert isinstance(estimator.backend, CudaBackend)
    frame = SensorFrame(
        np.full((64, 96, 3), 90, np.uint8), PinholeCamera.from_focal(96, 64, 454.5, 454.5, 48, 32)
    )
    depth_m = estimator.estimate(frame).depth_m
    assert estimator.describe()["backend_note"] == "auto: PyTorch on a GPU; as CUDA graphs"
    monkeypatch.undo()
    reference = DepthEstimator.load(None, "cpu", "torch", "fp32")
    np.testing.assert_allclose(depth_m, reference.estimate(frame).depth_m, rtol=1e-4)


@GPU
@pytest.mark.parametrize("precision", ["auto", "fp32", "fp16", "bf16"])
def test_the_student_on_a_gpu_agrees_with_the_cpu(precision):
    gpu = DepthEstimator.load(None, "cuda:0", "torch", precision)
    assert gpu.info.precision == {"auto": "fp16"}.get(precision, precision)
    tolerance = agreement.Tolerance(0.01 if precision == "fp32" else 0.05)
    reference = DepthEstimator.load(None, "cpu", "torch", "fp32").backend
    for size in ((96, 160), (128, 256)):
        image, radar = agreement.made_up_frame(*size)
        depth_m = gpu.backend.run(image, radar)[DEPTH]
        assert (found := agreement.compare(
            depth_m, reference.run(image, radar)[DEPTH], tolerance
        )).holds, str(found)  # fmt: skip
    assert "as CUDA graphs" in gpu.describe()["backend_note"]
    frame = SensorFrame(image, PinholeCamera.from_focal(256, 128, 454.5, 454.5, 128, 64))
    assert gpu.explain(frame).max() == pytest.approx(1)
