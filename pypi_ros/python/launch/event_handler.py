# SPDX-License-Identifier: Apache-2.0
"""Event handlers: what is to be done when an event matches."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .event import Event
from .some_entities_type import SomeEntitiesType

if TYPE_CHECKING:
    from .launch_context import LaunchContext


class BaseEventHandler:
    """Matches events and yields the entities to visit for them.

    While those are visited, ``context.locals.event`` is the event.
    """

    def __init__(self, *, matcher: Callable[[Event], bool], handle_once: bool = False) -> None:
        """Store what to match.

        Args:
            matcher: Returns True for the events to be handled.
            handle_once: Whether the handler is unregistered after its first event.
        """
        self._matcher = matcher
        self._handle_once = handle_once

    @property
    def handle_once(self) -> bool:
        """Whether only the first matching event is handled."""
        return self._handle_once

    @property
    def handler_description(self) -> str:
        """What is done, for people."""
        return ""

    @property
    def matcher_description(self) -> str:
        """What is matched, for people."""
        return ""

    def matches(self, event: Event) -> bool:
        """Return whether this handler wants the event."""
        return self._matcher(event)

    def describe(self) -> tuple[str, SomeEntitiesType]:
        """Return a text for people and the entities known before."""
        text = f"{type(self).__name__}({self.matcher_description})"
        return text, []

    def handle(self, event: Event, context: LaunchContext) -> SomeEntitiesType | None:
        """Make the event available to the entities; subclasses call this first.

        Args:
            event: The event that matched.
            context: The launch context; its locals get ``event``.

        Returns:
            The entities to visit, or None.
        """
        context.extend_locals({"event": event})
        if self.handle_once:
            context.unregister_event_handler(self)
        return None


class EventHandler(BaseEventHandler):
    """Yields fixed entities for each matching event."""

    def __init__(
        self,
        *,
        matcher: Callable[[Event], bool],
        entities: SomeEntitiesType | None = None,
        handle_once: bool = False,
    ) -> None:
        """Store what to match and what to yield."""
        super().__init__(matcher=matcher, handle_once=handle_once)
        self._entities = entities

    @property
    def entities(self) -> SomeEntitiesType | None:
        """The entities yielded for a matching event."""
        return self._entities

    def describe(self) -> tuple[str, SomeEntitiesType]:
        """Return a text for people and the entities."""
        return super().describe()[0], self._entities or []

    def handle(self, event: Event, context: LaunchContext) -> SomeEntitiesType | None:
        """Return the entities to visit for the event."""
        super().handle(event, context)
        return self._entities
