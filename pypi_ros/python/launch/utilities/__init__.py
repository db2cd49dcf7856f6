# SPDX-License-Identifier: Apache-2.0
"""Helpers around substitutions and entities."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..some_entities_type import SomeEntitiesType
from ..some_substitutions_type import SomeSubstitutionsType
from ..substitution import Substitution

if TYPE_CHECKING:
    from ..launch_context import LaunchContext
    from ..launch_description_entity import LaunchDescriptionEntity


def is_a(obj: Any, entity_type: type) -> bool:
    """Return whether `obj` is an instance of the type."""
    return isinstance(obj, entity_type)


def is_a_subclass(obj: Any, entity_type: type) -> bool:
    """Return whether `obj` is an instance of the type, or a subclass of it."""
    return isinstance(obj, entity_type) or (isinstance(obj, type) and issubclass(obj, entity_type))


def ensure_argument_type(
    argument: Any,
    types: type | Iterable[type],
    argument_name: str,
    caller: str | None = None,
) -> None:
    """Raise TypeError unless the argument is an instance of one of the types."""
    allowed = (types,) if isinstance(types, type) else tuple(types)
    if not isinstance(argument, allowed):
        names = ", ".join(getattr(kind, "__name__", str(kind)) for kind in allowed)
        raise TypeError(
            f"{caller + ': ' if caller else ''}'{argument_name}' is {argument!r} of type "
            f"{type(argument).__name__}; expected one of: {names}"
        )


def normalize_to_list_of_substitutions(subs: SomeSubstitutionsType) -> list[Substitution]:
    """Return text, paths, substitutions or an iterable of these as a list of substitutions.

    Raises:
        TypeError: Something else was given.
    """
    from ..substitutions import TextSubstitution

    def one(part: Any) -> Substitution:
        if isinstance(part, Substitution):
            return part
        if isinstance(part, (str, Path)):
            return TextSubstitution(text=str(part))
        raise TypeError(
            f"{part!r} is of type {type(part).__name__}; expected text, a path, a Substitution "
            "or a list of these"
        )

    if isinstance(subs, (str, Path, Substitution)):
        return [one(subs)]
    if isinstance(subs, Iterable):
        return [one(part) for part in subs]
    return [one(subs)]


def normalize_to_list_of_entities(
    entities: Iterable[SomeEntitiesType],
) -> list[LaunchDescriptionEntity]:
    """Return entities and iterables of entities as one flat list."""
    from ..launch_description_entity import LaunchDescriptionEntity

    flat: list[LaunchDescriptionEntity] = []
    for entity in entities:
        if isinstance(entity, LaunchDescriptionEntity):
            flat.append(entity)
        else:
            flat.extend(normalize_to_list_of_entities(entity))
    return flat


def perform_substitutions(context: LaunchContext, subs: Iterable[Substitution]) -> str:
    """Return the texts of the substitutions, joined without a gap."""
    return "".join(context.perform_substitution(sub) for sub in subs)
