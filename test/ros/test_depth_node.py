# SPDX-License-Identifier: Apache-2.0
"""depth_node over real DDS: it runs in a process of its own, the test is the rest of the robot.

The tests of this file share one node, which each of them must leave alive.
"""

from __future__ import annotations

import importlib.util
import time

import numpy as np
import pytest

pytestmark = pytest.mark.ros
NS = 1_000_000_000


def depth_array(message):
    dtype = {"32FC1": np.float32, "16UC1": np.uint16}[message.encoding]
    return np.frombuffer(message.data, dtype).reshape(message.height, message.width)


@pytest.fixture
def changed(live):
    """Sets parameters for one test and puts them back."""
    before = {}

    def change(**values):
        from xd_rcdepth_ros.ros.parameters.configuration import NodeConfig

        defaults = {spec.name: spec.default for spec in NodeConfig.specs()}
        for name in values:
            value = defaults[name.replace("__", ".")]
            before[name] = list(value) if isinstance(value, tuple) else value
        assert live.set_parameters(**values) == ""

    yield change
    assert live.set_parameters(**before) == ""


def test_depth_has_the_images_stamp_frame_and_scaled_camera(live):
    from ros_rig import CAMERA, CAMERA_FRAME, HEIGHT, WIDTH

    status = live.depth_of_next_frame()
    stamp_ns = live.stamp_ns
    depth = live.wait_for_stamp(stamp_ns, "depth/image")
    info = live.wait_for_stamp(stamp_ns, "depth/camera_info")
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
    assert {"wait", "decode", "transforms", "rasterize", "network", "publish"} <= set(
        status.stage_names
    )


