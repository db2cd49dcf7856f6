# SPDX-License-Identifier: Apache-2.0
"""Contract of launch's ExecuteProcess: real processes, their output, restart and end."""

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

launch = pytest.importorskip("launch", reason="launch is not installed")

from launch import LaunchContext, LaunchDescription, LaunchService  # noqa: E402
from launch.actions import (  # noqa: E402
    ExecuteProcess,
    RegisterEventHandler,
    Shutdown,
)
from launch.event_handlers import OnProcessExit, OnProcessIO, OnProcessStart  # noqa: E402
from launch.substitutions import LaunchConfiguration  # noqa: E402

# Says that it is ready, then waits; what it does with a signal follows.
WAITING = """
import signal, sys, time
{signals}
print("ready", flush=True)
while True:
    time.sleep(0.05)
"""
STUBBORN = WAITING.format(
    signals="for s in (signal.SIGINT, signal.SIGTERM): signal.signal(s, signal.SIG_IGN)"
)
IGNORES_SIGINT = WAITING.format(
    signals="signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    "signal.signal(signal.SIGTERM, lambda *_: sys.exit(15))"
)
OBEDIENT = WAITING.format(signals="signal.signal(signal.SIGINT, lambda *_: sys.exit(7))")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Restore the environment, which launch actions change, and keep logs in one place."""
    before = dict(os.environ)
    monkeypatch.setenv("ROS_LOG_DIR", str(tmp_path / "log"))
    monkeypatch.setenv("_ROS_WHEELS_BOOTSTRAP_COMPLETE", "1")
    yield
    os.environ.clear()
    os.environ.update(before)


def run(*entities: Any) -> int:
    """Run a description of the entities; return the status."""
    service = LaunchService(noninteractive=True)
    service.include_launch_description(LaunchDescription(list(entities)))
    return service.run()


def python(code: str, *arguments: str, **kwargs: Any) -> ExecuteProcess:
    """Return an action that runs Python code."""
    return ExecuteProcess(cmd=[sys.executable, "-c", code, *arguments], **kwargs)


def when_ready(process: ExecuteProcess, *actions: Any) -> RegisterEventHandler:
    """Return an action that visits others once a process says that it is ready."""
    handler = OnProcessIO(
        target_action=process,
        on_stdout=lambda event: list(actions) if b"ready" in event.text else None,
    )
    return RegisterEventHandler(handler)


def exit_codes(codes: list[int], *actions: ExecuteProcess) -> list[RegisterEventHandler]:
    """Return handlers that note the exit codes of processes."""
    return [
        RegisterEventHandler(
            OnProcessExit(
                target_action=action,
                on_exit=lambda event, context: codes.append(event.returncode),
            )
        )
        for action in actions
    ]


def test_process_gets_arguments_directory_and_environment(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    code = (
        "import json, os, sys; json.dump([sys.argv[2:], os.getcwd(), os.environ.get('CONTRACT_A'),"
        " os.environ.get('CONTRACT_B')], open(sys.argv[1], 'w'))"
    )
    os.environ["CONTRACT_B"] = "from outside"

    status = run(
        python(
            code,
            str(out),
            "plain",
            ["joined ", LaunchConfiguration("x", default="text")],
            cwd=str(tmp_path),
            additional_env={"CONTRACT_A": LaunchConfiguration("y", default="set")},
        )
    )

    assert status == 0
    expected = [["plain", "joined text"], str(tmp_path.resolve()), "set", "from outside"]
    assert json.loads(out.read_text()) == expected


def test_start_and_end_are_events() -> None:
    notes: list[Any] = []
    process = python("raise SystemExit(3)", name="quick")

    def note(kind: str) -> Callable:
        def noting(event: Any, context: LaunchContext) -> None:
            notes.append((kind, event.pid > 0, event.process_name, event.action is process))

        return noting

    status = run(
        RegisterEventHandler(OnProcessStart(target_action=process, on_start=note("start"))),
        RegisterEventHandler(OnProcessExit(target_action=process, on_exit=note("exit"))),
        process,
    )

    assert status == 0  # a process that fails is no failure of the launch
    assert [note[0] for note in notes] == ["start", "exit"]
    assert all(note[1] and note[3] for note in notes)
    assert notes[0][2].startswith("quick-")
    assert process.return_code == 3


def test_handler_may_be_for_all_processes_or_for_those_a_function_chooses() -> None:
    notes: list[str] = []
    first = python("raise SystemExit(1)", name="first")
    second = python("raise SystemExit(2)", name="second")

    def note(kind: str) -> Callable:
        return lambda event, context: notes.append(f"{kind}{event.returncode}")

    run(
        RegisterEventHandler(OnProcessExit(on_exit=note("any"))),
        RegisterEventHandler(
            OnProcessExit(target_action=lambda action: action is second, on_exit=note("chosen"))
        ),
        first,
        second,
    )

    assert sorted(notes) == ["any1", "any2", "chosen2"]


def test_output_is_given_to_handlers() -> None:
    heard: dict[str, bytes] = {"out": b"", "err": b""}
    process = python("import sys; print('out'); print('err', file=sys.stderr)")

    def note(event: Any) -> None:
        assert event.from_stdout != event.from_stderr
        heard["out" if event.from_stdout else "err"] += event.text

    run(
        RegisterEventHandler(
            OnProcessIO(target_action=process, on_stdout=note, on_stderr=note),
        ),
        process,
    )

    assert heard == {"out": b"out\n", "err": b"err\n"}


def test_output_goes_where_it_is_said(tmp_path: Path) -> None:
    code = """
        import sys
        from launch import LaunchDescription, LaunchService
        from launch.actions import ExecuteProcess
        def says(name, **kwargs):
            text = f"import sys; print('{name} out'); print('{name} err', file=sys.stderr)"
            return ExecuteProcess(cmd=[sys.executable, "-c", text], name=name, **kwargs)
        service = LaunchService(noninteractive=True)
        service.include_launch_description(LaunchDescription([
            says("default"), says("screen", output="screen"), says("both", output="both"),
        ]))
        sys.exit(service.run())
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True
    )

    assert result.returncode == 0, result.stderr
    (log,) = (tmp_path / "log").rglob("launch.log")
    screen, log_text = result.stdout + result.stderr, log.read_text()
    for name, on_screen, in_log in (
        ("default", ["err"], ["out", "err"]),
        ("screen", ["out", "err"], []),
        ("both", ["out", "err"], ["out", "err"]),
    ):
        for stream in ("out", "err"):
            assert bool(re.search(rf"\[{name}-\d+\] {name} {stream}", screen)) == (
                stream in on_screen
            ), f"{name} {stream} on the screen"
            assert bool(re.search(rf"\[{name}-\d+\] {name} {stream}", log_text)) == (
                stream in in_log
            ), f"{name} {stream} in the log"


