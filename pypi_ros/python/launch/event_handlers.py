# SPDX-License-Identifier: Apache-2.0
"""Event handlers for the events that launch files commonly wait for.

The target of a process's event is the process's action, a function from action to bool, or None for
all processes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from launch.action import Action
from launch.event import Event
from launch.event_handler import EventHandler, Reaction
from launch.events import Shutdown
from launch.events.process import ProcessExited, ProcessIO, ProcessStarted, RunningProcessEvent
from launch.launch_context import LaunchContext
from launch.launch_description_entity import SomeEntitiesType
from launch.not_offered import names_the_upstream_package

__getattr__ = names_the_upstream_package(__name__, "launch")

Target = Action | Callable[[Action], bool] | None
OutputReaction = Callable[[ProcessIO], SomeEntitiesType | None] | None


def _matcher(event_type: type[RunningProcessEvent], target: Target) -> Callable[[Event], bool]:
    if target is not None and not isinstance(target, Action) and not callable(target):
        raise TypeError(
            f"target_action is {target!r}; expected an action, a function that chooses actions, or "
            "None for all"
        )

    def matches(event: Event) -> bool:
        if not isinstance(event, event_type):
            return False
        if target is None or isinstance(target, Action):
            return target in (None, event.action)
        return target(event.action)

    return matches


class OnProcessExit(EventHandler):
    """Reacts to the end of a process."""

    def __init__(
        self, *, target_action: Target = None, on_exit: Reaction = None, **kwargs: Any
    ) -> None:
        """Store target and reaction; ``handle_once`` is taken, too."""
        super().__init__(matcher=_matcher(ProcessExited, target_action), entities=on_exit, **kwargs)


class OnProcessStart(EventHandler):
    """Reacts to the start of a process."""

    def __init__(
        self, *, target_action: Target = None, on_start: Reaction = None, **kwargs: Any
    ) -> None:
        """Store target and reaction; ``handle_once`` is taken, too."""
        super().__init__(
            matcher=_matcher(ProcessStarted, target_action), entities=on_start, **kwargs
        )


class OnProcessIO(EventHandler):
    """Reacts to what a process writes."""

    def __init__(
        self,
        *,
        target_action: Target = None,
        on_stdout: OutputReaction = None,
        on_stderr: OutputReaction = None,
        **kwargs: Any,
    ) -> None:
        """Store target and the functions of the event; ``handle_once`` is taken, too."""

        def react(event: Any, context: LaunchContext) -> SomeEntitiesType | None:
            function = on_stdout if event.from_stdout else on_stderr
            return None if function is None else function(event)

        super().__init__(matcher=_matcher(ProcessIO, target_action), entities=react, **kwargs)


class OnShutdown(EventHandler):
    """Reacts to the shutdown of the launched system."""

    def __init__(self, *, on_shutdown: Reaction, **kwargs: Any) -> None:
        """Store the reaction; ``handle_once`` is taken, too."""
        super().__init__(
            matcher=lambda event: isinstance(event, Shutdown), entities=on_shutdown, **kwargs
        )
