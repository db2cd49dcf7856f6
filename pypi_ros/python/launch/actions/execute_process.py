# SPDX-License-Identifier: Apache-2.0
"""Running a process: its start, output, restart and shutdown."""

from __future__ import annotations

import asyncio
import itertools
import os
import shlex
import signal
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .. import logging
from ..action import Action
from ..child_process import ChildProcess
from ..conditions import evaluate_condition_expression
from ..event_handlers import OnProcessExit
from ..events.process import (
    ProcessExited,
    ProcessStarted,
    ProcessStderr,
    ProcessStdout,
)
from ..some_entities_type import SomeEntitiesType
from ..some_substitutions_type import SomeSubstitutionsType
from ..substitution import Substitution
from ..substitutions import LaunchConfiguration
from ..utilities import normalize_to_list_of_substitutions, perform_substitutions
from ..utilities.type_utils import normalize_typed_substitution, perform_typed_substitution
from .process_commands import ProcessCommands
from .process_settings import (
    Environment,
    OutputLines,
    normalize_environment,
    perform_environment,
    perform_prefix,
    seconds,
)

if TYPE_CHECKING:
    from ..launch_context import LaunchContext
    from ..launch_description_entity import LaunchDescriptionEntity

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
        prefix: SomeSubstitutionsType | None = None,
        cwd: SomeSubstitutionsType | None = None,
        env: Environment | None = None,
        additional_env: Environment | None = None,
        shell: bool = False,
        sigterm_timeout: SomeSubstitutionsType | float | None = None,
        sigkill_timeout: SomeSubstitutionsType | float | None = None,
        emulate_tty: bool = False,
        output: Any = "log",
        output_format: str = "[{this.process_details[name]}] {line}",
        cached_output: bool = False,
        log_cmd: bool = False,
        on_exit: SomeEntitiesType | Callable[..., SomeEntitiesType | None] | None = None,
        respawn: bool | SomeSubstitutionsType = False,
        respawn_delay: float | None = None,
        respawn_max_retries: int = -1,
        **kwargs: Any,
    ) -> None:
        """Describe the process.

        Args:
            cmd: Program and arguments.
            name: Label of the process, by default the program's base name; ``-<number>`` is
                appended.
            prefix: Commands put before the program; by default the launch configuration
                ``launch-prefix``, for programs whose name matches ``launch-prefix-filter``.
            cwd: Working directory.
            env: The whole environment, instead of that of the launch.
            additional_env: Variables on top of it.
            shell: Whether a shell runs the command.
            sigterm_timeout: Seconds from SIGINT to SIGTERM; by default the launch configuration
                of that name, else 5.
            sigkill_timeout: Seconds from SIGTERM to SIGKILL; likewise.
            emulate_tty: Whether the process sees a terminal; the launch configuration of that
                name comes first.
            output: Where its lines go: ``screen``, ``log`` (stderr also on the screen), ``both``,
                ``own_log``, ``full`` or a dictionary; see `launch.logging`. The environment
                variable OVERRIDE_LAUNCH_PROCESS_OUTPUT comes first.
            output_format: Format of a line, of ``line`` and ``this`` (this action).
            cached_output: Whether the output is kept for `get_stdout` and `get_stderr`.
            log_cmd: Whether the command is logged.
            on_exit: Entities to visit when it ends, or a function of (event, context).
            respawn: Whether it is started again when it ends.
            respawn_delay: Seconds to wait before that.
            respawn_max_retries: How often at most; negative means always.
            **kwargs: ``condition``.
        """
        super().__init__(**kwargs)
        self._cmd = [normalize_to_list_of_substitutions(part) for part in cmd]
        self._name = None if name is None else normalize_to_list_of_substitutions(name)
        self._prefix = None if prefix is None else normalize_to_list_of_substitutions(prefix)
        self._cwd = None if cwd is None else normalize_to_list_of_substitutions(cwd)
        self._env = normalize_environment(env)
        self._additional_env = normalize_environment(additional_env)
        self._shell = shell
        self._timeouts = [
            seconds("sigterm_timeout", sigterm_timeout),
            seconds("sigkill_timeout", sigkill_timeout),
        ]
        self._emulate_tty = emulate_tty
        output = os.environ.get("OVERRIDE_LAUNCH_PROCESS_OUTPUT", output)
        self._output = (
            output if isinstance(output, Mapping) else normalize_to_list_of_substitutions(output)
        )
        self._cached_output = cached_output
        self._log_cmd = log_cmd
        self._on_exit = on_exit
        self._respawn = normalize_typed_substitution(respawn, bool)
        self._respawn_delay = respawn_delay
        self._respawn_max_retries = respawn_max_retries
        self._details: dict[str, Any] | None = None
        self._child: ChildProcess | None = None
        self._finished: asyncio.Future[None] | None = None
        self._stop = asyncio.Event()
        self._escalation: asyncio.Task[None] | None = None
        self._lines = OutputLines(lambda line: output_format.format(line=line, this=self))

    # -- what it is ---------------------------------------------------------------------

    @property
    def cmd(self) -> list[list[Substitution]]:
        """Program and arguments, as substitutions."""
        return self._cmd

    @property
    def name(self) -> Any:
        """The final name (``talker-1``) once started, before that the given one."""
        return self._name if self._details is None else self._details["name"]

    @property
    def cwd(self) -> list[Substitution] | None:
        """The working directory, as substitutions."""
        return self._cwd

    @property
    def env(self) -> Any:
        """The environment, as pairs of substitutions."""
        return self._env

    @property
    def additional_env(self) -> Any:
        """The additional environment, as pairs of substitutions."""
        return self._additional_env

    @property
    def shell(self) -> bool:
        """Whether a shell runs the command."""
        return self._shell

    @property
    def output(self) -> Any:
        """Where its lines go."""
        return self._output

    @property
    def process_details(self) -> dict[str, Any] | None:
        """``action``, ``name``, ``cmd``, ``cwd``, ``env`` and ``pid``; None before the start."""
        return self._details

    @property
    def return_code(self) -> int | None:
        """The exit status of the last run, or None while it runs."""
        return None if self._child is None else self._child.returncode

    def get_stdout(self) -> str:
        """Return what it wrote to standard output; RuntimeError without `cached_output`."""
        return self._cached(1)

    def get_stderr(self) -> str:
        """Return what it wrote to standard error; RuntimeError without `cached_output`."""
        return self._cached(2)

    def _cached(self, fd: int) -> str:
        if not self._cached_output:
            raise RuntimeError(f"the output of {self.name} is not kept: set cached_output=True")
        return self._lines.text(fd)

    def get_sub_entities(self) -> Iterable[LaunchDescriptionEntity]:
        """Return the entities visited when it ends."""
        return self._on_exit if isinstance(self._on_exit, list) else []

    def describe(self) -> str:
        """Return the command, for people."""
        parts = (" + ".join(sub.describe() for sub in part) for part in self._cmd)
        return f"{type(self).__name__}(cmd=[{', '.join(parts)}])"

    def get_asyncio_future(self) -> asyncio.Future[None] | None:
        """Return a future that is done when the process has ended for good."""
        return self._finished

    # -- start --------------------------------------------------------------------------

    def execute(self, context: LaunchContext) -> None:
        """Start looking after the process; it is started when the loop runs next.

        Raises:
            RuntimeError: It was executed before.
        """
        if self._finished is not None:
            raise RuntimeError(f"{self.describe()} cannot be executed more than once")
        if context.is_shutdown:
            return
        assert context.asyncio_loop is not None
        self._prepare(context)
        context.register_event_handler(ProcessCommands(self))
        if self._on_exit is not None:
            context.register_event_handler(OnProcessExit(target_action=self, on_exit=self._on_exit))
        self._finished = context.asyncio_loop.create_future()
        context.add_completion_future(context.asyncio_loop.create_task(self._look_after(context)))

    def _prepare(self, context: LaunchContext) -> None:
        """Perform all substitutions, in the scope the action stands in."""
        cmd = [perform_substitutions(context, part) for part in self._cmd]
        cmd = [*perform_prefix(context, self._prefix, cmd[0]), *cmd]
        label = os.path.basename(cmd[0])
        if self._name is not None:
            label = perform_substitutions(context, self._name)
        env = dict(context.environment)
        if self._env is not None:
            env = perform_environment(context, self._env)
        env.update(perform_environment(context, self._additional_env or []))
        self._details = {
            "action": self,
            "name": f"{label}-{next(_counter)}",
            "cmd": cmd,
            "cwd": None if self._cwd is None else perform_substitutions(context, self._cwd),
            "env": env,
            "pid": 0,
        }
        self._logger = logging.get_logger(self._details["name"])
        output: Any = self._output
        if not isinstance(output, Mapping):
            output = perform_substitutions(context, output)
        self._lines.open(self._details["name"], output, keep=self._cached_output)
        self._timeouts_s = [
            float(perform_substitutions(context, timeout)) for timeout in self._timeouts
        ]
        self._respawns = perform_typed_substitution(context, self._respawn, bool)
        if "emulate_tty" in context.launch_configurations:
            self._emulate_tty = evaluate_condition_expression(
                context, [LaunchConfiguration("emulate_tty")]
            )

    # -- life ---------------------------------------------------------------------------

    async def _look_after(self, context: LaunchContext) -> None:
        try:
            retries = 0
            while await self._run_once(context) and not self._stop.is_set():
                if not self._respawns or context.is_shutdown:
                    break
                if 0 <= self._respawn_max_retries <= retries:
                    break
                retries += 1
                if await self._stopped_within(self._respawn_delay or 0.0):
                    break
        finally:
            if self._escalation is not None:
                self._escalation.cancel()
            assert self._finished is not None
            if not self._finished.done():
                self._finished.set_result(None)

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except asyncio.TimeoutError:
            return False
        return True

    async def _run_once(self, context: LaunchContext) -> bool:
        """Run the process to its end; return False if it cannot be started."""
        assert self._details is not None and context.asyncio_loop is not None
        details = self._details
        if self._stop.is_set():
            return False
        if self._log_cmd:
            self._logger.info(f"command: {shlex.join(details['cmd'])}, cwd: {details['cwd']}")
        try:
            self._child = ChildProcess(
                context.asyncio_loop,
                details["cmd"],
                cwd=details["cwd"],
                env=details["env"],
                shell=self._shell,
                emulate_tty=self._emulate_tty,
                on_output=lambda fd, data: self._on_output(context, fd, data),
            )
        except OSError as error:
            self._logger.error(f"cannot be started: {error} (command: {details['cmd']})")
            return False
        context._children.append(self._child)
        details["pid"] = self._child.pid
        self._logger.info(f"process started with pid [{self._child.pid}]")
        context.emit_event_sync(ProcessStarted(**details))
        code = await self._child.wait()
        self._lines.flush()
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
        return True

    def _on_output(self, context: LaunchContext, fd: int, data: bytes) -> None:
        assert self._details is not None
        event = (ProcessStdout if fd == 1 else ProcessStderr)(text=data, **self._details)
        if context.would_handle_event(event):
            context.emit_event_sync(event)
        self._lines.add(fd, data)

    # -- signals ------------------------------------------------------------------------

    def _request_stop(self, context: LaunchContext) -> None:
        """Begin the shutdown of the process and forbid further starts."""
        if self._stop.is_set() or self._finished is None or self._finished.done():
            return
        self._stop.set()
        if self._child is not None and self._child.returncode is None:
            assert context.asyncio_loop is not None
            self._escalation = context.asyncio_loop.create_task(self._escalate(self._child))

    async def _escalate(self, child: ChildProcess) -> None:
        steps = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
        for number, timeout_s in zip(steps, [*self._timeouts_s, 0.0], strict=True):
            self._logger.info(f"sending signal '{number.name}' to process[{self.name}]")
            child.signal_group(number)
            if await child.ends_within(timeout_s):
                return
            if number != signal.SIGKILL:
                self._logger.error(f"still runs {timeout_s:g} seconds after {number.name}")

    def _send_signal(self, number: signal.Signals) -> None:
        if self._child is not None and self._child.returncode is None:
            self._logger.info(f"sending signal '{number.name}' to process[{self.name}]")
            self._child.send_signal(number)


ExecuteLocal = ExecuteProcess
