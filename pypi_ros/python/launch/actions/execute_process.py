# SPDX-License-Identifier: Apache-2.0
"""Running a process: its start, output and shutdown."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from collections.abc import Iterable, Mapping
from typing import Any

from launch import logging
from launch.action import Action
from launch.actions.process_output import ProcessOutput
from launch.child_process import ChildProcess
from launch.event_handler import Reaction
from launch.event_handlers import OnProcessExit, OnShutdown
from launch.events.process import ProcessExited, ProcessIO, ProcessStarted
from launch.launch_context import LaunchContext
from launch.substitution import SomeSubstitutionsType, Substitution
from launch.substitutions import LaunchConfiguration
from launch.utilities import (
    describe_substitutions,
    normalize_to_list_of_substitutions,
    perform_substitutions,
)

_DEFAULT_TIMEOUT_S = "5"
_counter = itertools.count(1)


class ExecuteProcess(Action):
    """Starts a process and looks after it until it ends.

    On shutdown it gets SIGINT; if it still runs `sigterm_timeout` seconds later, SIGTERM; and
    `sigkill_timeout` seconds after that, SIGKILL.
    """

    def __init__(
        self,
        *,
        cmd: Iterable[SomeSubstitutionsType],
        name: SomeSubstitutionsType | None = None,
        cwd: SomeSubstitutionsType | None = None,
        additional_env: Mapping[Any, SomeSubstitutionsType] | None = None,
        sigterm_timeout: SomeSubstitutionsType | None = None,
        sigkill_timeout: SomeSubstitutionsType | None = None,
        output: SomeSubstitutionsType = "log",
        on_exit: Reaction = None,
        **kwargs: Any,
    ) -> None:
        """Describe the process.

        Args:
            cmd: Program and arguments.
            name: Label of the process, by default the program's base name; ``-<number>`` is
                appended.
            cwd: Working directory.
            additional_env: Variables on top of the environment.
            sigterm_timeout: Seconds from SIGINT to SIGTERM; by default the launch configuration
                of that name, else 5.
            sigkill_timeout: Seconds from SIGTERM to SIGKILL; likewise.
            output: Where its lines go: ``screen``, ``log`` (stderr also on the screen), ``both``.
            on_exit: Entities to visit when it ends, or a function of (event, context).
            **kwargs: ``condition``.
        """
        super().__init__(**kwargs)
        self._cmd = [normalize_to_list_of_substitutions(part) for part in cmd]
        self._name = None if name is None else normalize_to_list_of_substitutions(name)
        self._cwd = None if cwd is None else normalize_to_list_of_substitutions(cwd)
        self._additional_env = [
            (
                normalize_to_list_of_substitutions(variable),
                normalize_to_list_of_substitutions(value),
            )
            for variable, value in (additional_env or {}).items()
        ]
        self._timeouts = [
            _timeout("sigterm_timeout", sigterm_timeout),
            _timeout("sigkill_timeout", sigkill_timeout),
        ]
        self._output = normalize_to_list_of_substitutions(output)
        self._on_exit = on_exit
        self._details: dict[str, Any] = {}
        self._child: ChildProcess | None = None
        self._finished: asyncio.Future[None] | None = None
        self._stopping = False
        self._escalation: asyncio.Task[None] | None = None

    @property
    def process_details(self) -> dict[str, Any]:
        """``action``, ``name``, ``cmd``, ``cwd``, ``env`` and ``pid``; empty before the start."""
        return self._details

    @property
    def return_code(self) -> int | None:
        """The exit status, or None while it runs."""
        return None if self._child is None else self._child.returncode

    def get_asyncio_future(self) -> asyncio.Future[None] | None:
        """Return a future that is done when the process has ended."""
        return self._finished

    # -- start --------------------------------------------------------------------------

    def execute(self, context: LaunchContext) -> Any:
        """Start looking after the process; it is started when the loop runs next.

        Raises:
            RuntimeError: It was executed before.
        """
        if self._finished is not None:
            command = ", ".join(map(describe_substitutions, self._cmd))
            raise RuntimeError(f"the process [{command}] cannot be executed more than once")
        if context.is_shutdown:
            return
        assert context.asyncio_loop is not None
        self._prepare(context)
        context.register_event_handler(OnShutdown(on_shutdown=self._request_stop))
        if self._on_exit is not None:
            context.register_event_handler(OnProcessExit(target_action=self, on_exit=self._on_exit))
        self._finished = context.asyncio_loop.create_future()
        context.add_completion_future(context.asyncio_loop.create_task(self._look_after(context)))

    def _prepare(self, context: LaunchContext) -> None:
        """Perform all substitutions, in the scope the action stands in."""
        cmd = [perform_substitutions(context, part) for part in self._cmd]
        label = os.path.basename(cmd[0])
        if self._name is not None:
            label = perform_substitutions(context, self._name)
        env = dict(context.environment)
        for variable, value in self._additional_env:
            env[perform_substitutions(context, variable)] = perform_substitutions(context, value)
        self._details = {
            "action": self,
            "name": f"{label}-{next(_counter)}",
            "cmd": cmd,
            "cwd": None if self._cwd is None else perform_substitutions(context, self._cwd),
            "env": env,
            "pid": 0,
        }
        self._logger = logging.get_logger(self._details["name"])
        output = perform_substitutions(context, self._output)
        self._process_output = ProcessOutput(self._details["name"], output)
        self._timeouts_s = [float(perform_substitutions(context, t)) for t in self._timeouts]

    # -- life ---------------------------------------------------------------------------

    async def _look_after(self, context: LaunchContext) -> None:
        assert self._finished is not None
        try:
            if not self._stopping:
                await self._run(context)
        finally:
            if self._escalation is not None:
                self._escalation.cancel()
            if not self._finished.done():
                self._finished.set_result(None)

    async def _run(self, context: LaunchContext) -> None:
        assert context.asyncio_loop is not None
        details = self._details
        try:
            self._child = ChildProcess(
                context.asyncio_loop,
                details["cmd"],
                cwd=details["cwd"],
                env=details["env"],
                on_output=lambda fd, data: self._on_output(context, fd, data),
            )
        except OSError as error:
            self._logger.error(f"cannot be started: {error} (command: {details['cmd']})")
            return
        context._children.append(self._child)
        details["pid"] = self._child.pid
        self._logger.info(f"process started with pid [{self._child.pid}]")
        context.emit_event_sync(ProcessStarted(**details))
        code = await self._child.wait()
        self._process_output.flush()
        if code == 0:
            self._logger.info(f"process has finished cleanly [pid {self._child.pid}]")
        else:
            self._logger.error(
                f"process has died [pid {self._child.pid}, exit code {code}, "
                f"cmd '{' '.join(details['cmd'])}']."
            )
        if not self._child.signal_group(0):  # its group is empty: the id may be used anew
            self._child.close()
            context._children.remove(self._child)
        context.emit_event_sync(ProcessExited(returncode=code, **details))

    def _on_output(self, context: LaunchContext, fd: int, data: bytes) -> None:
        event = ProcessIO(text=data, fd=fd, **self._details)
        if context.would_handle_event(event):
            context.emit_event_sync(event)
        self._process_output.add(fd, data)

    # -- end ----------------------------------------------------------------------------

    def _request_stop(self, event: Any, context: LaunchContext) -> None:
        """Begin the shutdown of the process, or forbid its start."""
        if self._stopping or self._finished is None or self._finished.done():
            return
        self._stopping = True
        if self._child is not None and self._child.returncode is None:
            assert context.asyncio_loop is not None
            self._escalation = context.asyncio_loop.create_task(self._escalate(self._child))

    async def _escalate(self, child: ChildProcess) -> None:
        steps = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
        for number, timeout_s in zip(steps, [*self._timeouts_s, 0.0], strict=True):
            self._logger.info(f"sending signal '{number.name}' to process")
            child.signal_group(number)
            if await child.ends_within(timeout_s):
                return
            if number != signal.SIGKILL:
                self._logger.error(f"still runs {timeout_s:g} seconds after {number.name}")


def _timeout(name: str, value: SomeSubstitutionsType | None) -> list[Substitution]:
    if value is None:
        value = LaunchConfiguration(name, default=_DEFAULT_TIMEOUT_S)
    return normalize_to_list_of_substitutions(value)
