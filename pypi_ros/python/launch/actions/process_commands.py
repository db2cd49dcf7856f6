# SPDX-License-Identifier: Apache-2.0
"""What a process does on the events that are addressed to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..event import Event
from ..event_handler import BaseEventHandler
from ..events import Shutdown
from ..events.process import ProcessTargetedEvent, ShutdownProcess, SignalProcess

if TYPE_CHECKING:
    from ..launch_context import LaunchContext
    from .execute_process import ExecuteProcess


class ProcessCommands(BaseEventHandler):
    """Shuts a process down, or sends it a signal, on events."""

    def __init__(self, action: ExecuteProcess) -> None:
        """Match shutdowns, and events whose matcher chooses the action."""
        super().__init__(matcher=self._is_addressed)
        self._action = action

    def _is_addressed(self, event: Event) -> bool:
        if isinstance(event, Shutdown):
            return True
        return isinstance(event, ProcessTargetedEvent) and event.process_matcher(self._action)

    def handle(self, event: Event, context: LaunchContext) -> None:
        """Pass the event on to the process."""
        super().handle(event, context)
        if isinstance(event, (Shutdown, ShutdownProcess)):
            self._action._request_stop(context)
        elif isinstance(event, SignalProcess):
            self._action._send_signal(event.signal)
