# SPDX-License-Identifier: Apache-2.0
"""A launch description: the list of entities a launch file returns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from launch.action import Action
from launch.declare_launch_argument import DeclareLaunchArgument
from launch.launch_context import LaunchContext
from launch.launch_description_entity import LaunchDescriptionEntity


class LaunchDescription(LaunchDescriptionEntity):
    """What is to be launched, in order."""

    def __init__(self, initial_entities: Iterable[LaunchDescriptionEntity] | None = None) -> None:
        """Store the entities to visit, in order."""
        self._entities = list(initial_entities or ())

    @property
    def entities(self) -> list[LaunchDescriptionEntity]:
        """The entities, in order."""
        return self._entities

    def add_action(self, action: Action) -> None:
        """Append an action."""
        self._entities.append(action)

    def visit(self, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        """Return the entities to be visited."""
        return self._entities

    def get_sub_entities(self) -> list[LaunchDescriptionEntity]:
        """Return the entities."""
        return self._entities

    def get_launch_arguments(self) -> list[DeclareLaunchArgument]:
        """Return the arguments that are declared here and in groups and includes.

        Nothing is run for it: includes whose path needs values of the running launch are passed
        over.

        Returns:
            The declarations in order, each name once (the first one wins).
        """
        found: dict[str, DeclareLaunchArgument] = {}
        for entity in _descendants(self):
            if isinstance(entity, DeclareLaunchArgument):
                found.setdefault(entity.name, entity)
        return list(found.values())


def _descendants(entity: LaunchDescriptionEntity) -> Iterator[LaunchDescriptionEntity]:
    for sub_entity in entity.get_sub_entities():
        yield sub_entity
        yield from _descendants(sub_entity)