def test_shutdown_on_exit_of_a_required_process_ends_the_others() -> None:
    codes: list[int] = []
    other = python(OBEDIENT)
    required = python("pass", on_exit=Shutdown(reason="required"))

    assert run(*exit_codes(codes, other), when_ready(other, required), other) == 0
    assert codes == [7]  # what OBEDIENT returns on SIGINT


@pytest.mark.parametrize(("code", "expected"), [(IGNORES_SIGINT, 15), (STUBBORN, -signal.SIGKILL)])
def test_shutdown_escalates(code: str, expected: int) -> None:
    codes: list[int] = []
    process = python(code, sigterm_timeout="0.3", sigkill_timeout="0.3")

    status = run(*exit_codes(codes, process), when_ready(process, Shutdown(reason="x")), process)

    assert status == 0
    assert codes == [expected]


def test_timeouts_are_launch_configurations() -> None:
    codes: list[int] = []
    process = python(STUBBORN)
    service = LaunchService(noninteractive=True)
    service.context.launch_configurations.update(sigterm_timeout="0.2", sigkill_timeout="0.2")
    service.include_launch_description(
        LaunchDescription(
            [*exit_codes(codes, process), when_ready(process, Shutdown(reason="x")), process]
        )
    )

    start = time.monotonic()
    assert service.run() == 0

    assert codes == [-signal.SIGKILL]
    assert time.monotonic() - start < 10  # by default it would have been more


def test_program_that_does_not_exist_leaves_the_others_alone(tmp_path: Path) -> None:
    run(
        ExecuteProcess(cmd=["there-is-no-such-program"]),
        python(f"open({str(tmp_path / 'ran')!r}, 'w')"),
    )

    assert (tmp_path / "ran").exists()


def test_no_process_outlives_the_launch(tmp_path: Path, only_here: Callable[[Any], None]) -> None:
    only_here(launch)
    pid_file = tmp_path / "pid"

    run(ExecuteProcess(cmd=["/bin/sh", "-c", f"sleep 600 & echo $! > {pid_file}"]))

    pid = int(pid_file.read_text())
    assert not _is_running(pid)


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
