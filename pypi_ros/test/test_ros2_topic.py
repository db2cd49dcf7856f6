# SPDX-License-Identifier: Apache-2.0
"""Contract of ``ros2 topic``, ``node``, ``param``, ``service`` and ``lifecycle``, over DDS."""

import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator

import pytest
import yaml

pytest.importorskip("rclpy", reason="rclpy is not installed")

# A node with something for each verb.
NODE = """
import rclpy
from rcl_interfaces.msg import FloatingPointRange, ParameterDescriptor
from rclpy.executors import ExternalShutdownException
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile, DurabilityPolicy, qos_profile_sensor_data
from sensor_msgs.msg import PointField, LaserScan
from std_msgs.msg import String
from std_srvs.srv import SetBool

rclpy.init()
node = LifecycleNode("subject")
chatter = node.create_publisher(String, "chatter", 10)
scan = node.create_publisher(LaserScan, "scan", qos_profile_sensor_data)
latched = node.create_publisher(
    String, "latched", QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
)
latched.publish(String(data="from before"))
message = LaserScan(ranges=[float(i) for i in range(200)])
message.header.frame_id = "laser"

def publish():
    chatter.publish(String(data="hello"))
    scan.publish(message)

node.create_timer(0.05, publish)
node.declare_parameter("gain", 2.5, ParameterDescriptor(
    description="amplification",
    floating_point_range=[FloatingPointRange(from_value=0.0, to_value=10.0)]))
node.declare_parameter("group.names", ["a", "b"])
node.declare_parameter("numbers", [1, 2])

def switch(request, response):
    response.success = request.data
    response.message = "switched"
    return response

node.create_service(SetBool, "switch", switch)
try:
    rclpy.spin(node)
except (KeyboardInterrupt, ExternalShutdownException):
    pass
"""


