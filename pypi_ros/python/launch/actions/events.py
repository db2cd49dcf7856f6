# SPDX-License-Identifier: Apache-2.0
"""Actions that emit events and register their handlers."""

from __future__ import annotations

from typing import Any

from launch import logging
from launch.action import Action
from launch.event import Event
from launch.event_handler import EventHandler
from launch.events import Shutdown as ShutdownEvent
from launch.events.process import ProcessExited
from launch.launch_context import LaunchContext


class RegisterEventHandler(Action):
    """Registers an event handler."""

    def __init__(self, event_handler: EventHandler, **kwargs: Any) -> None:
        """Store the handler."""
        super().__init__(**kwargs)
        self._event_handler = event_handler

    def execute(self, context: LaunchContext) -> None:
        """Register it."""
        context.register_event_handler(self._event_handler)


class EmitEvent(Action):
    """Emits an event."""

    def __init__(self, *, event: Event, **kwargs: Any) -> None:
        """Store the event."""
        super().__init__(**kwargs)
        if not isinstance(event, Event):
            raise RuntimeError(f"EmitEvent: {event!r} is no launch Event")
        self._event = event

    def execute(self, context: LaunchContext) -> None:
        """Emit it."""
        context.emit_event_sync(self._event)


class Shutdown(EmitEvent):
    """Shuts the launched system down."""

    def __init__(self, *, reason: str = "reason not given", **kwargs: Any) -> None:
        """Store the reason."""
        super().__init__(event=ShutdownEvent(reason=reason), **kwargs)

    def execute(self, context: LaunchContext) -> None:
        """Emit the shutdown event; log which required process has ended, if one has."""
        event = context.get_locals_as_dict().get("event")
        if isinstance(event, ProcessExited):
            logging.get_logger().info(
                f"required process [{event.process_name}] has ended: shutting down"
            )
        super().execute(context)