def test_radar_moves_with_the_car_where_there_is_odometry(live):
    stamp_ns = live.stamp_ns + NS // 10
    for step in range(4):
        live.send_odometry(stamp_ns + (step - 2) * NS // 20, 1.5 * step)
    time.sleep(0.3)
    status = live.depth_of_next_frame()
    assert live.stamp_ns == stamp_ns
    assert (status.ego_motion, status.flags) == (status.EGO_MOTION_TF, 0)
    after = live.depth_of_next_frame()  # 0.1 s later than all odometry
    assert after.flags == after.FLAG_STATIC_EXTRINSICS
    assert "no ego motion between radar frame 'radar_front'" in live.log()


# A wrong input, and how the node must count and name it. Afterwards it must work on.

BAD_INPUTS = {
    "unknown encoding": ("dropped_bad_image", "encoding 'yuv9000'"),
    "no pixels": ("dropped_bad_image", "0 x 0"),
    "too little data": ("dropped_bad_image", "160 x 96"),
    "no camera of that size": ("dropped_no_camera_info", "is 80 x 48 pixels, but camera_info"),
    "zero K": ("bad_camera_info", "calibrate"),
    "missing fields": ("bad_radar_messages", "it has: x, y, z, power, vx, vy"),
    "cut cloud": ("bad_radar_messages", "cut off"),
    "unknown frame": ("sweeps_without_transform", "'nobody_knows' to camera frame"),
}


def bad_input(live, kind):
    stamp_ns = live.stamp_ns + NS // 10
    image, cloud = live.image(stamp_ns), live.cloud(stamp_ns)
    info = live.info(stamp_ns)
    if kind == "unknown encoding":
        image.encoding = "yuv9000"
    elif kind == "no pixels":
        image.width = image.height = image.step = 0
    elif kind == "too little data":
        image.data = image.data[:100]
    elif kind == "no camera of that size":
        image = live.image(stamp_ns, np.zeros((48, 80, 3), np.uint8))
    elif kind == "zero K":
        info.k = np.zeros(9)
        info.p = np.zeros(12)
    elif kind == "missing fields":
        cloud = live.cloud(stamp_ns, rcs="power")
    elif kind == "cut cloud":
        cloud.data = cloud.data[:30]
    elif kind == "unknown frame":
        cloud = live.cloud(stamp_ns, frame="nobody_knows")
    live.stamp_ns = stamp_ns
    live.send("radar", cloud)
    live.send("camera_info", info)
    live.send("image", image)


@pytest.mark.parametrize("kind", BAD_INPUTS)
def test_bad_input_is_counted_and_named_and_the_node_lives_on(live, kind):
    counter, said = BAD_INPUTS[kind]
    before = int(live.settled().get(counter, 0))
    bad_input(live, kind)
    live.wait(
        lambda: int(live.diagnostics("frames").get(counter, 0)) > before, f"{counter} to grow"
    )
    assert said in live.log()
    live.stamp_ns += NS  # out of the window of the bad message
    live.depth_of_next_frame()
    assert int(live.settled()[counter]) == before + 1


@pytest.mark.parametrize(
    ("xyz", "returns", "in_image"),
    [
        ([], 0, 0),
        ([[np.nan, 0.0, 0.0], [20.0, np.inf, 0.0], [20.0, 0.0, 0.5]], 3, 1),
        ([[1e30, 0.0, 0.0], [-20.0, 0.0, 0.0], [20.0, 0.0, 0.5]], 3, 2),
    ],
    ids=["empty", "not finite", "huge and behind"],
)
def test_strange_returns_are_left_out(live, xyz, returns, in_image):
    live.stamp_ns += NS
    live.send("radar", live.cloud(live.stamp_ns, xyz))
    live.send("camera_info", live.info(live.stamp_ns))
    live.send("image", live.image(live.stamp_ns))
    status = live.wait_for_stamp(live.stamp_ns)
    assert list(status.radar_returns) == [returns]
    assert list(status.radar_returns_in_image) == [in_image]
    assert bool(status.flags & status.FLAG_NO_RETURNS) == (in_image == 0)


def test_an_image_without_radar_becomes_depth_and_says_so(live):
    live.stamp_ns += 10 * NS
    live.send("camera_info", live.info(live.stamp_ns))
    live.send("image", live.image(live.stamp_ns))
    status = live.wait_for_stamp(live.stamp_ns)
    assert status.flags == status.FLAG_NO_RADAR and list(status.radar_names) == []
    assert status.ego_motion == status.EGO_MOTION_NONE
    assert "no sweep of radar front within sync.window" in live.log()


def test_resolution_and_calibration_change_on_the_fly(live):
    from ros_rig import CAMERA

    for camera in (CAMERA.resize(320, 192), CAMERA.resize(96, 64), CAMERA):
        live.stamp_ns += NS // 10
        live.send("camera_info", live.info(live.stamp_ns, camera))
        pixels = np.zeros((camera.height, camera.width, 3), np.uint8)
        live.send("image", live.image(live.stamp_ns, pixels))
        info = live.wait_for_stamp(live.stamp_ns, "depth/camera_info")
        assert info.k[0] / info.width == pytest.approx(camera.k[0, 0] / camera.width)


def test_distorted_images_are_rectified_or_used_as_they_are(live, changed):
    from dataclasses import replace

    from ros_rig import CAMERA

    bent = replace(CAMERA, distortion=(-0.1, 0.01, 0.0, 0.0, 0.0))

    def frame():
        live.stamp_ns += NS // 10
        live.send("camera_info", live.info(live.stamp_ns, bent))
        live.send("image", live.image(live.stamp_ns))
        return live.wait_for_stamp(live.stamp_ns)

    status = frame()
    assert status.flags & status.FLAG_RECTIFIED
    assert not any(live.wait_for_stamp(live.stamp_ns, "depth/camera_info").d)
    changed(rectify=False)
    status = frame()
    assert status.flags & status.FLAG_UNRECTIFIED
    assert "taken for rectified ones" in live.log()
    live.send("camera_info", live.info(live.stamp_ns))


def test_parameters_take_effect_at_the_next_frame(live, changed):
    live.depth_of_next_frame()
    metres = depth_array(live.wait_for_stamp(live.stamp_ns, "depth/image"))
    limit = float(np.median(metres))
    changed(depth__encoding="16UC1", output_size="input")
    live.depth_of_next_frame()
    depth = live.wait_for_stamp(live.stamp_ns, "depth/image")
    assert (depth.encoding, depth.width, depth.height) == ("16UC1", 160, 96)
    np.testing.assert_allclose(np.median(depth_array(depth)) / 1000, limit, rtol=0.02)
    changed(depth__encoding="32FC1", depth__max=limit)
    live.depth_of_next_frame()
    values = depth_array(live.wait_for_stamp(live.stamp_ns, "depth/image"))
    assert np.isposinf(values).mean() == pytest.approx(0.5, abs=0.1)
    status = live.received["status"][-1]
    assert status.valid_share == pytest.approx(np.isfinite(values).mean())
    assert status.far_share == pytest.approx(np.isposinf(values).mean())
    changed(depth__max=100.0, depth__min=limit)
    live.depth_of_next_frame()
    values = depth_array(live.wait_for_stamp(live.stamp_ns, "depth/image"))
    assert np.isneginf(values).mean() == pytest.approx(0.5, abs=0.1)


def test_limits_hold_for_the_cloud_as_well(live, changed):
    """No point of ~/depth/points lies beyond depth.max, nor outside points.*."""
    from sensor_msgs.msg import PointCloud2
    from sensor_msgs_py import point_cloud2

    live.listen("depth/points", PointCloud2)
    live.wait(lambda: live.node.count_publishers("/depth_node/depth/points") > 0, "the publisher")
    time.sleep(0.3)

    def cloud(**parameters):
        changed(**parameters)
        live.depth_of_next_frame()
        message = live.wait_for_stamp(live.stamp_ns, "depth/points")
        return point_cloud2.read_points(message)

    def ranges(points):
        return np.sqrt(sum(points[axis] ** 2 for axis in "xyz"))

    whole = cloud(points__stride=1, preview__rate=100.0)
    limit = float(np.median(whole["z"]))
    near = cloud(depth__max=limit)
    assert 0 < len(near) < len(whole) and near["z"].max() <= limit
    assert len(cloud(depth__max=100.0)) == len(whole)
    flat = cloud(points__min_height=-0.5, points__max_height=0.5)
    assert 0 < len(flat) < len(whole) and np.abs(flat["y"]).max() <= 0.5
    changed(points__min_height=-1000.0, points__max_height=1000.0)
    limit = float(np.median(ranges(whole)))
    close = cloud(points__max_range=limit)
    assert 0 < len(close) < len(whole) and ranges(close).max() <= limit * 1.0001
    live.deaf("depth/points")


def test_synchronisation_parameters_take_effect(live, changed):
    changed(sweeps=3, sync__window=0.5)
    live.send_frames(3)
    status = live.depth_of_next_frame()
    assert len(status.radar_names) == 3
    offsets = list(status.radar_offsets_s)
    assert offsets == sorted(offsets, reverse=True)
    changed(sweeps=1, sync__window=0.001)  # the rig's radar is 20 ms early
    status = live.depth_of_next_frame()
    assert status.flags == status.FLAG_NO_RADAR
    changed(sync__on_missing_radar="hold")
    status = live.depth_of_next_frame()
    assert status.flags & status.FLAG_HELD_RADAR and len(status.radar_names) == 1
    changed(sync__hold_time=0.002)
    assert live.depth_of_next_frame().flags == status.FLAG_NO_RADAR
    changed(sync__on_missing_radar="skip")
    before = int(live.settled().get("dropped_no_radar", 0))
    live.send_frame()
    live.wait(
        lambda: int(live.diagnostics("frames").get("dropped_no_radar", 0)) == before + 1,
        "the dropped image in /diagnostics",
    )


def test_static_extrinsics_by_wish_are_no_warning(live, changed):
    changed(fixed_frame="")
    seen = len(live.received["/diagnostics"])
    status = live.depth_of_next_frame()
    assert status.flags == status.FLAG_STATIC_EXTRINSICS
    live.settled()
    statuses = [s for m in live.received["/diagnostics"][seen:] for s in m.status]
    transforms = [s for s in statuses if s.name.endswith("transforms")]
    assert any("by wish" in s.message for s in transforms)
    assert all(s.level == s.OK for s in transforms[1:])  # the first may speak of earlier frames


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"depth__min": 200.0, "sweeps": 2}, "must be less than depth.max"),
        ({"saliency__target": "sky", "sweeps": 2}, "mean | near | region"),
        ({"sweeps": 2, "device": "cuda"}, "cannot change while the node is configured"),
        ({"sweeps": 99}, "range"),
        ({"sync__window": "wide"}, "type"),
        ({"radars": ["left"]}, "read-only"),
    ],
)
def test_bad_parameters_are_refused_as_a_whole_with_the_reason(live, values, reason):
    from rcl_interfaces.srv import GetParameters

    assert reason in live.set_parameters(**values)
    client = live.node.create_client(GetParameters, "/depth_node/get_parameters")
    assert client.wait_for_service(10)
    future = client.call_async(GetParameters.Request(names=["sweeps"]))
    live.wait(future.done, "the parameter service")
    assert future.result().values[0].integer_value == 1


