# SPDX-License-Identifier: Apache-2.0
"""Wiring to drivers, Nav2, laser scans and Autoware by the files in config, over real DDS.

The model says 10 m everywhere, so what costmap and scan must hold is worked out by hand. Their
rules are those of nav2_costmap_2d's observation buffer and voxel layer, and of
pointcloud_to_laserscan_node, which need not be installed.
"""

from __future__ import annotations

import math
import time

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy cannot be imported")

import yaml
from complaint_rig import PROJECT, launcher
from geometry_msgs.msg import Point, TransformStamped, Vector3
from radar_msgs.msg import RadarReturn, RadarScan, RadarTrack, RadarTracks
from ros_rig import CAMERA_FRAME, NS, RADAR_FRAME, Rig
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from sensor_msgs_py import point_cloud2
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

from xd_rcdepth_ros.geometry import RigidTransform
from xd_rcdepth_ros.ros.conversions import float_cloud, ns_to_stamp, rigid_to_transform

pytestmark = pytest.mark.ros
CONFIG = PROJECT / "config"
OPTICAL = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
BASE_FROM_CAMERA = RigidTransform(OPTICAL, np.array([1.7, 0.0, 1.5]))
HALF_WIDTH_M = 10 / 120 * 80  # of the wall at 10 m that the camera sees: f = 120 px, 160 px wide

# What a driver publishes for one return straight ahead that comes nearer at 3 m/s, at 12 dBsm, and
# its distance. Fields as the profiles name them; nuScenes' are those of its radar files.
CLOUDS = {
    "ars548": (21.0, {"v": -3.0, "r": 21.0, "RCS": 12.0, "azimuth": 0.0, "elevation": 0.0}),
    "umrr": (22.0, {"radial_speed": -3.0, "power": 70.0, "RCS": 12.0, "Noise": 40.0}),
    "ti_mmwave": (23.0, {"intensity": 30.0, "velocity": -3.0}),
    "nuscenes": (24.0, {"rcs": 12.0, "vx": -3.0, "vy": 0.0, "vx_comp": 5.0, "vy_comp": 0.0}),
}
SCANS = {"ars408": 25.0, "radar_scan": 26.0}
TRACKS = {"radar_tracks": 27.0}
HAS_STRENGTH = {"ars548", "umrr", "nuscenes", "ars408", "radar_scan"}


def messages(stamp):
    """Return each driver's message: one return, so far ahead as the tables say."""
    header = Header(frame_id=RADAR_FRAME, stamp=stamp)
    columns = {name: {"x": x, "y": 0.0, "z": 0.0, **values} for name, (x, values) in CLOUDS.items()}
    clouds = {
        name: float_cloud(header, **{key: np.array([value]) for key, value in values.items()})
        for name, values in columns.items()
    }
    scans = {
        name: RadarScan(
            header=header,
            returns=[RadarReturn(range=range_m, doppler_velocity=-3.0, amplitude=12.0)],
        )
        for name, range_m in SCANS.items()
    }
    tracks = {
        name: RadarTracks(
            header=header,
            tracks=[RadarTrack(position=Point(x=x), velocity=Vector3(x=-3.0))],
        )
        for name, x in TRACKS.items()
    }
    return {**clouds, **scans, **tracks}


@pytest.fixture(scope="module")
def wired(ros_context, wall_model, tmp_path_factory):
    """A node launched with Nav2's file and a radar of each driver; the rig publishes them."""
    names = list(messages(ns_to_stamp(0)))
    rig = Rig()
    for name, message in messages(ns_to_stamp(0)).items():
        rig.publishers[name] = rig.node.create_publisher(type(message), f"/drivers/{name}", 10)
    with launcher(tmp_path_factory.mktemp("wired")) as launch:
        launch(
            f"model_file:={wall_model}",
            f"params_file:={CONFIG / 'nav2.yaml'}",
            *("device:=cpu", "backend:=torch", "fixed_frame:=base_link"),
            # The wall is seen by few pixels, and is higher than what a robot must know.
            *("points.stride:=2", "points.max_height:=3"),
            f"radars:={','.join(names)}",
            f"radar_topics:={','.join(f'/drivers/{name}' for name in names)}",
            f"radar_profile:={','.join(names)}",
        )
        rig.listen("depth/points", PointCloud2)
        rig.listen("radar/attribution", PointCloud2)
        rig.connect("image", "camera_info", "tf_static", *names)
        send_mountings(rig)
        rig.send_whole_frame = lambda: send_whole_frame(rig)
        yield rig
    rig.close()


