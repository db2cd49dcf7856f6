# SPDX-License-Identifier: Apache-2.0
"""Arguments of launch files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from launch.action import Action
from launch.launch_context import LaunchContext
from launch.substitution import SomeSubstitutionsType, Substitution
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions


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
        self._description = description or "no description given"
        if self._choices is not None:
            self._description += f" Valid choices are: {self._choices}"

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