@pytest.fixture(scope="module")
def environment(
    fast_dds_profile: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The environment of all processes."""
    return {
        **os.environ,
        **fast_dds_profile,
        "ROS_LOG_DIR": str(tmp_path_factory.mktemp("topic") / "log"),
    }


@pytest.fixture(scope="module")
def subject(environment: dict[str, str], patience_s: float) -> Iterator[None]:
    """The node, in a process of its own."""
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(NODE)], env=environment)
    time.sleep(patience_s)
    yield
    process.send_signal(signal.SIGINT)
    process.wait(timeout=30)


@pytest.fixture(scope="module")
def call(
    ros2: list[str], environment: dict[str, str], subject: None
) -> Callable[..., subprocess.CompletedProcess]:
    """Run ``ros2`` with arguments, beside the node, until it ends."""

    def run(*arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [*ros2, *arguments], capture_output=True, text=True, timeout=60, env=environment
        )

    return run


@pytest.fixture(scope="module")
def call_for(
    ros2: list[str], environment: dict[str, str], subject: None
) -> Callable[..., tuple[int, str]]:
    """Run ``ros2`` until its output matches, then interrupt it; return status and output."""

    def run(pattern: str, *arguments: str) -> tuple[int, str]:
        process = subprocess.Popen(
            [*ros2, *arguments], stdout=subprocess.PIPE, text=True, env=environment
        )
        assert process.stdout is not None
        watchdog = time.monotonic() + 40
        output = ""
        while not re.search(pattern, output) and time.monotonic() < watchdog:
            line = process.stdout.readline()
            if not line:
                break
            output += line
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=30)
        return process.returncode, output + rest

    return run


@pytest.fixture
def spin_time(patience_s: float) -> str:
    """How long verbs that list things look around, seconds."""
    return str(max(2.0, patience_s))


def test_topics_are_listed_with_their_types(call: Callable, spin_time: str) -> None:
    plain = call("topic", "list", "--spin-time", spin_time).stdout.split()
    typed = call("topic", "list", "-t", "--spin-time", spin_time).stdout

    assert {"/chatter", "/latched", "/scan", "/rosout", "/parameter_events"} <= set(plain)
    assert "/chatter [std_msgs/msg/String]" in typed.splitlines()


def test_topic_is_described_with_its_qos(call: Callable, spin_time: str) -> None:
    text = call("topic", "info", "-v", "/latched", "--spin-time", spin_time).stdout

    assert "Type: std_msgs/msg/String" in text
    assert "Publisher count: 1" in text
    assert "Subscription count: 0" in text
    assert "Node name: subject" in text
    assert "TRANSIENT_LOCAL" in text


def test_echo_prints_a_message_as_yaml(call: Callable) -> None:
    result = call("topic", "echo", "--once", "/chatter")

    assert result.returncode == 0, result.stderr
    assert result.stdout == "data: hello\n---\n"


def test_echo_adapts_to_best_effort_publishers_and_cuts_arrays(call: Callable) -> None:
    text = call("topic", "echo", "--once", "/scan").stdout
    message = yaml.safe_load(text.removesuffix("---\n"))

    assert message["header"]["frame_id"] == "laser"
    assert message["ranges"][:3] == [0.0, 1.0, 2.0]
    assert message["ranges"][-1] == "..."
    assert len(message["ranges"]) == 129


def test_echo_of_a_whole_array_or_without_arrays_or_of_a_field(call: Callable) -> None:
    whole = call("topic", "echo", "--once", "--full-length", "/scan").stdout
    without = call("topic", "echo", "--once", "--no-arr", "/scan").stdout
    field = call("topic", "echo", "--once", "--field", "header.frame_id", "/scan").stdout

    assert len(yaml.safe_load(whole.removesuffix("---\n"))["ranges"]) == 200
    assert "200" in yaml.safe_load(without.removesuffix("---\n"))["ranges"]
    assert field.startswith("laser")


def test_echo_gets_a_latched_message(call: Callable) -> None:
    assert "from before" in call("topic", "echo", "--once", "/latched").stdout


def test_echo_of_an_unknown_type_or_field_has_status_1(call: Callable) -> None:
    assert call("topic", "echo", "--once", "/chatter", "no_msgs/msg/None").returncode == 1


def test_rate_is_measured(call_for: Callable) -> None:
    _, text = call_for(r"window: [2-9]\d", "topic", "hz", "/chatter")

    rate_hz = float(re.findall(r"average rate: ([\d.]+)", text)[-1])
    assert 0 < rate_hz < 200
    assert re.search(r"min: [\d.]+s max: [\d.]+s std dev: [\d.]+s window: \d+", text)


def test_published_message_arrives(
    call: Callable, ros2: list[str], environment: dict[str, str]
) -> None:
    echo = subprocess.Popen(
        [*ros2, "topic", "echo", "--once", "/given", "geometry_msgs/msg/PointStamped"],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )

    result = call(
        "topic", "pub", "--once", "/given", "geometry_msgs/msg/PointStamped",
        "{header: {frame_id: map}, point: {x: 1, y: 2.5}}",
    )  # fmt: skip
    output, _ = echo.communicate(timeout=30)

    assert result.returncode == 0, result.stderr
    message = yaml.safe_load(output.removesuffix("---\n"))
    assert message["header"]["frame_id"] == "map"
    assert message["point"] == {"x": 1.0, "y": 2.5, "z": 0.0}


def test_nodes_are_listed_and_described(call: Callable, spin_time: str) -> None:
    assert "/subject" in call("node", "list", "--spin-time", spin_time).stdout.split()

    text = call("node", "info", "/subject").stdout
    assert "/chatter: std_msgs/msg/String" in text
    assert "/switch: std_srvs/srv/SetBool" in text


def test_parameters(call: Callable) -> None:
    names = call("param", "list", "/subject").stdout.split()
    assert {"gain", "group.names", "numbers", "use_sim_time"} <= set(names)

    assert call("param", "get", "/subject", "gain").stdout.strip() == "Double value is: 2.5"
    assert call("param", "get", "/subject", "absent").returncode == 1

    assert "uccessful" in call("param", "set", "/subject", "gain", "4.0").stdout
    too_much = call("param", "set", "/subject", "gain", "11.0")
    assert "ailed" in too_much.stdout + too_much.stderr

    dumped = yaml.safe_load(call("param", "dump", "/subject").stdout)
    values = dumped["/subject"]["ros__parameters"]
    assert values["gain"] == 4.0
    assert values["group"]["names"] == ["a", "b"]
    assert values["numbers"] == [1, 2]


def test_service_is_called(call: Callable) -> None:
    answer = call("service", "call", "/switch", "std_srvs/srv/SetBool", "{data: true}").stdout
    assert "success=True" in answer
    assert "switched" in answer


def test_lifecycle(call: Callable) -> None:
    assert call("lifecycle", "get", "/subject").stdout.strip() == "unconfigured [1]"
    assert "configure [1]" in call("lifecycle", "list", "/subject").stdout
    assert "successful" in call("lifecycle", "set", "/subject", "configure").stdout
    assert call("lifecycle", "get", "/subject").stdout.strip() == "inactive [2]"
    assert call("lifecycle", "set", "/subject", "no_such_transition").returncode == 1
