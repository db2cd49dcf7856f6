# SPDX-License-Identifier: Apache-2.0
"""depth_node from start to end: models that cannot be used, lifecycle, large images, Ctrl-C.

Silence, wrong QoS and absent devices are among the complaints, in complaints/.
"""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

pytestmark = pytest.mark.ros


def transition(rig, name: str) -> bool:
    """Ask for a transition; True if it succeeded."""
    from lifecycle_msgs.srv import ChangeState

    client = rig.node.create_client(ChangeState, "/depth_node/change_state")
    assert client.wait_for_service(20)
    request = ChangeState.Request()
    request.transition.label = name
    future = client.call_async(request)
    rig.wait(future.done, name, 60)
    return future.result().success


def test_a_model_that_cannot_be_used_fails_configure_and_can_be_replaced(
    rig, start_node, tmp_path, model_file
):
    missing = tmp_path / "nowhere.safetensors"
    node = start_node(model_file=missing, wait="configure failed", diagnostics__period=0.2)
    assert str(missing) in node.text
    rig.wait(lambda: rig.diagnostics("model"), "diagnostics")
    model = rig.diagnostics("model")
    assert (model["state"], model["level"]) == ("unconfigured", "2")
    assert str(missing) in model["message"]
    wrong = tmp_path / "wrong.safetensors"
    wrong.write_bytes(b"these are no weights")
    assert rig.set_parameters(model_file=str(wrong)) == ""
    assert not transition(rig, "configure")
    assert node.text.count("configure failed") == 2 and str(wrong) in node.text
    assert rig.set_parameters(model_file=str(model_file)) == ""
    checksum = hashlib.sha256(model_file.read_bytes()).hexdigest()
    assert "12 to 64" in rig.set_parameters(model_sha256=checksum.upper())
    assert rig.set_parameters(model_sha256="0123456789ab") == ""
    assert not transition(rig, "configure")
    assert f"has the SHA-256 {checksum}; expected one that begins with 0123456789ab" in node.text
    assert rig.set_parameters(model_sha256=checksum[:12]) == ""
    assert transition(rig, "configure")
    assert "cannot change while" in rig.set_parameters(model_file=str(wrong))
    assert transition(rig, "activate")
    rig.connect("image", "camera_info", "radar", "tf_static")
    rig.send_static()
    assert rig.depth_of_next_frame().model.startswith(model_file.name)


def test_lifecycle_transitions_in_a_loop(rig, start_node):
    node = start_node(autostart=False, wait="", diagnostics__period=0.2)
    assert transition(rig, "configure")
    for _ in range(3):
        assert transition(rig, "activate")
        rig.connect("image", "camera_info", "radar", "tf_static")
        rig.send_static()
        rig.depth_of_next_frame()
        assert transition(rig, "deactivate")
        rig.wait(lambda: rig.publishers["image"].get_subscription_count() == 0, "the node to close")
        rig.settled_state("inactive")
    assert transition(rig, "cleanup")
    rig.settled_state("unconfigured")
    assert not transition(rig, "activate")  # not from here
    assert transition(rig, "configure") and transition(rig, "activate")
    rig.connect("image", "camera_info", "radar", "tf_static")
    rig.depth_of_next_frame()
    assert node.text.count("loaded random.safetensors") == 2  # deactivate keeps the model
    assert transition(rig, "shutdown")
    assert node.stop() == 0


@pytest.mark.parametrize("signals", [(signal.SIGINT, signal.SIGINT), (signal.SIGTERM,)])
def test_ends_cleanly_while_frames_come(rig, start_node, signals):
    """Two SIGINTs in a row, as an impatient Ctrl-C sends them, interrupted the closing."""
    node = start_node()
    rig.connect("image", "camera_info", "radar")
    rig.send_frames(3, pause_s=0.02)
    for number in signals[:-1]:
        node.process.send_signal(number)
        time.sleep(0.15)  # the closing has begun
    assert node.stop(signals[-1]) == 0
    assert "Traceback" not in node.text and "dropped by" not in node.text


