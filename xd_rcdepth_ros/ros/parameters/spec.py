# SPDX-License-Identifier: Apache-2.0
"""A node's parameters as a frozen dataclass whose fields say all that is known of each.

A table is a frozen dataclass that derives from :class:`ParameterTable`; each of its fields is made
by :func:`parameter`. Descriptors, checks, launch arguments, documents and the default file are all
made from it. This module knows no ROS.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import yaml

from xd_rcdepth_ros.errors import ConfigurationError

Change = Literal["live", "unconfigured", "start"]
Unit = Literal["", "s", "Hz", "m", "px"]
_TYPE_NAMES = {bool: "bool", int: "int", float: "double", str: "string"}
_KEY = "parameter"
_TableT = TypeVar("_TableT", bound="ParameterTable")


@dataclass(frozen=True)
class ParameterSpec:
    """One parameter.

    Attributes:
        name: Name in ROS.
        default: Default value; its type is the parameter's type. Arrays are tuples.
        text: What it does, in a sentence.
        unit: Unit of a number, if it has one.
        change: When it may change: ``live``, and it holds from the next frame on; ``unconfigured``,
            while the node has no model loaded; or only at the ``start`` of the process.
        limits: Least and greatest value of a number.
        choices: Allowed values, if they can be listed.
        pattern: Regular expression that a text must match, and its meaning.
        separator: What stands between an array's values on a command line.
    """

    name: str
    default: Any
    text: str
    unit: Unit = ""
    change: Change = "live"
    limits: tuple[float, float] | None = None
    choices: tuple[str, ...] = ()
    pattern: tuple[str, str] | None = None
    separator: str = ","

    @property
    def is_array(self) -> bool:
        """True for a parameter of several values."""
        return isinstance(self.default, tuple)

    @property
    def _element_type(self) -> type:
        return type(self.default[0]) if self.is_array else type(self.default)

    @property
    def type_name(self) -> str:
        """Type in ROS's words: bool, int, double, string, or one of these with [] for arrays."""
        return _TYPE_NAMES[self._element_type] + ("[]" if self.is_array else "")

    @property
    def description(self) -> str:
        """What it does, with the unit."""
        return f"{self.text} [{self.unit}]" if self.unit else self.text

    @property
    def allowed(self) -> str:
        """The allowed values, for people; empty if any value of the type is."""
        if self.choices:
            return " | ".join(self.choices)
        if self.limits:
            return f"{self.limits[0]:g} to {self.limits[1]:g}"
        return self.pattern[1] if self.pattern else ""

    @property
    def expected(self) -> str:
        """The allowed values, and the type where they do not tell it, for people."""
        if self.choices:
            return self.allowed
        return f"{self.type_name}, {self.allowed}" if self.allowed else self.type_name

    def convert(self, value: Any) -> Any:
        """Return a value in the parameter's type: whole numbers count as doubles, lists as tuples.

        Raises:
            ConfigurationError: It has another type.
        """
        if not self.is_array:
            return self._convert_element(value)
        if value is None:  # an empty array has no type in ROS
            return ("",) if self._element_type is str else ()
        if isinstance(value, str) or not isinstance(value, Iterable):
            raise self._refusal(value)
        return tuple(self._convert_element(element) for element in value)

    def _convert_element(self, value: Any) -> Any:
        if self._element_type is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if type(value) is not self._element_type:
            raise self._refusal(value)
        return value

    def check(self, value: Any) -> None:
        """Raise ConfigurationError unless a converted value is allowed."""
        values = value if self.is_array else (value,)
        fits = True
        if self.choices:
            fits = all(v in self.choices for v in values)
        elif self.limits:
            low, high = self.limits
            fits = all(low <= v <= high for v in values)  # never so for NaN
        elif self.pattern:
            fits = all(re.fullmatch(self.pattern[0], v) for v in values)
        if not fits:
            raise self._refusal(value)

    def read(self, values: Mapping[str, Any]) -> Any:
        """Return this parameter's converted and checked value, the default if it has none.

        Args:
            values: Values by ROS name.

        Raises:
            ConfigurationError: The value is not allowed.
        """
        value = self.convert(values.get(self.name, self.default))
        self.check(value)
        return value

    def parse(self, text: str) -> Any:
        """Return the value that a text on a command line means.

        Args:
            text: As in YAML; texts need no quotes, arrays no brackets, and '' is the empty text.

        Raises:
            ConfigurationError: It is no value of the parameter's type.
        """
        text = text.strip()
        if self.is_array and text.startswith("[") and text.endswith("]"):
            text = text[1:-1]
        if self._element_type is str:
            parts = text.split(self.separator) if self.is_array else [text]
            plain = tuple(part.strip().strip("'\"") for part in parts)
            return plain if self.is_array else plain[0]
        try:
            value = yaml.safe_load(f"[{text}]" if self.is_array else text)
        except yaml.YAMLError:
            raise self._refusal(text) from None
        return self.convert(value)

    def _refusal(self, value: Any) -> ConfigurationError:
        shown = list(value) if isinstance(value, tuple) else value
        return ConfigurationError(
            f"parameter {self.name} = {shown!r} is not allowed; expected {self.expected}."
        )


def parameter(
    name: str,
    default: Any,
    text: str,
    unit: Unit = "",
    *,
    change: Change = "live",
    limits: tuple[float, float] | None = None,
    pattern: tuple[str, str] | None = None,
    separator: str = ",",
) -> Any:
    """Return a dataclass field that is a parameter; see :class:`ParameterSpec` for the arguments.

    The values to choose from, if there are such, are those of the field's ``Literal`` type.
    """
    spec = ParameterSpec(name, default, text, unit, change, limits, (), pattern, separator)
    return field(default=default, metadata={_KEY: spec})


@dataclass(frozen=True)
class ParameterTable:
    """Base of the tables: what they are declared from, and how values become one."""

    @classmethod
    def specs(cls, given: Mapping[str, Any] | None = None) -> tuple[ParameterSpec, ...]:
        """Return every parameter.

        Args:
            given: Values known so far, by ROS name; a table may have more parameters by them.
        """
        return tuple(specs_by_field(cls).values())

    @classmethod
    def from_values(cls: type[_TableT], values: Mapping[str, Any]) -> _TableT:
        """Check all values, one by one and together.

        Args:
            values: Values by ROS name; what is left out has its default.

        Raises:
            ConfigurationError: A value is not allowed; the text names it and what is.
        """
        return cls(**cls.read_fields(values))

    @classmethod
    def read_fields(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of the table's own parameters, each checked, by field."""
        return {name: spec.read(values) for name, spec in specs_by_field(cls).items()}

    def explain_unknown(self, name: str, known: Iterable[str]) -> str:
        """Return a text about a parameter that was given but is not known.

        Args:
            name: Its name.
            known: Names that are known.
        """
        text = f"parameter {name} is not known to this node and has no effect"
        near = get_close_matches(name, list(known), n=1)
        return f"{text}; did you mean {near[0]}?" if near else f"{text}."


def specs_by_field(table: type) -> dict[str, ParameterSpec]:
    """Return the parameters of a dataclass by the names of its fields."""
    hints = get_type_hints(table)
    found = {}
    for one in fields(table):
        if _KEY in one.metadata:
            spec: ParameterSpec = one.metadata[_KEY]
            if get_origin(hints[one.name]) is Literal:
                spec = replace(spec, choices=get_args(hints[one.name]))
            found[one.name] = spec
    return found
