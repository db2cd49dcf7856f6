# SPDX-License-Identifier: Apache-2.0
"""Events of the launch system."""

from __future__ import annotations

from collections.abc import Callable

from launch.action import Action
from launch.event import Event


class Shutdown(Event):
    """The launched system is to be shut down."""

    name = "launch.events.Shutdown"

    def __init__(self, *, reason: str = "reason not given", due_to_sigint: bool = False) -> None:
        """Store the reason and whether a SIGINT caused it."""
        self.reason = reason
        self.due_to_sigint = due_to_sigint


def matches_action(target_action: Action) -> Callable[[Action], bool]:
    """Return a matcher of one particular action."""
    return lambda action: action is target_action
