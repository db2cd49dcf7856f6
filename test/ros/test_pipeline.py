# SPDX-License-Identifier: Apache-2.0
"""The pipeline around a network that fails, dawdles or is asked to explain; no DDS."""

from __future__ import annotations

import math
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

pytestmark = pytest.mark.ros
for package in ("rclpy", "cv_bridge", "tf2_ros", "message_filters", "xd_rcdepth_ros.msg"):
    pytest.importorskip(package, reason=f"ROS is not built here: {package} cannot be imported")

from geometry_msgs.msg import TransformStamped  # noqa: E402
from sensor_msgs.msg import Image, PointField  # noqa: E402
from sensor_msgs_py import point_cloud2  # noqa: E402
from tf2_ros import Buffer  # noqa: E402

from xd_rcdepth_ros.geometry import (  # noqa: E402
    DepthResult,
    PinholeCamera,
    RadarPoints,
    RigidTransform,
)
from xd_rcdepth_ros.recordings.pointcloud import fields_of, radar_cloud  # noqa: E402
from xd_rcdepth_ros.ros.accounting import Complaints  # noqa: E402
from xd_rcdepth_ros.ros.conversions import (  # noqa: E402
    array_to_image,
    info_from_camera,
    ns_to_stamp,
    rigid_to_transform,
)
from xd_rcdepth_ros.ros.explanations import Explanations  # noqa: E402
from xd_rcdepth_ros.ros.outputs import RateLimit  # noqa: E402
from xd_rcdepth_ros.ros.parameters.configuration import NodeConfig  # noqa: E402
from xd_rcdepth_ros.ros.pipeline import DepthPipeline  # noqa: E402
from xd_rcdepth_ros.ros.transforms import SweepTransforms  # noqa: E402

CAMERA = PinholeCamera.from_focal(32, 16, 30.0, 30.0, 15.5, 7.5, "camera")
NS = 1_000_000_000
HEATMAP, ATTRIBUTION = "~/saliency/heatmap", "~/radar/attribution"


TIMINGS_MS = {"network": 1.0}


class FakeEstimator:
    """Says 10 m everywhere; fails at the stamps of ``bad``, waits for ``gate`` if it is set."""

    def __init__(self):
        self.info = SimpleNamespace(device="cpu", backend="torch", identity="fake 0123456789ab")
        self.bad: set[int] = set()
        self.gate: threading.Semaphore | None = None
        self.started = threading.Semaphore(0)
        self.explained = 0
        self.asked: list[tuple] = []
        self.sweeps: tuple = ()
        self.prepared: list[int] = []
        self.error: float | None = None

    def prepare(self, frame):
        self.prepared.append(frame.stamp_ns)
        return frame

    def infer(self, frame, output_size="network"):
        self.started.release()
        self.sweeps = frame.radar
        if self.gate is not None:
            assert self.gate.acquire(timeout=10)
        if frame.stamp_ns in self.bad:
            raise RuntimeError("out of memory")
        depth = np.full(frame.image.shape[:2], 10.0, np.float32)
        error = None if self.error is None else np.full_like(depth, self.error)
        return DepthResult(
            depth, frame.camera, frame.stamp_ns, frame.radar_raster(), error, timings_ms=TIMINGS_MS
        )

    def explain(self, frame, target="mean", region=None, method="grad_cam"):
        self.explained += 1
        self.asked.append((target, region, method))
        raise RuntimeError("no gradient")

    def attribute_radar(self, frame, target, region, method, should_continue):
        self.asked.append((target, region, method))
        return tuple(np.full(len(s.points), 0.5, np.float32) for s in frame.radar)


class FakeOutputs:
    """Remembers what was published."""

    def __init__(self):
        self.depths, self.statuses, self.attributions = [], [], []
        self.looked_at: set[str] = set()

    def wanted(self, *topics):
        return bool(self.looked_at & set(topics))

    def publish_attribution(self, frame, shares, header):
        self.attributions.append((frame, shares, header))

    def publish_depth(self, result, header, config):
        self.depths.append(result.stamp_ns)

    def publish_status(self, status):
        self.statuses.append(status)

    def publish_pictures(self, result, frame, header, config):
        pass


