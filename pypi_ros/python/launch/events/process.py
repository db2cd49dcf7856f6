# SPDX-License-Identifier: Apache-2.0
"""Events about processes."""

from __future__ import annotations

from typing import Any

from launch.action import Action
from launch.event import Event


class RunningProcessEvent(Event):
    """Something about a process that runs or ran."""

    name = "launch.events.process.RunningProcessEvent"

    def __init__(
        self,
        *,
        action: Action,
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
    def from_stdout(self) -> bool:
        """Whether it came on standard output."""
        return self.fd == 1

    @property
    def from_stderr(self) -> bool:
        """Whether it came on standard error."""
        return self.fd == 2
