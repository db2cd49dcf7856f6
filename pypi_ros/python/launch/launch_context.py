# SPDX-License-Identifier: Apache-2.0
"""The state of a running launch: configurations, environment, locals and pending events."""

from __future__ import annotations

import asyncio
import collections
import os
from collections.abc import Iterable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from .event import Event
from .substitution import Substitution

if TYPE_CHECKING:
    from .child_process import ChildProcess
    from .event_handler import BaseEventHandler


class _Locals:
    """Attribute access, read only, to the locals of a context."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.__dict__.update(values)

    def __getattr__(self, name: str) -> Any:
        known = ", ".join(sorted(self.__dict__)) or "nothing"
        raise AttributeError(f"no '{name}' in context.locals; it holds: {known}")

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"cannot set '{name}': context.locals are read-only")


class LaunchContext:
    """Carried through all visits of a launch.

    The environment is the process's own (`os.environ`), so what launch actions set is seen by
    the children and by this process alike.
    """

    def __init__(self, *, argv: Iterable[str] | None = None, noninteractive: bool = False) -> None:
        """Make an empty context.

        Args:
            argv: Command line arguments, kept for entities that want them.
            noninteractive: Whether no terminal is attached.
        """
        self.argv = list(argv) if argv is not None else []
        self.noninteractive = noninteractive
        self.is_shutdown = False
        self.asyncio_loop: asyncio.AbstractEventLoop | None = None
        self._event_queue: collections.deque[Event] = collections.deque()
        self._event_handlers: collections.deque[BaseEventHandler] = collections.deque()
        self._wake_up: asyncio.Event | None = None
        self._completion_futures: list[asyncio.Future[Any]] = []
        self._children: list[ChildProcess] = []
        self._globals: dict[str, Any] = {}
        self._locals: dict[str, Any] = {}
        self._locals_stack: list[dict[str, Any]] = []
        # The values are text, but launch_ros also keeps its lists of global parameters here.
        self._configurations: dict[str, Any] = {}
        self._configurations_stack: list[dict[str, Any]] = []
        self._environment_stack: list[dict[str, str]] = []
        self._environment_at_start = dict(os.environ)

    # -- configurations and environment -------------------------------------------------

    @property
    def launch_configurations(self) -> dict[str, Any]:
        """The launch configurations by name."""
        return self._configurations

    @property
    def environment(self) -> MutableMapping[str, str]:
        """The environment that processes started from now on get."""
        return os.environ

    def _push_launch_configurations(self) -> None:
        self._configurations_stack.append(dict(self._configurations))

    def _pop_launch_configurations(self) -> None:
        if not self._configurations_stack:
            raise RuntimeError("PopLaunchConfigurations without a matching push")
        self._configurations = self._configurations_stack.pop()

    def _push_environment(self) -> None:
        self._environment_stack.append(dict(os.environ))

    def _pop_environment(self) -> None:
        if not self._environment_stack:
            raise RuntimeError("PopEnvironment without a matching push")
        self._set_environment(self._environment_stack.pop())

    def _reset_environment(self) -> None:
        self._set_environment(self._environment_at_start)

    @staticmethod
    def _set_environment(wanted: Mapping[str, str]) -> None:
        os.environ.clear()
        os.environ.update(wanted)

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
    def locals(self) -> Any:
        """The locals, by attribute and read only."""
        return _Locals(self.get_locals_as_dict())

    def _push_locals(self) -> None:
        self._locals_stack.append(dict(self._locals))

    def _pop_locals(self) -> None:
        if not self._locals_stack:
            raise RuntimeError("the stack of locals is empty")
        self._locals = self._locals_stack.pop()

    # -- events -------------------------------------------------------------------------

    def register_event_handler(self, event_handler: BaseEventHandler, append: bool = False) -> None:
        """Register a handler, before the present ones or (`append`) after them."""
        if append:
            self._event_handlers.append(event_handler)
        else:
            self._event_handlers.appendleft(event_handler)

    def unregister_event_handler(self, event_handler: BaseEventHandler) -> None:
        """Unregister a handler; ValueError if it is not registered."""
        self._event_handlers.remove(event_handler)

    def would_handle_event(self, event: Event) -> bool:
        """Return whether any registered handler matches the event."""
        return any(handler.matches(event) for handler in self._event_handlers)

    def emit_event_sync(self, event: Event) -> None:
        """Queue an event. Call it from the launch service's thread only."""
        self._event_queue.append(event)
        self._notify()

    async def emit_event(self, event: Event) -> None:
        """Queue an event from a coroutine."""
        self.emit_event_sync(event)

    def add_completion_future(self, completion_future: asyncio.Future[Any]) -> None:
        """Let the launch service wait for a future before it counts as idle."""
        self._completion_futures.append(completion_future)
        completion_future.add_done_callback(lambda _: self._notify())
        self._notify()

    def _notify(self) -> None:
        if self._wake_up is not None:
            self._wake_up.set()

    # -- substitutions ------------------------------------------------------------------

    def perform_substitution(self, substitution: Substitution) -> str:
        """Return the text the substitution stands for."""
        return substitution.perform(self)
