# SPDX-License-Identifier: Apache-2.0
"""The ten complaints that users of comparable nodes bring most often, each answered over real DDS.

Every test launches the node as a user does and is the rest of the robot itself. How the same
things behave when they go wrong again and again is tested in test/faults.
"""

from __future__ import annotations

import ast
import itertools
import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.ros
NS = 1_000_000_000
GUARD = Path(__file__).parent / "guard"


def depth_array(message):
    dtype = {"32FC1": np.float32, "16UC1": np.uint16}[message.encoding]
    return np.frombuffer(message.data, dtype).reshape(message.height, message.width)


def test_complaint_01_no_output_and_no_word_why(rig, launch):
    """Wrong QoS, wrong type and nobody there: each is named with its topic, and in diagnostics."""
    from rclpy.qos import QoSProfile, ReliabilityPolicy
    from sensor_msgs.msg import Image
    from std_msgs.msg import String

    best_effort = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
    rig.node.create_publisher(Image, "/lossy/image", best_effort)
    rig.node.create_publisher(String, "/radar/odd", 5)
    node = launch(
        "image:=/lossy/image", "camera_info:=/nobody/info", "radar_topics:=/radar/odd",
        parameters={
            "qos_overrides./lossy/image.subscription.reliability": "reliable",
            "watchdog.timeout": 0.5,
        },
    )  # fmt: skip
    node.wait_for_text("publisher on topic '/lossy/image' offers QoS")
    assert "policy: RELIABILITY" in node.text
    node.wait_for_text("on topic '/lossy/image' (image), 1 publishers; QoS does not fit")
    node.wait_for_text("on topic '/nobody/info' (camera_info), 0 publishers: check the topic's")
    node.wait_for_text(
        "on topic '/radar/odd' (radar front), 1 publishers, but of type std_msgs/msg/String"
    )
    rig.wait(lambda: "RELIABILITY" in str(rig.diagnostics("input image")), "diagnostics")
    image = rig.diagnostics("input image")
    assert image["level"] == "2" and "/lossy/image" in image["message"]


@pytest.fixture(scope="class")
def node(ros_context, wall_model, tmp_path_factory):
    from complaint_rig import launcher
    from ros_rig import Rig

    rig = Rig()
    with launcher(tmp_path_factory.mktemp("one")) as launch:
        rig.launched = launch(f"model_file:={wall_model}")
        rig.connect("image", "camera_info", "radar", "tf_static")
        rig.send_static()
        rig.depth_of_next_frame()
        yield rig
    rig.close()


