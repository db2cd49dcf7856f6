# SPDX-License-Identifier: Apache-2.0
"""A launch description: the list of entities a launch file returns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from . import logging
from .action import Action
from .launch_description_entity import LaunchDescriptionEntity

if TYPE_CHECKING:
    from .actions import DeclareLaunchArgument, IncludeLaunchDescription
    from .launch_context import LaunchContext


class LaunchDescription(LaunchDescriptionEntity):
    """What is to be launched, in order."""

    def __init__(
        self,
        initial_entities: Iterable[LaunchDescriptionEntity] | None = None,
        *,
        deprecated_reason: str | None = None,
    ) -> None:
        """Make a description.

        Args:
            initial_entities: The entities to visit, in order.
            deprecated_reason: Why it should not be used any more; warned about when visited.
        """
        self._entities = list(initial_entities) if initial_entities is not None else []
        self._deprecated_reason = deprecated_reason

    @property
    def entities(self) -> list[LaunchDescriptionEntity]:
        """The entities, in order."""
        return self._entities

    @property
    def deprecated(self) -> bool:
        """Whether a reason against its use was given."""
        return self._deprecated_reason is not None

    @property
    def deprecated_reason(self) -> str | None:
        """Why it should not be used any more, or None."""
        return self._deprecated_reason

    def add_entity(self, entity: LaunchDescriptionEntity) -> None:
        """Append an entity."""
        self._entities.append(entity)

    def add_action(self, action: Action) -> None:
        """Append an action."""
        self.add_entity(action)

    def visit(self, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        """Return the entities to be visited."""
        if self._deprecated_reason is not None:
            where = context.get_locals_as_dict().get("current_launch_file_path", "description")
            logging.get_logger().warning(f"{where} is deprecated: {self._deprecated_reason}")
        return self._entities

    def describe_sub_entities(self) -> list[LaunchDescriptionEntity]:
        """Return the entities."""
        return self._entities

    def get_launch_arguments(
        self, conditional_inclusion: bool = False
    ) -> list[DeclareLaunchArgument]:
        """Return the declared arguments found without running the description.

        Args:
            conditional_inclusion: Whether the description itself is included conditionally.

        Returns:
            The declarations in order, each name once (the first one wins).
        """
        pairs = self.get_launch_arguments_with_include_launch_description_actions(
            conditional_inclusion
        )
        return [argument for argument, _ in pairs]

    def get_launch_arguments_with_include_launch_description_actions(
        self, conditional_inclusion: bool = False
    ) -> list[tuple[DeclareLaunchArgument, list[IncludeLaunchDescription] | None]]:
        """Return the declared arguments, each with the includes it was found behind.

        Includes whose path needs values of the running launch are passed over.

        Args:
            conditional_inclusion: Whether the description itself is included conditionally.

        Returns:
            Pairs of the declaration and the chain of include actions around it (None at the
            top level).
        """
        from .actions import (
            DeclareLaunchArgument,
            IncludeLaunchDescription,
            ResetLaunchConfigurations,
        )

        found: dict[str, tuple[DeclareLaunchArgument, list[IncludeLaunchDescription] | None]] = {}

        def walk(
            entities: Iterable[LaunchDescriptionEntity],
            conditional: bool,
            includes: list[IncludeLaunchDescription] | None,
        ) -> None:
            for entity in entities:
                if isinstance(entity, ResetLaunchConfigurations):
                    return  # arguments declared behind it cannot be given from outside
                if isinstance(entity, DeclareLaunchArgument) and entity.name not in found:
                    entity._conditionally_included = conditional or entity.condition is not None
                    found[entity.name] = (entity, includes)
                inner = includes
                if isinstance(entity, IncludeLaunchDescription):
                    inner = [*(includes or []), entity]
                walk(entity.describe_sub_entities(), conditional, inner)
                for _, sub_entities in entity.describe_conditional_sub_entities():
                    walk(sub_entities, True, inner)

        walk(self._entities, conditional_inclusion, None)
        return list(found.values())
