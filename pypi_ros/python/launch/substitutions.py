# SPDX-License-Identifier: Apache-2.0
"""Substitutions for launch configurations and paths."""

from __future__ import annotations

import os
from collections.abc import Iterable

from launch.launch_context import LaunchContext
from launch.not_offered import names_the_upstream_package
from launch.substitution import SomeSubstitutionsType, Substitution, TextSubstitution
from launch.utilities import (
    describe_substitutions,
    normalize_to_list_of_substitutions,
    perform_substitutions,
)

__all__ = [
    "LaunchConfiguration",
    "PathJoinSubstitution",
    "SubstitutionFailure",
    "TextSubstitution",
]

__getattr__ = names_the_upstream_package(__name__, "launch")


class SubstitutionFailure(Exception):
    """A substitution that has no text in the present context."""


class LaunchConfiguration(Substitution):
    """The value of a launch configuration."""

    def __init__(
        self,
        variable_name: SomeSubstitutionsType,
        *,
        default: SomeSubstitutionsType | None = None,
    ) -> None:
        """Store the name, and the value where it is not set; without one it has to be set."""
        self._name = normalize_to_list_of_substitutions(variable_name)
        self._default = None if default is None else normalize_to_list_of_substitutions(default)

    def describe(self) -> str:
        """Return the name, for people."""
        return f"LaunchConfig({describe_substitutions(self._name)})"

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


class PathJoinSubstitution(Substitution):
    """The parts of a path, joined."""

    def __init__(self, substitutions: Iterable[SomeSubstitutionsType]) -> None:
        """Store the parts; one that is itself a list is joined without a separator."""
        self._parts = [normalize_to_list_of_substitutions(part) for part in substitutions]

    def describe(self) -> str:
        """Return the parts, for people."""
        return f"PathJoin({', '.join(map(describe_substitutions, self._parts))})"

    def perform(self, context: LaunchContext) -> str:
        """Return the joined path; an absolute part starts anew, as with `os.path.join`."""
        return os.path.join(*(perform_substitutions(context, part) for part in self._parts))
