# SPDX-License-Identifier: Apache-2.0
"""One child process under an asyncio loop: its own process group, its output, its end."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from typing import Any

_PR_SET_PDEATHSIG = 1
_POLL_S = 0.05
_DRAIN_S = 0.5

try:
    _libc: Any = ctypes.CDLL(None)
    _libc.prctl  # noqa: B018 (asks whether it is there)
except (OSError, AttributeError):  # no Linux: children of a killed launch live on
    _libc = None


def _die_with_parent() -> None:
    """Ask the kernel, in the child, for SIGKILL when the launching thread ends."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class ChildProcess:
    """A started process.

    It leads a session and process group of its own, so a Ctrl-C on the terminal reaches it only
    through the launch, and its own children can be reached all at once.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        cmd: Sequence[str],
        *,
        cwd: str | None,
        env: dict[str, str],
        on_output: Callable[[int, bytes], None],
    ) -> None:
        """Start the process.

        Args:
            loop: The running loop; callbacks come from it.
            cmd: Program and arguments.
            cwd: Working directory, or None for the present one.
            env: The whole environment.
            on_output: Called with (file descriptor number 1 or 2, bytes).

        Raises:
            OSError: The program cannot be started.
        """
        self._loop = loop
        self._on_output = on_output
        self._exited: asyncio.Future[int] = loop.create_future()
        self._popen = subprocess.Popen(
            list(cmd),
            cwd=cwd,
            env=env,
            bufsize=0,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
        self.pid = self._popen.pid
        self._drained = asyncio.Event()
        self._outputs: dict[Any, int] = {self._popen.stdout: 1, self._popen.stderr: 2}
        for stream in self._outputs:
            os.set_blocking(stream.fileno(), False)
            loop.add_reader(stream, self._read, stream)
        self._watch()

    # -- output -------------------------------------------------------------------------

    def _read(self, stream: Any) -> None:
        data = stream.read(1 << 16)
        if data:
            self._on_output(self._outputs[stream], data)
        elif data is not None:  # None: nothing to read just now
            self._close_output(stream)

    def _close_output(self, stream: Any) -> None:
        self._loop.remove_reader(stream)
        del self._outputs[stream]
        stream.close()
        if not self._outputs:
            self._drained.set()

    # -- end ----------------------------------------------------------------------------

    def _watch(self) -> None:
        """Have the exit status collected: told by the kernel, or else by looking often."""
        try:
            fd = os.pidfd_open(self.pid)
        except (AttributeError, OSError):
            self._poll()
            return

        def ended() -> None:
            self._loop.remove_reader(fd)
            os.close(fd)
            self._poll()

        self._loop.add_reader(fd, ended)

    def _poll(self) -> None:
        code = self._popen.poll()
        if code is None:
            self._loop.call_later(_POLL_S, self._poll)
        elif not self._exited.done():
            self._exited.set_result(code)

    @property
    def returncode(self) -> int | None:
        """The exit status (negative: the signal that ended it), or None while it runs."""
        return self._popen.returncode

    async def wait(self) -> int:
        """Wait for the end and for the output written before it; return the exit status."""
        code = await asyncio.shield(self._exited)
        with contextlib.suppress(asyncio.TimeoutError):
            # Children of the process may hold its output open for long.
            await asyncio.wait_for(self._drained.wait(), _DRAIN_S)
        return code

    async def ends_within(self, seconds: float) -> bool:
        """Return whether it ends (or has ended) within the time."""
        await asyncio.wait([self._exited], timeout=seconds)
        return self._exited.done()

    # -- signals ------------------------------------------------------------------------

    def signal_group(self, number: int) -> bool:
        """Send a signal (0: none) to its process group; return whether the group exists."""
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def close(self) -> None:
        """Stop reading what is left of the output."""
        for stream in list(self._outputs):
            self._close_output(stream)


async def end_groups(children: Sequence[ChildProcess], grace_s: float = 1.0) -> None:
    """End what is left of process groups: SIGTERM, and SIGKILL after `grace_s` seconds."""
    left = [child for child in children if child.signal_group(signal.SIGTERM)]
    waited_s = 0.0
    while left and waited_s < grace_s:
        await asyncio.sleep(_POLL_S)
        waited_s += _POLL_S
        left = [child for child in left if child.signal_group(0)]
    for child in left:
        child.signal_group(signal.SIGKILL)
