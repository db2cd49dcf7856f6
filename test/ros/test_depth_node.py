# SPDX-License-Identifier: Apache-2.0
"""depth_node over real DDS: it runs in a process of its own, the test is the rest of the robot."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.ros


def depth_array(message):
    dtype = {"32FC1": np.float32, "16UC1": np.uint16}[message.encoding]
    return np.frombuffer(message.data, dtype).reshape(message.height, message.width)


def test_depth_has_the_images_stamp_frame_and_scaled_camera(rig, start_node):
    from ros_rig import CAMERA, CAMERA_FRAME, HEIGHT, WIDTH

    start_node(diagnostics__period=0.2)
    rig.connect("image", "camera_info", "radar", "tf_static")
    rig.send_static()
    stamps = rig.send_frames(5)
    status = rig.wait_for_stamp(stamps[-1])
    depth = rig.wait_for_stamp(stamps[-1], "depth/image")
    info = rig.wait_for_stamp(stamps[-1], "depth/camera_info")
    assert depth.header.frame_id == info.header.frame_id == CAMERA_FRAME
    assert (depth.width, depth.height, depth.encoding) == (info.width, info.height, "32FC1")
    scale = depth.width / WIDTH
    assert depth.height / HEIGHT == pytest.approx(scale)
    assert info.k[0] == pytest.approx(CAMERA.k[0, 0] * scale)
    assert info.p[2] == pytest.approx((CAMERA.k[0, 2] + 0.5) * scale - 0.5)
    values = depth_array(depth)
    assert np.isfinite(values).all() and (values > 0).all() and (values <= 100).all()
    assert list(status.radar_names) == ["front"]
    assert status.radar_offsets_s[0] == pytest.approx(-0.02, abs=1e-4)
    assert (status.radar_returns[0], status.radar_returns_in_image[0]) == (2, 2)
    assert status.ego_motion == status.EGO_MOTION_STATIC
    assert status.flags == status.FLAG_STATIC_EXTRINSICS  # there is no odometry
    assert status.device == "cpu" and status.model.startswith("random.safetensors ")
    frames = rig.settled()
    assert frames["frames_in"] == "5"
    lost = sum(int(n) for key, n in frames.items() if key.startswith("dropped_"))
    assert int(frames["frames_out"]) + lost == 5
