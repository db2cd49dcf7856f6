# SPDX-License-Identifier: Apache-2.0
"""Ego motion against the simulator, whose poses are exact: where do the returns fall?"""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.ros
pytest.importorskip("rclpy", reason="ROS is not built here: rclpy cannot be imported")
pytest.importorskip("tf2_ros", reason="tf2_ros cannot be imported")
pytest.importorskip("embreex", reason="the simulator's ray caster, embreex, is not installed")

from geometry_msgs.msg import TransformStamped  # noqa: E402
from tf2_ros import Buffer  # noqa: E402

from xd_rcdepth_ros.ros.conversions import ns_to_stamp, rigid_to_transform  # noqa: E402
from xd_rcdepth_ros.ros.transforms import SweepTransforms  # noqa: E402
from xd_rcdepth_ros.simulation import Drive, DriveSettings  # noqa: E402

NS = 1_000_000_000
OFFSET_NS = NS // 20  # the sweep is 50 ms older than the image
ODOMETRY_HZ = 50


def publish(drive, stamp_ns):
    """Fill a buffer as the drive's bag would: the mounting, and odometry at its own stamps."""
    buffer = Buffer()

    def stamped(parent, child, rigid, at_ns=0):
        message = TransformStamped(child_frame_id=child)
        message.header.frame_id, message.header.stamp = parent, ns_to_stamp(at_ns)
        message.transform = rigid_to_transform(rigid)
        return message

    buffer.set_transform_static(stamped("base_link", "camera", drive.rig.camera), "test")
    buffer.set_transform_static(stamped("base_link", "radar", drive.rig.radar), "test")
    step = NS // ODOMETRY_HZ
    first = stamp_ns - NS // 2 - 7_000_000  # no stamp is one of the sensors'
    for at_ns in range(first, stamp_ns + NS // 5, step):
        buffer.set_transform(stamped("odom", "base_link", drive.pose(at_ns), at_ns), "test")
    return buffer


@pytest.mark.parametrize(
    ("place", "steady", "speed_mps"),  # others than the steady one drive up to a fifth slower
    [("motorway", True, 30.0), ("motorway", False, 36.0), ("country", False, 36.0)],
)
def test_returns_fall_where_the_simulator_says_at_30_mps_and_50_ms(place, steady, speed_mps):
    drive = Drive(
        DriveSettings(
            seed=6, place=place, steady=steady, speed_mps=speed_mps, frames=30, radar="imaging"
        )
    )
    errors_px, errors_without_px, moved_m = [], [], []
    for index in (8, 17, 26):
        image_ns = int(drive.stamps_ns("camera")[index])
        sweep_ns = image_ns - OFFSET_NS
        in_radar = drive.radar(sweep_ns).points.position_m.astype(np.float64)
        in_odom = (drive.pose(sweep_ns) @ drive.rig.radar).apply(in_radar)
        odom_from_camera = drive.pose(image_ns) @ drive.rig.camera
        truth_px, depth_m = drive.camera.project(odom_from_camera.inverse().apply(in_odom))
        inside = (depth_m > 1) & (truth_px >= 0).all(1)
        inside &= (truth_px < [drive.camera.width, drive.camera.height]).all(1)
        assert inside.sum() > 20
        transforms = SweepTransforms(publish(drive, image_ns))

        def error(fixed_frame, transforms=transforms, image_ns=image_ns, sweep_ns=sweep_ns,
                  in_radar=in_radar, truth_px=truth_px, inside=inside):  # fmt: skip
            found = transforms.camera_from_radar("camera", image_ns, "radar", sweep_ns, fixed_frame)
            assert found.ego_motion == bool(fixed_frame)
            pixel, _ = drive.camera.project(found.camera_from_radar.apply(in_radar))
            return np.linalg.norm(pixel - truth_px, axis=1)[inside]

        errors_px.append(error("odom"))
        errors_without_px.append(error(""))
        travel = drive.pose(image_ns).translation_m - drive.pose(sweep_ns).translation_m
        moved_m.append(np.linalg.norm(travel))
    assert min(moved_m) > 30.0 * 0.05 - 1e-6
    exact, without = np.concatenate(errors_px), np.concatenate(errors_without_px)
    assert exact.max() < 0.1
    assert np.median(without) > 0.1 and without.max() > 5