class TestOneNode:
    """Complaints that one launched node answers; its model says 10 m everywhere."""

    def test_complaint_02_wrong_scale_unit_or_encoding(self, node):
        """A wall at 10 m is 10 m by the arithmetic of depth_image_proc, in either encoding."""
        points = {}
        for encoding, metres in (("16UC1", 0.001), ("32FC1", 1.0)):
            assert node.set_parameters(depth__encoding=encoding) == ""
            node.depth_of_next_frame()
            depth = node.wait_for_stamp(node.stamp_ns, "depth/image")
            info = node.wait_for_stamp(node.stamp_ns, "depth/camera_info")
            assert (depth.encoding, depth.width) == (encoding, info.width)
            z = depth_array(depth) * metres
            np.testing.assert_allclose(z, 10.0, atol=0.01)
            u, v = np.meshgrid(np.arange(depth.width), np.arange(depth.height))
            x = (u - info.p[2]) * z / info.p[0]
            y = (v - info.p[6]) * z / info.p[5]
            points[encoding] = np.stack([x, y, z])
        from ros_rig import CAMERA

        width_m = 10.0 * CAMERA.width / CAMERA.k[0, 0]  # what the source camera sees at 10 m
        x = points["32FC1"][0]
        assert (x.max() - x.min()) * x.shape[1] / (x.shape[1] - 1) == pytest.approx(width_m, 1e-3)

    def test_complaint_03_missing_transform(self, node):
        """A frame that nobody knows: depth from the image alone, and both names in a warning."""
        node.stamp_ns += NS
        node.send("radar", node.cloud(node.stamp_ns, frame="bumper"))
        node.send("camera_info", node.info(node.stamp_ns))
        node.send("image", node.image(node.stamp_ns))
        status = node.wait_for_stamp(node.stamp_ns)
        assert status.flags & status.FLAG_NO_TRANSFORM
        assert status.ego_motion == status.EGO_MOTION_NONE
        node.launched.wait_for_text("radar frame 'bumper' to camera frame 'camera_front_optical'")
        assert "WARN" in next(li for li in node.launched.text.splitlines() if "'bumper'" in li)
        node.stamp_ns += NS
        assert list(node.depth_of_next_frame().radar_returns) == [2]  # the others still count

    def test_complaint_06_debug_drawing_slows_the_node(self, node):
        """Nobody looks: not one backward pass. Somebody looks: they come, at their own rate."""
        from sensor_msgs.msg import Image

        node.send_frames(5, pause_s=0.05)
        node.settled()
        assert node.diagnostics("model")["saliency_maps"] == "0"
        node.listen("saliency/heatmap", Image)

        def drawn():
            node.send_frame()
            time.sleep(0.1)
            return node.received["saliency/heatmap"]

        node.wait(drawn, "a saliency map")
        node.settled()
        assert int(node.diagnostics("model")["saliency_maps"]) >= 1
        node.deaf("saliency/heatmap")

    def test_complaint_08_on_which_device_is_never_a_guess(self, node):
        status = node.depth_of_next_frame()
        node.settled()
        model = node.diagnostics("model")
        assert (status.device, status.backend) == (model["device"], model["backend"])
        # As launched; what `auto` chooses, and why, is test_depth_node_backends.py's.
        assert (model["device"], model["backend"], model["precision"]) == ("cpu", "torch", "fp32")

    def test_complaint_10_unknown_radar_fields_and_other_resolutions(self, node):
        """A wrong field map lists what is there; a point stays where it is at any resolution."""
        from ros_rig import CAMERA

        node.stamp_ns += NS
        node.send("radar", node.cloud(node.stamp_ns, rcs="power"))
        node.launched.wait_for_text("it has: x, y, z, power, vx, vy")
        point = np.array([1.0, -0.5, 10.0])
        rays = []
        for camera in (CAMERA, CAMERA.resize(320, 192), CAMERA.resize(80, 48)):
            node.stamp_ns += NS // 10
            node.send("camera_info", node.info(node.stamp_ns, camera))
            pixels = np.zeros((camera.height, camera.width, 3), np.uint8)
            node.send("image", node.image(node.stamp_ns, pixels))
            info = node.wait_for_stamp(node.stamp_ns, "depth/camera_info")
            depth = node.wait_for_stamp(node.stamp_ns, "depth/image")
            assert (info.width, info.height) == (depth.width, depth.height)
            u = info.k[0] * point[0] / point[2] + info.k[2]
            v = info.k[4] * point[1] / point[2] + info.k[5]
            rays.append(((u + 0.5) / info.width, (v + 0.5) / info.height))
        np.testing.assert_allclose(rays, np.broadcast_to(rays[0], (3, 2)), atol=1e-3)


@pytest.fixture(scope="class")
def bag(tmp_path_factory):
    from nuscenes_fixtures import make_nuscenes

    from xd_rcdepth_ros.datasets.nuscenes import convert_nuscenes

    folder = tmp_path_factory.mktemp("replay")
    make_nuscenes(folder / "nuscenes", seconds=1.5)
    (path,) = convert_nuscenes(folder / "nuscenes", folder / "bags")
    return path


