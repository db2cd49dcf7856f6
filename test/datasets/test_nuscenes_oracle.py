# SPDX-License-Identifier: Apache-2.0
"""Our loading, transforms and projections beside those of the official nuScenes devkit."""

import numpy as np
import pytest

from xd_rcdepth_ros.datasets.nuscenes import convert_nuscenes
from xd_rcdepth_ros.datasets.nuscenes_files import DEVKIT_FILTER
from xd_rcdepth_ros.recordings.pcd import read_radar_pcd
from xd_rcdepth_ros.recordings.reader import Recording

nuscenes = pytest.importorskip(
    "nuscenes.nuscenes", reason="nuscenes-devkit and what it imports are not installed"
)
PIXELS, METRES = 1e-4, 1e-6


def devkit_projection(nusc, camera, sensor):
    """Project a radar or lidar file with the devkit's own classes: sensor, ego, global, camera."""
    from nuscenes.utils.data_classes import LidarPointCloud, RadarPointCloud
    from nuscenes.utils.geometry_utils import view_points
    from pyquaternion import Quaternion

    path = f"{nusc.dataroot}/{sensor['filename']}"
    if sensor["sensor_modality"] == "radar":
        RadarPointCloud.disable_filters()
        cloud = RadarPointCloud.from_file(path)
    else:
        cloud = LidarPointCloud.from_file(path)
    cloud.points = cloud.points.astype(np.float64)  # its own float32 is coarser than the tolerance
    loaded = cloud.points[:3].copy()
    for row in (
        nusc.get("calibrated_sensor", sensor["calibrated_sensor_token"]),
        nusc.get("ego_pose", sensor["ego_pose_token"]),
    ):
        cloud.rotate(Quaternion(row["rotation"]).rotation_matrix)
        cloud.translate(np.array(row["translation"]))
    mounting = nusc.get("calibrated_sensor", camera["calibrated_sensor_token"])
    for row in (nusc.get("ego_pose", camera["ego_pose_token"]), mounting):
        cloud.translate(-np.array(row["translation"]))
        cloud.rotate(Quaternion(row["rotation"]).rotation_matrix.T)
    k = np.array(mounting["camera_intrinsic"])
    pixels = view_points(cloud.points[:3], k, normalize=True)
    return loaded.T, cloud.points[:3].T, pixels[:2].T


def check_bag(nusc, bag, camera_channel="CAM_FRONT"):
    rows = {}
    for row in nusc.sample_data:
        rows[row["channel"], row["timestamp"] * 1000] = row
    compared = 0
    with Recording(bag) as recording:
        for frame in recording.frames(sweeps=2):
            camera = rows[camera_channel, frame.stamp_ns]
            for channel, points, transform, stamp in [
                *(
                    ("RADAR_FRONT", s.points.position_m, s.camera_from_radar, s.stamp_ns)
                    for s in frame.radar
                ),
                (
                    "LIDAR_TOP",
                    frame.lidar.points_m,
                    frame.lidar.camera_from_lidar,
                    frame.lidar.stamp_ns,
                ),
            ]:
                loaded, in_camera, pixels = devkit_projection(nusc, camera, rows[channel, stamp])
                np.testing.assert_array_equal(points, loaded.astype(np.float32))
                ours = transform.apply(points)
                np.testing.assert_allclose(ours, in_camera, rtol=0, atol=METRES)
                ahead = in_camera[:, 2] > 1.0
                uv, depth = frame.camera.project(ours[ahead])
                np.testing.assert_allclose(uv, pixels[ahead], rtol=0, atol=PIXELS)
                np.testing.assert_allclose(depth, in_camera[ahead, 2], rtol=0, atol=METRES)
                compared += int(ahead.sum())
    return compared


def test_real_drive_agrees_with_the_devkit(drive_root, tmp_path):
    nusc = nuscenes.NuScenes("v1.0-mini", str(drive_root), verbose=False)
    bags = convert_nuscenes(drive_root, tmp_path)
    assert sum(check_bag(nusc, bag) for bag in bags) > 1_000_000


def test_made_tree_agrees_with_the_devkit(nuscenes_tree, tmp_path):
    root, _ = nuscenes_tree(seconds=1.0, seed=3)
    nusc = nuscenes.NuScenes("v1.0-mini", str(root), verbose=False)
    (bag,) = convert_nuscenes(root, tmp_path / "bags")
    assert check_bag(nusc, bag) > 500


def test_simulated_drive_agrees_with_the_devkit(tmp_path):
    simulation = pytest.importorskip(
        "xd_rcdepth_ros.simulation", reason="the simulator's libraries are not installed"
    )
    settings = simulation.DriveSettings(seed=2, frames=8, width=160, height=96)
    simulation.write_nuscenes([simulation.Drive(settings)], tmp_path / "tree")
    nusc = nuscenes.NuScenes("v1.0-mini", str(tmp_path / "tree"), verbose=False)
    (bag,) = convert_nuscenes(tmp_path / "tree", tmp_path / "bags")
    assert check_bag(nusc, bag) > 10_000


def test_keyframe_pairs_are_those_of_the_sample(drive_root, tmp_path):
    """A keyframe image gets the radar and lidar keyframes of its own sample."""
    nusc = nuscenes.NuScenes("v1.0-mini", str(drive_root), verbose=False)
    bags = {bag.name: bag for bag in convert_nuscenes(drive_root, tmp_path)}
    for sample in nusc.sample:
        scene = nusc.get("scene", sample["scene_token"])["name"]
        stamps = {c: nusc.get("sample_data", t)["timestamp"] * 1000 for c, t in sample[
            "data"].items()}  # fmt: skip
        with Recording(bags[scene]) as recording:
            number = recording.stamps_ns().index(stamps["CAM_FRONT"])
            assert number in recording.keyframe_indices()
            frame = recording.frame(number)
        assert frame.lidar.stamp_ns == stamps["LIDAR_TOP"]
        assert frame.radar[0].stamp_ns == stamps["RADAR_FRONT"]


def test_radar_filter_equals_the_devkits_default(nuscenes_tree, random_radar, tmp_path):
    from nuscenes.utils.data_classes import RadarPointCloud

    from xd_rcdepth_ros.recordings.pcd import encode_pcd

    points = random_radar(np.random.default_rng(4), 2000)
    path = tmp_path / "radar.pcd"
    path.write_bytes(encode_pcd(points))
    RadarPointCloud.default_filters()
    theirs = RadarPointCloud.from_file(str(path)).points
    ours = DEVKIT_FILTER.apply(read_radar_pcd(path))
    assert 0 < len(ours) < 2000
    assert theirs.shape == (18, len(ours))
    for row, name in zip(theirs, ours.dtype.names, strict=True):
        np.testing.assert_array_equal(row, ours[name].astype(np.float64))
