# SPDX-License-Identifier: Apache-2.0
"""Reports of other nodes' users, played to one running node over DDS; each named after its own."""

from __future__ import annotations

import time

import numpy as np
import pytest

pytestmark = pytest.mark.ros
pytest.importorskip("rclpy", reason="ROS is not built here: rclpy cannot be imported")

from ros_rig import CAMERA, HEIGHT, NS, WIDTH  # noqa: E402

from xd_rcdepth_ros.geometry import PinholeCamera  # noqa: E402
from xd_rcdepth_ros.ros.conversions import array_to_image, ns_to_stamp  # noqa: E402


def complaints(live):
    return " | ".join(
        value for key, value in live.diagnostics("complaints").items() if key != "level"
    )


def wait_for_complaint(live, text):
    live.wait(lambda: text in complaints(live), f"'{text}' in /diagnostics")
    assert text in live.log()


def send(live, image=None, info=None, cloud=None):
    """Publish one frame whose parts are changed by functions; return its status."""
    live.stamp_ns += NS // 10
    stamp_ns = live.stamp_ns
    parts = {
        "radar": live.cloud(stamp_ns),
        "camera_info": live.info(stamp_ns),
        "image": live.image(stamp_ns),
    }
    for name, change in (("radar", cloud), ("camera_info", info), ("image", image)):
        if change is not None:
            change(parts[name])
        live.send(name, parts[name])
    return live.wait_for_stamp(stamp_ns)


def test_encoding_8uc3_live(live):
    def change(message):
        message.encoding = "8UC3"

    assert send(live, image=change).valid_share > 0


def test_padded_rows_live(live):
    def change(message):
        rows = np.frombuffer(message.data, np.uint8).reshape(HEIGHT, 3 * WIDTH)
        padded = array_to_image(np.pad(rows, ((0, 0), (0, 8))), "mono8", message.header)
        message.data, message.step = padded.data, 3 * WIDTH + 8

    plain, padded = send(live), send(live, image=change)
    assert padded.depth_median_m == pytest.approx(plain.depth_median_m, abs=0.01)


def test_row_step_zero_live(live):
    def change(message):
        message.row_step = 0

    assert list(send(live, cloud=change).radar_returns) == [2]


def test_nan_velocity_live(live):
    def change(message):
        values = np.frombuffer(message.data, np.float32).reshape(2, 6).copy()
        values[:, 4:] = np.nan
        message.data = values.tobytes()

    status = send(live, cloud=change)
    assert list(status.radar_returns_in_image) == [2]
    wait_for_complaint(live, "strength or velocity of 2 of 2 returns is not a number")


def test_camera_info_roi_binning_live(live):
    def binned(message):
        for name in ("k", "p"):
            values = np.array(getattr(message, name)).reshape(3, -1)
            values[:2] *= 2
            values[:2, 2] += 0.5
            setattr(message, name, values.ravel().tolist())
        message.width, message.height = 2 * WIDTH, 2 * HEIGHT
        message.binning_x = message.binning_y = 2

    plain = send(live)
    again = send(live, info=binned)
    assert again.depth_median_m == pytest.approx(plain.depth_median_m, abs=0.01)
    assert list(again.radar_returns_in_image) == list(plain.radar_returns_in_image)


def test_plumb_bob_8_live(live):
    def change(message):
        message.d = [-0.03, 0.035, -0.0001, -0.0001, -0.012, 0.0, 0.0, 0.0]

    status = send(live, info=change)
    assert status.flags & status.FLAG_RECTIFIED
    assert "undistorted by the lens model plumb_bob" in live.log()
    send(live)  # the plain camera again, for the tests to come


def test_zero_stamp_radar_live(live):
    before = live.settled()

    def change(message):
        message.header.stamp = ns_to_stamp(0)

    send(live, cloud=change)
    wait_for_complaint(live, "radar 'front': header.stamp is zero")
    after = live.settled()
    assert after.get("time_resets", "0") == before.get("time_resets", "0")
    assert int(live.diagnostics("synchronisation")["front_sweeps_no_stamp"]) >= 1


def test_camera_body_frame_live(live):
    """Ten images in a row none of whose returns falls into the image."""

    def change(message):
        values = np.frombuffer(message.data, np.float32).reshape(2, 6).copy()
        values[:, :3] = [[2.0, -30.0, 0.5], [2.0, -30.0, 0.6]]
        message.data = values.tobytes()

    for _ in range(11):
        status = send(live, cloud=change)
    assert list(status.radar_returns_in_image) == [0]
    wait_for_complaint(live, "none of the 2 returns of radar 'front' falls into the image")


def test_radar_clock_offset_live(live):
    live.stamp_ns += 5 * NS  # the radar's clock stands still from here on
    for _ in range(2):
        live.stamp_ns += NS // 10
        live.send("camera_info", live.info(live.stamp_ns))
        live.send("image", live.image(live.stamp_ns))
        live.wait_for_stamp(live.stamp_ns)
    wait_for_complaint(live, "older than the image; the clocks of radar and camera differ")


def test_equal_stamps_image_first_live(live):
    """The sweep of the image's own stamp is taken, though an older one is already there.

    It is waited for once the radar's period is known: other tests sent sweeps at other rates.
    """
    offsets = []
    for _ in range(18):
        live.stamp_ns += NS // 15
        live.send("camera_info", live.info(live.stamp_ns))
        live.send("image", live.image(live.stamp_ns))
        time.sleep(0.005)
        live.send("radar", live.cloud(live.stamp_ns))
        status = live.wait_for_stamp(live.stamp_ns)
        offsets += list(status.radar_offsets_s)[:1]
        time.sleep(0.05)
    assert offsets[8:].count(0.0) >= 9  # a busy machine may be late now and then


def test_network_size_covers_the_image_live(start_node, rig):
    start_node(network_size="[64, 96]")
    rig.connect("image", "camera_info", "radar", "tf_static")
    rig.send_static()
    status = rig.depth_of_next_frame()
    info = rig.received["depth/camera_info"][-1]
    camera = PinholeCamera(info.width, info.height, np.reshape(info.k, (3, 3)))
    corners = np.array([[-0.5, -0.5], [info.width - 0.5, info.height - 0.5]])
    seen, _ = CAMERA.project(camera.unproject(corners, np.ones(2)))
    np.testing.assert_allclose(seen, [[-0.5, -0.5], [WIDTH - 0.5, HEIGHT - 0.5]], atol=1e-6)
    assert status.valid_share == 1.0 and list(status.radar_returns_in_image) == [2]
