# SPDX-License-Identifier: Apache-2.0
"""``ros2 topic echo``."""

from __future__ import annotations

import argparse
from typing import Any

from ros2cli.graph import absolute, add_discovery_argument, cli_node
from ros2cli.interfaces import find_interface, select_field, to_yaml
from ros2cli.qos import adapted_to_publishers

_TRUNCATE = 128
_TYPE_TIMEOUT_S = 5.0
_PUBLISHER_TIMEOUT_S = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add = parser.add_argument
    add("topic_name")
    add("message_type", nargs="?", help="e.g. std_msgs/msg/String; by default found out")
    add("--once", action="store_true", help="end after the first message")
    add("--field", metavar="NAME", help="only this field; dots and [index] lead inside")
    add("--no-arr", action="store_true", help="only the lengths of arrays")
    add("-f", "--full-length", action="store_true", help="arrays and texts of any length")
    add_discovery_argument(parser)


def main(args: argparse.Namespace) -> int:
    """Print messages until SIGINT."""
    topic = absolute(args.topic_name)
    with cli_node() as cli:
        type_name = args.message_type or cli.topic_type(topic, _TYPE_TIMEOUT_S)
        cli.spin(lambda: cli.node.count_publishers(topic) > 0, _PUBLISHER_TIMEOUT_S)
        qos = adapted_to_publishers(topic, cli.node.get_publishers_info_by_topic(topic), 5)
        received = 0

        def on_message(message: Any) -> None:
            nonlocal received
            if args.once and received:
                return
            received += 1
            print(as_text(message, args), flush=True)

        cli.node.create_subscription(find_interface(type_name), topic, on_message, qos)
        cli.spin(lambda: args.once and received > 0)
    return 0


def as_text(message: Any, args: argparse.Namespace) -> str:
    """Return a message, or the wanted field, as YAML."""
    value = select_field(message, args.field) if args.field else message
    length = None if args.full_length else _TRUNCATE
    return f"{to_yaml(value, length=length, no_arr=args.no_arr)}---"
