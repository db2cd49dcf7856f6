# SPDX-License-Identifier: Apache-2.0
"""Saliency and attribution over real DDS: what is explained, how, where, and only if asked."""

from __future__ import annotations

import time
from dataclasses import asdict

import numpy as np
import pytest

pytestmark = pytest.mark.ros
NS = 1_000_000_000
FIELDS = ("x", "y", "z", "rcs", "vx", "vy")
LOUD, MUTE = (12.0, 6.0, 1.0), (0.0, 0.0, 0.0)  # rcs, vx, vy


@pytest.fixture(scope="module")
def listening_model(tmp_path_factory):
    """A network that hears a return's strength and velocity, and is deaf to its depth."""
    import torch

    from xd_rcdepth_ros.network import ModelHeader, Student, StudentConfig, save_checkpoint

    torch.manual_seed(2)
    student = Student(StudentConfig())
    with torch.no_grad():
        for film in student.fusions:
            torch.nn.init.normal_(film.beta.weight, std=2.0)
        student.radar_stem[0].weight.mul_(20)
        student.radar_stem[0].weight[:, 0] = 0
        student.head.weight.mul_(30)
        student.head.bias.fill_(-1.4)  # 20 m: some pixels are near, some are not
    path = tmp_path_factory.mktemp("model") / "listening.safetensors"
    save_checkpoint(
        path,
        student,
        ModelHeader("xd_rcdepth_student", asdict(student.config), input_size=(96, 160)),
    )
    return path


@pytest.fixture(scope="module")
def live(ros_context, listening_model, tmp_path_factory):
    from ros_rig import RADAR_FRAME, Rig, starter

    rig = Rig()
    with starter(listening_model, tmp_path_factory.mktemp("live")) as start:
        options = {"saliency__rate": 20.0, "saliency__share": 1.0}
        start(diagnostics__period=0.2, **options)
        rig.connect("image", "camera_info", "radar", "tf_static")
        rig.send_static(RADAR_FRAME)
        rig.depth_of_next_frame()
        yield rig
    rig.close()


def cloud(rig, stamp_ns, rows):
    from ros_rig import RADAR_FRAME
    from sensor_msgs.msg import Image, PointField
    from sensor_msgs_py import point_cloud2

    from xd_rcdepth_ros.ros.conversions import ns_to_stamp

    fields = [
        PointField(name=name, offset=4 * i, datatype=PointField.FLOAT32, count=1)
        for i, name in enumerate(FIELDS)
    ]
    message = point_cloud2.create_cloud(Image().header, fields, rows)
    message.header.frame_id, message.header.stamp = RADAR_FRAME, ns_to_stamp(stamp_ns)
    return message