class Bench:
    def __init__(self, radars=(), **parameters):
        values = {"radars": radars or ("",)} | parameters
        self.said, self.outputs, self.estimator = [], FakeOutputs(), FakeEstimator()
        self.pipeline = DepthPipeline(
            NodeConfig.from_values(values),
            self.estimator,
            SweepTransforms(self.mounted()),
            self.outputs,
            Complaints(lambda level, text: self.said.append(text)),
            lambda: 0,
        )
        self.pipeline.on_camera_info(info_from_camera(CAMERA, self.header(0)))

    def mounted(self):
        """A buffer in which the radar sits in the camera, looking along its axis."""
        buffer, mounting = Buffer(), TransformStamped(child_frame_id="radar")
        mounting.header.frame_id = "camera"
        rotation = np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]])
        mounting.transform = rigid_to_transform(RigidTransform(rotation, np.zeros(3)))
        buffer.set_transform_static(mounting, "test")
        return buffer

    def radar(self, stamp_ns, name="front", velocity_mps=10.0):
        """One return 20 m ahead that recedes; its compensated velocity is the same."""
        points = RadarPoints.from_arrays(
            [[20.0, 0.0, 0.0]], [5.0], [[velocity_mps, 0.0]], [[velocity_mps, 0.0]]
        )
        array = radar_cloud(points)
        fields = [
            PointField(name=f.name, offset=f.offset, datatype=f.datatype, count=f.count)
            for f in fields_of(array.dtype)
        ]
        header = self.header(stamp_ns)
        header.frame_id = "radar"
        self.pipeline.on_radar(name, point_cloud2.create_cloud(header, fields, array))

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
            assert time.monotonic() < end, (self.pipeline.ledger.state(), self.said)
            self.pipeline.synchronizer.poll(time.monotonic())
            time.sleep(0.005)
        time.sleep(0.02)  # status and pictures follow the depth
        return self.pipeline.ledger.state()

    def wait_until_prepared(self, stamp_ns):
        end = time.monotonic() + 10
        while stamp_ns not in self.estimator.prepared:
            assert time.monotonic() < end, self.estimator.prepared
            time.sleep(0.005)
        time.sleep(0.02)  # it is in the slot before the network by now

    def explained(self):
        """Wait until nothing is being explained."""
        time.sleep(0.02)
        while not self.pipeline.explanations._worker.idle:
            time.sleep(0.005)


@pytest.fixture
def bench():
    benches = []

    def make(radars=(), **parameters):
        benches.append(Bench(radars, **parameters))
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


@pytest.mark.parametrize(
    ("error", "greatest", "valid_share", "median"),
    [(None, 0.01, 1.0, math.nan), (0.3, 0.5, 1.0, 0.3), (0.3, 0.2, 0.0, math.nan)],
)
def test_depth_is_published_only_where_it_is_trusted(bench, error, greatest, valid_share, median):
    b = bench(**{"depth.max_error": greatest})
    b.estimator.error = error
    b.image(1)
    b.settle()
    (status,) = b.outputs.statuses
    assert (status.valid_share, status.far_share) == (valid_share, 0.0)
    assert status.error_median == pytest.approx(median, nan_ok=True)
    assert status.model == b.estimator.info.identity


def test_a_slow_network_gets_the_newest_frame(bench):
    b = bench()
    b.estimator.gate = threading.Semaphore(0)
    b.image(1)
    assert b.estimator.started.acquire(timeout=10)
    for stamp_ns in range(2, 30):
        b.image(stamp_ns)
    b.wait_until_prepared(29)
    b.estimator.gate.release(100)
    state = b.settle()
    assert b.outputs.depths == [1, 29]
    assert state.drops == {"newer_frame": 27}
    last = b.outputs.statuses[-1]
    assert (last.frames_in, last.frames_out) == (29, 2)
    assert list(last.drop_reasons) == ["newer_frame"] and list(last.drop_counts) == [27]


def test_the_next_frame_is_prepared_while_the_network_computes(bench):
    b = bench()
    b.estimator.gate = threading.Semaphore(0)
    b.image(1)
    assert b.estimator.started.acquire(timeout=10)
    b.image(2)
    b.wait_until_prepared(2)  # the network still holds the first
    assert b.outputs.depths == [] and b.pipeline.ledger.state().in_flight == 2
    b.estimator.gate.release(2)
    b.settle()
    assert b.outputs.depths == [1, 2]
    stages = set(b.outputs.statuses[-1].stage_names)
    assert {"wait", "decode", "transforms", "queue", "network", "publish"} == stages


