# SPDX-License-Identifier: Apache-2.0
"""The base class of conditions on actions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .launch_context import LaunchContext


class Condition:
    """Decides, when an action is visited, whether it is executed."""

    def __init__(self, *, predicate: Callable[[LaunchContext], bool] | None = None) -> None:
        """Store the predicate.

        Args:
            predicate: Called with the launch context; None means that a subclass overrides
                :meth:`_predicate_func`.
        """
        self._predicate = predicate

    def _predicate_func(self, context: LaunchContext) -> bool:
        if self._predicate is None:
            raise NotImplementedError(f"{type(self).__name__} has no predicate")
        return self._predicate(context)

    def evaluate(self, context: LaunchContext) -> bool:
        """Return whether the action is to be executed in `context`."""
        return self._predicate_func(context)
