# SPDX-License-Identifier: Apache-2.0
"""What a node's ``parameters`` mean: checked when written down, evaluated when launched.

A text stays a text. What a substitution yields is read as YAML, so ``LaunchConfiguration`` with
the text ``true`` becomes a boolean; ParameterValue states the type instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from launch import LaunchContext, Substitution
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions

from ..parameter_descriptions import Parameter, ParameterFile, ParameterValue

SCALARS = (bool, int, float, str)


def check_parameters(parameters: Any) -> list[Any]:
    """Return a node's parameters as dictionaries, ParameterFiles and Parameters.

    Args:
        parameters: A sequence of dictionaries, paths, ParameterFiles and Parameters.

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
            _check_dict(item)
            checked.append(item)
        elif isinstance(item, (ParameterFile, Parameter)):
            checked.append(item)
        else:
            checked.append(ParameterFile(item))
    return checked


def _check_dict(parameters: Mapping[Any, Any]) -> None:
    for name, value in parameters.items():
        normalize_to_list_of_substitutions(name)  # refuses other keys
        if isinstance(value, Mapping):
            _check_dict(value)
        elif isinstance(value, (*SCALARS, bytes, Substitution, ParameterValue)):
            continue
        elif not isinstance(value, Sequence) or len(value) == 0:
            raise TypeError(
                f"parameter {name!r} is {value!r} of type {type(value).__name__}; expected "
                "bool, int, float, str, a non-empty list of one of these, or a substitution"
            )


def evaluate_parameters(
    context: LaunchContext, parameters: Sequence[Any]
) -> list[Path | dict[str, Any] | Parameter]:
    """Return files, dictionaries of plain values, and Parameters, ready for a node."""
    evaluated: list[Path | dict[str, Any] | Parameter] = []
    for item in parameters:
        if isinstance(item, ParameterFile):
            evaluated.append(item.evaluate(context))
        elif isinstance(item, Parameter):
            evaluated.append(item)
        else:
            evaluated.append(evaluate_parameter_dict(context, item))
    return evaluated


def evaluate_parameter_dict(
    context: LaunchContext, parameters: Mapping[Any, Any], prefix: str = ""
) -> dict[str, Any]:
    """Return a flat dictionary of plain values; names of nested ones are joined by dots."""
    flat: dict[str, Any] = {}
    for key, value in parameters.items():
        name = prefix + perform_substitutions(context, normalize_to_list_of_substitutions(key))
        if isinstance(value, Mapping):
            flat.update(evaluate_parameter_dict(context, value, f"{name}."))
        else:
            flat[name] = evaluate_value(context, value, name)
    return flat


def evaluate_value(context: LaunchContext, value: Any, name: str) -> Any:
    """Return a parameter's value as bool, int, float, str, bytes or a list.

    Raises:
        TypeError: It yields no value of a parameter type, or a list of several types.
    """
    if isinstance(value, ParameterValue):
        return value.evaluate(context)
    if isinstance(value, Substitution):
        return _from_yaml(perform_substitutions(context, [value]), name)
    if isinstance(value, (*SCALARS, bytes)):
        return value
    items = list(value)
    if any(isinstance(item, Substitution) for item in items) and all(
        isinstance(item, (str, Substitution)) for item in items
    ):  # text and substitutions side by side are one value
        return _from_yaml(
            perform_substitutions(context, normalize_to_list_of_substitutions(items)), name
        )
    evaluated = [
        item
        if isinstance(item, SCALARS)
        else _from_yaml(
            perform_substitutions(context, normalize_to_list_of_substitutions(item)), name
        )
        for item in items
    ]
    return _uniform(evaluated, name)


def _from_yaml(text: str, name: str) -> Any:
    if not text:
        return ""
    hint = "; for a text, wrap it in ParameterValue(value, value_type=str)"
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise TypeError(f"parameter '{name}': '{text}' is no YAML value{hint}") from error
    if isinstance(value, list):
        return _uniform(value, name)
    if not isinstance(value, (*SCALARS, bytes)):
        raise TypeError(
            f"parameter '{name}': '{text}' yields {value!r} of type {type(value).__name__}{hint}"
        )
    return value


def _uniform(items: list[Any], name: str) -> list[Any]:
    kinds = {type(item) for item in items}
    if kinds == {int, float}:
        return [float(item) for item in items]
    if len(kinds) != 1 or not kinds <= set(SCALARS):
        raise TypeError(
            f"parameter '{name}' is {items!r}; expected a non-empty list of only bool, only int, "
            "only float or only str"
        )
    return items
