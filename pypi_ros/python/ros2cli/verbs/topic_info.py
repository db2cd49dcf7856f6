# SPDX-License-Identifier: Apache-2.0
"""``ros2 topic info``."""

from __future__ import annotations

import argparse
from typing import Any

from ros2cli.errors import CommandError
from ros2cli.graph import absolute, add_discovery_argument, cli_node


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("topic_name")
    parser.add_argument("-v", "--verbose", action="store_true", help="also nodes and QoS")
    add_discovery_argument(parser)


def main(args: argparse.Namespace) -> int:
    """Describe the topic."""
    topic = absolute(args.topic_name)
    with cli_node() as cli:
        cli.discover(args.spin_time)
        types = cli.topics().get(topic)
        if types is None:
            raise CommandError(f"Unknown topic '{topic}'")
        print(describe(cli.node, topic, types, args.verbose))
    return 0


def describe(node: Any, topic: str, types: list[str], verbose: bool) -> str:
    """Return type and numbers of publishers and subscriptions, with `verbose` each of them."""
    lines = [f"Type: {', '.join(types)}", ""] if verbose else [f"Type: {', '.join(types)}"]
    for title, endpoints in (
        ("Publisher", node.get_publishers_info_by_topic(topic)),
        ("Subscription", node.get_subscriptions_info_by_topic(topic)),
    ):
        lines.append(f"{title} count: {len(endpoints)}")
        if verbose:
            lines += ["", *(f"{endpoint}\n" for endpoint in endpoints)]
    return "\n".join(lines)
