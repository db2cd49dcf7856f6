# SPDX-License-Identifier: Apache-2.0
"""Actions that declare and set launch configurations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..action import Action
from ..some_substitutions_type import SomeSubstitutionsType
from ..substitution import Substitution
from ..utilities import normalize_to_list_of_substitutions, perform_substitutions

if TYPE_CHECKING:
    from ..launch_context import LaunchContext


class DeclareLaunchArgument(Action):
    """Declares an argument of the launch description.

    Once visited, the launch configuration of that name has a value, from outside or the default;
    otherwise the launch fails.
    """

    def __init__(
        self,
        name: str,
        *,
        default_value: SomeSubstitutionsType | None = None,
        description: str | None = None,
        choices: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        """Store the declaration.

        Args:
            name: The argument's name, plain text.
            default_value: The value where none is given; without it the argument is mandatory.
            description: Plain text for ``ros2 launch --show-args``.
            choices: The allowed values.
            **kwargs: ``condition``.

        Raises:
            RuntimeError: The choices are empty, or the default is plain text and none of them.
        """
        super().__init__(**kwargs)
        if choices is not None and len(choices) == 0:
            raise RuntimeError(f"argument '{name}': choices is empty; leave it out for any value")
        if choices is not None and isinstance(default_value, str) and default_value not in choices:
            raise RuntimeError(
                f"argument '{name}': default '{default_value}' is none of the choices "
                f"{list(choices)}"
            )
        self._name = name
        self._default = (
            None if default_value is None else normalize_to_list_of_substitutions(default_value)
        )
        self._choices = None if choices is None else list(choices)
        self._description = _describe(description, self._choices)
        self._conditionally_included = False

    @property
    def name(self) -> str:
        """The argument's name."""
        return self._name

    @property
    def default_value(self) -> list[Substitution] | None:
        """The default, as substitutions, or None for a mandatory argument."""
        return self._default

    @property
    def description(self) -> str:
        """The description, with the choices."""
        return self._description

    @property
    def choices(self) -> list[str] | None:
        """The allowed values, or None for any."""
        return self._choices

    def execute(self, context: LaunchContext) -> None:
        """Set the default where no value is given, and check the value.

        Raises:
            RuntimeError: The argument is mandatory and not given, or its value not allowed.
        """
        values = context.launch_configurations
        if self._name not in values:
            if self._default is None:
                raise RuntimeError(
                    f"required launch argument '{self._name}' ({self._description}) was not "
                    f"provided; give it as {self._name}:=<value>"
                )
            values[self._name] = perform_substitutions(context, self._default)
        if self._choices is not None and values[self._name] not in self._choices:
            raise RuntimeError(
                f"launch argument '{self._name}' is '{values[self._name]}'; valid options are: "
                f"{self._choices}"
            )


def _describe(description: str | None, choices: list[str] | None) -> str:
    if choices is None:
        return "no description given" if description is None else description
    if description is None:
        return f"One of: {choices}"
    return f"{description.removesuffix('.')}. Valid choices are: {choices}"


class SetLaunchConfiguration(Action):
    """Sets a launch configuration."""

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
        context.launch_configurations[name] = perform_substitutions(context, self._value)


class UnsetLaunchConfiguration(Action):
    """Removes a launch configuration; nothing happens if there is none."""

    def __init__(self, name: SomeSubstitutionsType, **kwargs: Any) -> None:
        """Store the name."""
        super().__init__(**kwargs)
        self._name = normalize_to_list_of_substitutions(name)

    def execute(self, context: LaunchContext) -> None:
        """Remove it."""
        context.launch_configurations.pop(perform_substitutions(context, self._name), None)


class ResetLaunchConfigurations(Action):
    """Removes all launch configurations but the given ones."""

    def __init__(
        self,
        launch_configurations: Mapping[SomeSubstitutionsType, SomeSubstitutionsType] | None = None,
        **kwargs: Any,
    ) -> None:
        """Store those that are evaluated before and set again afterwards."""
        super().__init__(**kwargs)
        self._kept = dict(launch_configurations or {})

    def execute(self, context: LaunchContext) -> None:
        """Remove all, set the given ones."""
        kept = {
            perform_substitutions(
                context, normalize_to_list_of_substitutions(name)
            ): perform_substitutions(context, normalize_to_list_of_substitutions(value))
            for name, value in self._kept.items()
        }
        context.launch_configurations.clear()
        context.launch_configurations.update(kept)
