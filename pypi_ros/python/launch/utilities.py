# SPDX-License-Identifier: Apache-2.0
"""Lists of substitutions: how actions keep the texts that launch files give them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from launch.launch_context import LaunchContext
from launch.substitution import SomeSubstitutionsType, Substitution, TextSubstitution


def normalize_to_list_of_substitutions(subs: SomeSubstitutionsType) -> list[Substitution]:
    """Return text, paths, substitutions or an iterable of these as a list of substitutions.

    Raises:
        TypeError: Something else was given.
    """
    if isinstance(subs, Iterable) and not isinstance(subs, (str, Path)):
        return [_substitution(part) for part in subs]
    return [_substitution(subs)]


def _substitution(part: Any) -> Substitution:
    if isinstance(part, Substitution):
        return part
    if isinstance(part, (str, Path)):
        return TextSubstitution(text=str(part))
    raise TypeError(
        f"{part!r} is of type {type(part).__name__}; expected text, a path, a Substitution "
        "or a list of these"
    )


def perform_substitutions(context: LaunchContext, subs: Iterable[Substitution]) -> str:
    """Return the texts of the substitutions, joined without a gap."""
    return "".join(context.perform_substitution(sub) for sub in subs)


def describe_substitutions(subs: Iterable[Substitution]) -> str:
    """Return the descriptions of substitutions that stand one after the other."""
    return " + ".join(sub.describe() for sub in subs)