@pytest.fixture(scope="class")
def replay(ros_context, bag, wall_model, tmp_path_factory):
    """Four loops and a bit; the rig holds all that was said meanwhile."""
    from complaint_rig import Launched, launcher
    from rclpy.qos import DurabilityPolicy, QoSProfile
    from ros_rig import Rig
    from sensor_msgs.msg import PointCloud2
    from tf2_msgs.msg import TFMessage

    folder = tmp_path_factory.mktemp("guarded")
    rig = Rig()
    rig.listen("/radar/front", PointCloud2)
    with launcher(folder) as launch:
        node = launch(
            f"model_file:={wall_model}", "image:=/camera/front/image",
            "camera_info:=/camera/front/camera_info", "image_transport:=compressed",
            "radar_topics:=/radar/front", "use_sim_time:=true",
            PYTHONPATH=str(GUARD), GUARD_REPORT=str(folder / "guard.json"),
        )  # fmt: skip
        # Slow enough that the network keeps up on a busy machine: what it cannot take in before
        # the loop's end is dropped then, and that is no loss of the synchroniser's.
        player = Launched(
            folder / "play.log", "bag", "play", bag, "--loop", "--clock", "-d", "1.0",
            "--rate", "0.4",
        )  # fmt: skip
        try:

            def loops():
                stamps = rig.stamps("status")
                return sum(b < a for a, b in itertools.pairwise(stamps))

            rig.wait(lambda: loops() >= 1, "the first loop's end", 60)
            # Somebody who comes late; the frames that stand still are there for him too.
            latched = QoSProfile(depth=5, durability=DurabilityPolicy.TRANSIENT_LOCAL)
            rig.node.create_subscription(
                TFMessage, "/tf_static", rig.received["late"].append, latched
            )
            rig.wait(lambda: loops() >= 4, "three more loops", 60)
            rig.settled()
        finally:
            player.stop()
        rig.launched = node
        node.stop()
        rig.guard = json.loads((folder / "guard.json").read_text())
        yield rig
    rig.close()


class TestReplay:
    """A nuScenes tree, converted, played in a loop by ros2 bag play; the node is under guard."""

    def test_complaint_04_dies_or_stalls_after_a_bag_loop(self, replay):
        """Each whole loop gives the same number of image and radar pairs."""
        loops = [[]]
        for status in replay.received["status"]:
            stamp = status.header.stamp.sec * NS + status.header.stamp.nanosec
            if loops[-1] and stamp < loops[-1][-1][0]:
                loops.append([])
            # Pairs that a newer one pushed out of the slot were pairs all the same.
            late = dict(zip(status.drop_reasons, status.drop_counts, strict=True))
            loops[-1].append((stamp, status.frames_out + late.get("newer_frame", 0)))
        ends = [loop[-1][1] for loop in loops[:-1]]
        pairs = np.diff(ends[:4])
        assert len(pairs) == 3 and np.ptp(pairs) <= 1, f"pairs a loop: {pairs}"
        assert min(pairs) >= 15  # of 19 images
        assert int(replay.diagnostics("frames")["time_resets"]) >= 3
        assert "dropped_worker_error" not in replay.diagnostics("frames")

    def test_complaint_07_installation_pulls_in_what_it_likes(self, replay):
        """While it starts and runs, the node calls nobody and installs nothing."""
        assert replay.guard["calls"] == []
        assert "torch" in replay.guard["modules"]  # the guard did look on
        unwanted = {"pip", "uv", "lightning", "matplotlib", "onnxruntime", "pandas", "pytest"}
        assert not unwanted & set(replay.guard["modules"])

    def test_complaint_09_nuscenes_bag_lacks_what_a_node_needs(self, replay):
        """Played as it is: camera_info, all 18 radar fields, and static frames for latecomers."""
        assert replay.received["depth/camera_info"]
        assert {len(cloud.fields) for cloud in replay.received["/radar/front"]} == {18}
        frames = {t.child_frame_id for m in replay.received["late"] for t in m.transforms}
        assert {"radar_front", "camera_front_optical"} <= frames
        statuses = replay.received["status"]
        moved = Counter(s.ego_motion == s.EGO_MOTION_TF for s in statuses if s.radar_names)
        assert moved[True] > moved[False]


def test_complaint_05_output_grows_stale_behind_a_slow_model(rig, launch, model_file):
    """30 Hz into a network that is slower: what comes out is of the newest image, from the first.

    A queue of a single image more would show as a wait as long as the network's own time.
    """
    launch(f"model_file:={model_file}", parameters={"network_size": [512, 832]})
    rig.connect("image", "camera_info", "radar", "tf_static")
    rig.send_static()
    time.sleep(0.3)
    rig.send_frames(120, pause_s=1 / 30)
    frames = rig.settled()
    assert int(frames["dropped_newer_frame"]) > 10, "the model was not slow"
    stages = [dict(zip(s.stage_names, s.stage_ms, strict=True)) for s in rig.received["status"]]
    waits = [stage.pop("wait") for stage in stages]
    own = [sum(stage.values()) for stage in stages]
    assert np.median(waits) < 0.5 * np.median(own), f"waited {waits} ms, worked {own} ms"
    assert own[0] < 3 * np.median(own), "the first frame paid for warming up"