def test_compressed_images_and_a_corrupt_one(rig, start_node):
    import cv2
    from ros_rig import CAMERA_FRAME, HEIGHT, WIDTH
    from sensor_msgs.msg import CompressedImage

    from xd_rcdepth_ros.ros.conversions import ns_to_stamp

    node = start_node(image_transport="compressed", diagnostics__period=0.2)
    rig.connect("compressed", "camera_info", "radar", "tf_static")
    rig.send_static()
    jpeg = cv2.imencode(".jpg", np.full((HEIGHT, WIDTH, 3), 90, np.uint8))[1].tobytes()

    def send(data):
        rig.stamp_ns += 100_000_000
        message = CompressedImage(format="jpeg")
        message.header.frame_id = CAMERA_FRAME
        message.header.stamp = ns_to_stamp(rig.stamp_ns)
        message.data.frombytes(data)
        rig.send("radar", rig.cloud(rig.stamp_ns))
        rig.send("camera_info", rig.info(rig.stamp_ns))
        rig.send("compressed", message)
        return rig.stamp_ns

    rig.wait_for_stamp(send(jpeg))
    for broken in (jpeg[: len(jpeg) // 3], b"", b"\xff\xd8\xff\xff\xd9"):
        send(broken)
        time.sleep(0.1)
    rig.wait_for_stamp(send(jpeg))
    frames = rig.settled()
    assert (frames["frames_in"], frames["frames_out"]) == ("5", "2")
    assert frames["dropped_bad_image"] == "3"
    assert f"JPEG of {len(jpeg) // 3} bytes without its end" in node.text


def test_a_large_best_effort_image_arrives(rig, start_node):
    """4 MB best effort: lost whole with the default profile, not with the one that is shipped."""
    from rclpy.qos import qos_profile_sensor_data
    from ros_rig import CAMERA
    from sensor_msgs.msg import Image

    start_node("-r", "image:=/big/image", network_size=[96, 160])
    publisher = rig.node.create_publisher(Image, "/big/image", qos_profile_sensor_data)
    rig.connect("camera_info")
    rig.wait(lambda: publisher.get_subscription_count() > 0, "the node's subscription")
    time.sleep(0.3)
    pixels = np.zeros((900, 1600, 3), np.uint8)
    stamps = []
    for _ in range(6):
        rig.stamp_ns += 100_000_000
        rig.send("camera_info", rig.info(rig.stamp_ns, CAMERA.resize(1600, 900)))
        publisher.publish(rig.image(rig.stamp_ns, pixels))
        stamps.append(rig.stamp_ns)
        time.sleep(0.3)
    rig.wait(lambda: set(stamps) & set(rig.stamps("status")), "depth of a large image")
    depth = rig.received["depth/image"][-1]
    assert depth.width == 160  # network_size has its effect


WRONG = {
    "sweeps:=0": "parameter sweeps = 0 is not allowed; expected int, 1 to 20",
    "device:=gpu": "auto, cpu, cuda or cuda:N",
    "sync.window:=wide": "expected double",
    "radars:=[fr ont]": "names of letters, digits and _",
    "depth.max": "parse parameter override rule: '-p depth.max'",
    "radars:=[front, 1]": "Sequence should be of same type",
}
RUN_EACH = """
import sys
from xd_rcdepth_ros.nodes.depth_node import main
for argument in sys.argv[1:]:
    print("rc", main(["--ros-args", "-p", argument]), file=sys.stderr, flush=True)
"""


def test_a_wrong_parameter_at_the_start_is_one_clear_line():
    done = subprocess.run(
        [sys.executable, "-c", RUN_EACH, *WRONG], capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    parts = done.stderr.split("rc 1\n")
    assert len(parts) == len(WRONG) + 1, done.stderr
    for part, (argument, said) in zip(parts, WRONG.items(), strict=False):
        (line,) = (line for line in part.splitlines() if "[FATAL]" in line)
        assert said in line, argument


def test_radar_type_precision_and_missing_clock(rig, start_node):
    pytest.importorskip("radar_msgs.msg", reason="radar_msgs cannot be imported")
    from radar_msgs.msg import RadarReturn, RadarScan
    from ros_rig import RADAR_FRAME

    from xd_rcdepth_ros.ros.conversions import ns_to_stamp

    node = start_node(
        radars="[side]",
        radar__side__type="radar_scan",
        precision="bf16",
        backend="torch",
        threads=1,
        diagnostics__period=0.1,
        use_sim_time=True,
        watchdog__timeout=0.5,
    )
    node.wait_for_text("nothing publishes /clock", 15)
    publisher = rig.node.create_publisher(RadarScan, "radar/side", 5)
    rig.connect("image", "camera_info", "tf_static")
    rig.send_static()
    rig.wait(lambda: publisher.get_subscription_count() > 0, "the node's subscription")
    time.sleep(0.3)
    scan = RadarScan(returns=[RadarReturn(range=20.0, amplitude=4.0)])
    scan.header.frame_id, scan.header.stamp = RADAR_FRAME, ns_to_stamp(rig.stamp_ns + 90_000_000)
    publisher.publish(scan)
    time.sleep(0.2)
    status = rig.depth_of_next_frame()
    assert (list(status.radar_names), list(status.radar_returns_in_image)) == (["side"], [1])
    model = rig.diagnostics("model")
    used = (model["backend"], model["precision"], model["threads"], model["backend_note"])
    assert used == ("torch", "bf16", "1", "as asked for")
    seen = len(rig.received["/diagnostics"])
    assert rig.set_parameters(diagnostics__period=30.0) == ""
    time.sleep(1.0)
    assert len(rig.received["/diagnostics"]) <= seen + 3


def test_full_sets_by_message_filters_through_a_time_jump(rig, start_node):
    """sync.policy: approximate over DDS: full sets, sets after a jump, and the rest counted."""
    node = start_node(
        sync__policy="approximate",
        sync__on_missing_radar="skip",
        sync__max_wait=1.0,
        diagnostics__period=0.2,
    )
    rig.connect("image", "camera_info", "radar", "tf_static")
    rig.send_static()
    first_ns = rig.stamp_ns
    for start_ns in (first_ns, first_ns - 5_000_000_000):
        rig.stamp_ns = start_ns
        for _ in range(3):
            status = rig.depth_of_next_frame()
            assert list(status.radar_names) == ["front"]
    rig.stamp_ns += 1_000_000_000
    rig.send("camera_info", rig.info(rig.stamp_ns))
    rig.send("image", rig.image(rig.stamp_ns))  # no radar near it
    rig.wait(lambda: rig.diagnostics("frames").get("dropped_no_radar") == "1", "the drop counted")
    frames, sync = rig.settled(), rig.diagnostics("synchronisation")
    assert (frames["frames_in"], frames["frames_out"]) == ("7", "6")
    assert (sync["matched"], sync["front_sweeps_used"], sync["resets"]) == ("6", "6", "1")
    assert "cannot change while" in rig.set_parameters(sync__policy="camera")
    assert "knows no history" in rig.set_parameters(sweeps=3)
    assert "Traceback" not in node.text
