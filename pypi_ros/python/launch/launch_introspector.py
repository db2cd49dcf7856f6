# SPDX-License-Identifier: Apache-2.0
"""A readable picture of a launch description."""

from __future__ import annotations

from collections.abc import Iterable

from .launch_description import LaunchDescription
from .launch_description_entity import LaunchDescriptionEntity


class LaunchIntrospector:
    """Draws launch descriptions without running them."""

    def format_launch_description(self, launch_description: LaunchDescription) -> str:
        """Return the description as an indented tree."""
        return "\n".join([repr(launch_description), *_lines(launch_description.entities)])


def _lines(entities: Iterable[LaunchDescriptionEntity]) -> list[str]:
    lines: list[str] = []
    for entity in entities:
        lines.append(f"├── {_describe(entity)}")
        inner = _lines(entity.describe_sub_entities())
        for text, sub_entities in entity.describe_conditional_sub_entities():
            inner.extend([f"├── if: {text}", *(f"│   {line}" for line in _lines(sub_entities))])
        lines.extend(f"│   {line}" for line in inner)
    return lines


def _describe(entity: LaunchDescriptionEntity) -> str:
    text = entity.describe()
    if text.startswith("<"):  # a plain repr: the class name says more than the address
        name = getattr(entity, "name", None)
        return f"{type(entity).__name__}({name if isinstance(name, str) else ''})"
    return text
