# SPDX-License-Identifier: Apache-2.0
"""``ros2 node list | info``."""

from __future__ import annotations

import argparse
from typing import Any

from ..errors import CommandError
from ..graph import CliNode, absolute, add_discovery_argument, cli_node, is_hidden

_FIND_S = 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verbs."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="<verb>")
    show = verbs.add_parser("list", help="names of the nodes")
    show.add_argument("-a", "--all", action="store_true", help="also hidden ones")
    show.add_argument("-c", "--count-nodes", action="store_true", help="only how many")
    info = verbs.add_parser("info", help="topics, services and actions of a node")
    info.add_argument("node_name")
    info.add_argument("--include-hidden", action="store_true", help="also hidden names")
    for verb in (show, info):
        add_discovery_argument(verb)


def node_names(cli: CliNode) -> list[str]:
    """Return the full names of the nodes found so far, without this command's own."""
    own = cli.node.get_name()
    return sorted(
        f"{namespace.rstrip('/')}/{name}"
        for name, namespace in cli.node.get_node_names_and_namespaces()
        if name != own
    )


def main(args: argparse.Namespace) -> int:
    """Run the verb."""
    with cli_node() as cli:
        if args.verb == "list":
            cli.discover(args.spin_time)
            names = node_names(cli)
            shown = [name for name in names if args.all or not is_hidden(name)]
            print(len(shown) if args.count_nodes else "\n".join(shown))
            return 0
        name = absolute(args.node_name)
        if not cli.spin(lambda: name in node_names(cli), max(args.spin_time, _FIND_S)):
            raise CommandError(f"Unable to find node '{args.node_name}'")
        print(describe(cli.node, name, args.include_hidden))
    return 0


def describe(node: Any, full_name: str, include_hidden: bool) -> str:
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
            if include_hidden or not is_hidden(entry)
        ]
    return "\n".join(lines)
