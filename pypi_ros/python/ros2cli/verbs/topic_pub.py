# SPDX-License-Identifier: Apache-2.0
"""``ros2 topic pub``."""

from __future__ import annotations

import argparse
from itertools import count

from ros2cli.graph import absolute, add_discovery_argument, cli_node
from ros2cli.interfaces import fill, find_interface, parse_values

_STAY_S = 0.1  # after the last message, so that it arrives


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add = parser.add_argument
    add("topic_name")
    add("message_type", help="e.g. std_msgs/msg/String")
    add("values", nargs="?", default="{}", help="the message as YAML, e.g. '{data: hello}'")
    add("-r", "--rate", type=float, default=1.0, metavar="HZ", help="default: %(default)s")
    many = parser.add_mutually_exclusive_group()
    many.add_argument("-1", "--once", action="store_true", help="publish one message")
    many.add_argument("-t", "--times", type=int, default=0, metavar="N", help="publish N messages")
    add_discovery_argument(parser)


def main(args: argparse.Namespace) -> int:
    """Publish until all is published, or SIGINT; a limited number waits for a subscription."""
    message = find_interface(args.message_type)()
    fill(message, parse_values(args.values))
    times = 1 if args.once else args.times
    with cli_node() as cli:
        publisher = cli.node.create_publisher(type(message), absolute(args.topic_name), 10)
        while times and not cli.stop and not publisher.get_subscription_count():
            print("Waiting for at least 1 matching subscription(s)...", flush=True)
            cli.spin(lambda: publisher.get_subscription_count() > 0, 1.0)
        for number in count(1):
            if cli.stop:
                break
            print(f"publishing #{number}: {message}\n", flush=True)
            publisher.publish(message)
            if number == times:
                cli.spin(timeout_s=_STAY_S)
                break
            cli.spin(timeout_s=1.0 / args.rate)
    return 0
