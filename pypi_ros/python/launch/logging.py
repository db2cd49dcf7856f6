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
from functools import cache
from pathlib import Path
from typing import Any

DEBUG, INFO = _logging.DEBUG, _logging.INFO

_OUTPUTS = {
    "screen": {"stdout": {"screen"}, "stderr": {"screen"}},
    "log": {"stdout": {"log"}, "stderr": {"log", "screen"}},
    "both": {"stdout": {"log", "screen"}, "stderr": {"log", "screen"}},
}


class LaunchConfig:
    """The logging settings of this process."""

    def __init__(self) -> None:
        """Start with level INFO and no log directory yet."""
        self.level = INFO
        self._log_dir: str | None = None

    @property
    def log_dir(self) -> str:
        """The directory of this launch's log file."""
        if self._log_dir is None:
            base = os.environ.get("ROS_LOG_DIR") or os.path.join(
                os.environ.get("ROS_HOME") or os.path.expanduser("~/.ros"), "log"
            )
            stamp = datetime.datetime.now().strftime("%Y-%m-%d-%H-%M-%S-%f")
            self._log_dir = os.path.join(
                os.path.expanduser(base), f"{stamp}-{socket.gethostname()}-{os.getpid()}"
            )
        return self._log_dir


launch_config = LaunchConfig()


class _ScreenHandler(_logging.Handler):
    """Writes to whatever `sys.stdout` is at that moment."""

    def emit(self, record: _logging.LogRecord) -> None:
        try:
            sys.stdout.write(self.format(record) + "\n")
            sys.stdout.flush()
        except (OSError, ValueError):  # the screen is gone; the launch goes on
            pass


class _FileHandler(_logging.Handler):
    """Writes to ``launch.log``, opened only when something is written: imports leave no files."""

    def emit(self, record: _logging.LogRecord) -> None:
        stream = _log_file()
        if stream is not None:
            stream.write(self.format(record) + "\n")
            stream.flush()


@cache
def _log_file() -> Any:
    try:
        Path(launch_config.log_dir).mkdir(parents=True, exist_ok=True)
        return Path(launch_config.log_dir, "launch.log").open("a", encoding="utf-8")
    except OSError as error:
        sys.stderr.write(f"launch: no log file: {error}\n")
        return None


class _LaunchLogger(_logging.Logger):
    """A logger that is not part of the process's logger tree and follows `launch_config`."""

    def isEnabledFor(self, level: int) -> bool:
        return level >= launch_config.level


def _add(logger: _logging.Logger, handler: _logging.Handler, fmt: str) -> None:
    handler.setFormatter(_logging.Formatter(fmt, style="{"))
    logger.addHandler(handler)


@cache
def get_logger(name: str = "launch") -> _logging.Logger:
    """Return the launch system's logger of that name: ``[INFO] [name]: message``."""
    logger = _LaunchLogger(name)
    _add(logger, _ScreenHandler(), "[{levelname}] [{name}]: {message}")
    _add(logger, _FileHandler(), "{created:.7f} [{levelname}] [{name}]: {message}")
    return logger


def get_output_loggers(process_name: str, output: str) -> tuple[_logging.Logger, _logging.Logger]:
    """Return the loggers of a process's stdout and stderr, which write plain lines.

    Args:
        process_name: The process's name.
        output: ``screen``, ``log`` (stderr also on the screen) or ``both``.

    Raises:
        ValueError: The output is none of these.
    """
    if output not in _OUTPUTS:
        raise ValueError(f"output is '{output}'; expected one of: {', '.join(_OUTPUTS)}")
    loggers = []
    for source, destinations in _OUTPUTS[output].items():
        logger = _logging.Logger(f"{process_name}-{source}")
        if "screen" in destinations:
            _add(logger, _ScreenHandler(), "{message}")
        if "log" in destinations:
            _add(logger, _FileHandler(), "{created:.7f} {message}")
        loggers.append(logger)
    return loggers[0], loggers[1]