def test_publishing_does_not_hold_up_the_network(bench):
    b = bench()
    publishing = threading.Semaphore(0)
    publish_depth = b.outputs.publish_depth
    b.outputs.publish_depth = lambda *item: publishing.acquire(timeout=10) and publish_depth(*item)
    for stamp_ns in (1, 2, 3):
        b.image(stamp_ns)
        assert b.estimator.started.acquire(timeout=10)
    publishing.release(3)
    state = b.settle()
    assert b.outputs.depths == [1, 2, 3] and state.drops == {}


def test_an_error_in_the_saliency_costs_no_frame(bench):
    b = bench(**{"saliency.rate": 30.0})
    b.outputs.looked_at = {HEATMAP}
    b.image(1)
    b.settle()
    time.sleep(0.1)
    b.image(2)
    state = b.settle()
    assert b.outputs.depths == [1, 2] and state.drops == {}
    assert b.estimator.explained >= 1 and state.events["picture_errors"] >= 1


def test_saliency_keeps_to_its_rate(bench):
    b = bench(**{"saliency.rate": 0.05})
    b.outputs.looked_at = {HEATMAP}
    for stamp_ns in range(1, 6):
        b.image(stamp_ns)
        b.settle()
    assert b.estimator.explained == 1 and b.pipeline.explanations.saliency_maps == 1


def test_what_waits_at_the_end_is_accounted_for(bench):
    b = bench()
    b.estimator.gate = threading.Semaphore(0)
    b.image(1)
    assert b.estimator.started.acquire(timeout=10)
    b.image(2)
    b.wait_until_prepared(2)
    stopper = threading.Thread(target=b.pipeline.stop)
    stopper.start()
    while not b.pipeline.ledger.state().drops:
        time.sleep(0.005)
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
    b.wait_until_prepared(1001 * NS)
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


COMPENSATED = {
    "radar.front.fields.vx_comp": "vx_comp",
    "radar.front.fields.vy_comp": "vy_comp",
}


