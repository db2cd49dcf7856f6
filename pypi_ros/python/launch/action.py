# SPDX-License-Identifier: Apache-2.0
"""The base class of actions."""

from __future__ import annotations

from collections.abc import Iterable

from launch.conditions import Condition
from launch.launch_context import LaunchContext
from launch.launch_description_entity import LaunchDescriptionEntity


class Action(LaunchDescriptionEntity):
    """An intention to do something, carried out when it is visited."""

    def __init__(self, *, condition: Condition | None = None) -> None:
        """Store the condition of execution; None means always."""
        self._condition = condition

    @property
    def condition(self) -> Condition | None:
        """The condition of execution, or None."""
        return self._condition

    def visit(self, context: LaunchContext) -> Iterable[LaunchDescriptionEntity] | None:
        """Execute the action if its condition holds."""
        if self._condition is not None and not self._condition.evaluate(context):
            return None
        return self.execute(context)

    def execute(self, context: LaunchContext) -> Iterable[LaunchDescriptionEntity] | None:
        """Do the action's work; return the entities to be visited next."""
        return None
