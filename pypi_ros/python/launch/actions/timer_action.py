# SPDX-License-Identifier: Apache-2.0
"""Entities that are visited after some time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..action import Action
from ..event_handler import BaseEventHandler, EventHandler
from ..events import Shutdown, TimerEvent
from ..launch_description_entity import LaunchDescriptionEntity
from ..some_substitutions_type import SomeSubstitutionsType
from ..utilities.type_utils import normalize_typed_substitution, perform_typed_substitution

if TYPE_CHECKING:
    from ..event import Event
    from ..launch_context import LaunchContext


class TimerAction(Action):
    """Visits entities once, after a time, unless it is cancelled."""

    def __init__(
        self,
        *,
        period: float | SomeSubstitutionsType,
        actions: Iterable[LaunchDescriptionEntity],
        cancel_on_shutdown: bool | SomeSubstitutionsType = True,
        **kwargs: Any,
    ) -> None:
        """Store what to do and when.

        Args:
            period: Time in seconds.
            actions: The entities.
            cancel_on_shutdown: Whether the shutdown of the launch cancels it.
            **kwargs: ``condition``.
        """
        super().__init__(**kwargs)
        if isinstance(period, (int, str)) and not isinstance(period, bool):
            period = float(period)
        self._period = normalize_typed_substitution(period, float)
        self._actions = list(actions)
        self._cancel_on_shutdown = normalize_typed_substitution(cancel_on_shutdown, bool)
        self._canceled = False
        self._finished: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def period(self) -> Any:
        """Time in seconds, or substitutions for it."""
        return self._period

    @property
    def actions(self) -> list[LaunchDescriptionEntity]:
        """The entities."""
        return self._actions

    def describe(self) -> str:
        """Return the time, for people."""
        return f"TimerAction(period={self._period})"

    def describe_conditional_sub_entities(
        self,
    ) -> list[tuple[str, Iterable[LaunchDescriptionEntity]]]:
        """Return the entities visited if it is not cancelled."""
        return [(f"after {self._period} seconds", self._actions)]

    def cancel(self) -> None:
        """Cancel it, if it has not fired yet."""
        self._canceled = True
        if self._timer is not None:
            self._timer.cancel()
        self._finish()

    def _finish(self) -> None:
        if self._finished is not None and not self._finished.done():
            self._finished.set_result(None)

    def execute(self, context: LaunchContext) -> None:
        """Start the time."""
        assert context.asyncio_loop is not None
        self._finished = context.asyncio_loop.create_future()
        if self._canceled:
            self._finish()
            return
        context.register_event_handler(_Fires(self, context.get_locals_as_dict()))
        if perform_typed_substitution(context, self._cancel_on_shutdown, bool):
            from .flow import OpaqueFunction

            context.register_event_handler(
                EventHandler(
                    matcher=lambda event: isinstance(event, Shutdown),
                    entities=OpaqueFunction(function=lambda context: self.cancel()),
                )
            )

        def fire() -> None:
            context.emit_event_sync(TimerEvent(timer_action=self))
            self._finish()

        period_s = perform_typed_substitution(context, self._period, float)
        self._timer = context.asyncio_loop.call_later(period_s, fire)

    def get_asyncio_future(self) -> asyncio.Future[None] | None:
        """Return a future that is done once it fired or was cancelled."""
        return self._finished


class _Fires(BaseEventHandler):
    """Yields a timer's entities, with the locals of where the timer was started."""

    def __init__(self, timer: TimerAction, locals_: dict[str, Any]) -> None:
        super().__init__(
            matcher=lambda event: isinstance(event, TimerEvent) and event.timer_action is timer,
            handle_once=True,
        )
        self._timer_action = timer
        self._locals = locals_

    def handle(self, event: Event, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        super().handle(event, context)
        context.extend_locals(self._locals)
        return self._timer_action.actions
