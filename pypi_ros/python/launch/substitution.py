# SPDX-License-Identifier: Apache-2.0
"""What a launch file may write instead of text: the base of all substitutions, and plain text."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from launch.launch_context import LaunchContext


class Substitution:
    """Something in a launch file that becomes text only when the launch file runs."""

    def describe(self) -> str:
        """Return a short text for people, without performing anything."""
        return f"{type(self).__name__}()"

    def perform(self, context: LaunchContext) -> str:
        """Return the text this substitution stands for in `context`."""
        raise NotImplementedError(f"{type(self).__name__}.perform")


SomeSubstitutionsType = str | Path | Substitution | Iterable[str | Path | Substitution]
"""What is accepted wherever a launch file may write text or substitutions."""


class TextSubstitution(Substitution):
    """A fixed text."""

    def __init__(self, *, text: str) -> None:
        """Store the text."""
        if not isinstance(text, str):
            raise TypeError(f"TextSubstitution expects text, not {text!r}")
        self._text = text

    @property
    def text(self) -> str:
        """The text."""
        return self._text

    def describe(self) -> str:
        """Return the text in quotes."""
        return f"'{self._text}'"

    def perform(self, context: LaunchContext) -> str:
        """Return the text."""
        return self._text
