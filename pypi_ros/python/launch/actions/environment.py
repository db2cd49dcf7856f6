# SPDX-License-Identifier: Apache-2.0
"""Actions that change the environment of the processes started after them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ..action import Action
from ..some_substitutions_type import SomeSubstitutionsType
from ..substitution import Substitution
from ..utilities import normalize_to_list_of_substitutions, perform_substitutions
from ..utilities.type_utils import normalize_typed_substitution, perform_typed_substitution

if TYPE_CHECKING:
    from ..launch_context import LaunchContext


class SetEnvironmentVariable(Action):
    """Sets an environment variable."""

    def __init__(
        self, name: SomeSubstitutionsType, value: SomeSubstitutionsType, **kwargs: Any
    ) -> None:
        """Store the name and the value."""
        super().__init__(**kwargs)
        self._name = normalize_to_list_of_substitutions(name)
        self._value = normalize_to_list_of_substitutions(value)

    @property
    def name(self) -> list[Substitution]:
        """The name."""
        return self._name

    @property
    def value(self) -> list[Substitution]:
        """The value."""
        return self._value

    def execute(self, context: LaunchContext) -> None:
        """Set it."""
        name = perform_substitutions(context, self._name)
        context.environment[name] = perform_substitutions(context, self._value)


class UnsetEnvironmentVariable(Action):
    """Removes an environment variable; nothing happens if there is none."""

    def __init__(self, name: SomeSubstitutionsType, **kwargs: Any) -> None:
        """Store the name."""
        super().__init__(**kwargs)
        self._name = normalize_to_list_of_substitutions(name)

    @property
    def name(self) -> list[Substitution]:
        """The name."""
        return self._name

    def execute(self, context: LaunchContext) -> None:
        """Remove it."""
        context.environment.pop(perform_substitutions(context, self._name), None)


class AppendEnvironmentVariable(Action):
    """Appends to an environment variable, or sets it where there is none."""

    def __init__(
        self,
        name: SomeSubstitutionsType,
        value: SomeSubstitutionsType,
        prepend: bool | SomeSubstitutionsType = False,
        separator: SomeSubstitutionsType = os.pathsep,
        **kwargs: Any,
    ) -> None:
        """Store what to append.

        Args:
            name: The variable's name.
            value: What is appended.
            prepend: Whether it goes before the present value.
            separator: What stands between both.
            **kwargs: ``condition``.
        """
        super().__init__(**kwargs)
        self._name = normalize_to_list_of_substitutions(name)
        self._value = normalize_to_list_of_substitutions(value)
        self._prepend = normalize_typed_substitution(prepend, bool)
        self._separator = normalize_to_list_of_substitutions(separator)

    def execute(self, context: LaunchContext) -> None:
        """Append."""
        name = perform_substitutions(context, self._name)
        parts = [perform_substitutions(context, self._value)]
        if name in context.environment:
            prepend = perform_typed_substitution(context, self._prepend, bool)
            parts.insert(1 if prepend else 0, context.environment[name])
        context.environment[name] = perform_substitutions(context, self._separator).join(parts)


class ResetEnvironment(Action):
    """Makes the environment again what it was when the launch began."""

    def execute(self, context: LaunchContext) -> None:
        """Reset it."""
        context._reset_environment()
