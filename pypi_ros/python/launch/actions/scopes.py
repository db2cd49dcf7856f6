# SPDX-License-Identifier: Apache-2.0
"""Scopes of launch configurations and environment, and the group that has one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..action import Action
from ..launch_description_entity import LaunchDescriptionEntity
from ..some_substitutions_type import SomeSubstitutionsType
from .configurations import ResetLaunchConfigurations, SetLaunchConfiguration
from .environment import ResetEnvironment

if TYPE_CHECKING:
    from ..launch_context import LaunchContext


class PushLaunchConfigurations(Action):
    """Remembers the launch configurations."""

    def execute(self, context: LaunchContext) -> None:
        """Push them."""
        context._push_launch_configurations()


class PopLaunchConfigurations(Action):
    """Returns to the launch configurations remembered last."""

    def execute(self, context: LaunchContext) -> None:
        """Pop them."""
        context._pop_launch_configurations()


class PushEnvironment(Action):
    """Remembers the environment."""

    def execute(self, context: LaunchContext) -> None:
        """Push it."""
        context._push_environment()


class PopEnvironment(Action):
    """Returns to the environment remembered last."""

    def execute(self, context: LaunchContext) -> None:
        """Pop it."""
        context._pop_environment()


class GroupAction(Action):
    """Actions that belong together.

    With `scoped`, what they change in configurations and environment ends with the group;
    without `forwarding`, they also see nothing of those outside.
    """

    def __init__(
        self,
        actions: Iterable[Action],
        *,
        scoped: bool = True,
        forwarding: bool = True,
        launch_configurations: Mapping[Any, SomeSubstitutionsType] | None = None,
        **kwargs: Any,
    ) -> None:
        """Store the actions.

        Args:
            actions: The actions, in order.
            scoped: Whether configurations and environment are restored afterwards.
            forwarding: Whether (in a scope) those outside are visible inside.
            launch_configurations: Set before the actions.
            **kwargs: ``condition``.
        """
        super().__init__(**kwargs)
        self._actions = list(actions)
        self._scoped = scoped
        self._forwarding = forwarding
        self._configurations = dict(launch_configurations or {})
        self._sub_entities: list[LaunchDescriptionEntity] | None = None

    def get_sub_entities(self) -> list[LaunchDescriptionEntity]:
        """Return the actions, with those that make the scope around them."""
        if self._sub_entities is None:
            self._sub_entities = self._make_sub_entities()
        return self._sub_entities

    def _make_sub_entities(self) -> list[LaunchDescriptionEntity]:
        settings = [SetLaunchConfiguration(k, v) for k, v in self._configurations.items()]
        if not self._scoped:
            return [*settings, *self._actions]
        inside: list[LaunchDescriptionEntity] = (
            [*settings]
            if self._forwarding
            else [ResetEnvironment(), ResetLaunchConfigurations(self._configurations)]
        )
        return [
            PushLaunchConfigurations(),
            PushEnvironment(),
            *inside,
            *self._actions,
            PopEnvironment(),
            PopLaunchConfigurations(),
        ]

    def execute(self, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        """Return the entities to be visited."""
        return self.get_sub_entities()
