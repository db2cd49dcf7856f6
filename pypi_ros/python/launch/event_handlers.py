# SPDX-License-Identifier: Apache-2.0
"""Event handlers for the events that launch files commonly wait for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ._absent import names_the_upstream_package
from .event import Event
from .event_handler import BaseEventHandler, EventHandler
from .events import ExecutionComplete, IncludeLaunchDescription, Shutdown
from .events.process import ProcessExited, ProcessIO, ProcessStarted
from .some_entities_type import SomeEntitiesType

if TYPE_CHECKING:
    from .action import Action
    from .launch_context import LaunchContext


class _OnAction(BaseEventHandler):
    """Handles one kind of event of one action, of those a function chooses, or of all."""

    _event_type: type[Event] = Event

    def __init__(
        self,
        target: Action | Callable[[Any], bool] | None,
        reaction: SomeEntitiesType | Callable[..., SomeEntitiesType | None] | None,
        **kwargs: Any,
    ) -> None:
        from .action import Action

        if target is not None and not isinstance(target, Action) and not callable(target):
            raise TypeError(
                f"{type(self).__name__}: target_action is {target!r}; expected an action, a "
                "function that chooses actions, or None for all"
            )
        super().__init__(matcher=self._matches_target, **kwargs)
        self._target = target
        self._reaction = reaction

    def _matches_target(self, event: Event) -> bool:
        from .action import Action

        if not isinstance(event, self._event_type):
            return False
        action = event.action  # type: ignore[attr-defined]
        if self._target is None:
            return True
        if isinstance(self._target, Action):
            return action is self._target
        return self._target(action)

    @property
    def matcher_description(self) -> str:
        """What is matched, for people."""
        return f"{self._event_type.name} of {'any' if self._target is None else self._target}"

    def describe(self) -> tuple[str, SomeEntitiesType]:
        """Return a text for people and the entities known before."""
        known = [] if self._reaction is None or callable(self._reaction) else self._reaction
        return super().describe()[0], known

    def handle(self, event: Event, context: LaunchContext) -> SomeEntitiesType | None:
        """Return the entities to visit for the event."""
        super().handle(event, context)
        if callable(self._reaction):
            return self._reaction(event, context)
        return self._reaction


class OnProcessExit(_OnAction):
    """Reacts to the end of a process."""

    _event_type = ProcessExited

    def __init__(self, *, target_action: Any = None, on_exit: Any = None, **kwargs: Any) -> None:
        """Store the reaction.

        Args:
            target_action: The process's action, a function from action to bool, or None for all.
            on_exit: Entities, or a function of (event, context) that returns entities or None.
            **kwargs: ``handle_once``.
        """
        super().__init__(target_action, on_exit, **kwargs)


class OnProcessStart(_OnAction):
    """Reacts to the start of a process."""

    _event_type = ProcessStarted

    def __init__(self, *, target_action: Any = None, on_start: Any = None, **kwargs: Any) -> None:
        """Store the reaction; see :class:`OnProcessExit`."""
        super().__init__(target_action, on_start, **kwargs)


class OnExecutionComplete(_OnAction):
    """Reacts to the completion of an action."""

    _event_type = ExecutionComplete

    def __init__(
        self, *, target_action: Any = None, on_completion: Any = None, **kwargs: Any
    ) -> None:
        """Store the reaction; see :class:`OnProcessExit`."""
        super().__init__(target_action, on_completion, **kwargs)


class OnProcessIO(_OnAction):
    """Reacts to what a process writes."""

    _event_type = ProcessIO

    def __init__(
        self,
        *,
        target_action: Any = None,
        on_stdin: Callable[[ProcessIO], SomeEntitiesType | None] | None = None,
        on_stdout: Callable[[ProcessIO], SomeEntitiesType | None] | None = None,
        on_stderr: Callable[[ProcessIO], SomeEntitiesType | None] | None = None,
        **kwargs: Any,
    ) -> None:
        """Store the functions of (event) for standard output and standard error."""
        functions = {0: on_stdin, 1: on_stdout, 2: on_stderr}

        def react(event: ProcessIO, context: LaunchContext) -> SomeEntitiesType | None:
            function = functions[event.fd]
            return None if function is None else function(event)

        super().__init__(target_action, react, **kwargs)


class OnShutdown(BaseEventHandler):
    """Reacts to the shutdown of the launched system."""

    def __init__(
        self,
        *,
        on_shutdown: SomeEntitiesType | Callable[..., SomeEntitiesType | None],
        **kwargs: Any,
    ) -> None:
        """Store entities, or a function of (event, context) that returns entities or None."""
        super().__init__(matcher=lambda event: isinstance(event, Shutdown), **kwargs)
        self._reaction = on_shutdown

    @property
    def matcher_description(self) -> str:
        """What is matched, for people."""
        return Shutdown.name

    def handle(self, event: Event, context: LaunchContext) -> SomeEntitiesType | None:
        """Return the entities to visit for the event."""
        super().handle(event, context)
        return self._reaction(event, context) if callable(self._reaction) else self._reaction


class OnIncludeLaunchDescription(EventHandler):
    """Lets the launch service visit the descriptions it is given."""

    def __init__(self, **kwargs: Any) -> None:
        """Match events of type IncludeLaunchDescription."""
        super().__init__(
            matcher=lambda event: isinstance(event, IncludeLaunchDescription), **kwargs
        )

    def handle(self, event: Event, context: LaunchContext) -> SomeEntitiesType | None:
        """Return the description."""
        super().handle(event, context)
        assert isinstance(event, IncludeLaunchDescription)
        return event.launch_description


__all__ = [
    "OnExecutionComplete",
    "OnIncludeLaunchDescription",
    "OnProcessExit",
    "OnProcessIO",
    "OnProcessStart",
    "OnShutdown",
]

__getattr__ = names_the_upstream_package(__name__, "launch")
