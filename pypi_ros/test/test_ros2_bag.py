# SPDX-License-Identifier: Apache-2.0
"""Contract of ``ros2 bag play``, ``record`` and ``info``: real processes over DDS."""

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("rosbags", reason="rosbags is not installed; the tests make their bags with it")

import yaml
from rosbags.interfaces import (
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import Reader, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

TYPES = get_typestore(Stores.ROS2_JAZZY)
STRING = "std_msgs/msg/String"
START_NS = 1_700_000_000_000_000_000
PERIOD_NS = 50_000_000
COUNT = 20


@dataclass
class Topic:
    """What a bag holds of a topic."""

    name: str
    messages: list[tuple[int, str | bytes]]
    reliability: QosReliability = QosReliability.RELIABLE
    durability: QosDurability = QosDurability.VOLATILE
    type_name: str = STRING


def write_bag(path: Path, *topics: Topic, storage: StoragePlugin = StoragePlugin.MCAP) -> Path:
    """Write a bag; messages are texts, or bytes that are CDR already."""
    forever = QosTime(2147483647, 4294967295)
    with Writer(path, version=9, storage_plugin=storage) as writer:
        items = []
        for topic in topics:
            qos = Qos(
                QosHistory.KEEP_LAST, 10, topic.reliability, topic.durability, forever, forever,
                QosLiveliness.AUTOMATIC, forever, False,
            )  # fmt: skip
            kwargs = {"typestore": TYPES}
            if topic.type_name not in TYPES.types:
                kwargs = {"msgdef": "string data", "rihs01": "RIHS01_0"}
            connection = writer.add_connection(
                topic.name, topic.type_name, offered_qos_profiles=[qos], **kwargs
            )
            for stamp_ns, data in topic.messages:
                if isinstance(data, str):
                    data = bytes(TYPES.serialize_cdr(TYPES.types[STRING](data), STRING))
                items.append((stamp_ns, connection, data))
        for stamp_ns, connection, data in sorted(items, key=lambda item: item[0]):
            writer.write(connection, stamp_ns, data)
    return path


def chatter(count: int = COUNT) -> Topic:
    """Return a topic of numbered messages at 20 Hz."""
    messages = [(START_NS + i * PERIOD_NS, f"message {i}") for i in range(count)]
    return Topic("/chatter", messages)


def latched() -> Topic:
    """Return a topic with one message for those who come later, too."""
    return Topic("/latched", [(START_NS, "from before")], durability=QosDurability.TRANSIENT_LOCAL)


def read_bag(path: Path) -> dict[str, list[tuple[int, bytes]]]:
    """Return stamps and bytes by topic."""
    found: dict[str, list[tuple[int, bytes]]] = {}
    with Reader(path) as reader:
        for connection in reader.connections:
            found[connection.topic] = []
        for connection, stamp_ns, data in reader.messages():
            found[connection.topic].append((stamp_ns, bytes(data)))
    return found


def texts(messages: list[tuple[int, bytes]]) -> list[str]:
    """Return the texts of String messages."""
    return [TYPES.deserialize_cdr(data, STRING).data for _, data in messages]


class Commands:
    """Runs ``ros2`` in the environment."""

    def __init__(
        self, ros2: list[str], environment: dict[str, str], directory: Path, patience_s: float
    ) -> None:
        self.ros2 = ros2
        self.environment = environment
        self.directory = directory
        self.patience_s = patience_s
        self.running: list[subprocess.Popen] = []

    def call(self, *arguments: str, timeout_s: float = 150) -> subprocess.CompletedProcess:
        return subprocess.run(
            [*self.ros2, *arguments],
            capture_output=True,
            text=True,
            env=self.environment,
            timeout=timeout_s,
            cwd=self.directory,
        )

    def start(self, *command: str) -> subprocess.Popen:
        process = subprocess.Popen(
            command,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.directory,
        )
        self.running.append(process)
        return process

    def record(self, *arguments: str) -> subprocess.Popen:
        """Start to record; return once it does."""
        process = self.start(*self.ros2, "bag", "record", *arguments)
        time.sleep(self.patience_s)
        assert process.poll() is None
        return process

    def play(self, bag: Path, *arguments: str) -> subprocess.CompletedProcess:
        """Play a bag to its end."""
        return self.call("bag", "play", str(bag), "--delay", str(self.patience_s), *arguments)

    def stop(self, process: subprocess.Popen, number: int = signal.SIGINT) -> str:
        """End a process by a signal; return its output."""
        time.sleep(self.patience_s / 3)
        process.send_signal(number)
        output, _ = process.communicate(timeout=30)
        return output

    def record_while_playing(self, bag: Path, *arguments: str) -> dict:
        """Return what is recorded of all topics while a bag is played."""
        recorder = self.record("-a", "-o", "recorded")
        played = self.play(bag, *arguments)
        assert played.returncode == 0, played.stderr
        output = self.stop(recorder)
        assert recorder.returncode == 0, output
        return read_bag(self.directory / "recorded")


@pytest.fixture
def commands(
    ros2: list[str], fast_dds_profile: dict[str, str], patience_s: float, tmp_path: Path
) -> Iterator[Commands]:
    environment = {**os.environ, **fast_dds_profile, "ROS_LOG_DIR": str(tmp_path / "log")}
    made = Commands(ros2, environment, tmp_path, patience_s)
    yield made
    for process in made.running:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.mark.parametrize("storage", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
def test_played_messages_are_recorded_byte_for_byte_and_in_order(
    commands: Commands, tmp_path: Path, storage: StoragePlugin
) -> None:
    best_effort = Topic(
        "/sensor",
        [(START_NS + i * PERIOD_NS + 1, f"s{i}") for i in range(COUNT)],
        reliability=QosReliability.BEST_EFFORT,
    )
    bag = write_bag(tmp_path / "bag", chatter(), best_effort, latched(), storage=storage)
    original = read_bag(bag)

    recorded = commands.record_while_playing(bag)

    for topic, messages in original.items():
        # The middleware may add padding at the end.
        assert [data.rstrip(b"\0") for _, data in recorded[topic]] == [
            data.rstrip(b"\0") for _, data in messages
        ], topic


def test_messages_are_played_in_their_rhythm(commands: Commands, tmp_path: Path) -> None:
    """Half a second of bag lasts at least that long, and at half the rate twice as long."""
    bag = write_bag(tmp_path / "bag", chatter(11))

    whole = commands.record_while_playing(bag)["/chatter"]
    shutil.rmtree(tmp_path / "recorded")
    half = commands.record_while_playing(bag, "--rate", "0.5")["/chatter"]

    assert len(whole) == len(half) == 11
    span_s = [(messages[-1][0] - messages[0][0]) * 1e-9 for messages in (whole, half)]
    assert span_s[0] > 0.25
    assert span_s[1] > 0.75


def test_part_of_a_bag_is_played_under_another_name(commands: Commands, tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "bag", chatter(), Topic("/other", [(START_NS, "o")]), latched())

    recorded = commands.record_while_playing(
        bag, "--topics", "/chatter", "--remap", "/chatter:=/talk",
        "--start-offset", "0.5", "--playback-duration", "0.3",
    )  # fmt: skip

    assert texts(recorded["/talk"]) == [f"message {i}" for i in range(10, 16)]
    assert not {"/chatter", "/other", "/latched"} & set(recorded)


LOOP_LISTENER = """
import json
import rclpy
from std_msgs.msg import String

rclpy.init()
node = rclpy.create_node("listener")
seen = []
node.create_subscription(String, "/chatter", lambda m: seen.append(m.data), 10)
while len(seen) < 9:
    rclpy.spin_once(node, timeout_sec=0.1)
print(json.dumps(seen))
"""


def test_loop_begins_again_until_interrupted(commands: Commands, tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "bag", chatter(3))
    listener = commands.start(sys.executable, "-c", textwrap.dedent(LOOP_LISTENER))
    player = commands.start(*commands.ros2, "bag", "play", str(bag), "--loop")
    output, _ = listener.communicate(timeout=60)
    commands.stop(player)

    seen = json.loads(output.splitlines()[-1])
    numbers = [int(text.split()[1]) for text in seen]
    assert player.returncode in (0, -signal.SIGINT, 128 + signal.SIGINT)
    assert numbers == [(numbers[0] + i) % 3 for i in range(9)]


CLOCK_LISTENER = """
import json, sys
import rclpy
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rosgraph_msgs.msg import Clock
from std_msgs.msg import String

rclpy.init()
node = Node("listener")
seen = []
node.create_subscription(
    Clock, "/clock", lambda m: seen.append(["clock", m.clock.sec * 10**9 + m.clock.nanosec]),
    qos_profile_sensor_data)
node.create_subscription(String, "/chatter", lambda m: seen.append(["chatter", m.data]), 10)
while not any(text == "message 19" for _, text in seen):
    rclpy.spin_once(node, timeout_sec=0.1)
print(json.dumps(seen))
"""


def test_clock_runs_with_the_bag(commands: Commands, tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "bag", chatter())
    listener = commands.start(sys.executable, "-c", textwrap.dedent(CLOCK_LISTENER))
    time.sleep(commands.patience_s)

    assert commands.play(bag, "--clock", "100").returncode == 0
    output, _ = listener.communicate(timeout=30)
    seen = json.loads(output.splitlines()[-1])

    ticks = [value for kind, value in seen if kind == "clock"]
    assert len(ticks) > 20
    assert ticks == sorted(ticks)
    assert START_NS <= ticks[0] < START_NS + 0.5e9
    assert ticks[-1] <= START_NS + COUNT * PERIOD_NS + 0.5e9
    # The clock never lags behind a message by more than some ticks.
    now_ns = 0
    for kind, value in seen:
        if kind == "clock":
            now_ns = value
        elif now_ns:
            stamp_ns = START_NS + int(value.split()[1]) * PERIOD_NS
            assert abs(now_ns - stamp_ns) < 0.3e9


def test_unknown_types_are_left_out_with_a_warning(commands: Commands, tmp_path: Path) -> None:
    unknown = Topic("/unknown", [(START_NS, b"\0\1\0\0")], type_name="no_msgs/msg/Nothing")
    bag = write_bag(tmp_path / "bag", chatter(3), unknown)

    result = commands.play(bag)

    assert result.returncode == 0
    assert "/unknown" in result.stdout + result.stderr


@pytest.mark.parametrize(
    "kind", ["absent", "no_metadata", "cut_file", "cut_sqlite", "cut_metadata", "not_a_bag"]
)
def test_damaged_bags_have_a_clear_error(commands: Commands, tmp_path: Path, kind: str) -> None:
    bag = tmp_path / "bag"
    plugin = StoragePlugin.SQLITE3 if kind == "cut_sqlite" else StoragePlugin.MCAP
    if kind != "absent":
        write_bag(bag, chatter(200), storage=plugin)
    storage = bag / ("bag.db3" if kind == "cut_sqlite" else "bag.mcap")
    if kind == "no_metadata":
        (bag / "metadata.yaml").unlink()
        storage.unlink()
    elif kind in ("cut_file", "cut_sqlite"):
        storage.write_bytes(storage.read_bytes()[: storage.stat().st_size // 2])
    elif kind == "cut_metadata":
        (bag / "metadata.yaml").write_text("rosbag2_bagfile_information:\n  version: 9\n")
        storage.unlink()
    elif kind == "not_a_bag":
        bag = tmp_path / "file.txt"
        bag.write_text("text")

    for verb in ("play", "info"):
        result = commands.call("bag", verb, str(bag))

        assert result.returncode == 1, verb
        assert bag.name in result.stdout + result.stderr
        assert "Traceback" not in result.stderr


def test_bag_is_described(commands: Commands, tmp_path: Path) -> None:
    for storage, identifier in ((StoragePlugin.MCAP, "mcap"), (StoragePlugin.SQLITE3, "sqlite3")):
        bag = write_bag(tmp_path / identifier, chatter(), latched(), storage=storage)

        result = commands.call("bag", "info", str(bag))
        words = " ".join(result.stdout.split())

        assert result.returncode == 0, result.stderr
        assert f"Storage id: {identifier}" in words
        assert "Messages: 21" in words
        assert "Duration: 0.95" in words
        line = "Topic: /chatter | Type: std_msgs/msg/String | Count: 20 | Serialization Format: cdr"
        assert line in words


def test_record_stores_latched_messages_types_and_qos(commands: Commands, tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "bag", latched(), chatter(round(60 * commands.patience_s)))
    player = commands.start(*commands.ros2, "bag", "play", str(bag), "--delay", "0.2")
    time.sleep(commands.patience_s + 0.5)  # the latched message has been sent

    recorder = commands.record("-a", "-o", "recorded", "-s", "sqlite3")
    player.communicate(timeout=30)
    commands.stop(recorder, signal.SIGTERM)

    assert recorder.returncode == 0
    recorded = read_bag(tmp_path / "recorded")
    assert texts(recorded["/latched"]) == ["from before"]
    with Reader(tmp_path / "recorded") as reader:
        (connection,) = [c for c in reader.connections if c.topic == "/latched"]
        (offer,) = connection.ext.offered_qos_profiles
        assert offer.durability == QosDurability.TRANSIENT_LOCAL
        assert connection.digest == TYPES.hash_rihs01(STRING)
        assert "string data" in connection.msgdef.data
    metadata = yaml.safe_load((tmp_path / "recorded/metadata.yaml").read_text())
    assert metadata["rosbag2_bagfile_information"]["storage_identifier"] == "sqlite3"


def test_recorded_bag_appears_only_when_complete(
    commands: Commands, tmp_path: Path, only_here: Callable
) -> None:
    only_here(pytest.importorskip("ros2cli", reason="ros2cli is not installed"))
    recorder = commands.record("-a", "-o", "recorded")
    assert not (tmp_path / "recorded").exists()

    commands.stop(recorder)

    assert sorted(p.name for p in (tmp_path / "recorded").iterdir()) == [
        "metadata.yaml",
        "recorded.mcap",
    ]
    assert not list(tmp_path.glob(".recorded*"))


def test_record_does_not_overwrite(commands: Commands, tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "bag", chatter(3))
    before = (bag / "bag.mcap").read_bytes()

    result = commands.call("bag", "record", "-a", "-o", str(bag))

    assert result.returncode != 0
    assert (bag / "bag.mcap").read_bytes() == before


def test_named_topics_alone_are_recorded(commands: Commands, tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "bag", chatter(5), Topic("/other", [(START_NS, "o")]))
    recorder = commands.record("/chatter", "-o", "recorded")

    commands.play(bag)
    commands.stop(recorder)

    recorded = read_bag(tmp_path / "recorded")
    assert set(recorded) == {"/chatter"}
    assert len(recorded["/chatter"]) == 5


@pytest.mark.parametrize("reliability", [QosReliability.RELIABLE, QosReliability.BEST_EFFORT])
def test_large_images_are_not_lost(
    commands: Commands, tmp_path: Path, reliability: QosReliability
) -> None:
    kind = "sensor_msgs/msg/Image"
    stamp = TYPES.types["builtin_interfaces/msg/Time"](0, 0)
    header = TYPES.types["std_msgs/msg/Header"](stamp, "camera")
    numpy = pytest.importorskip("numpy", reason="numpy is not installed")
    pixels = numpy.zeros(900 * 1600 * 3, dtype=numpy.uint8)
    images = []
    for i in range(30):
        pixels[:8] = i
        image = TYPES.types[kind](header, 900, 1600, "rgb8", 0, 4800, pixels)
        images.append((START_NS + i * 66_666_667, bytes(TYPES.serialize_cdr(image, kind))))
    bag = write_bag(
        tmp_path / "bag", Topic("/image", images, type_name=kind, reliability=reliability)
    )

    recorded = commands.record_while_playing(bag)["/image"]

    assert [data[-20:] + data[56:64] for _, data in recorded] == [
        data[-20:] + data[56:64] for _, data in images
    ]
