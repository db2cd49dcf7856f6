# SPDX-License-Identifier: Apache-2.0
"""Sweeps move through the fixed frame; without odometry they fall back, and it is counted."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.ros
pytest.importorskip("rclpy", reason="ROS is not built here: rclpy cannot be imported")
pytest.importorskip("tf2_ros", reason="tf2_ros cannot be imported")

from geometry_msgs.msg import Transform, TransformStamped  # noqa: E402
from tf2_ros import Buffer  # noqa: E402

from xd_rcdepth_ros.errors import GeometryError, TransformUnavailableError  # noqa: E402
from xd_rcdepth_ros.geometry import RigidTransform  # noqa: E402
from xd_rcdepth_ros.ros.conversions import ns_to_stamp, rigid_to_transform  # noqa: E402
from xd_rcdepth_ros.ros.transforms import SweepTransforms, rigid_transform  # noqa: E402

NS = 1_000_000_000
CAMERA_FROM_RADAR = RigidTransform(
    np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]]), np.array([0.1, 0.5, 1.5])
)


def stamped(parent, child, rigid, stamp_ns=0):
    message = TransformStamped(child_frame_id=child)
    message.header.frame_id, message.header.stamp = parent, ns_to_stamp(stamp_ns)
    message.transform = rigid_to_transform(rigid)
    return message


def drive(buffer, first_s=0.0, last_s=1.0, speed_mps=30.0):
    """odom -> base_link along x at constant speed, turning a little; 20 Hz."""
    for t in np.arange(first_s, last_s + 1e-9, 0.05):
        yaw = 0.1 * t
        rotation = np.array(
            [[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]]
        )
        pose = RigidTransform(rotation, np.array([speed_mps * t, 0.0, 0.0]))
        buffer.set_transform(stamped("odom", "base_link", pose, round(t * NS)), "test")


def mount(buffer):
    base_from_camera = RigidTransform(
        np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]), np.array([1.7, 0.0, 1.5])
    )
    base_from_radar = RigidTransform(
        base_from_camera.rotation @ CAMERA_FROM_RADAR.rotation,
        base_from_camera.rotation @ CAMERA_FROM_RADAR.translation_m
        + base_from_camera.translation_m,
    )
    buffer.set_transform_static(stamped("base_link", "camera", base_from_camera), "test")
    buffer.set_transform_static(stamped("base_link", "radar", base_from_radar), "test")


def test_quaternions_of_tf_become_matrices():
    """A quarter turn to the left about z: x points to where y was."""
    message = Transform()
    message.rotation.z = message.rotation.w = 0.5**0.5
    message.translation.x = 3.0
    rigid = rigid_transform(message)
    np.testing.assert_allclose(rigid.apply(np.array([[1.0, 0.0, 0.0]])), [[3.0, 1.0, 0.0]])
    again = rigid_to_transform(rigid)
    assert (again.rotation.z, again.rotation.w) == pytest.approx((0.5**0.5, 0.5**0.5))
    message.rotation.x = float("nan")
    with pytest.raises(GeometryError):
        rigid_transform(message)


def test_a_standing_target_stays_where_it_stands():
    """A post seen by radar 50 ms before the image, at 30 m/s: its place in odom is one place."""
    buffer = Buffer()
    mount(buffer)
    drive(buffer)
    transforms = SweepTransforms(buffer)
    found = transforms.camera_from_radar(
        "camera", round(0.55 * NS), "/radar", round(0.50 * NS), "odom"
    )
    assert found.ego_motion
    seen = np.array([[40.0, 2.0, 0.3]])
    # The same post by way of odom, each leg looked up on its own.
    from rclpy.time import Time

    radar_leg = buffer.lookup_transform("odom", "radar", Time(nanoseconds=round(0.50 * NS)))
    camera_leg = buffer.lookup_transform("camera", "odom", Time(nanoseconds=round(0.55 * NS)))
    in_odom = rigid_transform(radar_leg.transform).apply(seen)
    expected = rigid_transform(camera_leg.transform).apply(in_odom)
    np.testing.assert_allclose(found.camera_from_radar.apply(seen), expected, atol=1e-6)
    static = CAMERA_FROM_RADAR.apply(seen)
    assert abs((static - expected)[0, 2] - 1.5) < 0.05  # 30 m/s for 50 ms along the axis
    assert transforms.counts() == {"ego_motion": 1}


@pytest.mark.parametrize("fixed_frame", ["", "map"])
def test_without_odometry_the_mounting_is_used_and_counted(fixed_frame):
    buffer = Buffer()
    mount(buffer)
    transforms = SweepTransforms(buffer)
    found = transforms.camera_from_radar("camera", 2 * NS, "radar", 2 * NS, fixed_frame, 0.5)
    assert not found.ego_motion and found.reason
    np.testing.assert_allclose(found.camera_from_radar.matrix, CAMERA_FROM_RADAR.matrix, atol=1e-9)
    assert transforms.counts()["static_extrinsics"] == 1


def test_frames_that_are_not_connected_are_both_named():
    transforms = SweepTransforms(Buffer())
    with pytest.raises(TransformUnavailableError, match=r"'radar' to camera frame 'camera'"):
        transforms.camera_from_radar("camera", NS, "radar", NS, "odom")
    assert transforms.counts()["missing"] == 1


class FakeClock:
    """A clock that the sleep moves, and a driver that goes on meanwhile."""

    def __init__(self, buffer, odometry_after_s=None):
        self.now_s, self.slept = 0.0, 0
        self._buffer, self._after_s = buffer, odometry_after_s

    def now(self):
        return self.now_s

    def sleep(self, seconds):
        self.now_s += seconds
        self.slept += 1
        if self._after_s is not None and self.now_s >= self._after_s:
            drive(self._buffer, 1.0, 2.0)
            self._after_s = None


def test_late_odometry_is_waited_for():
    buffer = Buffer()
    mount(buffer)
    drive(buffer)
    clock = FakeClock(buffer, odometry_after_s=0.02)
    transforms = SweepTransforms(buffer, clock.sleep, clock.now)
    stamp = round(1.2 * NS)
    assert transforms.camera_from_radar("camera", stamp, "radar", stamp, "odom", 0.05).ego_motion
    assert 0.02 <= clock.now_s < 0.03


def test_dead_odometry_is_waited_for_once_a_while_only():
    buffer = Buffer()
    mount(buffer)
    drive(buffer)
    clock = FakeClock(buffer)
    transforms = SweepTransforms(buffer, clock.sleep, clock.now)
    stamp = 5 * NS
    for _ in range(10):
        found = transforms.camera_from_radar("camera", stamp, "radar", stamp, "odom", 0.05)
        assert not found.ego_motion
    assert clock.now_s < 0.07  # one wait, not ten
    clock.now_s += 1.0
    transforms.camera_from_radar("camera", stamp, "radar", stamp, "odom", 0.05)
    assert clock.now_s > 1.1


def test_reset_forgets_motion_and_keeps_the_mounting():
    buffer = Buffer()
    mount(buffer)
    drive(buffer, 100.0, 101.0)
    transforms = SweepTransforms(buffer)
    transforms.reset()
    drive(buffer, 0.0, 1.0)  # the bag starts again
    found = transforms.camera_from_radar("camera", NS // 2, "radar", NS // 2, "odom")
    assert found.ego_motion
