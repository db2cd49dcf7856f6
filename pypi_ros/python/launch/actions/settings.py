# SPDX-License-Identifier: Apache-2.0
"""Actions that set launch configurations and environment variables."""

from __future__ import annotations

from typing import Any

from launch.action import Action
from launch.launch_context import LaunchContext
from launch.substitution import SomeSubstitutionsType
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions


class _Setting(Action):
    """A name and a value."""

    def __init__(
        self, name: SomeSubstitutionsType, value: SomeSubstitutionsType, **kwargs: Any
    ) -> None:
        """Store the name and the value."""
        super().__init__(**kwargs)
        self._name = normalize_to_list_of_substitutions(name)
        self._value = normalize_to_list_of_substitutions(value)

    def _perform(self, context: LaunchContext) -> dict[str, str]:
        name = perform_substitutions(context, self._name)
        return {name: perform_substitutions(context, self._value)}


class SetLaunchConfiguration(_Setting):
    """Sets a launch configuration."""

    def execute(self, context: LaunchContext) -> None:
        """Set it."""
        context.launch_configurations.update(self._perform(context))


class SetEnvironmentVariable(_Setting):
    """Sets an environment variable for the processes started after it."""

    def execute(self, context: LaunchContext) -> None:
        """Set it."""
        context.environment.update(self._perform(context))
