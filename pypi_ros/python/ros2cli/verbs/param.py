# SPDX-License-Identifier: Apache-2.0
"""``ros2 param list | get | set | describe | dump``."""

from __future__ import annotations

import argparse
from typing import Any

import yaml
from rcl_interfaces.msg import Parameter, ParameterType
from rcl_interfaces.srv import (
    DescribeParameters,
    GetParameters,
    ListParameters,
    SetParameters,
)
from rclpy.parameter import get_parameter_value, parameter_value_to_python

from ..errors import CommandError
from ..graph import CliNode, absolute, add_discovery_argument, cli_node, is_hidden
from .node import node_names

_FIND_S = 5.0
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
    show.add_argument("node_name", nargs="?", help="by default all nodes")
    show.add_argument("--param-type", action="store_true", help="also their types")
    get = verbs.add_parser("get", help="value of a parameter")
    get.add_argument("--hide-type", action="store_true", help="only the value")
    put = verbs.add_parser("set", help="set a parameter")
    describe = verbs.add_parser("describe", help="description and limits of parameters")
    dump = verbs.add_parser("dump", help="all parameters of a node as a YAML file's text")
    for verb in (get, put, describe, dump):
        verb.add_argument("node_name")
    for verb in (get, put):
        verb.add_argument("parameter_name")
    put.add_argument("value", help="the value as YAML")
    describe.add_argument("parameter_names", nargs="+")
    for verb in (show, get, put, describe, dump):
        add_discovery_argument(verb)


def main(args: argparse.Namespace) -> int:
    """Run the verb."""
    with cli_node() as cli:
        if args.verb == "list" and args.node_name is None:
            _list_all(cli, args)
            return 0
        node = absolute(args.node_name)
        _require(cli, node, args.spin_time)
        verbs = {
            "list": _list,
            "get": _get,
            "set": _set,
            "describe": _describe,
            "dump": _dump,
        }
        verbs[args.verb](cli, node, args)
    return 0


def _require(cli: CliNode, node: str, timeout_s: float) -> None:
    if not cli.spin(lambda: node in node_names(cli), max(timeout_s, _FIND_S)):
        raise CommandError(f"Node not found: {node}")


def _list_all(cli: CliNode, args: argparse.Namespace) -> None:
    cli.discover(args.spin_time)
    services = dict(cli.node.get_service_names_and_types())
    for node in node_names(cli):
        if not is_hidden(node) and f"{node}/list_parameters" in services:
            print(f"{node}:")
            _list(cli, node, args, indent="  ")


def _names(cli: CliNode, node: str) -> list[str]:
    response = cli.call(ListParameters, f"{node}/list_parameters", ListParameters.Request())
    return sorted(response.result.names)


def _values(cli: CliNode, node: str, names: list[str]) -> list[Any]:
    request = GetParameters.Request(names=names)
    return list(cli.call(GetParameters, f"{node}/get_parameters", request).values)


def _plain(value: Any) -> Any:
    shown: Any = parameter_value_to_python(value)
    return shown.tolist() if hasattr(shown, "tolist") else shown


def _list(cli: CliNode, node: str, args: argparse.Namespace, indent: str = "") -> None:
    names = _names(cli, node)
    types = [""] * len(names)
    if args.param_type:
        types = [f" (type: {_TYPE_NAMES[v.type]})" for v in _values(cli, node, names)]
    for name, kind in zip(names, types, strict=True):
        print(f"{indent}  {name}{kind}")


def _get(cli: CliNode, node: str, args: argparse.Namespace) -> None:
    (value,) = _values(cli, node, [args.parameter_name]) or [None]
    if value is None or value.type == ParameterType.PARAMETER_NOT_SET:
        raise CommandError(f"Parameter not set: {args.parameter_name}")
    shown = _plain(value)
    if args.hide_type:
        print(shown)
        return
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


def _describe(cli: CliNode, node: str, args: argparse.Namespace) -> None:
    request = DescribeParameters.Request(names=args.parameter_names)
    for d in cli.call(DescribeParameters, f"{node}/describe_parameters", request).descriptors:
        lines = [f"Parameter name: {d.name}", f"  Type: {_TYPE_NAMES[d.type]}"]
        if d.description:
            lines.append(f"  Description: {d.description}")
        lines.append("  Constraints:")
        if d.read_only:
            lines.append("    Read only: true")
        for limits in [*d.floating_point_range, *d.integer_range]:
            lines += [f"    Min value: {limits.from_value}", f"    Max value: {limits.to_value}"]
            if limits.step:
                lines.append(f"    Step: {limits.step}")
        if d.additional_constraints:
            lines.append(f"    Additional constraints: {d.additional_constraints}")
        print("\n".join(lines))


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
