# SPDX-License-Identifier: Apache-2.0
"""What ExecuteProcess needs besides the process: times, environments and lines of output."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .. import logging
from ..some_substitutions_type import SomeSubstitutionsType
from ..substitution import Substitution
from ..substitutions import LaunchConfiguration
from ..utilities import normalize_to_list_of_substitutions, perform_substitutions

if TYPE_CHECKING:
    from ..launch_context import LaunchContext

Environment = Mapping[Any, SomeSubstitutionsType]


class OutputLines:
    """Cuts what a process writes into lines and logs them."""

    def __init__(self, formatted: Callable[[str], str]) -> None:
        """Store the function that makes the logged text of a line."""
        self._formatted = formatted
        self._partial = {1: b"", 2: b""}
        self._kept = {1: b"", 2: b""}
        self._keep = False
        self._loggers: dict[int, Any] = {}

    def open(self, process_name: str, output: Any, *, keep: bool) -> None:
        """Begin to log.

        Args:
            process_name: Name of the process.
            output: See :func:`launch.logging.get_output_loggers`.
            keep: Whether :meth:`text` is to return all of it.
        """
        out, err = logging.get_output_loggers(process_name, output)
        self._loggers = {1: out, 2: err}
        self._keep = keep

    def add(self, fd: int, data: bytes) -> None:
        """Take bytes from standard output (1) or standard error (2)."""
        if self._keep:
            self._kept[fd] += data
        *lines, self._partial[fd] = (self._partial[fd] + data).split(b"\n")
        for line in lines:
            self._log(fd, line)

    def flush(self) -> None:
        """Log lines that have no end yet."""
        for fd, rest in self._partial.items():
            if rest:
                self._log(fd, rest)
            self._partial[fd] = b""

    def text(self, fd: int) -> str:
        """Return what was kept."""
        return self._kept[fd].decode(errors="replace")

    def _log(self, fd: int, line: bytes) -> None:
        text = line.decode(errors="replace").rstrip("\r")
        self._loggers[fd].info("%s", self._formatted(text))


def seconds(name: str, value: SomeSubstitutionsType | float | None) -> list[Substitution]:
    """Return a time as substitutions: `value`, else the configuration `name`, else 5 seconds."""
    if value is None:
        value = LaunchConfiguration(name, default="5")
    elif isinstance(value, (int, float)):
        value = str(value)
    return normalize_to_list_of_substitutions(value)


def normalize_environment(
    values: Environment | None,
) -> list[tuple[list[Substitution], list[Substitution]]] | None:
    """Return names and values as substitutions; None stays None."""
    if values is None:
        return None
    return [
        (normalize_to_list_of_substitutions(name), normalize_to_list_of_substitutions(value))
        for name, value in values.items()
    ]


def perform_environment(
    context: LaunchContext, values: list[tuple[list[Substitution], list[Substitution]]]
) -> dict[str, str]:
    """Return names and values as text."""
    return {
        perform_substitutions(context, name): perform_substitutions(context, value)
        for name, value in values
    }


def perform_prefix(
    context: LaunchContext, prefix: list[Substitution] | None, program: str
) -> list[str]:
    """Return the words put before a program: `prefix`, else the configuration for its name."""
    if prefix is not None:
        return shlex.split(perform_substitutions(context, prefix))
    values = context.launch_configurations
    if not re.match(values.get("launch-prefix-filter", ""), os.path.basename(program)):
        return []
    return shlex.split(values.get("launch-prefix", ""))
