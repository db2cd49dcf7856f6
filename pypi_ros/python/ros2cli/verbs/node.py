# SPDX-License-Identifier: Apache-2.0
"""``ros2 node list | info``."""

from __future__ import annotations

import argparse
from typing import Any

from ros2cli.graph import absolute, add_discovery_argument, cli_node, is_hidden


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verbs."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="<verb>")
    show = verbs.add_parser("list", help="names of the nodes")
    info = verbs.add_parser("info", help="topics and services of a node")
    info.add_argument("node_name")
    for verb in (show, info):
        add_discovery_argument(verb)


def main(args: argparse.Namespace) -> int:
    """Run the verb."""
    with cli_node() as cli:
        if args.verb == "list":
            cli.discover(args.spin_time)
            print("\n".join(name for name in cli.node_names() if not is_hidden(name)))
            return 0
        name = absolute(args.node_name)
        cli.require_node(name, args.spin_time)
        print(describe(cli.node, name))
    return 0


def describe(node: Any, full_name: str) -> str:
    """Return what a node subscribes to, publishes, serves and asks for."""
    namespace, _, name = full_name.rpartition("/")
    where = (name, namespace or "/")
    parts = {
        "Subscribers": node.get_subscriber_names_and_types_by_node(*where),
        "Publishers": node.get_publisher_names_and_types_by_node(*where),
        "Service Servers": node.get_service_names_and_types_by_node(*where),
        "Service Clients": node.get_client_names_and_types_by_node(*where),
    }
    lines = [full_name]
    for title, entries in parts.items():
        lines.append(f"  {title}:")
        lines += [
            f"    {entry}: {', '.join(types)}"
            for entry, types in sorted(entries)
            if not is_hidden(entry)
        ]
    return "\n".join(lines)
