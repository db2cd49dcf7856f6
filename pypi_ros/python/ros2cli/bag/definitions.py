# SPDX-License-Identifier: Apache-2.0
"""The text of message definitions, which bags keep beside the messages."""

from __future__ import annotations

import re

from ament_index_python.packages import PackageNotFoundError
from ros2cli import packages
from ros2cli.errors import CommandError

_FIELD = re.compile(r"^\s*([A-Za-z][\w/]*)")
_PRIMITIVES = frozenset(
    ["bool", "byte", "char", "string", "wstring", "float32", "float64"]
    + [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
)
_SEPARATOR = "=" * 80


def message_definition(type_name: str) -> str:
    """Return the definition of a message type, followed by those of the types in it.

    Args:
        type_name: e.g. ``sensor_msgs/msg/Image``.

    Returns:
        Text in the ``ros2msg`` format of MCAP; empty if the files are not installed.
    """
    package, _, name = type_name.split("/")
    try:
        text = _read(package, name)
    except (CommandError, PackageNotFoundError, OSError):
        return ""
    parts = [text]
    waiting = _types_in(package, text)
    seen = {(package, name)}
    while waiting:
        dependency = waiting.pop(0)
        if dependency in seen:
            continue
        seen.add(dependency)
        try:
            text = _read(*dependency)
        except (CommandError, OSError):
            return ""
        parts.append(f"{_SEPARATOR}\nMSG: {'/'.join(dependency)}\n{text}")
        waiting += _types_in(dependency[0], text)
    return "\n".join(parts)


def _read(package: str, name: str) -> str:
    return (packages.share(package) / "msg" / f"{name}.msg").read_text(encoding="utf-8")


def _types_in(package: str, text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for line in text.splitlines():
        match = _FIELD.match(line.split("#")[0])
        if match is None or match[1] in _PRIMITIVES:
            continue
        parts = match[1].split("/")
        found.append((package, parts[0]) if len(parts) == 1 else (parts[0], parts[-1]))
    return found
