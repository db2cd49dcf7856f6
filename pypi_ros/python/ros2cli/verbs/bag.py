# SPDX-License-Identifier: Apache-2.0
"""``ros2 bag play | record | info``."""

from __future__ import annotations

import argparse
import importlib
from types import ModuleType

VERBS = {
    "play": "publish the messages of a bag",
    "record": "write messages to a bag",
    "info": "describe a bag",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verbs."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="<verb>")
    for name, text in VERBS.items():
        _load(name).add_arguments(verbs.add_parser(name, help=text, description=text))


def main(args: argparse.Namespace) -> int:
    """Run the verb."""
    return _load(args.verb).main(args)


def _load(name: str) -> ModuleType:
    return importlib.import_module(f"ros2cli.verbs.bag_{name}")
