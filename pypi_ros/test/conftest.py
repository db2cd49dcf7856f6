# SPDX-License-Identifier: Apache-2.0
"""What the contract tests share: a ROS context of their own and programs beside them."""

import os
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

DOMAIN_ID = 20


@pytest.fixture
def only_here() -> Callable[[ModuleType], None]:
    """Skip a test of what this project does better, where the real package is imported."""

    def check(module: ModuleType) -> None:
        here = Path(__file__).resolve().parent.parent / "python"
        if here not in Path(str(module.__file__)).resolve().parents:
            pytest.skip(f"{module.__name__} is the real package, which is known to fail here")

    return check


@pytest.fixture
def ros_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep this test's ROS traffic on this machine and away from other ROS systems."""
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    monkeypatch.setenv("ROS_DOMAIN_ID", str(DOMAIN_ID))


@pytest.fixture
def node(ros_environment: None) -> Iterator:
    """A node that is not spun."""
    rclpy = pytest.importorskip("rclpy", reason="rclpy is not installed")
    rclpy.init(domain_id=DOMAIN_ID)
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
def beside(ros_environment: None) -> Iterator[Callable[[str], subprocess.Popen]]:
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
