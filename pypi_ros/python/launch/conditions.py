# SPDX-License-Identifier: Apache-2.0
"""Conditions that may be given to any action."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ._absent import names_the_upstream_package
from .condition import Condition
from .some_substitutions_type import SomeSubstitutionsType
from .substitution import Substitution
from .utilities import normalize_to_list_of_substitutions, perform_substitutions

if TYPE_CHECKING:
    from .launch_context import LaunchContext


class InvalidConditionExpressionError(Exception):
    """A condition whose text is neither true nor false."""


def evaluate_condition_expression(
    context: LaunchContext, expression: Sequence[Substitution]
) -> bool:
    """Return the truth of an expression.

    Args:
        context: The launch context.
        expression: Substitutions whose joined text, stripped and in lower case, is ``true`` or
            ``1``, or ``false`` or ``0``.

    Raises:
        InvalidConditionExpressionError: It is another text.
    """
    text = perform_substitutions(context, expression)
    truth = {"true": True, "1": True, "false": False, "0": False}.get(text.strip().lower())
    if truth is None:
        raise InvalidConditionExpressionError(
            f"the condition evaluates to '{text}'; expected true, 1, false or 0"
        )
    return truth


class IfCondition(Condition):
    """Holds when its expression is true."""

    def __init__(self, predicate_expression: SomeSubstitutionsType) -> None:
        """Store the expression, see :func:`evaluate_condition_expression`."""
        super().__init__()
        self._expression = normalize_to_list_of_substitutions(predicate_expression)

    def _predicate_func(self, context: LaunchContext) -> bool:
        return evaluate_condition_expression(context, self._expression)


class UnlessCondition(IfCondition):
    """Holds when its expression is false."""

    def _predicate_func(self, context: LaunchContext) -> bool:
        return not super()._predicate_func(context)


class LaunchConfigurationEquals(Condition):
    """Holds when a launch configuration has a value (or, for None, is not set)."""

    def __init__(
        self,
        launch_configuration_name: str,
        expected_value: SomeSubstitutionsType | None,
    ) -> None:
        """Store the name and the expected value."""
        super().__init__()
        self._name = launch_configuration_name
        self._expected = (
            None if expected_value is None else normalize_to_list_of_substitutions(expected_value)
        )

    def _predicate_func(self, context: LaunchContext) -> bool:
        expected = (
            None if self._expected is None else perform_substitutions(context, self._expected)
        )
        return context.launch_configurations.get(self._name) == expected


class LaunchConfigurationNotEquals(LaunchConfigurationEquals):
    """Holds when a launch configuration has another value (or, for None, is set)."""

    def _predicate_func(self, context: LaunchContext) -> bool:
        return not super()._predicate_func(context)


__getattr__ = names_the_upstream_package(__name__, "launch")
