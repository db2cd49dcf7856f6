# SPDX-License-Identifier: Apache-2.0
"""Events of the launch system."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .._absent import names_the_upstream_package
from ..event import Event
from . import process

if TYPE_CHECKING:
    from ..action import Action
    from ..launch_description import LaunchDescription


class Shutdown(Event):
    """The launched system is to be shut down."""

    name = "launch.events.Shutdown"

    def __init__(
        self, *, reason: str = "reason not given", due_to_sigint: bool = False, **kwargs: Any
    ) -> None:
        """Store the reason and whether a SIGINT caused it."""
        super().__init__(**kwargs)
        self.reason = reason
        self.due_to_sigint = due_to_sigint


class ExecutionComplete(Event):
    """An action has done its work."""

    name = "launch.events.ExecutionComplete"

    def __init__(self, *, action: Action) -> None:
        """Store the action."""
        self.action = action


class IncludeLaunchDescription(Event):
    """A launch description is to be visited."""

    name = "launch.events.IncludeLaunchDescription"

    def __init__(self, launch_description: LaunchDescription) -> None:
        """Store the description."""
        self.launch_description = launch_description


class TimerEvent(Event):
    """The time of a timer action is over."""

    name = "launch.events.TimerEvent"

    def __init__(self, *, timer_action: Action) -> None:
        """Store the timer action."""
        self.timer_action = timer_action


def matches_action(target_action: Action) -> Callable[[Action], bool]:
    """Return a matcher of one particular action."""
    return lambda action: action is target_action


__all__ = [
    "ExecutionComplete",
    "IncludeLaunchDescription",
    "Shutdown",
    "TimerEvent",
    "matches_action",
    "process",
]

__getattr__ = names_the_upstream_package(__name__, "launch")
