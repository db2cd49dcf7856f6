# SPDX-License-Identifier: Apache-2.0
"""What a process writes, line by line into the log."""

from __future__ import annotations

from launch import logging


class ProcessOutput:
    """Cuts what a process writes into lines and logs them as ``[name] line``."""

    def __init__(self, process_name: str, output: str) -> None:
        """Begin to log.

        Args:
            process_name: Name of the process.
            output: See :func:`launch.logging.get_output_loggers`.
        """
        stdout, stderr = logging.get_output_loggers(process_name, output)
        self._process_name = process_name
        self._loggers = {1: stdout, 2: stderr}
        self._partial = {1: b"", 2: b""}

    def add(self, fd: int, data: bytes) -> None:
        """Take bytes from standard output (1) or standard error (2)."""
        *lines, self._partial[fd] = (self._partial[fd] + data).split(b"\n")
        for line in lines:
            self._log(fd, line)

    def flush(self) -> None:
        """Log lines that have no end yet."""
        for fd, rest in self._partial.items():
            if rest:
                self._log(fd, rest)
            self._partial[fd] = b""

    def _log(self, fd: int, line: bytes) -> None:
        text = line.decode(errors="replace").rstrip("\r")
        self._loggers[fd].info("[%s] %s", self._process_name, text)
