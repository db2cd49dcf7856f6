# SPDX-License-Identifier: Apache-2.0
"""``ros2 topic list | info | echo | hz | pub | type``."""

from __future__ import annotations

import argparse
import importlib
from types import ModuleType

VERBS = {
    "list": "names of the topics",
    "info": "publishers and subscriptions of a topic",
    "type": "type of a topic",
    "echo": "print messages",
    "hz": "print the rate of messages",
    "pub": "publish messages",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verbs."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="<verb>")
    for name, text in VERBS.items():
        verb = verbs.add_parser(name, help=text, description=text)
        _load(name).add_arguments(verb, name)


def main(args: argparse.Namespace) -> int:
    """Run the verb."""
    return _load(args.verb).main(args)


def _load(name: str) -> ModuleType:
    module = "graph" if name in ("list", "info", "type") else name
    return importlib.import_module(f"ros2cli.verbs.topic_{module}")
