# SPDX-License-Identifier: Apache-2.0
"""Logging of the launch system and of the output of its processes.

The launch system's own messages go to the screen and to ``launch.log``; where the lines of a
process go is its ``output`` setting. The log directory is ``$ROS_LOG_DIR``, else
``$ROS_HOME/log``, else ``~/.ros/log``, with one directory a launch below it.
"""

from __future__ import annotations

import datetime
import logging as _logging
import os
import socket
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

DEBUG, INFO, WARNING, ERROR = _logging.DEBUG, _logging.INFO, _logging.WARNING, _logging.ERROR

_ALIASES: dict[str, dict[str, set[str]]] = {
    "screen": {"stdout": {"screen"}, "stderr": {"screen"}},
    "log": {"stdout": {"log"}, "stderr": {"log", "screen"}},
    "both": {"stdout": {"log", "screen"}, "stderr": {"log", "screen"}},
    "own_log": {"stdout": {"own_log"}, "stderr": {"own_log"}},
    "full": {"stdout": {"log", "screen", "own_log"}, "stderr": {"log", "screen", "own_log"}},
}


class _ScreenHandler(_logging.Handler):
    """Writes to whatever `sys.stdout` is at that moment."""

    def emit(self, record: _logging.LogRecord) -> None:
        try:
            sys.stdout.write(self.format(record) + "\n")
            sys.stdout.flush()
        except (OSError, ValueError):  # the screen is gone; the launch goes on
            pass


class LaunchConfig:
    """The logging settings of this process."""

    def __init__(self) -> None:
        """Start with level INFO and no log directory yet."""
        self.level = INFO
        self._log_dir: str | None = None
        self._files: dict[str, _logging.Handler] = {}

    @property
    def log_dir(self) -> str:
        """The directory of this launch's log files; made on first use."""
        if self._log_dir is None:
            base = os.environ.get("ROS_LOG_DIR") or os.path.join(
                os.environ.get("ROS_HOME") or os.path.expanduser("~/.ros"), "log"
            )
            stamp = datetime.datetime.now().strftime("%Y-%m-%d-%H-%M-%S-%f")
            self._log_dir = os.path.join(
                os.path.expanduser(base), f"{stamp}-{socket.gethostname()}-{os.getpid()}"
            )
        return self._log_dir

    @log_dir.setter
    def log_dir(self, value: str | None) -> None:
        self._log_dir = None if value is None else str(value)
        self.close()

    def file_handler(self, name: str, fmt: str) -> _logging.Handler:
        """Return the handler that appends to a file of the log directory."""
        key = f"{name}:{fmt}"
        if key not in self._files:
            try:
                Path(self.log_dir).mkdir(parents=True, exist_ok=True)
                handler: _logging.Handler = _logging.FileHandler(
                    os.path.join(self.log_dir, name), encoding="utf-8"
                )
            except OSError as error:
                sys.stderr.write(f"launch: no log file: {error}\n")
                handler = _logging.NullHandler()
            handler.setFormatter(_logging.Formatter(fmt, style="{"))
            self._files[key] = handler
        return self._files[key]

    def close(self) -> None:
        """Close the log files."""
        for handler in self._files.values():
            handler.close()
        self._files.clear()
        _loggers.clear()


class _LaunchLogger(_logging.Logger):
    """A logger that is not part of the process's logger tree and follows `launch_config`."""

    def isEnabledFor(self, level: int) -> bool:
        return level >= launch_config.level


_loggers: dict[str, _logging.Logger] = {}
launch_config = LaunchConfig()


def get_logger(name: str | None = None) -> _logging.Logger:
    """Return the launch system's logger of that name: ``[INFO] [name]: message``."""
    name = name or "launch"
    if name not in _loggers:
        screen = _ScreenHandler()
        screen.setFormatter(_logging.Formatter("[{levelname}] [{name}]: {message}", style="{"))
        logger = _LaunchLogger(name)
        logger.addHandler(screen)
        logger.addHandler(_FileOnFirstUse("{created:.7f} [{levelname}] [{name}]: {message}"))
        _loggers[name] = logger
    return _loggers[name]


class _FileOnFirstUse(_logging.Handler):
    """Opens ``launch.log`` only when something is written, so imports leave no files."""

    def __init__(self, fmt: str) -> None:
        super().__init__()
        self._fmt = fmt

    def emit(self, record: _logging.LogRecord) -> None:
        launch_config.file_handler("launch.log", self._fmt).emit(record)


def _destinations(output: Any) -> Mapping[str, set[str]]:
    """Return the destinations of stdout and stderr of an ``output`` setting."""
    if isinstance(output, str):
        if output not in _ALIASES:
            raise ValueError(f"output is '{output}'; expected one of: {', '.join(_ALIASES)}")
        return _ALIASES[output]
    result: dict[str, set[str]] = {}
    both = output.get("both", ())
    for source in ("stdout", "stderr"):
        chosen: set[str] = set()
        for value in (both, output.get(source, ())):
            chosen |= {value} if isinstance(value, str) else set(value)
        unknown = chosen - {"screen", "log", "own_log"}
        if unknown:
            raise ValueError(
                f"output of {source} to {', '.join(sorted(unknown))}; expected screen, log or "
                "own_log"
            )
        result[source] = chosen
    return result


def get_output_loggers(process_name: str, output_config: Any) -> tuple[Any, Any]:
    """Return the loggers of a process's stdout and stderr, which write plain lines.

    Args:
        process_name: The process's name; names its own log files.
        output_config: ``screen``, ``log`` (stderr also on the screen), ``both``, ``own_log``,
            ``full``, or a dictionary from ``stdout``, ``stderr`` or ``both`` to ``screen``,
            ``log``, ``own_log`` or a list of these.
    """
    chosen = _destinations(output_config)
    return (
        _line_logger(process_name, "stdout", chosen["stdout"]),
        _line_logger(process_name, "stderr", chosen["stderr"]),
    )


def _line_logger(process_name: str, source: str, where: Iterable[str]) -> _logging.Logger:
    makers: dict[str, Callable[[], _logging.Handler]] = {
        "screen": _ScreenHandler,
        "log": lambda: launch_config.file_handler("launch.log", "{created:.7f} {message}"),
        "own_log": lambda: launch_config.file_handler(f"{process_name}-{source}.log", "{message}"),
    }
    logger = _logging.Logger(f"{process_name}-{source}")
    for destination in sorted(where):
        logger.addHandler(makers[destination]())
    return logger
