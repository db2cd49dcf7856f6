# SPDX-License-Identifier: Apache-2.0
"""Actions that belong together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from launch.action import Action
from launch.launch_context import LaunchContext
from launch.launch_description_entity import LaunchDescriptionEntity


class _PushScope(Action):
    def execute(self, context: LaunchContext) -> None:
        context._push_scope()


class _PopScope(Action):
    def execute(self, context: LaunchContext) -> None:
        context._pop_scope()


class GroupAction(Action):
    """Actions with a condition or a scope in common."""

    def __init__(self, actions: Iterable[Action], *, scoped: bool = True, **kwargs: Any) -> None:
        """Store the actions.

        Args:
            actions: The actions, in order.
            scoped: Whether launch configurations and environment are restored afterwards.
            **kwargs: ``condition``.
        """
        super().__init__(**kwargs)
        self._actions = list(actions)
        self._scoped = scoped

    def get_sub_entities(self) -> list[LaunchDescriptionEntity]:
        """Return the actions, with those that make the scope around them."""
        return [_PushScope(), *self._actions, _PopScope()] if self._scoped else [*self._actions]

    def execute(self, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        """Return the entities to be visited."""
        return self.get_sub_entities()