def test_every_parameter_describes_itself_to_ros(live):
    """What `ros2 param describe` shows: meaning, unit in words, range or choices, read-only."""
    from rcl_interfaces.msg import ParameterType
    from rcl_interfaces.srv import DescribeParameters

    from xd_rcdepth_ros.ros.parameters.configuration import NodeConfig

    table = {spec.name: spec for spec in NodeConfig.specs()}
    client = live.node.create_client(DescribeParameters, "/depth_node/describe_parameters")
    assert client.wait_for_service(10)
    future = client.call_async(DescribeParameters.Request(names=list(table)))
    live.wait(future.done, "the parameter service")
    live.node.destroy_client(client)
    described = {d.name: d for d in future.result().descriptors}
    assert set(described) == set(table)
    for name, spec in table.items():
        found = described[name]
        assert (
            found.description == spec.description and found.type != ParameterType.PARAMETER_NOT_SET
        )
        assert found.read_only == (spec.change == "start")
        ranges = [*found.floating_point_range, *found.integer_range]
        if ranges:
            assert (ranges[0].from_value, ranges[0].to_value) == spec.limits
        else:
            assert found.additional_constraints == spec.allowed
        assert ranges or spec.type_name not in ("int", "double"), name


def test_saliency_is_computed_only_while_someone_looks(live, changed):
    from sensor_msgs.msg import Image

    live.send_frames(3)
    live.settled()
    assert live.diagnostics("model")["saliency_maps"] == "0"
    changed(saliency__rate=20.0, saliency__target="region", saliency__region=[0.0, 0.5, 0.5, 1.0])
    live.listen("saliency/heatmap", Image)
    live.listen("saliency/image", Image)
    live.wait(lambda: live.node.count_subscribers("/depth_node/saliency/image") > 0, "match")
    time.sleep(0.3)

    def arrived():
        live.send_frame()
        time.sleep(0.2)
        return live.received["saliency/heatmap"] and live.received["saliency/image"]

    live.wait(arrived, "saliency")
    heat, picture = live.received["saliency/heatmap"][-1], live.received["saliency/image"][-1]
    values = np.frombuffer(heat.data, np.float32)
    assert (heat.encoding, heat.width, heat.height) == ("32FC1", 160, 96)
    assert values.min() >= 0 and values.max() <= 1
    assert (picture.encoding, picture.width, picture.height) == ("bgr8", 160, 96)
    assert live.stamps("saliency/heatmap")[-1] in live.stamps("depth/image")
    live.deaf("saliency/heatmap")
    live.deaf("saliency/image")
    live.wait(lambda: live.node.count_subscribers("/depth_node/saliency/image") == 0, "parting")
    time.sleep(0.3)
    live.settled()
    before = live.diagnostics("model")["saliency_maps"]
    live.send_frames(3)
    live.settled()
    assert live.diagnostics("model")["saliency_maps"] == before


