# SPDX-License-Identifier: Apache-2.0
"""Options that several commands share.

Commands keep to what every typer from 0.4 on knows: defaults that are ``typer.Option(...)`` or
``typer.Argument(...)``, and ``Optional[...]`` where a value may be missing.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, Optional, get_args, get_type_hints

import typer

from xd_rcdepth_ros.errors import ConfigurationError

JSON_FILE: Any = typer.Option(None, "--json", help="Write the figures to this file.")
MODEL: Any = typer.Option(None, help="Model file (.safetensors); the shipped one if left out.")
DEVICE: Any = typer.Option("auto", help="auto, cpu, cuda or cuda:<n>.")
BACKEND: Any = typer.Option("auto", help="auto, torch, openvino or onnx.")
PRECISION: Any = typer.Option("auto", help="auto, fp32, bf16, fp16 or int8.")
SPLIT: Any = typer.Option(None, help="Only bags of this split, such as val; all if left out.")
CAMERA: Any = typer.Option("front", help="Camera of drive bags; --topics names other topics.")
TOPICS: Any = typer.Option(
    "",
    help="Topics of a bag with other names: image=/cam/image,camera_info=/cam/camera_info,"
    "radar.front=/ars/points; also lidar= and depth=.",
)
RADAR_FIELDS: Any = typer.Option(
    "",
    help="Fields of its radar clouds: rcs=power,radial_speed=doppler; by known names if left out. "
    "See docs/recordings.md.",
)


def words(texts: Sequence[str] | None) -> tuple[str, ...]:
    """Return the words of texts that are separated by commas; ``none`` is no word."""
    parts = [part.strip() for text in texts or () for part in text.split(",")]
    return tuple(part for part in parts if part and part != "none")


def numbers(text: str, option: str) -> tuple[int, ...] | None:
    """Return the numbers of a text such as ``0-6`` or ``0,3``; None if it is empty.

    Raises:
        ConfigurationError: The text is something else.
    """
    result: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not (first.isdecimal() and (last if dash else first).isdecimal()):
            if not text.strip():
                return None
            raise ConfigurationError(f"{option} is '{text}'; expected numbers such as 0-6 or 0,3.")
        result += range(int(first), int(last or first) + 1)
    return tuple(result)


def with_options_of(kind: type[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the fields of an options dataclass as options, with their defaults and help.

    The command takes them as ``options``, a dictionary by field name. Sequences of words may be
    repeated or separated by commas; sequences of numbers are texts such as ``0-6``; ``none`` is no
    word.
    """
    hints = get_type_hints(kind)

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command)
        own = [p for p in signature.parameters.values() if p.name != "options"]
        kinds = {f.name: _option_kind(hints[f.name]) for f in fields(kind)}

        def run(**values: Any) -> None:
            given = {name: values.pop(name) for name in kinds}
            options = {name: _parsed(name, kinds[name], value) for name, value in given.items()}
            command(**values, options=options)

        added = []
        for f in fields(kind):
            default = list(f.default) if isinstance(f.default, tuple) else f.default
            names = [f"--{f.name.replace('_', '-')}"] if kinds[f.name] is bool else []
            option = typer.Option(default, *names, help=f.metadata["help"])
            added.append(inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=option))
        annotations = {name: _ANNOTATIONS[kind] for name, kind in kinds.items()}
        run.__name__, run.__doc__ = command.__name__, command.__doc__
        run.__annotations__ = {**get_type_hints(command), **annotations}
        run.__annotations__.pop("options")
        parameters = [
            p.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=run.__annotations__[p.name])
            for p in [*own, *added]
        ]
        run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        return run

    return decorate


_ANNOTATIONS: dict[Any, Any] = {
    bool: bool,
    str: Optional[str],
    (str,): Optional[list[str]],
    (int,): Optional[str],
}


def _option_kind(hint: Any) -> Any:
    """Return bool, str, (str,) or (int,) for the type of a field."""
    inner = [a for a in get_args(hint) if a is not type(None)]
    if hint in (bool, str):
        return hint
    if type(None) in get_args(hint):
        return _option_kind(inner[0]) if len(inner) == 1 else hint
    return (inner[0],)


def _parsed(name: str, kind: Any, value: Any) -> Any:
    if kind == (str,):
        return words(value)
    if kind == (int,):
        return numbers(value or "", f"--{name.replace('_', '-')}")
    return None if value == "none" else value
