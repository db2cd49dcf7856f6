# SPDX-License-Identifier: Apache-2.0
"""Everything that may go wrong around the node, in one table.

Each fault is a function of the driver that does its worst for ``driver.span_s`` or a few messages.
Its row says by which reasons images may be lost meanwhile, and which counters must have moved, so
that a fault that did not bite is found out.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from fault_driver import NS, Driver, jpegs, restamped
from faulty_node import RAISE, STALL, STALL_S
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.parameter import Parameter
from ros_rig import CAMERA
from sensor_msgs.msg import CompressedImage, PointCloud2


@dataclass(frozen=True)
class Fault:
    """One row of the table.

    Attributes:
        name: Short name, for reports.
        what: What happens, in words.
        act: Does it.
        costs: Reasons by which images may be lost, besides a newer one.
        shows: Counters of /diagnostics that must have grown.
    """

    name: str
    what: str
    act: Callable[[Driver], None]
    costs: frozenset[str] = frozenset()
    shows: tuple[str, ...] = ()


FAULTS: dict[str, Fault] = {}


def fault(what: str, costs: tuple[str, ...] = (), shows: tuple[str, ...] = ()) -> Callable:
    """Enter a function into the table under its own name."""

    def enter(act: Callable[[Driver], None]) -> Callable:
        FAULTS[act.__name__] = Fault(act.__name__, what, act, frozenset(costs), shows)
        return act

    return enter


# Publishers --------------------------------------------------------------------------------------


@fault("the camera's publisher dies and comes back")
def camera_dies(driver: Driver) -> None:
    driver.die("compressed")
    time.sleep(driver.span_s)
    driver.revive("compressed")


@fault("the radar's publisher dies and comes back")
def radar_dies(driver: Driver) -> None:
    driver.die("radar")
    time.sleep(driver.span_s)
    driver.revive("radar")


@fault("another process takes over the radar, and is killed while it publishes")
def publisher_killed(driver: Driver) -> None:
    driver.silent.add("radar")
    other = driver.bystander("talk")
    time.sleep(driver.span_s)
    other.send_signal(signal.SIGKILL)
    other.wait()
    time.sleep(driver.span_s)


@fault("images come five times as often")
def five_times_the_rate(driver: Driver) -> None:
    driver.rate_hz *= 5
    time.sleep(2 * driver.span_s)


# Time --------------------------------------------------------------------------------------------


@fault(
    "clock and stamps go back three times, as with a bag that loops",
    ("time_reset",),
    ("time_resets",),
)
def clock_jumps_back(driver: Driver) -> None:
    for _ in range(3):
        driver.jump(-3.0)
        time.sleep(driver.span_s)


@fault("five images and sweeps come from a minute ahead", ("time_reset",), ("time_resets",))
def stamps_from_the_future(driver: Driver) -> None:
    with driver.paused():
        for _ in range(5):
            driver.frame(driver.now_ns() + 60 * NS)
            time.sleep(0.05)
    time.sleep(driver.span_s)  # until the present comes again, which is the jump back


@fault(
    "images come twice, and again a little older",
    ("duplicate", "out_of_order"),
    ("dropped_duplicate", "dropped_out_of_order"),
)
def duplicated_and_reordered(driver: Driver) -> None:
    driver.edit["compressed"] = lambda m: [m, m, restamped(m, -0.03)]
    driver.edit["radar"] = lambda m: [m, m, restamped(m, -0.03), m]
    time.sleep(driver.span_s)


@fault("the clock stands still while the sensors go on")
def clock_stops(driver: Driver) -> None:
    driver.silent.add("clock")
    time.sleep(driver.span_s)


# Transforms --------------------------------------------------------------------------------------


@fault("odometry vanishes", shows=("sweeps_with_static_extrinsics",))
def tf_vanishes(driver: Driver) -> None:
    driver.silent.add("tf")
    time.sleep(driver.span_s)


@fault(
    "odometry is half a second late, so that it would have to be extrapolated",
    shows=("sweeps_with_static_extrinsics",),
)
def tf_extrapolates(driver: Driver) -> None:
    driver.edit["tf"] = lambda m: [restamped(m, -0.5)]
    time.sleep(driver.span_s)


@fault("image and radar name frames that nobody knows", shows=("sweeps_without_transform",))
def wrong_frame_ids(driver: Driver) -> None:
    def rename(message: CompressedImage | PointCloud2) -> list:
        message.header.frame_id = "nobody_knows"
        return [message]

    driver.edit["radar"] = driver.edit["compressed"] = rename
    time.sleep(driver.span_s)


# Radar -------------------------------------------------------------------------------------------


@fault("returns are NaN, infinite, huge, tiny and negative zero")
def strange_points(driver: Driver) -> None:
    strange = [np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-40, -0.0, 0.0]

    def spoil(message: PointCloud2) -> list[PointCloud2]:
        xyz = driver.random.choice(strange, (50, 3)).tolist()
        return [driver.cloud(driver.now_ns(), xyz)]

    driver.edit["radar"] = spoil
    time.sleep(driver.span_s)


@fault("sweeps of a million returns")
def million_points(driver: Driver) -> None:
    columns = np.zeros((1_000_000, 6), np.float32)
    columns[:, 0] = driver.random.uniform(1, 90, len(columns))
    columns[:, 1] = driver.random.uniform(-40, 40, len(columns))
    data = columns.tobytes()
    driver.largest_sweep = 0

    def swell(message: PointCloud2) -> list[PointCloud2]:
        message.data = b""
        message.data.frombytes(data)
        message.width, message.row_step = len(columns), len(data)
        return [message]

    def arrived() -> bool:
        # 24 MB in best-effort fragments crowd others out on the way, and may not come whole.
        driver.frame()
        time.sleep(0.5)
        return driver.largest_sweep == len(columns)

    driver.edit["radar"] = swell
    with driver.paused():
        driver.wait(arrived, "depth with a million returns", 30)
        arrived()


@fault("sweeps without a return, and without fields as well")
def empty_cloud(driver: Driver) -> None:
    driver.edit["radar"] = lambda m: [
        driver.cloud(driver.now_ns(), []),
        PointCloud2(header=m.header),
    ]
    time.sleep(driver.span_s)


@fault("sweeps are cut off, or lack the mapped fields", shows=("bad_radar_messages",))
def broken_cloud(driver: Driver) -> None:
    def spoil(message: PointCloud2) -> list[PointCloud2]:
        message.data = message.data[:30]
        return [message, driver.cloud(driver.now_ns(), rcs="power")]

    driver.edit["radar"] = spoil
    time.sleep(driver.span_s)


# Images ------------------------------------------------------------------------------------------


@fault(
    "JPEGs are cut off, flipped in some bits, or no JPEGs", ("bad_image",), ("dropped_bad_image",)
)
def corrupt_jpeg(driver: Driver) -> None:
    whole = bytes(driver.jpeg(0).data)
    with driver.paused():
        for kind in range(6):
            data = bytearray(whole)
            if kind % 3 == 0:
                del data[driver.random.integers(len(data)) :]
            elif kind % 3 == 1:
                for at in driver.random.integers(2, len(data), 20):
                    data[at] ^= 1 << driver.random.integers(8)
            else:
                data = bytearray(driver.random.bytes(500))
            driver.edit["compressed"] = lambda m, d=bytes(data): [driver.jpeg_of(m, d)]
            driver.frame()
            time.sleep(0.05)


@fault(
    "images without a pixel: no data, and a JPEG of 0 x 0", ("bad_image",), ("dropped_bad_image",)
)
def zero_size_image(driver: Driver) -> None:
    nothing = bytearray(driver.jpeg(0).data)
    at = nothing.index(b"\xff\xc0") + 5  # height and width follow marker, length and precision
    nothing[at : at + 4] = bytes(4)
    with driver.paused():
        for data in (b"", bytes(nothing)) * 2:
            driver.edit["compressed"] = lambda m, d=data: [driver.jpeg_of(m, d)]
            driver.frame()
            time.sleep(0.05)


@fault("the resolution flips with every image, camera_info with it")
def resolution_flips(driver: Driver) -> None:
    with driver.paused():
        for size in ((320, 192), (80, 48), (CAMERA.width, CAMERA.height)) * 3:
            driver.camera = CAMERA.resize(*size)
            driver.frame()
            time.sleep(0.06)


@fault(
    "camera_info belongs to another resolution", ("no_camera_info",), ("dropped_no_camera_info",)
)
def wrong_camera_info(driver: Driver) -> None:
    (other,) = jpegs(224, 160, 1)
    with driver.paused():
        for _ in range(4):
            driver.edit["compressed"] = lambda m: [driver.jpeg_of(m, other)]
            driver.frame()
            time.sleep(0.1)


@fault("camera_info is all zeros", shows=("bad_camera_info",))
def uncalibrated_camera(driver: Driver) -> None:
    def spoil(message):
        message.k, message.p = np.zeros(9), np.zeros(12)
        return [message]

    driver.edit["camera_info"] = spoil
    time.sleep(driver.span_s)


# The node itself ---------------------------------------------------------------------------------


@fault("a hundred and fifty changes of parameters, eight at once, every other one not allowed")
def parameter_storm(driver: Driver) -> None:
    allowed = [
        {"sweeps": 3}, {"depth.max": 60.0}, {"saliency.rate": 9.0}, {"tf_timeout": 0.0},
        {"sync.window": 0.05, "output_size": "input"}, {"depth.encoding": "16UC1"},
    ]  # fmt: skip
    refused = [
        {"sweeps": 1000}, {"depth.max": -1.0}, {"device": "cuda:7"}, {"tf_timeout": "long"},
        {"sweeps": 2, "saliency.target": "sky"}, {"radars": ["rear"]},
    ]  # fmt: skip
    for wave in range(19):
        # A service keeps ten requests that wait; ROS drops what comes beyond.
        futures = []
        for number in range(8):
            kinds = refused if number % 2 else allowed
            values = kinds[int(driver.random.integers(6))]
            futures.append((number % 2, set_later(driver, values)))
        for bad, future in futures:
            driver.wait(future.done, f"answers to changes of parameters, wave {wave}", 30)
            result = future.result().result
            assert result.successful != bool(bad), f"taken or refused wrongly: {result.reason}"
    usual = {
        "sweeps": 1, "depth.max": 100.0, "saliency.rate": 2.0, "tf_timeout": 0.02,
        "sync.window": 0.1, "output_size": "network", "depth.encoding": "32FC1",
    }  # fmt: skip
    future = set_later(driver, usual)
    driver.wait(future.done, "the usual parameters", 30)
    assert future.result().result.successful


def set_later(driver: Driver, values: dict):
    """Ask for a change of parameters; return the future of the answer."""
    messages = [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
    return driver.services["set"].call_async(SetParametersAtomically.Request(parameters=messages))


@fault("deactivated and activated three times, then all the way down and up", ("deactivated",))
def lifecycle_loop(driver: Driver) -> None:
    for _ in range(3):
        driver.transition("deactivate")
        driver.transition("activate")
    for name in ("deactivate", "cleanup", "configure", "activate"):
        driver.transition(name)


@fault("the network raises", ("worker_error",), ("dropped_worker_error",))
def worker_exception(driver: Driver) -> None:
    with driver.paused():
        for _ in range(2):
            driver.frame(driver.now_ns() + RAISE)
            time.sleep(0.3)


@fault("the network stalls for a second")
def network_stalls(driver: Driver) -> None:
    with driver.paused():
        driver.frame(driver.now_ns() + STALL)
    time.sleep(STALL_S)


@fault("a reliable subscriber of depth and preview stops reading, and is killed")
def subscriber_hangs(driver: Driver) -> None:
    other = driver.bystander("listen")
    assert other.stdout is not None and other.stdout.readline().startswith("heard")
    other.send_signal(signal.SIGSTOP)
    time.sleep(4 * driver.span_s)
    other.send_signal(signal.SIGKILL)
    other.wait()
