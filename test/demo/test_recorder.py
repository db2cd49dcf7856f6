# SPDX-License-Identifier: Apache-2.0
"""The recorder: stamps out of serialized messages, whole bags or none, and why it gives up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rosbags.highlevel import AnyReader

from xd_rcdepth_ros.demo.figures import Traffic

REPOSITORY = Path(__file__).resolve().parents[2]
STATUS = (REPOSITORY / "msg" / "DepthStatus.msg").read_text()
pytestmark = pytest.mark.ros


def start_recorder(output: Path, domain: int, *parameters: str) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        "ROS_DOMAIN_ID": str(domain),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
    }
    command = [sys.executable, "-m", "xd_rcdepth_ros.nodes.demo_recorder", "--ros-args"]
    for parameter in (f"output:={output}", *parameters):
        command += ["-p", parameter]
    return subprocess.Popen(
        command,
        env=environment,
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_stamp_is_read_from_either_byte_order() -> None:
    from xd_rcdepth_ros.nodes.demo_recorder import header_stamp_ns

    little = bytes([0, 1, 0, 0, 5, 0, 0, 0, 7, 0, 0, 0])
    big = bytes([0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 7])
    assert header_stamp_ns(little) == header_stamp_ns(big) == 5_000_000_007


def test_stamp_agrees_with_rclpy() -> None:
    from rclpy.serialization import serialize_message
    from sensor_msgs.msg import Image

    from xd_rcdepth_ros.nodes.demo_recorder import header_stamp_ns

    message = Image()
    message.header.stamp.sec, message.header.stamp.nanosec = 1_700_000_000, 123
    assert header_stamp_ns(serialize_message(message)) == 1_700_000_000_000_000_123


def test_bag_takes_its_name_when_it_is_whole(tmp_path: Path) -> None:
    from rclpy.serialization import serialize_message
    from xd_rcdepth_ros.msg import DepthStatus

    from xd_rcdepth_ros.nodes.demo_recorder import OutputBag

    path = tmp_path / "outputs"
    bag = OutputBag(path, STATUS)
    status = DepthStatus(frames_in=3, radar_names=["front"], stage_ms=[1.5])
    bag.write("/n/status", "xd_rcdepth_ros/msg/DepthStatus", 5, serialize_message(status))
    assert not path.exists()
    bag.close()
    assert [p.name for p in tmp_path.iterdir()] == ["outputs"]
    with AnyReader([path]) as reader:
        ((connection, time_ns, raw),) = reader.messages()
        read = reader.deserialize(raw, connection.msgtype)
    assert (time_ns, read.frames_in, read.radar_names) == (5, 3, ["front"])
    another = OutputBag(path, STATUS)
    another.discard()
    assert [p.name for p in tmp_path.iterdir()] == ["outputs"]


def test_without_a_depth_node_it_says_so_and_writes_nothing(tmp_path: Path) -> None:
    recorder = start_recorder(tmp_path / "outputs", 52, "start_timeout:=1.0")
    said, complained = recorder.communicate(timeout=60)
    assert recorder.returncode == 1
    assert "/depth_node was not ready after 1 s" in complained
    assert "READY" not in said
    assert not list(tmp_path.iterdir())


IMAGES = "/camera/front/image/compressed"


@contextmanager
def fake_depth_node(domain: int) -> Iterator[Callable[[int, bool], None]]:
    """Offer what the depth node offers; yields a function that publishes (stamp, answered)."""
    import rclpy
    from lifecycle_msgs.msg import State
    from lifecycle_msgs.srv import GetState
    from rclpy.executors import SingleThreadedExecutor
    from sensor_msgs.msg import CompressedImage

    from xd_rcdepth_ros.nodes.demo_recorder import OUTPUTS

    context = rclpy.Context()
    rclpy.init(context=context, domain_id=domain)
    node = rclpy.create_node("depth_node", context=context)
    player = rclpy.create_node("player", context=context)

    def answer(_: GetState.Request, response: GetState.Response) -> GetState.Response:
        response.current_state.id = State.PRIMARY_STATE_ACTIVE
        return response

    node.create_service(GetState, "~/get_state", answer)
    outputs = {n: node.create_publisher(kind, f"~/{n}", 10) for n, (kind, _) in OUTPUTS.items()}
    images = player.create_publisher(CompressedImage, IMAGES, 10)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    thread = threading.Thread(target=executor.spin, daemon=True)
    thread.start()

    def publish(second: int, answered: bool) -> None:
        image = CompressedImage()
        image.header.stamp.sec = second
        images.publish(image)
        for name, publisher in outputs.items() if answered else ():
            message = OUTPUTS[name][0]()
            message.header.stamp.sec = second
            publisher.publish(message)

    publish.stop_playing = lambda: player.destroy_publisher(images)  # type: ignore[attr-defined]
    try:
        yield publish
    finally:
        executor.shutdown()
        thread.join(10)
        node.destroy_node()
        player.destroy_node()
        rclpy.shutdown(context=context)


def wait_until_ready(recorder: subprocess.Popen[str]) -> None:
    assert recorder.stdout is not None
    line = recorder.stdout.readline()
    assert line.startswith("READY"), line


def test_it_ends_by_itself_also_when_an_image_stays_unanswered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    recorder = start_recorder(tmp_path / "outputs", 54, "answer_timeout:=1.5")
    with fake_depth_node(54) as publish:
        wait_until_ready(recorder)
        time.sleep(0.5)
        for second, answered in ((1, True), (2, False), (3, True)):
            publish(second, answered)
            time.sleep(0.2)
        publish.stop_playing()  # type: ignore[attr-defined]
        recorder.communicate(timeout=60)
    assert recorder.returncode == 0
    traffic = Traffic.read(tmp_path / "arrivals.json")
    seconds = 1_000_000_000
    assert set(traffic.published_ns) == {1 * seconds, 2 * seconds, 3 * seconds}
    assert set(traffic.received_ns) == {1 * seconds, 3 * seconds}
    assert all(0 < ms < 10_000 for ms in traffic.latencies_ms().values())
    with AnyReader([tmp_path / "outputs"]) as reader:
        assert {info.msgcount for info in reader.topics.values()} == {2}


def test_interrupted_it_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    recorder = start_recorder(tmp_path / "outputs", 53)
    with fake_depth_node(53) as publish:
        wait_until_ready(recorder)
        publish(1, True)
        assert [path.name for path in tmp_path.iterdir()] == [".outputs.partial"]
        for _ in range(2):
            recorder.send_signal(signal.SIGINT)
            time.sleep(0.05)
        recorder.communicate(timeout=60)
    assert recorder.returncode == 0
    assert not list(tmp_path.iterdir())


def test_times_come_from_dds_and_on_humble_from_the_clock() -> None:
    from xd_rcdepth_ros.nodes.demo_recorder import times_ns

    assert times_ns({"source_timestamp": 5, "received_timestamp": 7}) == (5, 7)
    before = time.time_ns()
    published, received = times_ns(None)
    assert before <= published == received <= time.time_ns()
