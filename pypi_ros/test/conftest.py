# SPDX-License-Identifier: Apache-2.0
"""What the contract tests share: a ROS context of their own and programs beside them."""

import os
import shutil
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType

import pytest

# Keep the tests' ROS traffic on this machine, and away from that of other test runs.
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
os.environ["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 100)

# Nodes that announce themselves often are found soon, even if a first announcement is lost; large
# segments of shared memory let best effort messages of several megabytes through.
PROFILE = """<?xml version="1.0" encoding="UTF-8" ?>
<dds xmlns="http://www.eprosima.com"><profiles>
<transport_descriptors><transport_descriptor><transport_id>shm</transport_id><type>SHM</type>
<segment_size>67108864</segment_size><maxMessageSize>16777216</maxMessageSize>
</transport_descriptor><transport_descriptor><transport_id>udp</transport_id><type>UDPv4</type>
</transport_descriptor></transport_descriptors>
<participant profile_name="contract" is_default_profile="true"><rtps>
<builtin><discovery_config>
<leaseAnnouncement><sec>0</sec><nanosec>200000000</nanosec></leaseAnnouncement>
</discovery_config></builtin>
<userTransports><transport_id>shm</transport_id><transport_id>udp</transport_id></userTransports>
<useBuiltinTransports>false</useBuiltinTransports></rtps></participant>
</profiles></dds>
"""


@pytest.fixture
def only_here() -> Callable[[ModuleType], None]:
    """Skip a test of what this project does better, where the real package is imported."""

    def check(module: ModuleType) -> None:
        here = Path(__file__).resolve().parent.parent / "python"
        if here not in Path(str(module.__file__)).resolve().parents:
            pytest.skip(f"{module.__name__} is the real package, which is known to fail here")

    return check


@pytest.fixture(scope="session")
def ros2() -> list[str]:
    """The command, of this Python's environment or of the PATH."""
    found = shutil.which("ros2", path=str(Path(sys.executable).parent)) or shutil.which("ros2")
    if not found:
        pytest.skip("the ros2 command is not installed")
    return [found]


@pytest.fixture(scope="session")
def fast_dds_profile(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment variable that names PROFILE; Fast DDS 2 knows another than version 3."""
    path = tmp_path_factory.mktemp("fast_dds") / "profile.xml"
    path.write_text(PROFILE)
    version_2 = os.environ.get("ROS_DISTRO") in ("humble", "iron", "jazzy")
    return {f"{'FASTRTPS' if version_2 else 'FASTDDS'}_DEFAULT_PROFILES_FILE": str(path)}


@pytest.fixture(scope="session")
def patience_s() -> float:
    """How long a node may need to start and be found, seconds: 1.5, on a busy machine up to 10."""
    start_s = time.monotonic()
    code = "import rclpy; rclpy.init(); rclpy.create_node('measure')"
    subprocess.run([sys.executable, "-c", code], check=True)
    return min(max(1.5, 2.0 * (time.monotonic() - start_s)), 10.0)


@pytest.fixture
def node() -> Iterator:
    """A node that is not spun."""
    rclpy = pytest.importorskip("rclpy", reason="rclpy is not installed")
    rclpy.init()
    made = rclpy.create_node("contract")
    yield made
    made.destroy_node()
    rclpy.shutdown()


@pytest.fixture
def spun(node) -> Iterator:  # type: ignore[no-untyped-def]
    """A node that is spun by a thread."""
    from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor

    executor = MultiThreadedExecutor(num_threads=2)
    executor.add_node(node)

    def spin() -> None:
        try:
            executor.spin()
        except ExternalShutdownException:
            return

    thread = threading.Thread(target=spin, daemon=True)
    thread.start()
    yield node
    executor.shutdown()
    thread.join(timeout=10.0)


@pytest.fixture
def beside() -> Iterator[Callable[[str], subprocess.Popen]]:
    """Run Python code in a process of its own until the test ends."""
    with ExitStack() as stack:

        def start(code: str) -> subprocess.Popen:
            process = subprocess.Popen(
                [sys.executable, "-c", textwrap.dedent(code)],
                env=dict(os.environ),
                stdout=subprocess.PIPE,
                text=True,
            )

            def stop() -> None:
                process.kill()
                process.communicate()

            stack.callback(stop)
            return process

        yield start


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], bool]:
    """Wait, within reason, for something to become true."""

    def wait(condition: Callable[[], bool]) -> bool:
        end = time.monotonic() + 30.0
        while time.monotonic() < end:
            if condition():
                return True
            time.sleep(0.02)
        return condition()

    return wait
