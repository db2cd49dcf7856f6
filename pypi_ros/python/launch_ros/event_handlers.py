# SPDX-License-Identifier: Apache-2.0
"""Event handlers for lifecycle nodes."""

from __future__ import annotations

from typing import Any

from launch import Action, Event, EventHandler, SomeEntitiesType
from launch_ros.events.lifecycle import StateTransition


class OnStateTransition(EventHandler):
    """Reacts to transitions of lifecycle nodes."""

    def __init__(
        self,
        *,
        entities: SomeEntitiesType,
        target_lifecycle_node: Action | None = None,
        start_state: str | None = None,
        goal_state: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Store the reaction.

        Args:
            entities: The entities to visit.
            target_lifecycle_node: The node, or None for all.
            start_state: Label of the state before, or None for all.
            goal_state: Label of the state after, or None for all.
            **kwargs: ``handle_once``.
        """

        def matches(event: Event) -> bool:
            return (
                isinstance(event, StateTransition)
                and target_lifecycle_node in (None, event.action)
                and start_state in (None, event.start_state)
                and goal_state in (None, event.goal_state)
            )

        super().__init__(matcher=matches, entities=entities, **kwargs)
