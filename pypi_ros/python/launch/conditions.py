# SPDX-License-Identifier: Apache-2.0
"""Conditions that may be given to any action."""

from __future__ import annotations

from collections.abc import Callable

from launch.launch_context import LaunchContext
from launch.substitution import SomeSubstitutionsType
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions


class InvalidConditionExpressionError(Exception):
    """A condition whose text is neither true nor false."""


class Condition:
    """Decides, when an action is visited, whether it is executed."""

    def __init__(self, *, predicate: Callable[[LaunchContext], bool]) -> None:
        """Store the predicate, a function of the launch context."""
        self._predicate = predicate

    def evaluate(self, context: LaunchContext) -> bool:
        """Return whether the action is to be executed in `context`."""
        return self._predicate(context)


class IfCondition(Condition):
    """Holds when its expression is ``true`` or ``1``, in any case and with spaces around it."""

    def __init__(self, predicate_expression: SomeSubstitutionsType) -> None:
        """Store the expression."""
        expression = normalize_to_list_of_substitutions(predicate_expression)
        super().__init__(predicate=lambda c: _truth(perform_substitutions(c, expression)))


class UnlessCondition(IfCondition):
    """Holds when its expression is ``false`` or ``0``."""

    def evaluate(self, context: LaunchContext) -> bool:
        """Return whether the action is to be executed in `context`."""
        return not super().evaluate(context)


def _truth(text: str) -> bool:
    truth = {"true": True, "1": True, "false": False, "0": False}.get(text.strip().lower())
    if truth is None:
        raise InvalidConditionExpressionError(
            f"the condition evaluates to '{text}'; expected true, 1, false or 0"
        )
    return truth
