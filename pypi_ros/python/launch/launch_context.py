# SPDX-License-Identifier: Apache-2.0
"""The state of a running launch: configurations, environment, locals and pending events."""

from __future__ import annotations

import asyncio
import collections
import os
from collections.abc import Mapping, MutableMapping
from types import SimpleNamespace
from typing import Any

from launch.child_process import ChildProcess
from launch.event import Event


class LaunchContext:
    """Carried through all visits of a launch.

    The environment is the process's own (`os.environ`), so what launch actions set is seen by
    the children and by this process alike.
    """

    def __init__(self) -> None:
        """Make an empty context."""
        self.is_shutdown = False
        self.asyncio_loop: asyncio.AbstractEventLoop | None = None
        self._event_queue: collections.deque[Event] = collections.deque()
        self._event_handlers: collections.deque[Any] = collections.deque()
        self._wake_up: asyncio.Event | None = None
        self._completion_futures: list[asyncio.Future[Any]] = []
        self._children: list[ChildProcess] = []
        self._globals: dict[str, Any] = {}
        self._locals: dict[str, Any] = {}
        self._locals_stack: list[dict[str, Any]] = []
        self._configurations: dict[str, str] = {}
        self._scopes: list[tuple[dict[str, str], dict[str, str]]] = []

    # -- configurations and environment -------------------------------------------------

    @property
    def launch_configurations(self) -> dict[str, str]:
        """The launch configurations by name."""
        return self._configurations

    @property
    def environment(self) -> MutableMapping[str, str]:
        """The environment that processes started from now on get."""
        return os.environ

    def _push_scope(self) -> None:
        """Remember configurations and environment."""
        self._scopes.append((dict(self._configurations), dict(os.environ)))

    def _pop_scope(self) -> None:
        """Return to the configurations and the environment remembered last."""
        self._configurations, environment = self._scopes.pop()
        os.environ.clear()
        os.environ.update(environment)

    # -- locals -------------------------------------------------------------------------

    def extend_globals(self, extensions: Mapping[str, Any]) -> None:
        """Add values that stay in ``context.locals`` for good."""
        self._globals.update(extensions)

    def extend_locals(self, extensions: Mapping[str, Any]) -> None:
        """Add values to ``context.locals`` until the present scope ends."""
        self._locals.update(extensions)

    def get_locals_as_dict(self) -> dict[str, Any]:
        """Return the locals (over the globals) as a dictionary."""
        return {**self._globals, **self._locals}

    @property
    def locals(self) -> SimpleNamespace:
        """The locals, by attribute."""
        return SimpleNamespace(**self.get_locals_as_dict())

    def _push_locals(self) -> None:
        self._locals_stack.append(dict(self._locals))

    def _pop_locals(self) -> None:
        self._locals = self._locals_stack.pop()

    # -- events -------------------------------------------------------------------------

    def register_event_handler(self, event_handler: Any) -> None:
        """Register a handler, before the present ones."""
        self._event_handlers.appendleft(event_handler)

    def unregister_event_handler(self, event_handler: Any) -> None:
        """Unregister a handler; ValueError if it is not registered."""
        self._event_handlers.remove(event_handler)

    def would_handle_event(self, event: Event) -> bool:
        """Return whether any registered handler matches the event."""
        return any(handler.matches(event) for handler in self._event_handlers)

    def emit_event_sync(self, event: Event) -> None:
        """Queue an event. Call it from the launch service's thread only."""
        self._event_queue.append(event)
        self._notify()

    def add_completion_future(self, completion_future: asyncio.Future[Any]) -> None:
        """Let the launch service wait for a future before it counts as idle."""
        self._completion_futures.append(completion_future)
        completion_future.add_done_callback(lambda _: self._notify())
        self._notify()

    def _notify(self) -> None:
        if self._wake_up is not None:
            self._wake_up.set()

    # -- substitutions ------------------------------------------------------------------

    def perform_substitution(self, substitution: Any) -> str:
        """Return the text the substitution stands for."""
        return substitution.perform(self)