def test_complaint_08_silently_on_the_cpu(rig, launch):
    """device:=cuda without one: configure fails and says so; there is no other device instead."""
    import torch

    absent = f"cuda:{torch.cuda.device_count() if torch.cuda.is_available() else 0}"
    node = launch(wait="configure failed", parameters={"device": absent})
    assert absent in node.text.split("configure failed")[1]
    rig.wait(lambda: rig.diagnostics("model"), "diagnostics")
    model = rig.diagnostics("model")
    assert (model["state"], model["level"]) == ("unconfigured", "2")
    assert absent in model["message"] and rig.node.count_publishers("/depth_node/status") == 0


def test_complaint_10_compressed_images(rig, launch, wall_model):
    """JPEG, PNG; realsense-ros#2529: image:=.../compressed asked for .../compressed/compressed."""
    import cv2
    from ros_rig import CAMERA_FRAME, HEIGHT, WIDTH
    from sensor_msgs.msg import CompressedImage

    from xd_rcdepth_ros.ros.conversions import ns_to_stamp

    node = launch(f"model_file:={wall_model}", "image:=/image/compressed")
    assert "/image/compressed, " in node.text.split("listening to")[1]
    assert "compressed/compressed" not in node.text
    rig.connect("compressed", "camera_info", "radar", "tf_static")
    for kind in ("jpeg", "png"):
        rig.stamp_ns += NS // 10
        message = CompressedImage(format=kind)
        message.header.frame_id = CAMERA_FRAME
        message.header.stamp = ns_to_stamp(rig.stamp_ns)
        pixels = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
        message.data.frombytes(cv2.imencode(f".{kind}", pixels)[1].tobytes())
        rig.send("camera_info", rig.info(rig.stamp_ns))
        rig.send("compressed", message)
        depth = rig.wait_for_stamp(rig.stamp_ns, "depth/image")
        np.testing.assert_allclose(depth_array(depth), 10.0, atol=0.01)


def test_complaint_07_every_import_is_declared():
    """What the code imports is named in package.xml or in pyproject.toml."""
    project = Path(__file__).resolve().parents[3]
    other_names = {"cv2": "opencv", "yaml": "pyyaml", "tf2_py": "tf2_ros"}
    declared = (project / "package.xml").read_text() + (project / "pyproject.toml").read_text()
    declared = declared.lower().replace("-", "_")
    imported = set()
    for path in (project / "xd_rcdepth_ros").rglob("*.py"):
        for statement in ast.walk(ast.parse(path.read_text())):
            if isinstance(statement, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in statement.names}
            elif isinstance(statement, ast.ImportFrom) and statement.level == 0:
                imported.add(str(statement.module).split(".")[0])
    foreign = imported - set(sys.stdlib_module_names) - {"__future__"}
    assert "torch" in foreign
    missing = {name for name in foreign if other_names.get(name, name) not in declared}
    assert not missing, f"imported, but declared nowhere: {missing}"


def test_the_guard_of_complaint_07_sees_what_it_looks_for(tmp_path):
    """The watch is alive: a call to another machine and an installer are both written down."""
    script = tmp_path / "depth_node.py"
    script.write_text(
        "import socket, subprocess, contextlib\n"
        "with contextlib.suppress(OSError): socket.create_connection(('192.0.2.1', 9), 0.01)\n"
        "subprocess.run(['pip', '--version'], capture_output=True)\n"
    )
    report = tmp_path / "report.json"
    environment = {**os.environ, "PYTHONPATH": str(GUARD), "GUARD_REPORT": str(report)}
    subprocess.run([sys.executable, str(script)], env=environment, check=True)
    calls = " ".join(json.loads(report.read_text())["calls"])
    assert "192.0.2.1" in calls and "pip --version" in calls
