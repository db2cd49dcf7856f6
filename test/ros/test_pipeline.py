# SPDX-License-Identifier: Apache-2.0
"""The pipeline around a network that fails, dawdles or is asked to explain; no DDS."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

pytestmark = pytest.mark.ros
for package in ("rclpy", "cv_bridge", "tf2_ros", "message_filters", "xd_rcdepth_ros.msg"):
    pytest.importorskip(package, reason=f"ROS is not built here: {package} cannot be imported")

from sensor_msgs.msg import Image  # noqa: E402
from tf2_ros import Buffer  # noqa: E402

from xd_rcdepth_ros.geometry import DepthResult, PinholeCamera  # noqa: E402
from xd_rcdepth_ros.ros.accounting import Complaints  # noqa: E402
from xd_rcdepth_ros.ros.configuration import NodeConfig  # noqa: E402
from xd_rcdepth_ros.ros.conversions import (  # noqa: E402
    array_to_image,
    info_from_camera,
    ns_to_stamp,
)
from xd_rcdepth_ros.ros.parameters import specs  # noqa: E402
from xd_rcdepth_ros.ros.pipeline import DepthPipeline  # noqa: E402
from xd_rcdepth_ros.ros.transforms import SweepTransforms  # noqa: E402

CAMERA = PinholeCamera.from_focal(32, 16, 30.0, 30.0, 15.5, 7.5, "camera")
NS = 1_000_000_000


class Estimator:
    """Says 10 m everywhere; fails at the stamps of ``bad``, waits for ``gate`` if it is set."""

    def __init__(self):
        self.info = SimpleNamespace(device="cpu", backend="torch", name="fake", sha256="0" * 64)
        self.bad: set[int] = set()
        self.gate: threading.Semaphore | None = None
        self.started = threading.Semaphore(0)
        self.explained = 0

    def estimate(self, frame, output_size="network"):
        self.started.release()
        if self.gate is not None:
            assert self.gate.acquire(timeout=10)
        if frame.stamp_ns in self.bad:
            raise RuntimeError("out of memory")
        depth = np.full(frame.image.shape[:2], 10.0, np.float32)
        return DepthResult(
            depth, frame.camera, frame.stamp_ns, frame.radar_raster(), timings_ms={"network": 1.0}
        )

    def explain(self, frame, target="mean", region=None):
        self.explained += 1
        raise RuntimeError("no gradient")


class Outputs:
    """Remembers what was published."""

    def __init__(self):
        self.depths, self.statuses, self.looked_at = [], [], False

    def wanted(self, *topics):
        return self.looked_at

    def publish_depth(self, result, header, config):
        self.depths.append(result.stamp_ns)

    def publish_status(self, status):
        self.statuses.append(status)

    def publish_pictures(self, result, rgb, header, config):
        pass


class Bench:
    def __init__(self, **parameters):
        values = {spec.name: spec.default for spec in specs(())} | {"radars": ("",)} | parameters
        self.said, self.outputs, self.estimator = [], Outputs(), Estimator()
        self.pipeline = DepthPipeline(
            NodeConfig.from_values(values),
            self.estimator,
            SweepTransforms(Buffer()),
            self.outputs,
            Complaints(lambda level, text: self.said.append(text)),
            lambda: 0,
        )
        self.pipeline.on_camera_info(info_from_camera(CAMERA, self.header(0)))

    def header(self, stamp_ns):
        header = Image().header
        header.stamp, header.frame_id = ns_to_stamp(stamp_ns), "camera"
        return header

    def image(self, stamp_ns):
        pixels = np.zeros((16, 32, 3), np.uint8)
        self.pipeline.on_image(array_to_image(pixels, "rgb8", self.header(stamp_ns)))

    def settle(self):
        end = time.monotonic() + 10
        while self.pipeline.ledger.state().in_flight:
            assert time.monotonic() < end, self.pipeline.ledger.state()
            time.sleep(0.005)
        time.sleep(0.02)  # status and pictures follow the depth
        return self.pipeline.ledger.state()


@pytest.fixture
def bench():
    benches = []

    def make(**parameters):
        benches.append(Bench(**parameters))
        return benches[-1]

    yield make
    for made in benches:
        made.pipeline.stop()


def test_an_error_in_the_network_costs_one_frame(bench):
    b = bench()
    b.estimator.bad = {2}
    for stamp_ns in (1, 2, 3):
        b.image(stamp_ns)
        b.settle()
    state = b.settle()
    assert b.outputs.depths == [1, 3]
    assert state.drops == {"worker_error": 1} and (state.frames_in, state.frames_out) == (3, 2)
    assert any("RuntimeError: out of memory" in text for text in b.said)


def test_a_slow_network_gets_the_newest_frame(bench):
    b = bench()
    b.estimator.gate = threading.Semaphore(0)
    b.image(1)
    assert b.estimator.started.acquire(timeout=10)
    for stamp_ns in range(2, 30):
        b.image(stamp_ns)
    b.estimator.gate.release(100)
    state = b.settle()
    assert b.outputs.depths == [1, 29]
    assert state.drops == {"newer_frame": 27}
    last = b.outputs.statuses[-1]
    assert (last.frames_in, last.frames_out) == (29, 2)
    assert list(last.drop_reasons) == ["newer_frame"] and list(last.drop_counts) == [27]


def test_an_error_in_the_saliency_costs_no_frame(bench):
    b = bench(**{"saliency.rate": 30.0})
    b.outputs.looked_at = True
    b.image(1)
    b.settle()
    time.sleep(0.1)
    b.image(2)
    state = b.settle()
    assert b.outputs.depths == [1, 2] and state.drops == {}
    assert b.estimator.explained >= 1 and state.events["picture_errors"] >= 1


def test_saliency_keeps_to_its_rate(bench):
    b = bench(**{"saliency.rate": 0.05})
    b.outputs.looked_at = True
    for stamp_ns in range(1, 6):
        b.image(stamp_ns)
        b.settle()
    assert b.estimator.explained == 1 and b.pipeline.saliency_maps == 1


def test_what_waits_at_the_end_is_accounted_for(bench):
    b = bench()
    b.estimator.gate = threading.Semaphore(0)
    b.image(1)
    assert b.estimator.started.acquire(timeout=10)
    b.image(2)
    stopper = threading.Thread(target=b.pipeline.stop)
    stopper.start()
    b.estimator.gate.release(10)
    stopper.join(10)
    state = b.pipeline.ledger.state()
    assert (state.frames_in, state.frames_out, state.drops) == (2, 1, {"deactivated": 1})


def test_a_clock_that_goes_back_drops_what_waits(bench):
    b = bench()
    b.estimator.gate = threading.Semaphore(0)
    b.image(1000 * NS)
    assert b.estimator.started.acquire(timeout=10)
    b.image(1001 * NS)
    b.image(5 * NS)
    b.estimator.gate.release(10)
    state = b.settle()
    assert b.outputs.depths == [1000 * NS, 5 * NS]
    assert state.drops == {"time_reset": 1} and state.events["time_resets"] == 1


def test_the_camera_info_may_come_a_little_after_the_image(bench):
    b = bench(**{"sync.max_wait": 1.0})
    wide = PinholeCamera.from_focal(64, 16, 30.0, 30.0, 31.5, 7.5, "camera")
    pixels = np.zeros((16, 64, 3), np.uint8)
    b.pipeline.on_image(array_to_image(pixels, "rgb8", b.header(7)))
    time.sleep(0.05)
    b.pipeline.on_camera_info(info_from_camera(wide, b.header(7)))
    b.settle()
    assert b.outputs.depths == [7]
