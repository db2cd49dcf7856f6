# SPDX-License-Identifier: Apache-2.0
"""``ros2 topic list``."""

from __future__ import annotations

import argparse

from ros2cli.graph import add_discovery_argument, cli_node, is_hidden


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("-t", "--show-types", action="store_true", help="also their types")
    add_discovery_argument(parser)


def main(args: argparse.Namespace) -> int:
    """Print the names."""
    with cli_node() as cli:
        cli.discover(args.spin_time)
        for topic, types in sorted(cli.topics().items()):
            if not is_hidden(topic):
                print(f"{topic} [{', '.join(types)}]" if args.show_types else topic)
    return 0
