# SPDX-License-Identifier: Apache-2.0
"""The base class of actions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .condition import Condition
from .launch_description_entity import LaunchDescriptionEntity

if TYPE_CHECKING:
    from .launch_context import LaunchContext


class Action(LaunchDescriptionEntity):
    """An intention to do something, carried out when it is visited."""

    def __init__(self, *, condition: Condition | None = None) -> None:
        """Store the condition.

        Args:
            condition: Evaluated at each visit; the action is executed only if it holds. None
                means always.
        """
        self._condition = condition

    @property
    def condition(self) -> Condition | None:
        """The condition of execution, or None."""
        return self._condition

    def describe(self) -> str:
        """Return a short text for people."""
        return repr(self)

    def get_sub_entities(self) -> Iterable[LaunchDescriptionEntity]:
        """Return the entities that executing this action yields, as far as known before."""
        return []

    def describe_sub_entities(self) -> Iterable[LaunchDescriptionEntity]:
        """Return the sub-entities if there is no condition on them."""
        return self.get_sub_entities() if self.condition is None else []

    def describe_conditional_sub_entities(
        self,
    ) -> list[tuple[str, Iterable[LaunchDescriptionEntity]]]:
        """Return the sub-entities if there is a condition on them."""
        if self.condition is None:
            return []
        return [(f"{self.describe()} with a condition", self.get_sub_entities())]

    def visit(self, context: LaunchContext) -> Iterable[LaunchDescriptionEntity] | None:
        """Execute the action if its condition holds; tell those who wait for its completion."""
        if self._condition is not None and not self._condition.evaluate(context):
            return None
        try:
            return self.execute(context)
        finally:
            self._announce_completion(context)

    def _announce_completion(self, context: LaunchContext) -> None:
        from .events import ExecutionComplete

        event = ExecutionComplete(action=self)
        if not context.would_handle_event(event):
            return
        future = self.get_asyncio_future()
        if future is None:
            context.emit_event_sync(event)
        else:
            future.add_done_callback(lambda _: context.emit_event_sync(event))

    def execute(self, context: LaunchContext) -> Iterable[LaunchDescriptionEntity] | None:
        """Do the action's work; return the entities to be visited next."""
        return None
