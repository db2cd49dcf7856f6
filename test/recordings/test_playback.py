# SPDX-License-Identifier: Apache-2.0
"""Converted bags are played by `ros2 bag play` and arrive in another process over DDS."""

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from xd_rcdepth_ros.datasets.nuscenes import convert_nuscenes

ROS2 = shutil.which("ros2", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
NEEDED = ("rclpy", "sensor_msgs", "tf2_msgs", "nav_msgs")
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]
if ROS2 is None:
    MISSING.append("the ros2 command")
pytestmark = [
    pytest.mark.ros,
    pytest.mark.skipif(bool(MISSING), reason=f"ROS is not there: no {', '.join(MISSING)}"),
]

LISTENER = """
import hashlib, json, select, sys, time
import rclpy
from nav_msgs.msg import Odometry
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, PointCloud2
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

rclpy.init()
node = rclpy.create_node("listener")
got = {"images": {}, "infos": [], "radar": [], "lidar": 0, "odom": [], "keyframes": [], "tf": 0}
stamp = lambda header: header.stamp.sec * 10**9 + header.stamp.nanosec

def image(m):
    got["images"][stamp(m.header)] = hashlib.sha256(bytes(m.data)).hexdigest()

def lidar(m):
    got["lidar"] += 1

def tf(m):
    got["tf"] += 1

best_effort = QoSProfile(depth=200, reliability=ReliabilityPolicy.BEST_EFFORT)
node.create_subscription(CompressedImage, "/camera/front/image/compressed", image, 200)
node.create_subscription(CameraInfo, "/camera/front/camera_info",
                         lambda m: got["infos"].append(stamp(m.header)), 200)
node.create_subscription(PointCloud2, "/radar/front",
                         lambda m: got["radar"].append([f.name for f in m.fields]), best_effort)
node.create_subscription(PointCloud2, "/lidar/top", lidar, 200)
node.create_subscription(Odometry, "/odom", lambda m: got["odom"].append(m.twist.twist.linear.x),
                         200)
node.create_subscription(Header, "/keyframes", lambda m: got["keyframes"].append(m.frame_id), 200)
node.create_subscription(TFMessage, "/tf", tf, 200)
print("ready", flush=True)
end = time.monotonic() + 200
late = None
while time.monotonic() < end:
    rclpy.spin_once(node, timeout_sec=0.05)
    if got["images"] and late is None:  # who comes late still gets the latched transforms
        latched = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        late = node.create_subscription(
            TFMessage, "/tf_static",
            lambda m: got.setdefault("static", []).extend(t.child_frame_id for t in m.transforms),
            latched)
    if select.select([sys.stdin], [], [], 0)[0]:  # the player has ended
        sys.stdin.readline()
        end = min(end, time.monotonic() + 2.0)
print(json.dumps(got), flush=True)
rclpy.shutdown()
"""


def test_a_converted_bag_arrives_over_dds(nuscenes_tree, tmp_path):
    root, tables = nuscenes_tree(seconds=2.0)
    (bag,) = convert_nuscenes(root, tmp_path / "bags")
    images = [r for r in tables["sample_data"] if "CAM" in r["token"]]
    environment = {
        **os.environ,
        "ROS_DOMAIN_ID": str(30 + os.getpid() % 5),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
    }
    listener = subprocess.Popen(
        [sys.executable, "-c", LISTENER],
        env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tmp_path,
    )  # fmt: skip
    try:
        assert listener.stdout.readline() == "ready\n"
        play = subprocess.run(
            [ROS2, "bag", "play", str(bag), "--delay", "5", "--wait-for-all-acked", "5000"],
            env=environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert play.returncode == 0, play.stderr
        got = json.loads(listener.communicate("end\n", timeout=90)[0])
    finally:
        listener.kill()
    on_disk = {
        str(r["timestamp"] * 1000): hashlib.sha256((root / r["filename"]).read_bytes()).hexdigest()
        for r in images
    }
    # A busy machine may discover the player late; what arrives must be what lies on disk.
    assert got["images"].items() <= on_disk.items()
    assert len(got["images"]) > len(images) // 3
    assert set(got["infos"]) <= {r["timestamp"] * 1000 for r in images}
    assert len(got["infos"]) > len(images) // 3
    assert {len(names) for names in got["radar"]} == {18}
    assert set(got["static"]) == {"odom", "camera_front_optical", "radar_front", "lidar_top"}
    assert set(got["keyframes"]) == {"camera_front_optical", "radar_front", "lidar_top"}
    assert got["lidar"] > 10
    assert got["tf"] > 20
    assert all(10 < speed < 15 for speed in got["odom"])
