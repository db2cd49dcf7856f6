# SPDX-License-Identifier: Apache-2.0
"""Actions that call functions, log, and deal with events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .. import logging
from ..action import Action
from ..event import Event
from ..event_handler import BaseEventHandler
from ..events import Shutdown as ShutdownEvent
from ..events.process import ProcessExited
from ..launch_description_entity import LaunchDescriptionEntity
from ..some_entities_type import SomeEntitiesType
from ..some_substitutions_type import SomeSubstitutionsType
from ..substitution import Substitution
from ..utilities import normalize_to_list_of_substitutions, perform_substitutions

if TYPE_CHECKING:
    from ..launch_context import LaunchContext


class LogInfo(Action):
    """Logs a message: ``[INFO] [launch.user]: ...``."""

    def __init__(self, *, msg: SomeSubstitutionsType, **kwargs: Any) -> None:
        """Store the message."""
        super().__init__(**kwargs)
        self._msg = normalize_to_list_of_substitutions(msg)

    @property
    def msg(self) -> list[Substitution]:
        """The message."""
        return self._msg

    def execute(self, context: LaunchContext) -> None:
        """Log it."""
        logging.get_logger("launch.user").info(perform_substitutions(context, self._msg))


class OpaqueFunction(Action):
    """Calls a function, which may return further entities."""

    def __init__(
        self,
        *,
        function: Callable[..., list[LaunchDescriptionEntity] | None],
        args: Iterable[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        **left_over_kwargs: Any,
    ) -> None:
        """Store the function.

        Args:
            function: Called as ``function(context, *args, **kwargs)``.
            args: Further positional arguments.
            kwargs: Keyword arguments.
            **left_over_kwargs: ``condition``.
        """
        super().__init__(**left_over_kwargs)
        if not callable(function):
            raise TypeError(f"OpaqueFunction: function is {function!r}, which cannot be called")
        self._function = function
        self._args = tuple(args or ())
        self._kwargs = dict(kwargs or {})

    def execute(self, context: LaunchContext) -> list[LaunchDescriptionEntity] | None:
        """Call the function; return what it returns."""
        return self._function(context, *self._args, **self._kwargs)


class OpaqueCoroutine(Action):
    """Runs a coroutine until it ends or the launch shuts down."""

    def __init__(
        self,
        *,
        coroutine: Callable[..., Any],
        args: Iterable[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        ignore_context: bool = False,
        **left_over_kwargs: Any,
    ) -> None:
        """Store the coroutine function, called with the context unless `ignore_context`."""
        super().__init__(**left_over_kwargs)
        if not asyncio.iscoroutinefunction(coroutine):
            raise TypeError(f"OpaqueCoroutine: {coroutine!r} is no coroutine function")
        self._coroutine = coroutine
        self._args = tuple(args or ())
        self._kwargs = dict(kwargs or {})
        self._ignore_context = ignore_context
        self._future: asyncio.Future[Any] | None = None

    def execute(self, context: LaunchContext) -> None:
        """Start it."""
        from ..event_handlers import OnShutdown

        assert context.asyncio_loop is not None
        args = self._args if self._ignore_context else (context, *self._args)
        future = context.asyncio_loop.create_task(self._coroutine(*args, **self._kwargs))

        def cancel(event: Event, context: LaunchContext) -> None:
            future.cancel()

        context.register_event_handler(OnShutdown(on_shutdown=cancel))
        self._future = future

    def get_asyncio_future(self) -> asyncio.Future[Any] | None:
        """Return the running coroutine's task."""
        return self._future


class RegisterEventHandler(Action):
    """Registers an event handler."""

    def __init__(self, event_handler: BaseEventHandler, **kwargs: Any) -> None:
        """Store the handler."""
        super().__init__(**kwargs)
        self._event_handler = event_handler

    @property
    def event_handler(self) -> BaseEventHandler:
        """The handler."""
        return self._event_handler

    def execute(self, context: LaunchContext) -> None:
        """Register it."""
        context.register_event_handler(self._event_handler)

    def describe_conditional_sub_entities(
        self,
    ) -> list[tuple[str, Iterable[LaunchDescriptionEntity]]]:
        """Return the entities known to follow on the event."""
        text, known = self._event_handler.describe()
        entities: SomeEntitiesType = known
        if isinstance(entities, LaunchDescriptionEntity):
            entities = [entities]
        return [(text, entities)]


class UnregisterEventHandler(Action):
    """Unregisters an event handler."""

    def __init__(self, event_handler: BaseEventHandler, **kwargs: Any) -> None:
        """Store the handler."""
        super().__init__(**kwargs)
        self._event_handler = event_handler

    @property
    def event_handler(self) -> BaseEventHandler:
        """The handler."""
        return self._event_handler

    def execute(self, context: LaunchContext) -> None:
        """Unregister it."""
        context.unregister_event_handler(self._event_handler)


class EmitEvent(Action):
    """Emits an event."""

    def __init__(self, *, event: Event, **kwargs: Any) -> None:
        """Store the event."""
        super().__init__(**kwargs)
        if not isinstance(event, Event):
            raise RuntimeError(f"EmitEvent: {event!r} is no launch Event")
        self._event = event

    @property
    def event(self) -> Event:
        """The event."""
        return self._event

    def execute(self, context: LaunchContext) -> None:
        """Emit it."""
        context.emit_event_sync(self._event)


class Shutdown(EmitEvent):
    """Shuts the launched system down."""

    def __init__(self, *, reason: str = "reason not given", **kwargs: Any) -> None:
        """Store the reason."""
        super().__init__(event=ShutdownEvent(reason=reason), **kwargs)

    def execute(self, context: LaunchContext) -> None:
        """Emit the shutdown event; say which process was required, if one has just ended."""
        event = context.get_locals_as_dict().get("event")
        if isinstance(event, ProcessExited):
            logging.get_logger().info(
                f"required process [{event.process_name}] has ended: shutting down"
            )
        super().execute(context)
