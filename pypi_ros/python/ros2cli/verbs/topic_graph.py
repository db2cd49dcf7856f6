# SPDX-License-Identifier: Apache-2.0
"""``ros2 topic list | info | type``: what the graph of nodes says."""

from __future__ import annotations

import argparse
from typing import Any

from ..errors import CommandError
from ..graph import absolute, add_discovery_argument, cli_node, is_hidden


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    """Add the arguments of one of the verbs."""
    add_discovery_argument(parser)
    if verb == "list":
        parser.add_argument("-t", "--show-types", action="store_true", help="also their types")
        parser.add_argument("-c", "--count-topics", action="store_true", help="only how many")
        parser.add_argument("-v", "--verbose", action="store_true", help="also who uses them")
        parser.add_argument(
            "--include-hidden-topics", action="store_true", help="also those with an underscore"
        )
        return
    parser.add_argument("topic_name")
    if verb == "info":
        parser.add_argument("-v", "--verbose", action="store_true", help="also nodes and QoS")


def main(args: argparse.Namespace) -> int:
    """Run the verb."""
    with cli_node() as cli:
        if args.verb == "type":
            print(cli.topic_type(absolute(args.topic_name), args.spin_time))
            return 0
        cli.discover(args.spin_time)
        topics = cli.topics()
        if args.verb == "list":
            _list(args, cli.node, topics)
            return 0
        topic = absolute(args.topic_name)
        if topic not in topics:
            raise CommandError(f"Unknown topic '{topic}'")
        print(describe(cli.node, topic, topics[topic], args.verbose))
    return 0


def _list(args: argparse.Namespace, node: Any, topics: dict[str, list[str]]) -> None:
    names = [t for t in sorted(topics) if args.include_hidden_topics or not is_hidden(t)]
    if args.count_topics:
        print(len(names))
    elif args.verbose:
        for title, count in (("Published", node.count_publishers),
                             ("Subscribed", node.count_subscribers)):  # fmt: skip
            print(f"{title} topics:")
            for topic in names:
                if number := count(topic):
                    kind = "publisher" if title == "Published" else "subscriber"
                    plural = "s" if number > 1 else ""
                    print(f" * {topic} [{', '.join(topics[topic])}] {number} {kind}{plural}")
            print()
    else:
        for topic in names:
            print(f"{topic} [{', '.join(topics[topic])}]" if args.show_types else topic)


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
