# SPDX-License-Identifier: Apache-2.0
"""What a node's ``parameters`` mean: checked when written down, evaluated when launched.

A text stays a text. What a substitution yields is read as YAML, so ``LaunchConfiguration`` with the
text ``true`` becomes a boolean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from launch import LaunchContext, Substitution
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions

SCALARS = (bool, int, float, str)


def check_parameters(parameters: Any) -> list[Any]:
    """Return a node's parameters as dictionaries, and paths as lists of substitutions.

    Args:
        parameters: A sequence of dictionaries and of paths of YAML files.

    Raises:
        TypeError: It is no such sequence, or a dictionary has a value of no parameter type.
    """
    if isinstance(parameters, (str, bytes, Mapping)) or not isinstance(parameters, Sequence):
        raise TypeError(
            f"parameters is {parameters!r}; expected a list of dictionaries and of paths of "
            "YAML files"
        )
    checked: list[Any] = []
    for item in parameters:
        if isinstance(item, Mapping):
            _check_values(item)
            checked.append(item)
        else:
            checked.append(normalize_to_list_of_substitutions(item))
    return checked


def _check_values(parameters: Mapping[Any, Any]) -> None:
    for name, value in parameters.items():
        normalize_to_list_of_substitutions(name)  # refuses other keys
        if isinstance(value, Mapping):
            _check_values(value)
        elif isinstance(value, (*SCALARS, Substitution)):
            continue
        elif not isinstance(value, Sequence) or len(value) == 0:
            raise TypeError(
                f"parameter {name!r} is {value!r} of type {type(value).__name__}; expected "
                "bool, int, float, str, a non-empty list of one of these, or a substitution"
            )


def evaluate_parameters(
    context: LaunchContext, parameters: Mapping[Any, Any], prefix: str = ""
) -> dict[str, Any]:
    """Return a flat dictionary of plain values; names of nested ones are joined by dots.

    Raises:
        TypeError: A value is of no parameter type, or a list of several types.
    """
    flat: dict[str, Any] = {}
    for key, value in parameters.items():
        name = prefix + perform_substitutions(context, normalize_to_list_of_substitutions(key))
        if isinstance(value, Mapping):
            flat.update(evaluate_parameters(context, value, f"{name}."))
        else:
            flat[name] = _checked(name, _evaluate(context, value))
    return flat


def _evaluate(context: LaunchContext, value: Any) -> Any:
    if isinstance(value, Substitution):
        return _from_yaml(context.perform_substitution(value))
    if isinstance(value, SCALARS):
        return value
    if all(isinstance(item, str) for item in value):
        return list(value)
    if all(isinstance(item, (str, Substitution)) for item in value):
        # Text and substitutions side by side are one value.
        text = perform_substitutions(context, normalize_to_list_of_substitutions(value))
        return _from_yaml(text)
    return [_evaluate(context, item) for item in value]


def _from_yaml(text: str) -> Any:
    return yaml.safe_load(text) if text else ""


def _checked(name: str, value: Any) -> Any:
    items = value if isinstance(value, list) else [value]
    kinds = {type(item) for item in items}
    if kinds == {int, float}:
        return [float(item) for item in items]
    if len(kinds) != 1 or not kinds <= set(SCALARS):
        raise TypeError(
            f"parameter '{name}' is {value!r}; expected bool, int, float, str, or a non-empty "
            "list of only one of these"
        )
    return value
