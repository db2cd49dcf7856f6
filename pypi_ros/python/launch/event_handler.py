# SPDX-License-Identifier: Apache-2.0
"""What is to be done when an event matches."""

from __future__ import annotations

from collections.abc import Callable

from launch.event import Event
from launch.launch_context import LaunchContext
from launch.launch_description_entity import SomeEntitiesType

Reaction = SomeEntitiesType | Callable[[Event, LaunchContext], SomeEntitiesType | None] | None
"""Entities, or a function of event and context that returns entities or None."""


class EventHandler:
    """Yields entities for each matching event.

    While those are visited, ``context.locals.event`` is the event.
    """

    def __init__(
        self,
        *,
        matcher: Callable[[Event], bool],
        entities: Reaction = None,
        handle_once: bool = False,
    ) -> None:
        """Store what to match and what to do.

        Args:
            matcher: Returns True for the events to be handled.
            entities: Entities to visit, or a function of event and context that returns them.
            handle_once: Whether the handler is unregistered after its first event.
        """
        self._matcher = matcher
        self._reaction = entities
        self._handle_once = handle_once

    def matches(self, event: Event) -> bool:
        """Return whether this handler wants the event."""
        return self._matcher(event)

    def handle(self, event: Event, context: LaunchContext) -> SomeEntitiesType | None:
        """Return the entities to visit for the event, or None."""
        context.extend_locals({"event": event})
        if self._handle_once:
            context.unregister_event_handler(self)
        return self._reaction(event, context) if callable(self._reaction) else self._reaction
