# SPDX-License-Identifier: Apache-2.0
"""Including another launch description."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..action import Action
from ..launch_description_entity import LaunchDescriptionEntity
from ..launch_description_source import LaunchDescriptionSource
from ..some_substitutions_type import SomeSubstitutionsType
from ..utilities import normalize_to_list_of_substitutions, perform_substitutions
from .configurations import SetLaunchConfiguration

if TYPE_CHECKING:
    from ..launch_context import LaunchContext
    from ..launch_description import LaunchDescription


class IncludeLaunchDescription(Action):
    """Visits another launch description, with arguments.

    There is no scope around it: what it sets stays set. Put it into a GroupAction for one.
    """

    def __init__(
        self,
        launch_description_source: LaunchDescriptionSource | SomeSubstitutionsType,
        *,
        launch_arguments: Iterable[tuple[SomeSubstitutionsType, SomeSubstitutionsType]]
        | None = None,
        **kwargs: Any,
    ) -> None:
        """Store the source.

        Args:
            launch_description_source: The source, or the path of a launch file.
            launch_arguments: Pairs of name and value.
            **kwargs: ``condition``.
        """
        super().__init__(**kwargs)
        if not isinstance(launch_description_source, LaunchDescriptionSource):
            from ..launch_description_sources import AnyLaunchDescriptionSource

            launch_description_source = AnyLaunchDescriptionSource(launch_description_source)
        self._source = launch_description_source
        self._arguments = tuple(launch_arguments or ())

    @property
    def launch_description_source(self) -> LaunchDescriptionSource:
        """The source."""
        return self._source

    @property
    def launch_arguments(self) -> tuple[tuple[Any, Any], ...]:
        """Pairs of name and value."""
        return self._arguments

    def describe(self) -> str:
        """Return the location, for people."""
        return f"IncludeLaunchDescription({self._source.location})"

    def get_sub_entities(self) -> list[LaunchDescriptionEntity]:
        """Return the description, if it can be loaded before the launch."""
        description = self._source.try_get_launch_description_without_context()
        return [] if description is None else [description]

    def execute(self, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        """Load the description; return the argument settings and the description.

        Raises:
            RuntimeError: A mandatory argument of the description is not given.
        """
        description = self._source.get_launch_description(context)
        file = os.path.abspath(self._source.location)
        directory = os.path.dirname(file) if os.path.exists(file) else self._source.location
        context.extend_locals(
            {"current_launch_file_path": file, "current_launch_file_directory": directory}
        )
        given = self._argument_names(context)
        self._check_arguments(description, given, context)
        settings = [SetLaunchConfiguration(name, value) for name, value in self._arguments]
        return [*settings, description]

    def _argument_names(self, context: LaunchContext) -> list[str]:
        return [
            perform_substitutions(context, normalize_to_list_of_substitutions(name))
            for name, _ in self._arguments
        ]

    @staticmethod
    def _check_arguments(
        description: LaunchDescription, given: list[str], context: LaunchContext
    ) -> None:
        pairs = description.get_launch_arguments_with_include_launch_description_actions()
        for argument, includes in pairs:
            if argument._conditionally_included or argument.default_value is not None:
                continue
            known = list(given)
            for include in includes or ():
                known.extend(include._argument_names(context))
            if argument.name not in known:
                raise RuntimeError(
                    f"included launch description lacks the required argument "
                    f"'{argument.name}' ({argument.description}); given: "
                    f"{', '.join(known) or 'none'}"
                )