def send_mountings(rig, parent="base_link"):
    """Publish parent -> camera and camera -> radar, fixed."""
    transform = TransformStamped(child_frame_id=CAMERA_FRAME)
    transform.header.frame_id = parent
    transform.transform = rigid_to_transform(BASE_FROM_CAMERA)
    radar = TransformStamped(child_frame_id=RADAR_FRAME)
    radar.header.frame_id = CAMERA_FRAME
    radar.transform = rigid_to_transform(RigidTransform(OPTICAL.T, np.zeros(3)))
    rig.send("tf_static", TFMessage(transforms=[transform, radar]))


def send_whole_frame(rig):
    """Publish a message of every radar, and an image; return the stamp."""
    rig.stamp_ns += NS
    for name, message in messages(ns_to_stamp(rig.stamp_ns)).items():
        rig.send(name, message)
    rig.send("camera_info", rig.info(rig.stamp_ns))
    rig.send("image", rig.image(rig.stamp_ns))
    return rig.stamp_ns


def answer(rig, name):
    """Send frames until one is answered on a topic; return that message as columns."""
    before = len(rig.received[name])

    def answered():
        # What comes before the node has found all publishers is lost.
        rig.send_whole_frame()
        time.sleep(0.3)
        return len(rig.received[name]) > before

    rig.wait(answered, name, 60.0)
    return point_cloud2.read_points(rig.received[name][-1])


def points_in_base(rig):
    """Return the published cloud (N, 3), metres, in base_link; there, odom stands as base_link."""
    cloud = answer(rig, "depth/points")
    return BASE_FROM_CAMERA.apply(np.stack([cloud[axis] for axis in "xyz"], axis=1))


def test_each_drivers_message_is_read_by_the_profile_of_its_name(wired):
    returns = answer(wired, "radar/attribution")
    distances = {name: x for name, (x, _) in CLOUDS.items()} | SCANS | TRACKS
    assert sorted(returns["z"]) == pytest.approx(sorted(distances.values()), abs=1e-4)
    for name, distance_m in distances.items():
        one = returns[np.argmin(np.abs(returns["z"] - distance_m))]
        assert one["vx"] == pytest.approx(-3.0), name
        assert one["vy"] == pytest.approx(0.0, abs=1e-6), name
        assert one["rcs"] == (12.0 if name in HAS_STRENGTH else 0.0), name


def test_nav2s_voxel_layer_marks_the_wall_and_nothing_else(wired):
    """Rules: nav2_costmap_2d/src/observation_buffer.cpp, plugins/voxel_layer.cpp."""
    parameters = yaml.safe_load((CONFIG / "nav2.yaml").read_text())
    costmap = parameters["local_costmap"]["local_costmap"]["ros__parameters"]
    layer, resolution = costmap["voxel_layer"], costmap["resolution"]
    source = layer[layer["observation_sources"]]
    assert source["topic"] == "/depth_node/depth/points"
    camera_m = BASE_FROM_CAMERA.translation_m
    top_m = layer["origin_z"] + layer["z_voxels"] * layer["z_resolution"]
    assert layer["z_voxels"] <= 16 and layer["origin_z"] <= camera_m[2] < top_m

    points = points_in_base(wired)
    heights = points[:, 2]
    assert heights.min() < source["min_obstacle_height"]  # the wall's foot, which must not count
    assert heights.max() > source["max_obstacle_height"]
    least = max(source["min_obstacle_height"], layer["min_obstacle_height"])
    greatest = min(source["max_obstacle_height"], layer["max_obstacle_height"])
    points = points[(heights >= least) & (heights <= greatest) & (heights < top_m)]
    range_m = np.linalg.norm(points - camera_m, axis=1)
    near = range_m < source["obstacle_max_range"]
    points = points[near & (range_m >= source["obstacle_min_range"])]
    origin_m = np.array([-costmap["width"] / 2, -costmap["height"] / 2, layer["origin_z"]])
    size = np.array([resolution, resolution, layer["z_resolution"]])
    voxels = {tuple(voxel) for voxel in np.floor((points - origin_m) / size).astype(int)}
    columns = [voxel[:2] for voxel in voxels]
    marked = {column for column in columns if columns.count(column) > layer["mark_threshold"]}

    column = math.floor((1.7 + 10.0 + costmap["width"] / 2) / resolution)
    middle = round(costmap["height"] / 2 / resolution)
    cells = math.floor(HALF_WIDTH_M / resolution)
    rows = range(middle - cells, middle + cells)
    assert {x for x, _ in marked} == {column}
    assert {y for _, y in marked} >= set(rows)
    assert len(marked) <= len(rows) + 2  # the cells that the wall's ends lie in


