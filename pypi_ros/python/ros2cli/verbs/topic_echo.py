# SPDX-License-Identifier: Apache-2.0
"""``ros2 topic echo``."""

from __future__ import annotations

import argparse
from typing import Any

from ..errors import CommandError
from ..graph import absolute, add_discovery_argument, cli_node
from ..interfaces import find_interface, select_field, to_plain, to_yaml
from ..qos import adapted_to_publishers, add_qos_arguments, with_arguments

_TRUNCATE = 128
_TYPE_TIMEOUT_S = 5.0
_PUBLISHER_TIMEOUT_S = 0.5


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    """Add the arguments."""
    add = parser.add_argument
    add("topic_name")
    add("message_type", nargs="?", help="e.g. std_msgs/msg/String; by default found out")
    add("--once", action="store_true", help="end after the first message")
    add("--timeout", type=float, metavar="SECONDS", help="end with status 1 without a message")
    add("--field", metavar="NAME", help="only this field; dots and [index] lead inside")
    add("--no-arr", action="store_true", help="only the lengths of arrays")
    add("--no-str", action="store_true", help="only the lengths of texts")
    add("-f", "--full-length", action="store_true", help="arrays and texts of any length")
    add("-l", "--truncate-length", type=int, default=_TRUNCATE, metavar="N",
        help="longest array or text shown whole (default: %(default)s)")  # fmt: skip
    add("--csv", action="store_true", help="values separated by commas")
    add("--raw", action="store_true", help="the serialized bytes")
    add_qos_arguments(parser)
    add_discovery_argument(parser)


def main(args: argparse.Namespace) -> int:
    """Print messages until SIGINT."""
    topic = absolute(args.topic_name)
    with cli_node() as cli:
        type_name = args.message_type or cli.topic_type(topic, args.timeout or _TYPE_TIMEOUT_S)
        cli.spin(lambda: cli.node.count_publishers(topic) > 0, _PUBLISHER_TIMEOUT_S)
        endpoints = cli.node.get_publishers_info_by_topic(topic)
        qos = with_arguments(adapted_to_publishers(topic, endpoints, 5), args)
        received = 0

        def on_message(message: Any) -> None:
            nonlocal received
            if args.once and received:
                return
            received += 1
            print(as_text(message, args), flush=True)

        cli.node.create_subscription(
            find_interface(type_name), topic, on_message, qos, raw=args.raw
        )
        if args.timeout is not None and not cli.spin(lambda: received > 0, args.timeout):
            if cli.stop:
                return 0
            raise CommandError(f"no message on {topic} within {args.timeout:g} s")
        cli.spin(lambda: args.once and received > 0)
    return 0


def as_text(message: Any, args: argparse.Namespace) -> str:
    """Return a message, or the wanted field, in the wanted form."""
    if args.raw:
        return f"{message!r}\n---"
    value = select_field(message, args.field) if args.field else message
    if args.csv:
        return ",".join(map(str, _leaves(to_plain(value))))
    length = None if args.full_length else args.truncate_length
    return f"{to_yaml(value, length=length, no_arr=args.no_arr, no_str=args.no_str)}---"


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [leaf for item in value for leaf in _leaves(item)]
    return [value]
