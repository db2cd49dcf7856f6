# SPDX-License-Identifier: Apache-2.0
"""Event handlers for lifecycle nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from launch import Event, EventHandler, SomeEntitiesType
from launch._absent import names_the_upstream_package

from .events.lifecycle import StateTransition

if TYPE_CHECKING:
    from .actions import LifecycleNode


class OnStateTransition(EventHandler):
    """Reacts to transitions of lifecycle nodes."""

    def __init__(
        self,
        *,
        entities: SomeEntitiesType,
        target_lifecycle_node: LifecycleNode | None = None,
        transition: str | None = None,
        start_state: str | None = None,
        goal_state: str | None = None,
        matcher: Callable[[Event], bool] | None = None,
        **kwargs: Any,
    ) -> None:
        """Store the reaction.

        Args:
            entities: The entities to visit.
            target_lifecycle_node: The node, or None for all.
            transition: Label of the transition, or None for all.
            start_state: Label of the state before, or None for all.
            goal_state: Label of the state after, or None for all.
            matcher: Instead of the above, a function from event to bool.
            **kwargs: ``handle_once``.
        """

        def matches(event: Event) -> bool:
            return (
                isinstance(event, StateTransition)
                and target_lifecycle_node in (None, event.action)
                and transition in (None, event.transition)
                and start_state in (None, event.start_state)
                and goal_state in (None, event.goal_state)
            )

        super().__init__(matcher=matcher or matches, entities=entities, **kwargs)


__all__ = ["OnStateTransition"]

__getattr__ = names_the_upstream_package(__name__, "launch_ros")
