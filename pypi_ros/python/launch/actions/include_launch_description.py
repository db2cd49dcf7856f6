# SPDX-License-Identifier: Apache-2.0
"""Including another launch file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from launch.action import Action
from launch.actions.settings import SetLaunchConfiguration
from launch.launch_context import LaunchContext
from launch.launch_description_entity import LaunchDescriptionEntity
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitution import SomeSubstitutionsType


class IncludeLaunchDescription(Action):
    """Visits another launch file, with arguments.

    There is no scope around it: what it sets stays set. Put it into a GroupAction for one.
    """

    def __init__(
        self,
        launch_description_source: PythonLaunchDescriptionSource | SomeSubstitutionsType,
        *,
        launch_arguments: Iterable[tuple[SomeSubstitutionsType, SomeSubstitutionsType]] = (),
        **kwargs: Any,
    ) -> None:
        """Store the source.

        Args:
            launch_description_source: The source, or the path of a launch file.
            launch_arguments: Pairs of name and value.
            **kwargs: ``condition``.
        """
        super().__init__(**kwargs)
        if not isinstance(launch_description_source, PythonLaunchDescriptionSource):
            launch_description_source = PythonLaunchDescriptionSource(launch_description_source)
        self._source = launch_description_source
        self._arguments = tuple(launch_arguments)

    def get_sub_entities(self) -> list[LaunchDescriptionEntity]:
        """Return the description, if it can be loaded before the launch."""
        description = self._source.try_get_launch_description_without_context()
        return [] if description is None else [description]

    def execute(self, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        """Load the description; return the argument settings and the description."""
        description = self._source.get_launch_description(context)
        settings = [SetLaunchConfiguration(name, value) for name, value in self._arguments]
        return [*settings, description]
