# SPDX-License-Identifier: Apache-2.0
"""Substitutions that look up a value: configurations, environment, paths, locals."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .. import logging
from ..some_substitutions_type import SomeSubstitutionsType
from ..substitution import Substitution
from ..utilities import normalize_to_list_of_substitutions, perform_substitutions
from .substitution_failure import SubstitutionFailure

if TYPE_CHECKING:
    from ..launch_context import LaunchContext


def describe_all(parts: Iterable[Substitution]) -> str:
    """Return the descriptions of substitutions that stand one after the other."""
    return " + ".join(part.describe() for part in parts)


class LaunchConfiguration(Substitution):
    """The value of a launch configuration."""

    def __init__(self, variable_name: SomeSubstitutionsType, *, default: Any = None) -> None:
        """Store the name.

        Args:
            variable_name: Name of the configuration.
            default: Used where it is not set: text, substitutions, or a value that is turned
                into text. None makes the configuration mandatory.
        """
        self._name = normalize_to_list_of_substitutions(variable_name)
        if default is not None and not isinstance(default, (str, Substitution, Iterable)):
            default = str(default)
        self._default = None if default is None else normalize_to_list_of_substitutions(default)

    @property
    def variable_name(self) -> list[Substitution]:
        """The name, as substitutions."""
        return self._name

    def describe(self) -> str:
        """Return the name, for people."""
        return f"LaunchConfig({describe_all(self._name)})"

    def perform(self, context: LaunchContext) -> str:
        """Return the value; SubstitutionFailure if it is not set and has no default."""
        name = perform_substitutions(context, self._name)
        if name in context.launch_configurations:
            return context.launch_configurations[name]
        if self._default is None:
            raise SubstitutionFailure(
                f"launch configuration '{name}' does not exist; declare it with "
                "DeclareLaunchArgument, set it, or give it a default"
            )
        return perform_substitutions(context, self._default)


class EnvironmentVariable(Substitution):
    """The value of an environment variable of the launch context."""

    def __init__(
        self,
        name: SomeSubstitutionsType,
        *,
        default_value: SomeSubstitutionsType | None = None,
    ) -> None:
        """Store the name and the value to use where the variable is not set."""
        self._name = normalize_to_list_of_substitutions(name)
        self._default = (
            None if default_value is None else normalize_to_list_of_substitutions(default_value)
        )

    @property
    def name(self) -> list[Substitution]:
        """The name, as substitutions."""
        return self._name

    @property
    def default_value(self) -> list[Substitution] | None:
        """The value used where the variable is not set."""
        return self._default

    def describe(self) -> str:
        """Return the name, for people."""
        return f"EnvVar({describe_all(self._name)})"

    def perform(self, context: LaunchContext) -> str:
        """Return the value; SubstitutionFailure if it is not set and has no default."""
        name = perform_substitutions(context, self._name)
        if name in context.environment:
            return context.environment[name]
        if self._default is None:
            raise SubstitutionFailure(f"environment variable '{name}' does not exist")
        return perform_substitutions(context, self._default)


class PathJoinSubstitution(Substitution):
    """The parts of a path, joined; ``/`` appends a further part."""

    def __init__(self, substitutions: Iterable[SomeSubstitutionsType]) -> None:
        """Store the parts.

        Args:
            substitutions: The parts; one that is itself a list is joined without a separator.
        """
        if isinstance(substitutions, (str, Substitution)):
            substitutions = [substitutions]
        self._parts = [normalize_to_list_of_substitutions(part) for part in substitutions]

    @property
    def substitutions(self) -> list[Any]:
        """The parts; those of one piece as one substitution, others as a list."""
        return [part[0] if len(part) == 1 else part for part in self._parts]

    def __truediv__(self, other: SomeSubstitutionsType) -> PathJoinSubstitution:
        """Return the path with a further part."""
        return PathJoinSubstitution([*self._parts, normalize_to_list_of_substitutions(other)])

    def describe(self) -> str:
        """Return the parts, for people."""
        return f"PathJoin({', '.join(describe_all(part) for part in self._parts)})"

    def perform(self, context: LaunchContext) -> str:
        """Return the joined path; an absolute part starts anew, as with `os.path.join`."""
        return os.path.join(*(perform_substitutions(context, part) for part in self._parts))


class LocalSubstitution(Substitution):
    """An expression on ``context.locals``, e.g. ``event.reason``."""

    def __init__(self, expression: str, description: str | None = None) -> None:
        """Store the expression and a text for people."""
        self._expression = expression
        self._description = description

    @property
    def expression(self) -> str:
        """The expression."""
        return self._expression

    def describe(self) -> str:
        """Return the description, or the expression."""
        return f"LocalVar('{self._description or self._expression}')"

    def perform(self, context: LaunchContext) -> str:
        """Return the expression's value as text."""
        return str(eval(f"locals_.{self._expression}", {"locals_": context.locals}))


class _FromLocals(Substitution):
    _local = ""

    def perform(self, context: LaunchContext) -> str:
        """Return the path; SubstitutionFailure outside of a launch file."""
        values = context.get_locals_as_dict()
        if self._local not in values:
            raise SubstitutionFailure(
                f"{type(self).__name__} was used outside of a launch file that was included"
            )
        return values[self._local]


class ThisLaunchFile(_FromLocals):
    """The path of the launch file this stands in."""

    _local = "current_launch_file_path"


class ThisLaunchFileDir(_FromLocals):
    """The directory of the launch file this stands in."""

    _local = "current_launch_file_directory"


class LaunchLogDir(Substitution):
    """The directory of the present launch's log files."""

    def perform(self, context: LaunchContext) -> str:
        """Return the path."""
        return logging.launch_config.log_dir
