# SPDX-License-Identifier: Apache-2.0
"""Message and service types by name; messages to and from plain values."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import yaml
from ros2cli.errors import CommandError


def find_interface(name: str, kind: str = "msg") -> Any:
    """Return the Python class of a type.

    Args:
        name: e.g. ``std_msgs/msg/String``; the middle part may be left out.
        kind: ``msg`` or ``srv``.

    Raises:
        CommandError: There is no such type, or its package cannot be imported.
    """
    parts = name.split("/")
    if len(parts) == 2:
        parts.insert(1, kind)
    if len(parts) != 3 or parts[1] != kind or not all(parts):
        raise CommandError(f"'{name}' is no {kind} type; expected <package>/{kind}/<Name>")
    try:
        return getattr(importlib.import_module(f"{parts[0]}.{kind}"), parts[2])
    except (ImportError, AttributeError) as error:
        raise CommandError(f"type '{name}' is not available: {error}") from error


def to_yaml(value: Any, *, length: int | None, no_arr: bool) -> str:
    """Return a message, or a field of one, as YAML text.

    Args:
        value: The message or value.
        length: Longest array or text shown whole, None for any; longer ones end in ``...``.
        no_arr: Whether arrays are replaced by a note of their type and length.
    """
    shown = _shown(value, length, no_arr)
    text = yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, width=2**31)
    return text.removesuffix("...\n")


def _shown(value: Any, length: int | None, no_arr: bool) -> Any:
    if hasattr(value, "get_fields_and_field_types"):
        return {
            name: _shown(getattr(value, name), length, no_arr)
            for name in value.get_fields_and_field_types()
        }
    if isinstance(value, str):
        return value if length is None or len(value) <= length else value[:length] + "..."
    if isinstance(value, (bool, int, float)) or value is None:
        return value
    count = len(value)
    if no_arr:
        return f"<array length: {count}>"
    cut = length is not None and count > length
    first = value[:length]
    items = first.tolist() if hasattr(first, "tolist") else first  # arrays as Python numbers
    return [_shown(item, length, no_arr) for item in items] + ["..."] * cut


def select_field(message: Any, path: str) -> Any:
    """Return a field of a message.

    Args:
        message: The message.
        path: Field names joined by dots; ``name[index]`` picks an item.

    Raises:
        CommandError: There is no such field.
    """
    value = message
    for part in path.split("."):
        name, *indices = part.replace("]", "").split("[")
        try:
            value = getattr(value, name)
            for index in indices:
                value = value[int(index)]
        except (AttributeError, ValueError, IndexError, TypeError) as error:
            raise CommandError(f"no field '{path}' in {type(message).__name__}: {error}") from error
    return value


def fill(message: Any, values: Any) -> None:
    """Set the fields of a message from plain values.

    Args:
        message: The message, changed in place.
        values: Mapping of field name to value; nested messages are mappings, too.

    Raises:
        CommandError: A field does not exist or its value does not fit.
    """
    types = message.get_fields_and_field_types()
    if not isinstance(values, Mapping):
        raise CommandError(f"expected a mapping of fields of {type(message).__name__}: {values!r}")
    for name, value in values.items():
        if name not in types:
            raise CommandError(
                f"no field '{name}' in {type(message).__name__}; there are: {', '.join(types)}"
            )
        try:
            setattr(message, name, _converted(getattr(message, name), value, types[name]))
        except (AssertionError, TypeError, ValueError, OverflowError) as error:
            raise CommandError(f"field '{name}' cannot be {value!r}: {error}") from error


def _converted(present: Any, value: Any, type_name: str) -> Any:
    if hasattr(present, "get_fields_and_field_types"):
        fill(present, value)
        return present
    if isinstance(present, float):
        return float(value)
    if isinstance(present, bytes):
        return bytes([value]) if isinstance(value, int) else bytes(value)
    if isinstance(value, list) and "/" in type_name:
        element = find_interface(_element_type(type_name))
        items = [element() for _ in value]
        for item, item_values in zip(items, value, strict=True):
            fill(item, item_values)
        return items
    if isinstance(value, list) and ("float" in type_name or "double" in type_name):
        return [float(item) for item in value]
    return value


def _element_type(type_name: str) -> str:
    """Return ``a/B`` of ``sequence<a/B>``, ``sequence<a/B, 3>`` or ``a/B[3]``."""
    inner = type_name.removeprefix("sequence<").removesuffix(">").split(",")[0]
    return inner.split("[")[0].strip()


def parse_values(text: str) -> Any:
    """Return the values of a YAML text; CommandError if it is no YAML."""
    try:
        return yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise CommandError(f"'{text}' is no YAML: {error}") from error