def test_pictures_and_cloud_come_when_asked_for(live, changed):
    from sensor_msgs.msg import Image, PointCloud2

    changed(preview__rate=50.0, points__stride=4, preview__max_depth=50.0)
    for name, kind in (
        ("depth/preview", Image),
        ("radar/image", Image),
        ("depth/points", PointCloud2),
    ):
        live.received[name].clear()  # of an earlier test
        live.listen(name, kind)
    names = ("depth/preview", "radar/image", "depth/points")

    def arrived():
        live.send_frame()
        time.sleep(0.1)
        return all(live.received[name] for name in names)

    live.wait(arrived, "pictures")
    preview, radar, points = (live.received[name][-1] for name in names)
    depth = live.received["depth/image"][-1]
    assert (preview.encoding, preview.width, preview.height) == ("bgr8", depth.width, depth.height)
    assert (radar.encoding, radar.width) == ("bgr8", 160)
    assert points.width * points.height == -(-depth.width // 4) * -(-depth.height // 4)
    for name in names:
        live.deaf(name)


def test_every_image_is_accounted_for_under_overload(live):
    before = live.settled()
    for _ in range(60):
        live.send_frame()
    after = live.settled()
    received = int(after["frames_in"]) - int(before["frames_in"])
    assert received > 0
    for frames in (before, after):
        lost = sum(int(n) for key, n in frames.items() if key.startswith("dropped_"))
        assert int(frames["frames_in"]) == int(frames["frames_out"]) + lost
    status = live.depth_of_next_frame()
    assert status.frames_in == int(after["frames_in"]) + 1
    assert status.frames_out + sum(status.drop_counts) == status.frames_in


def test_a_bag_that_loops_gives_depth_in_every_loop(live):
    start_ns, counts = live.stamp_ns, []
    for _ in range(3):
        live.stamp_ns = start_ns
        before = len(live.received["status"])
        stamps = live.send_frames(8)
        live.wait_for_stamp(stamps[-1])
        live.wait(lambda n=before: len(live.received["status"]) > n, "the loop's depth")
        live.settled()
        counts.append(len(live.received["status"]) - before)
    assert max(counts) - min(counts) <= 1 and max(counts) >= 7
    assert int(live.settled()["time_resets"]) >= 2


def test_duplicate_and_reordered_images_cost_only_themselves(live):
    before = live.settled()
    stamp_ns = live.send_frame()
    live.wait_for_stamp(stamp_ns)
    live.send("image", live.image(stamp_ns))
    live.send("image", live.image(stamp_ns - NS // 50))
    live.depth_of_next_frame()
    after = live.settled()
    for reason in ("duplicate", "out_of_order"):
        key = f"dropped_{reason}"
        assert int(after[key]) == int(before.get(key, 0)) + 1


def test_diagnostics_name_model_device_and_rates(live):
    live.send_frames(3)
    live.settled()
    model = live.diagnostics("model")
    fastest = "openvino" if importlib.util.find_spec("openvino") else "torch"
    assert (model["state"], model["device"], model["backend"]) == ("active", "cpu", fastest)
    assert "auto: " in model["backend_note"] and "PyTorch" in model["backend_note"]
    assert len(model["sha256"]) == 64 and model["level"] == "0"
    assert float(live.diagnostics("frames")["age_p95_ms"]) > 0
    image = live.diagnostics("input image")
    assert (image["topic"], image["type"]) == ("/image", "sensor_msgs/msg/Image")
    assert float(live.diagnostics("input radar front")["rate_hz"]) > 0
    assert 0 < float(live.diagnostics("synchronisation")["hit_rate"]) <= 1
