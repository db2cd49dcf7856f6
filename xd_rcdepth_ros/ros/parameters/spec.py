# SPDX-License-Identifier: Apache-2.0
"""What is to be known of one parameter: name, default, meaning, unit, and what is allowed."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from xd_rcdepth_ros.errors import ConfigurationError

_TYPE_NAMES = {bool: "bool", int: "int", float: "double", str: "string"}


@dataclass(frozen=True)
class ParameterSpec:
    """One parameter.

    Attributes:
        name: Name in ROS; ``<radar>`` stands for each name in ``radars``.
        default: Default value; its type is the parameter's type.
        description: What it does, in a sentence that carries the unit.
        change: When it may change: ``live``, and it holds from the next frame on; ``unconfigured``,
            while the node has no model loaded; or only at the ``start`` of the process.
        low: Least value, if there is one.
        high: Greatest value, if there is one.
        choices: Allowed values, if they can be listed.
        pattern: Regular expression that a text must match, and its meaning.
    """

    name: str
    default: Any
    description: str
    change: str = "live"
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    pattern: tuple[str, str] | None = None

    @property
    def type_name(self) -> str:
        """Type in ROS's words: bool, int, double, string, or one of these with [] for arrays."""
        if isinstance(self.default, tuple):
            return _TYPE_NAMES[type(self.default[0])] + "[]"
        return _TYPE_NAMES[type(self.default)]

    @property
    def allowed(self) -> str:
        """The allowed values, for people; empty if any value of the type is."""
        if self.choices:
            return " | ".join(self.choices)
        if self.low is not None:
            return f"{self.low:g} to {self.high:g}"
        return self.pattern[1] if self.pattern else ""

    def check(self, value: Any) -> None:
        """Raise ConfigurationError unless the value is allowed."""
        fits = True
        if self.choices:
            fits = value in self.choices
        elif self.low is not None and self.high is not None:
            values = value if isinstance(self.default, tuple) else [value]
            fits = all(math.isfinite(v) and self.low <= v <= self.high for v in values)
        elif self.pattern:
            texts = [value] if isinstance(value, str) else value
            fits = all(re.fullmatch(self.pattern[0], str(text)) for text in texts)
        if not fits:
            raise ConfigurationError(
                f"parameter {self.name} = {value!r} is not allowed; expected {self.allowed}."
            )
