# SPDX-License-Identifier: Apache-2.0
"""Values with a type (bool, int, float, str and lists of these) behind substitutions."""

from __future__ import annotations

import typing
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import yaml

from ..substitution import Substitution
from . import normalize_to_list_of_substitutions, perform_substitutions

if TYPE_CHECKING:
    from ..launch_context import LaunchContext

SCALARS = (bool, int, float, str)


def extract_type(data_type: Any) -> tuple[type, bool]:
    """Return (scalar type, whether a list of it is meant) of e.g. ``float`` or ``List[int]``.

    Raises:
        ValueError: The type is none of bool, int, float, str and lists of these.
    """
    is_list = typing.get_origin(data_type) is list
    scalar = typing.get_args(data_type)[0] if is_list else data_type
    if scalar not in SCALARS:
        raise ValueError(
            f"unknown data type {data_type}; expected bool, int, float, str or List[] of these"
        )
    return scalar, is_list


def is_substitution(value: Any) -> bool:
    """Return whether the value is a substitution, or a list of text with at least one in it."""
    if isinstance(value, Substitution):
        return True
    if isinstance(value, (str, bytes)) or not isinstance(value, (list, tuple)):
        return False
    parts = list(value)
    return all(isinstance(part, (str, Substitution)) for part in parts) and any(
        isinstance(part, Substitution) for part in parts
    )


def coerce_to_type(value: str, data_type: Any = None) -> Any:
    """Return the value that a text stands for.

    Args:
        value: The text.
        data_type: The wanted type, or None for what YAML makes of the text.

    Raises:
        ValueError: The text stands for no such value.
    """
    if data_type is None:
        return _yaml_value(value) if value else value
    scalar, is_list = extract_type(data_type)
    if is_list:
        items = _yaml_value(value)
        if not isinstance(items, list) or not all(_is_exactly(item, scalar) for item in items):
            raise ValueError(f"'{value}' is no list of {scalar.__name__}")
        return [scalar(item) for item in items]
    if scalar is str:
        return value
    if scalar is bool:
        truth = {"1": True, "0": False}.get(value)
        truth = _yaml_value(value) if truth is None else truth
        if not isinstance(truth, bool):
            raise ValueError(f"'{value}' is no bool; expected true or false")
        return truth
    return scalar(value)


def _yaml_value(text: str) -> Any:
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"'{text}' is no YAML value: {error}") from error
    items = value if isinstance(value, list) else [value]
    if not all(isinstance(item, SCALARS) for item in items) or len({type(i) for i in items}) > 1:
        raise ValueError(
            f"'{text}' gives {value!r}; expected bool, int, float, str or a list of one of these"
        )
    return value


def _is_exactly(item: Any, scalar: type) -> bool:
    if scalar is float:
        return isinstance(item, (int, float)) and not isinstance(item, bool)
    return type(item) is scalar


def normalize_typed_substitution(value: Any, data_type: Any) -> Any:
    """Return the value with its substitutions as lists of substitutions.

    Args:
        value: A value, a substitution (or list of text and substitutions), or a list of both.
        data_type: The type wanted in the end, or None for any allowed one.

    Raises:
        TypeError: The value can never become one of that type.
    """
    if isinstance(value, SCALARS):
        if data_type is not None and not _matches(value, data_type):
            raise TypeError(f"{value!r} is not of type {data_type}")
        return value
    if is_substitution(value):
        return normalize_to_list_of_substitutions(value)
    if not isinstance(value, Iterable):
        raise TypeError(f"{value!r} is neither a value nor a substitution")
    scalar, is_list = (None, True) if data_type is None else extract_type(data_type)
    if not is_list:
        raise TypeError(f"{value!r} is a list, but a single {data_type} is expected")
    items: list[Any] = []
    for item in value:
        if is_substitution(item):
            items.append(normalize_to_list_of_substitutions(item))
        elif isinstance(item, SCALARS) and (scalar is None or _is_exactly(item, scalar)):
            items.append(item)
        else:
            raise TypeError(f"{item!r} in {value!r} is no {data_type or 'allowed value'}")
    return items


def _matches(value: Any, data_type: Any) -> bool:
    scalar, is_list = extract_type(data_type)
    return not is_list and isinstance(value, scalar)


def perform_typed_substitution(context: LaunchContext, value: Any, data_type: Any) -> Any:
    """Return the value of what :func:`normalize_typed_substitution` returned.

    Raises:
        ValueError: A text stands for no value of the type.
    """
    if _is_normalized(value):
        return coerce_to_type(perform_substitutions(context, value), data_type)
    if isinstance(value, list):
        scalar = None if data_type is None else extract_type(data_type)[0]
        return [
            coerce_to_type(perform_substitutions(context, item), scalar)
            if _is_normalized(item)
            else item
            for item in value
        ]
    return value


def _is_normalized(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) > 0
        and all(isinstance(part, Substitution) for part in value)
    )
