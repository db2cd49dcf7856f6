# SPDX-License-Identifier: Apache-2.0
"""``ros2 param list | get | set | dump``."""

from __future__ import annotations

import argparse
from typing import Any

import yaml
from rcl_interfaces.msg import Parameter, ParameterType
from rcl_interfaces.srv import (
    GetParameters,
    ListParameters,
    SetParameters,
)
from rclpy.parameter import get_parameter_value, parameter_value_to_python
from ros2cli.errors import CommandError
from ros2cli.graph import CliNode, absolute, add_discovery_argument, cli_node

_TYPE_NAMES = {
    ParameterType.PARAMETER_NOT_SET: "not set",
    ParameterType.PARAMETER_BOOL: "boolean",
    ParameterType.PARAMETER_INTEGER: "integer",
    ParameterType.PARAMETER_DOUBLE: "double",
    ParameterType.PARAMETER_STRING: "string",
    ParameterType.PARAMETER_BYTE_ARRAY: "byte array",
    ParameterType.PARAMETER_BOOL_ARRAY: "boolean array",
    ParameterType.PARAMETER_INTEGER_ARRAY: "integer array",
    ParameterType.PARAMETER_DOUBLE_ARRAY: "double array",
    ParameterType.PARAMETER_STRING_ARRAY: "string array",
}
_GET_LABELS = {"boolean": "Boolean", "integer": "Integer", "double": "Double", "string": "String"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verbs."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="<verb>")
    show = verbs.add_parser("list", help="names of the parameters")
    get = verbs.add_parser("get", help="value of a parameter")
    put = verbs.add_parser("set", help="set a parameter")
    dump = verbs.add_parser("dump", help="all parameters of a node as a YAML file's text")
    for verb in (show, get, put, dump):
        verb.add_argument("node_name")
        add_discovery_argument(verb)
    for verb in (get, put):
        verb.add_argument("parameter_name")
    put.add_argument("value", help="the value as YAML")


def main(args: argparse.Namespace) -> int:
    """Run the verb."""
    with cli_node() as cli:
        node = absolute(args.node_name)
        cli.require_node(node, args.spin_time)
        verbs = {
            "list": _list,
            "get": _get,
            "set": _set,
            "dump": _dump,
        }
        verbs[args.verb](cli, node, args)
    return 0


def _names(cli: CliNode, node: str) -> list[str]:
    response = cli.call(ListParameters, f"{node}/list_parameters", ListParameters.Request())
    return sorted(response.result.names)


def _values(cli: CliNode, node: str, names: list[str]) -> list[Any]:
    request = GetParameters.Request(names=names)
    return list(cli.call(GetParameters, f"{node}/get_parameters", request).values)


def _plain(value: Any) -> Any:
    shown: Any = parameter_value_to_python(value)
    return shown.tolist() if hasattr(shown, "tolist") else shown


def _list(cli: CliNode, node: str, args: argparse.Namespace) -> None:
    for name in _names(cli, node):
        print(f"  {name}")


def _get(cli: CliNode, node: str, args: argparse.Namespace) -> None:
    (value,) = _values(cli, node, [args.parameter_name]) or [None]
    if value is None or value.type == ParameterType.PARAMETER_NOT_SET:
        raise CommandError(f"Parameter not set: {args.parameter_name}")
    shown = _plain(value)
    kind = _TYPE_NAMES[value.type]
    if kind in _GET_LABELS:
        print(f"{_GET_LABELS[kind]} value is: {shown}")
    else:
        print(f"{kind.capitalize().removesuffix(' array')} values are: {shown}")


def _set(cli: CliNode, node: str, args: argparse.Namespace) -> None:
    parameter = Parameter(name=args.parameter_name, value=get_parameter_value(args.value))
    request = SetParameters.Request(parameters=[parameter])
    response = cli.call(SetParameters, f"{node}/set_parameters", request)
    (result,) = response.results
    if not result.successful:
        raise CommandError(f"Setting parameter failed: {result.reason or 'no reason given'}")
    print(f"Set parameter successful{': ' + result.reason if result.reason else ''}")


def _dump(cli: CliNode, node: str, args: argparse.Namespace) -> None:
    names = _names(cli, node)
    nested: dict[str, Any] = {}
    for name, value in zip(names, _values(cli, node, names), strict=True):
        *groups, last = name.split(".")
        place = nested
        for group in groups:
            place = place.setdefault(group, {})
        place[last] = _plain(value)
    print(yaml.safe_dump({node: {"ros__parameters": nested}}, sort_keys=True), end="")
