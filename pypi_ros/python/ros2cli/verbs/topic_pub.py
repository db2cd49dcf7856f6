# SPDX-License-Identifier: Apache-2.0
"""``ros2 topic pub``."""

from __future__ import annotations

import argparse
from itertools import count

from rclpy.qos import QoSProfile

from ..graph import absolute, add_discovery_argument, cli_node
from ..interfaces import fill, find_interface, parse_values
from ..qos import add_qos_arguments, with_arguments


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    """Add the arguments."""
    add = parser.add_argument
    add("topic_name")
    add("message_type", help="e.g. std_msgs/msg/String")
    add("values", nargs="?", default="{}", help="the message as YAML, e.g. '{data: hello}'")
    add("-r", "--rate", type=float, default=1.0, metavar="HZ", help="default: %(default)s")
    many = parser.add_mutually_exclusive_group()
    many.add_argument("-1", "--once", action="store_true", help="publish one message")
    many.add_argument("-t", "--times", type=int, default=0, metavar="N", help="publish N messages")
    add("-p", "--print", type=int, default=1, dest="print_each", metavar="N",
        help="print each Nth message")  # fmt: skip
    add("-w", "--wait-matching-subscriptions", type=int, metavar="N",
        help="wait for so many subscriptions (default: 1 with --once, --times)")  # fmt: skip
    add("--keep-alive", type=float, default=0.1, metavar="SECONDS",
        help="stay after the last message (default: %(default)s)")  # fmt: skip
    add_qos_arguments(parser)
    add_discovery_argument(parser)


def main(args: argparse.Namespace) -> int:
    """Publish until all is published, or SIGINT."""
    message = find_interface(args.message_type)()
    fill(message, parse_values(args.values))
    times = 1 if args.once else args.times
    needed = args.wait_matching_subscriptions
    if needed is None:
        needed = 1 if times else 0
    with cli_node() as cli:
        qos = with_arguments(QoSProfile(depth=10), args)
        publisher = cli.node.create_publisher(type(message), absolute(args.topic_name), qos)
        while not cli.stop and publisher.get_subscription_count() < needed:
            print(f"Waiting for at least {needed} matching subscription(s)...", flush=True)
            cli.spin(lambda: publisher.get_subscription_count() >= needed, 1.0)
        for number in count(1):
            if cli.stop:
                break
            if args.print_each and number % args.print_each == 0:
                print(f"publishing #{number}: {message}\n", flush=True)
            publisher.publish(message)
            if number == times:
                cli.spin(timeout_s=args.keep_alive)
                break
            cli.spin(timeout_s=1.0 / args.rate)
    return 0
