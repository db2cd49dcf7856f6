# SPDX-License-Identifier: Apache-2.0
"""Events about processes, and to processes."""

from __future__ import annotations

import os
import signal as signals
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .._absent import names_the_upstream_package
from ..event import Event

if TYPE_CHECKING:
    from ..actions import ExecuteProcess

ProcessMatcher = Callable[["ExecuteProcess"], bool]


class RunningProcessEvent(Event):
    """Something about a process that runs or ran."""

    name = "launch.events.process.RunningProcessEvent"

    def __init__(
        self,
        *,
        action: ExecuteProcess,
        name: str,
        cmd: list[str],
        cwd: str | None,
        env: dict[str, str] | None,
        pid: int,
    ) -> None:
        """Store what identifies the process."""
        self.action = action
        self.process_name = name
        self.cmd = cmd
        self.cwd = cwd
        self.env = env
        self.pid = pid

    @property
    def execute_process_action(self) -> ExecuteProcess:
        """The action that started the process."""
        return self.action


class ProcessStarted(RunningProcessEvent):
    """A process was started."""

    name = "launch.events.process.ProcessStarted"


class ProcessExited(RunningProcessEvent):
    """A process has ended."""

    name = "launch.events.process.ProcessExited"

    def __init__(self, *, returncode: int, **kwargs: Any) -> None:
        """Store the exit status (negative: the signal that ended it)."""
        super().__init__(**kwargs)
        self.returncode = returncode


class ProcessIO(RunningProcessEvent):
    """A process wrote something."""

    name = "launch.events.process.ProcessIO"

    def __init__(self, *, text: bytes, fd: int, **kwargs: Any) -> None:
        """Store the bytes and the file descriptor number (1 or 2)."""
        super().__init__(**kwargs)
        self.text = text
        self.fd = fd

    @property
    def from_stdin(self) -> bool:
        """Whether it is about standard input."""
        return self.fd == 0

    @property
    def from_stdout(self) -> bool:
        """Whether it came on standard output."""
        return self.fd == 1

    @property
    def from_stderr(self) -> bool:
        """Whether it came on standard error."""
        return self.fd == 2


class ProcessStdout(ProcessIO):
    """A process wrote to its standard output."""

    name = "launch.events.process.ProcessStdout"

    def __init__(self, *, text: bytes, **kwargs: Any) -> None:
        """Store the bytes."""
        super().__init__(text=text, fd=1, **kwargs)


class ProcessStderr(ProcessIO):
    """A process wrote to its standard error."""

    name = "launch.events.process.ProcessStderr"

    def __init__(self, *, text: bytes, **kwargs: Any) -> None:
        """Store the bytes."""
        super().__init__(text=text, fd=2, **kwargs)


class ProcessTargetedEvent(Event):
    """Something that is to happen to the processes a matcher chooses."""

    name = "launch.events.process.ProcessTargetedEvent"

    def __init__(self, *, process_matcher: ProcessMatcher) -> None:
        """Store the matcher."""
        self.process_matcher = process_matcher


class ShutdownProcess(ProcessTargetedEvent):
    """Processes are to be shut down (SIGINT, later SIGTERM, later SIGKILL)."""

    name = "launch.events.process.ShutdownProcess"


class SignalProcess(ProcessTargetedEvent):
    """Processes are to get a signal."""

    name = "launch.events.process.SignalProcess"

    def __init__(
        self, *, signal_number: str | int | signals.Signals, process_matcher: ProcessMatcher
    ) -> None:
        """Store the signal, given by its number or its name (``SIGUSR1``)."""
        super().__init__(process_matcher=process_matcher)
        self.signal = (
            signals.Signals[signal_number]
            if isinstance(signal_number, str)
            else signals.Signals(signal_number)
        )

    @property
    def signal_name(self) -> str:
        """The signal's name."""
        return self.signal.name


def matches_pid(pid: int) -> ProcessMatcher:
    """Return a matcher of the process with a process id."""
    return lambda action: (action.process_details or {}).get("pid") == pid


def matches_name(name: str) -> ProcessMatcher:
    """Return a matcher of the process with a name, e.g. ``talker-1``."""
    return lambda action: (action.process_details or {}).get("name") == name


def matches_executable(executable_name: str) -> ProcessMatcher:
    """Return a matcher of the processes of an executable, by its base name."""

    def matcher(action: ExecuteProcess) -> bool:
        cmd = (action.process_details or {}).get("cmd") or [""]
        return os.path.basename(cmd[0]) == executable_name

    return matcher


__getattr__ = names_the_upstream_package(__name__, "launch")
