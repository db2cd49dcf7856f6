# SPDX-License-Identifier: Apache-2.0
"""Substitutions that evaluate Python, find programs or run them."""

from __future__ import annotations

import importlib
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .. import logging
from ..some_substitutions_type import SomeSubstitutionsType
from ..substitution import Substitution
from ..utilities import normalize_to_list_of_substitutions, perform_substitutions
from .substitution_failure import SubstitutionFailure
from .values import describe_all

if TYPE_CHECKING:
    from ..launch_context import LaunchContext


class PythonExpression(Substitution):
    """The value, as text, of a Python expression."""

    def __init__(
        self, expression: SomeSubstitutionsType, python_modules: Sequence[Any] = ("math",)
    ) -> None:
        """Store the expression.

        Args:
            expression: The expression; substitutions in it are performed before.
            python_modules: Names of modules the expression may use. The names inside of
                ``math`` may be used without the module's name.
        """
        self._expression = normalize_to_list_of_substitutions(expression)
        self._modules = normalize_to_list_of_substitutions(python_modules)

    @property
    def expression(self) -> list[Substitution]:
        """The expression."""
        return self._expression

    @property
    def python_modules(self) -> list[Substitution]:
        """The names of the modules."""
        return self._modules

    def describe(self) -> str:
        """Return the expression, for people."""
        return f"PythonExpr({describe_all(self._expression)})"

    def perform(self, context: LaunchContext) -> str:
        """Return the value as text; what the expression raises is not caught."""
        names: dict[str, Any] = {}
        for part in self._modules:
            module = importlib.import_module(context.perform_substitution(part))
            if module.__name__ == "math":
                names.update(vars(module))
            names[module.__name__] = module
        return str(eval(perform_substitutions(context, self._expression), {}, names))


class FindExecutable(Substitution):
    """The path of a program found on the ``PATH``."""

    def __init__(self, name: SomeSubstitutionsType) -> None:
        """Store the program's name."""
        self._name = normalize_to_list_of_substitutions(name)

    @property
    def name(self) -> list[Substitution]:
        """The program's name."""
        return self._name

    def describe(self) -> str:
        """Return the name, for people."""
        return f"FindExec({describe_all(self._name)})"

    def perform(self, context: LaunchContext) -> str:
        """Return the path; SubstitutionFailure if there is no such program."""
        name = perform_substitutions(context, self._name)
        path = shutil.which(name, path=context.environment.get("PATH"))
        if path is None:
            raise SubstitutionFailure(f"executable '{name}' not found on the PATH")
        return path


class Command(Substitution):
    """What a command writes to its standard output."""

    def __init__(
        self, command: SomeSubstitutionsType, *, on_stderr: SomeSubstitutionsType = "fail"
    ) -> None:
        """Store the command.

        Args:
            command: The command line, split as a shell would.
            on_stderr: What text on standard error means: ``fail``, ``ignore``, ``warn`` or
                ``capture`` (it belongs to the output).
        """
        self._command = normalize_to_list_of_substitutions(command)
        self._on_stderr = normalize_to_list_of_substitutions(on_stderr)

    @property
    def command(self) -> list[Substitution]:
        """The command line."""
        return self._command

    @property
    def on_stderr(self) -> list[Substitution]:
        """What text on standard error means."""
        return self._on_stderr

    def describe(self) -> str:
        """Return the command, for people."""
        return f"Command({describe_all(self._command)})"

    def perform(self, context: LaunchContext) -> str:
        """Return the output; SubstitutionFailure if the command fails."""
        command = perform_substitutions(context, self._command)
        on_stderr = perform_substitutions(context, self._on_stderr)
        if on_stderr not in ("fail", "ignore", "warn", "capture"):
            raise SubstitutionFailure(
                f"on_stderr is '{on_stderr}'; expected fail, ignore, warn or capture"
            )
        stderr = subprocess.STDOUT if on_stderr == "capture" else subprocess.PIPE
        try:
            result = subprocess.run(
                shlex.split(command), stdout=subprocess.PIPE, stderr=stderr, text=True
            )
        except OSError as error:
            raise SubstitutionFailure(f"cannot run '{command}': {error}") from error
        if result.returncode != 0:
            raise SubstitutionFailure(
                f"'{command}' exited with {result.returncode}: {result.stderr or result.stdout}"
            )
        if result.stderr and on_stderr == "fail":
            raise SubstitutionFailure(f"'{command}' wrote to standard error: {result.stderr}")
        if result.stderr and on_stderr == "warn":
            logging.get_logger().warning(f"'{command}' on standard error: {result.stderr}")
        return result.stdout
