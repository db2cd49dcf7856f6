# SPDX-License-Identifier: Apache-2.0
"""Substitutions that compare and combine; their text is ``true`` or ``false``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ..some_substitutions_type import SomeSubstitutionsType
from ..substitution import Substitution
from ..utilities import normalize_to_list_of_substitutions, perform_substitutions
from .substitution_failure import SubstitutionFailure

if TYPE_CHECKING:
    from ..launch_context import LaunchContext

_TRUTH = {"true": True, "1": True, "false": False, "0": False}


def _text(truth: bool) -> str:
    return "true" if truth else "false"


def _truth(context: LaunchContext, value: list[Substitution]) -> bool:
    text = perform_substitutions(context, value)
    if text.strip().lower() not in _TRUTH:
        raise SubstitutionFailure(f"'{text}' is no boolean; expected true, 1, false or 0")
    return _TRUTH[text.strip().lower()]


def _normalized(value: Any) -> list[Substitution]:
    """Return a value, or a list of text and substitutions, as substitutions."""
    if isinstance(value, (list, tuple)):
        return normalize_to_list_of_substitutions(
            [part if isinstance(part, (str, Substitution)) else str(part) for part in value]
        )
    if isinstance(value, bool):
        value = _text(value)
    elif isinstance(value, (int, float)):
        value = str(value)
    return normalize_to_list_of_substitutions(value)


class EqualsSubstitution(Substitution):
    """Whether two texts are equal: as booleans or numbers where both are, else as text."""

    def __init__(self, left: Any, right: Any) -> None:
        """Store both sides (substitutions, text, numbers or booleans)."""
        self._left = _normalized(left)
        self._right = _normalized(right)

    @property
    def left(self) -> list[Substitution]:
        """The left side."""
        return self._left

    @property
    def right(self) -> list[Substitution]:
        """The right side."""
        return self._right

    def _equal(self, context: LaunchContext) -> bool:
        left = perform_substitutions(context, self._left)
        right = perform_substitutions(context, self._right)
        if left.lower() in _TRUTH and right.lower() in _TRUTH:
            return _TRUTH[left.lower()] == _TRUTH[right.lower()]
        try:
            return math.isclose(float(left), float(right))
        except ValueError:
            return left == right

    def perform(self, context: LaunchContext) -> str:
        """Return ``true`` or ``false``."""
        return _text(self._equal(context))


class NotEqualsSubstitution(EqualsSubstitution):
    """The opposite of :class:`EqualsSubstitution`."""

    def perform(self, context: LaunchContext) -> str:
        """Return ``true`` or ``false``."""
        return _text(not self._equal(context))


class NotSubstitution(Substitution):
    """The opposite of a boolean."""

    def __init__(self, value: SomeSubstitutionsType) -> None:
        """Store the value."""
        self._value = normalize_to_list_of_substitutions(value)

    @property
    def value(self) -> list[Substitution]:
        """The value."""
        return self._value

    def perform(self, context: LaunchContext) -> str:
        """Return ``true`` or ``false``; SubstitutionFailure if the value is no boolean."""
        return _text(not _truth(context, self._value))


class AnySubstitution(Substitution):
    """Whether at least one of several booleans is true; without arguments it is false."""

    def __init__(self, *args: SomeSubstitutionsType) -> None:
        """Store the values."""
        self._args = [normalize_to_list_of_substitutions(arg) for arg in args]

    @property
    def args(self) -> list[list[Substitution]]:
        """The values."""
        return self._args

    def perform(self, context: LaunchContext) -> str:
        """Return ``true`` or ``false``; SubstitutionFailure if a value is no boolean."""
        truths = [_truth(context, arg) for arg in self._args]  # all are checked
        return _text(any(truths))


class AllSubstitution(AnySubstitution):
    """Whether all of several booleans are true; without arguments it is true."""

    def perform(self, context: LaunchContext) -> str:
        """Return ``true`` or ``false``; SubstitutionFailure if a value is no boolean."""
        truths = [_truth(context, arg) for arg in self._args]  # all are checked
        return _text(all(truths))


class OrSubstitution(AnySubstitution):
    """Whether one or both of two booleans are true."""

    def __init__(self, left: SomeSubstitutionsType, right: SomeSubstitutionsType) -> None:
        """Store both sides."""
        super().__init__(left, right)


class AndSubstitution(AllSubstitution):
    """Whether both of two booleans are true."""

    def __init__(self, left: SomeSubstitutionsType, right: SomeSubstitutionsType) -> None:
        """Store both sides."""
        super().__init__(left, right)


class IfElseSubstitution(Substitution):
    """One of two texts, chosen by a boolean."""

    def __init__(
        self,
        condition: SomeSubstitutionsType,
        if_value: SomeSubstitutionsType = "",
        else_value: SomeSubstitutionsType = "",
    ) -> None:
        """Store the condition and both texts."""
        self._condition = normalize_to_list_of_substitutions(condition)
        self._if_value = normalize_to_list_of_substitutions(if_value)
        self._else_value = normalize_to_list_of_substitutions(else_value)

    def perform(self, context: LaunchContext) -> str:
        """Return the chosen text."""
        chosen = self._if_value if _truth(context, self._condition) else self._else_value
        return perform_substitutions(context, chosen)
