# SPDX-License-Identifier: Apache-2.0
"""``ros2 pkg list | prefix | executables``."""

from __future__ import annotations

import argparse

from .. import packages


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verbs."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="<verb>")
    verbs.add_parser("list", help="names of all packages")
    prefix = verbs.add_parser("prefix", help="where a package is installed")
    prefix.add_argument("package_name")
    prefix.add_argument("--share", action="store_true", help="its share directory instead")
    executables = verbs.add_parser("executables", help="executables of packages")
    executables.add_argument("package_name", nargs="?")
    executables.add_argument("--full-path", action="store_true", help="show whole paths")


def main(args: argparse.Namespace) -> int:
    """Run the verb."""
    if args.verb == "list":
        for name in sorted(packages.packages()):
            print(name)
        return 0
    if args.verb == "prefix":
        find = packages.share if args.share else packages.prefix
        print(find(args.package_name))
        return 0
    chosen = [args.package_name] if args.package_name else sorted(packages.packages())
    for name in chosen:
        for path in packages.executables(name):
            print(path if args.full_path else f"{name} {path.name}")
    return 0