def test_a_laser_scan_of_the_cloud_is_the_walls(wired):
    """Rules: pointcloud_to_laserscan/src/pointcloud_to_laserscan_node.cpp."""
    text = (CONFIG / "pointcloud_to_laserscan.yaml").read_text()
    scan = yaml.safe_load(text)["pointcloud_to_laserscan"]["ros__parameters"]
    points = points_in_base(wired)
    points = points[(points[:, 2] >= scan["min_height"]) & (points[:, 2] <= scan["max_height"])]
    range_m, angle = np.hypot(points[:, 0], points[:, 1]), np.arctan2(points[:, 1], points[:, 0])
    kept = (range_m >= scan["range_min"]) & (range_m <= scan["range_max"])
    kept &= (angle >= scan["angle_min"]) & (angle <= scan["angle_max"])
    rays = math.ceil((scan["angle_max"] - scan["angle_min"]) / scan["angle_increment"])
    ranges = np.full(rays, np.inf)
    ray = ((angle[kept] - scan["angle_min"]) / scan["angle_increment"]).astype(int)
    np.minimum.at(ranges, ray, range_m[kept])

    angles = scan["angle_min"] + (np.arange(rays) + 0.5) * scan["angle_increment"]
    seen_to = math.atan2(HALF_WIDTH_M, 11.7)
    assert np.isinf(ranges[np.abs(angles) > seen_to + scan["angle_increment"]]).all()
    hit = np.isfinite(ranges)
    # Points are 1.43 hundredths of a radian apart: two rays of three meet one.
    assert hit[np.abs(angles) < seen_to].mean() > 0.6
    np.testing.assert_allclose(ranges[hit], 11.7 / np.cos(angles[hit]), rtol=5e-3)


def test_autowares_topics_and_frames(ros_context, wall_model, tmp_path):
    rig = Rig()
    sensing = "/sensing/camera/camera0"
    rig.publishers |= {
        "image": rig.node.create_publisher(Image, f"{sensing}/image_rect_color", 10),
        "camera_info": rig.node.create_publisher(CameraInfo, f"{sensing}/camera_info", 10),
        "radar": rig.node.create_publisher(
            RadarTracks, "/sensing/radar/front_center/objects_raw", 10
        ),
    }
    try:
        with launcher(tmp_path) as launch:
            launch(
                f"model_file:={wall_model}",
                f"params_file:={CONFIG / 'autoware.yaml'}",
                *("device:=cpu", "backend:=torch"),
                f"image:={sensing}/image_rect_color",
                f"camera_info:={sensing}/camera_info",
                "radar_topics:=/sensing/radar/front_center/objects_raw",
            )
            rig.connect("image", "camera_info", "radar", "tf_static")
            send_mountings(rig, parent="map")

            def answered():
                # A frame each turn: what comes before the node has found all publishers is lost.
                rig.stamp_ns += NS
                rig.send("radar", messages(ns_to_stamp(rig.stamp_ns))["radar_tracks"])
                rig.send("camera_info", rig.info(rig.stamp_ns))
                rig.send("image", rig.image(rig.stamp_ns))
                time.sleep(0.5)
                return any(status.radar_names for status in rig.received["status"])

            rig.wait(answered, "status of a frame with radar", 60.0)
            status = next(s for s in reversed(rig.received["status"]) if s.radar_names)
    finally:
        rig.close()
    assert list(status.radar_names) == ["front_center"]
    assert list(status.radar_returns_in_image) == [1]
    assert status.ego_motion == status.EGO_MOTION_TF
