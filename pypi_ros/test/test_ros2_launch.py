# SPDX-License-Identifier: Apache-2.0
"""Contract of ``ros2 launch`` and ``ros2 run``, as processes."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep logs in one place."""
    monkeypatch.setenv("ROS_LOG_DIR", str(tmp_path / "log"))


@pytest.fixture
def call(ros2: list[str]) -> Callable[..., subprocess.CompletedProcess]:
    """Run ``ros2`` with arguments until it ends."""

    def run(*arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [*ros2, *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
        )

    return run


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package with an executable and a launch file that starts it."""
    name = "contract_package"
    prefix = tmp_path / "prefix"
    index = prefix / "share/ament_index/resource_index/packages"
    index.mkdir(parents=True)
    (index / name).touch()
    executable = prefix / "lib" / name / "says"
    executable.parent.mkdir(parents=True)
    executable.write_text(
        f"#!{sys.executable}\nimport sys\nprint('said', *sys.argv[1:])\nsys.exit(3)\n"
    )
    executable.chmod(0o755)
    launch_file = prefix / "share" / name / "launch" / "says.launch.py"
    launch_file.parent.mkdir(parents=True)
    launch_file.write_text(
        textwrap.dedent(
            """
            from launch import LaunchDescription
            from launch.actions import DeclareLaunchArgument, ExecuteProcess, LogInfo
            from launch.conditions import IfCondition
            from launch.substitutions import LaunchConfiguration

            def generate_launch_description():
                return LaunchDescription([
                    DeclareLaunchArgument("word", default_value="hello", description="the word"),
                    DeclareLaunchArgument("loud", default_value="false", choices=["true", "false"],
                                          description="how it says it"),
                    LogInfo(msg=["word is ", LaunchConfiguration("word")]),
                    ExecuteProcess(
                        cmd=["echo", LaunchConfiguration("word"), "aloud"], output="screen",
                        condition=IfCondition(LaunchConfiguration("loud")),
                    ),
                ])
            """
        )
    )
    before = os.environ.get("AMENT_PREFIX_PATH") or sys.prefix
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"{prefix}:{before}")
    return name


def test_arguments_are_shown_with_description_default_and_choices(
    call: Callable, package: str
) -> None:
    for option in ("--show-args", "-s"):
        result = call("launch", package, "says.launch.py", option)

        assert result.returncode == 0, result.stderr
        for text in ("'word':", "the word", "'hello'", "'loud':", "how it says it", "'true'"):
            assert text in result.stdout
        assert "word is" not in result.stdout + result.stderr  # nothing was launched


def test_launch_file_of_a_package_runs_with_its_arguments(call: Callable, package: str) -> None:
    result = call("launch", package, "says.launch.py", "word:=x", "loud:=true", "word:=good day")

    assert result.returncode == 0, result.stderr
    assert "[INFO] [launch.user]: word is good day" in result.stdout + result.stderr
    assert "[echo-1] good day aloud" in result.stdout + result.stderr


def test_launch_file_is_named_by_its_path(call: Callable, package: str, tmp_path: Path) -> None:
    path = tmp_path / "prefix/share" / package / "launch/says.launch.py"

    result = call("launch", str(path), "word:=path")

    assert result.returncode == 0, result.stderr
    assert "word is path" in result.stdout + result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("there_is_no_such_package", "says.launch.py"),
        ("contract_package", "absent.launch.py"),
        ("contract_package", "says.launch.py", "loud:=perhaps"),
        ("contract_package", "says.launch.py", "malformed"),
        ("/there/is/no/such/file.launch.py",),
    ],
)
def test_launch_that_cannot_be_has_status_1(
    call: Callable, package: str, arguments: tuple[str, ...]
) -> None:
    result = call("launch", *arguments)

    assert result.returncode == 1
    assert result.stderr or result.stdout


CHILD = """
import os, signal, sys, time
signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
with open(sys.argv[1] + ".part", "w") as file:
    file.write(str(os.getpid()))
os.rename(sys.argv[1] + ".part", sys.argv[1])
while True:
    time.sleep(0.05)
"""


@pytest.fixture
def waiting(ros2: list[str], tmp_path: Path) -> Callable[[], tuple[subprocess.Popen, int]]:
    """Start a launch with a child that waits; return the launch and the child's id."""

    def start() -> tuple[subprocess.Popen, int]:
        child, pid_file = tmp_path / "child.py", tmp_path / "pid"
        child.write_text(CHILD)
        (tmp_path / "waits.launch.py").write_text(
            textwrap.dedent(
                f"""
                from launch import LaunchDescription
                from launch.actions import ExecuteProcess

                def generate_launch_description():
                    command = [{sys.executable!r}, {str(child)!r}, {str(pid_file)!r}]
                    return LaunchDescription([ExecuteProcess(cmd=command)])
                """
            )
        )
        process = subprocess.Popen(
            [*ros2, "launch", "--noninteractive", str(tmp_path / "waits.launch.py")],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        end = time.monotonic() + 30
        while not pid_file.exists() and time.monotonic() < end:
            time.sleep(0.02)
        return process, int(pid_file.read_text())

    return start


def is_running(pid: int) -> bool:
    """Return whether a process exists and is no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_interrupt_ends_the_launch_and_its_child(waiting: Callable) -> None:
    process, child = waiting()

    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)

    assert process.returncode == 0
    assert not is_running(child)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_child_does_not_outlive_a_launch_that_is_ended(
    waiting: Callable,
    number: signal.Signals,
    only_here: Callable,
    eventually: Callable[[Callable[[], bool]], bool],
) -> None:
    only_here(pytest.importorskip("ros2cli", reason="ros2cli is not installed"))
    process, child = waiting()

    process.send_signal(number)
    process.communicate(timeout=30)

    assert eventually(lambda: not is_running(child))


def test_run_gives_arguments_output_and_status_through(call: Callable, package: str) -> None:
    result = call("run", package, "says", "a", "--b", "--ros-args", "-p", "c:=1")

    # Upstream adds a line that says with what status it ended.
    assert result.stdout.startswith("said a --b --ros-args -p c:=1\n")
    assert result.returncode == 3


def test_run_of_nothing_has_status_1(call: Callable, package: str) -> None:
    assert call("run", package, "absent").returncode == 1
    assert call("run", "there_is_no_such_package", "says").returncode == 1


def test_wrong_usage_has_status_2(call: Callable) -> None:
    assert call("launch").returncode == 2
    assert call("there-is-no-such-command").returncode == 2