@pytest.mark.parametrize(("shift", "depth_m"), [(False, 20.0), (True, 20.5)])
def test_moving_returns_are_shifted_if_asked_for(bench, shift, depth_m):
    b = bench(("front",), shift_moving_returns=shift, **COMPENSATED)
    b.radar(1 * NS)
    b.image(1 * NS + NS // 20)  # 50 ms later, at 10 m/s
    b.settle()
    assert b.estimator.sweeps[0].points.position_m[0, 0] == pytest.approx(depth_m)
    assert b.outputs.statuses[-1].radar_returns_in_image[0] == 1


@pytest.mark.parametrize(("max_wait_s", "names"), [(0.0, []), (2.0, ["front"])])
def test_late_radar_is_waited_for_as_long_as_stated(bench, max_wait_s, names):
    b = bench(("front",), **{"sync.max_wait": max_wait_s})
    b.image(NS)
    b.pipeline.synchronizer.poll(time.monotonic())
    b.radar(NS)
    b.settle()
    assert list(b.outputs.statuses[-1].radar_names) == names


@pytest.mark.parametrize(("max_lead_s", "waits"), [(0.005, 0), (0.02, 1)])
def test_how_long_after_the_image_a_nearer_sweep_may_be_measured_can_be_set(
    bench, max_lead_s, waits
):
    b = bench(("front",), **{"sync.max_lead": max_lead_s, "sync.max_wait": 2.0})
    for stamp_ms in (1000, 1100, 1200):
        b.radar(stamp_ms * NS // 1000)
    b.image(1290 * NS // 1000)  # the next sweep is expected 10 ms after it
    assert b.pipeline.synchronizer.pending == waits


@pytest.mark.parametrize(("time_jump_s", "depths"), [(0.5, [2, 1]), (10.0, [2])])
def test_how_far_back_a_new_beginning_is_can_be_set(bench, time_jump_s, depths):
    b = bench(**{"sync.time_jump": time_jump_s})
    for second in (2, 1):
        b.image(second * NS)
        b.settle()
    assert b.outputs.depths == [second * NS for second in depths]


@pytest.mark.parametrize(
    ("parameters", "asked"),
    [
        ({}, ("mean", None, "grad_cam")),
        ({"saliency.target": "near"}, ("near", None, "grad_cam")),
        ({"saliency.method": "grad_cam_pp"}, ("mean", None, "grad_cam_pp")),
        (
            {"saliency.target": "region", "saliency.region": (0.1, 0.2, 0.3, 0.4)},
            ("region", (0.1, 0.2, 0.3, 0.4), "grad_cam"),
        ),
    ],
)
def test_what_is_explained_and_how_reaches_the_network(bench, parameters, asked):
    b = bench(**parameters)
    b.outputs.looked_at = {HEATMAP}
    b.image(1)
    b.settle()
    b.explained()
    assert b.estimator.asked == [asked]


@pytest.mark.parametrize("method", ["gradient_x_input", "leave_one_out"])
def test_attribution_has_its_own_method_and_the_saliencys_target(bench, method):
    b = bench(("front",), **{"attribution.method": method, "saliency.target": "near"})
    b.outputs.looked_at = {ATTRIBUTION}
    b.radar(NS)
    b.image(NS)
    b.settle()
    b.explained()
    assert b.estimator.asked == [("near", None, method)]
    ((frame, shares, header),) = b.outputs.attributions
    assert frame.stamp_ns == NS and header.frame_id == "camera"
    assert [len(share) for share in shares] == [1]
    effort = b.pipeline.explanations
    assert (effort.saliency_maps, effort.radar_attributions) == (0, 1)


def test_nothing_is_explained_while_nobody_looks(bench):
    b = bench(("front",), **{"saliency.rate": 30.0})
    for second in range(1, 4):
        b.radar(second * NS)
        b.image(second * NS)
        b.settle()
    b.explained()
    assert b.estimator.asked == []


def test_explaining_takes_no_more_than_its_share_of_the_time():
    """Each map takes 0.4 s; with a share of 0.1 there may be one each 4 s, whatever the rate."""
    now_s = [0.0]

    def publish_saliency(heat, rgb, header):
        now_s[0] += 0.4

    taken = []
    estimator = SimpleNamespace(explain=lambda *_: np.zeros((1, 1)))
    outputs = SimpleNamespace(
        wanted=lambda *topics: HEATMAP in topics, publish_saliency=publish_saliency
    )
    values = {"radars": ("",), "saliency.rate": 30.0, "saliency.share": 0.1}
    explanations = Explanations(
        NodeConfig.from_values(values), estimator, outputs, lambda *_: None, lambda: now_s[0]
    )
    assembly = SimpleNamespace(frame=SimpleNamespace(image=None), header=None)
    for _ in range(400):  # 40 s of frames at 10 Hz
        before, start_s = explanations.saliency_maps, now_s[0]
        explanations.offer(assembly)
        while not explanations._worker.idle:
            time.sleep(0.001)
        if explanations.saliency_maps > before:
            taken.append(start_s)
        now_s[0] += 0.1
    explanations.stop()
    assert 8 <= len(taken) == explanations.saliency_maps <= 15
    assert min(np.diff(taken)) >= 3.9


@pytest.mark.parametrize(("timeout_s", "waited"), [(0.0, False), (0.3, True)])
def test_odometry_is_waited_for_as_long_as_stated(bench, timeout_s, waited):
    b = bench(("front",), tf_timeout=timeout_s)
    buffer = b.pipeline._transforms._buffer
    pose = TransformStamped(child_frame_id="camera")
    pose.header.frame_id, pose.header.stamp = "odom", ns_to_stamp(NS)
    pose.transform.rotation.w = 1.0
    buffer.set_transform(pose, "test")  # older than the stamps
    b.radar(2 * NS)
    b.image(2 * NS)
    time.sleep(0.1)
    pose.header.stamp = ns_to_stamp(3 * NS)
    buffer.set_transform(pose, "test")
    b.settle()
    status = b.outputs.statuses[-1]
    assert (status.ego_motion == status.EGO_MOTION_TF) == waited


def test_rate_limit_keeps_the_beat_and_saves_nothing_up():
    now_s = [100.0]
    limit = RateLimit(lambda: now_s[0])
    passed = 0
    for _ in range(100):  # 10 s of frames at 10 Hz, each 1 ms late on average
        passed += limit.allows(5.0)
        now_s[0] += 0.101
    assert 49 <= passed <= 51
    now_s[0] += 60.0
    assert limit.allows(5.0) and not limit.allows(5.0)
    limit.rest(2.0)
    now_s[0] += 1.9
    assert not limit.allows(5.0)
    now_s[0] += 0.2
    assert limit.allows(5.0)