def send(rig, rows, rgb=None, offset_ns=-NS // 50):
    rig.stamp_ns += NS // 10
    rig.send("radar", cloud(rig, rig.stamp_ns + offset_ns, rows))
    rig.send("camera_info", rig.info(rig.stamp_ns))
    rig.send("image", rig.image(rig.stamp_ns, rgb))
    return rig.stamp_ns


def explained(rig, name, kind, rows, rgb=None, **parameters):
    """Return the next message of a topic about frames sent from now on, and stop listening."""
    assert rig.set_parameters(**parameters) == "" if parameters else True
    rig.listen(name, kind)
    rig.wait(lambda: rig.node.count_subscribers(f"/depth_node/{name}") > 0, "match")
    before_ns = rig.stamp_ns  # what comes of earlier frames may be by earlier parameters

    def arrived():
        send(rig, rows, rgb)
        time.sleep(0.2)
        return any(stamp_ns > before_ns for stamp_ns in rig.stamps(name))

    rig.wait(arrived, name, 60)
    message = rig.received[name][-1]
    rig.deaf(name)
    rig.wait(lambda: rig.node.count_subscribers(f"/depth_node/{name}") == 0, "parting")
    return message


def effort(rig):
    rig.settled()
    model = rig.diagnostics("model")
    names = ("saliency_maps", "radar_attributions", "backward_passes")
    return [int(model[name]) for name in names]


def test_no_backward_pass_while_nobody_listens(live):
    for _ in range(4):
        live.wait_for_stamp(send(live, [(20.0, 0.0, 0.0, *LOUD)]))
    assert effort(live) == [0, 0, 0]


@pytest.mark.parametrize("method", ["gradient_x_input", "leave_one_out"])
def test_the_return_that_the_network_uses_has_the_share(live, method):
    from ros_rig import CAMERA_FRAME
    from sensor_msgs.msg import PointCloud2

    rows = [
        (20.0, 1.0, 0.0, *LOUD),
        (20.0, -3.0, 0.0, *MUTE),  # in the image, and the network does not hear it
        (30.0, 4.0, 0.0, 9.0, -4.0, 0.0),
        (-20.0, 0.0, 0.0, *LOUD),  # behind
        (20.0, 40.0, 0.0, *LOUD),  # beside the image
        (float("nan"), 0.0, 0.0, *LOUD),
        (40.0, 2.0, -0.25, *LOUD),  # behind the first, in the same pixel
    ]
    before = effort(live)
    message = explained(live, "radar/attribution", PointCloud2, rows, attribution__method=method)
    assert [f.name for f in message.fields] == [*FIELDS, "share"]
    assert message.header.frame_id == CAMERA_FRAME
    assert message.header.stamp in [m.header.stamp for m in live.received["depth/image"]]
    values = np.frombuffer(message.data, np.float32).reshape(-1, 7)
    share = values[:, 6]
    assert len(share) == len(rows)
    assert share[0] > 0.05 and share[2] > 0.05 and share[[0, 2]].sum() == pytest.approx(1, abs=1e-3)
    assert share[1] < 1e-4 and not share[[3, 4, 5]].any()
    # Camera axes: x right, y down, z forward; the radar sits 1.5 m ahead and 0.5 m below.
    np.testing.assert_allclose(values[0, :3], [-1.0, 0.5, 21.5], atol=1e-4)
    np.testing.assert_allclose(values[0, 3:6], LOUD)
    after = effort(live)
    assert after[0] == before[0] and after[1] > before[1]
    assert (after[2] > before[2]) == (method == "gradient_x_input")


def test_method_and_target_change_at_run_time(live):
    from sensor_msgs.msg import Image

    rgb = np.full((96, 160, 3), 140, np.uint8)
    rgb[:, 80:] = 0
    rgb[20:40, 20:40] = (250, 60, 20)
    rows = [(20.0, 1.0, 0.0, *LOUD)]

    def heat(**parameters):
        message = explained(live, "saliency/heatmap", Image, rows, rgb, **parameters)
        assert (message.encoding, message.width, message.height) == ("32FC1", 160, 96)
        values = np.frombuffer(message.data, np.float32).reshape(96, 160)
        assert values.min() >= 0 and values.max() == pytest.approx(1, abs=1e-5)
        return values

    maps = [
        heat(saliency__method="grad_cam", saliency__target="mean"),
        heat(saliency__method="grad_cam_pp"),
        heat(saliency__method="gradient_x_input"),
        heat(saliency__target="region", saliency__region=[0.0, 0.0, 0.5, 1.0]),
        heat(saliency__region=[0.5, 0.0, 1.0, 1.0]),
        heat(saliency__target="near"),
    ]
    for one in maps[2:]:
        assert not one[:, 80:].any()  # gradient times a black pixel
    assert maps[0][:, 80:].any() or maps[1][:, 80:].any()
    for number, one in enumerate(maps):
        assert all(np.abs(one - other).max() > 0.02 for other in maps[:number]), number
    assert live.set_parameters(saliency__target="mean", saliency__method="grad_cam") == ""


def test_returns_lie_where_the_car_has_moved_to(live):
    """At 30 m/s and 50 ms: the attribution's points project to where the returns stand."""
    from ros_rig import CAMERA, CAMERA_FROM_RADAR
    from sensor_msgs.msg import PointCloud2

    rows = [(20.0, 3.0, 0.5, *LOUD), (35.0, -4.0, 0.2, *LOUD)]
    in_radar = np.array([row[:3] for row in rows])
    live.listen("radar/attribution", PointCloud2)
    live.wait(lambda: live.node.count_subscribers("/depth_node/radar/attribution") > 0, "match")
    before_ns = live.stamp_ns

    def arrived():
        stamp_ns = live.stamp_ns + NS // 10
        for step in range(-6, 3):  # 20 Hz, 30 m/s
            live.send_odometry(stamp_ns + step * NS // 20, 30.0 * (stamp_ns / NS + step / 20))
        time.sleep(0.2)
        send(live, rows, offset_ns=-NS // 20)
        time.sleep(0.3)
        return bool(moved())

    def moved():
        """Attributions of frames whose odometry had come."""
        statuses = dict(zip(live.stamps("status"), live.received["status"], strict=False))
        return [
            message
            for stamp_ns, message in zip(
                live.stamps("radar/attribution"), live.received["radar/attribution"], strict=False
            )
            if stamp_ns > before_ns
            and stamp_ns in statuses
            and statuses[stamp_ns].ego_motion == statuses[stamp_ns].EGO_MOTION_TF
        ]

    live.wait(arrived, "attribution", 60)
    message = moved()[-1]
    live.deaf("radar/attribution")
    found = np.frombuffer(message.data, np.float32).reshape(-1, 7)[:, :3]
    standing = CAMERA_FROM_RADAR.apply(in_radar)
    truth, _ = CAMERA.project(standing - [0, 0, 1.5])
    np.testing.assert_allclose(CAMERA.project(found)[0], truth, atol=0.1)
    assert np.abs(CAMERA.project(standing)[0] - truth).max() > 0.5
