# SPDX-License-Identifier: Apache-2.0
"""``ros2 run <package> <executable> [arguments]``."""

from __future__ import annotations

import argparse
import os

from ros2cli import packages
from ros2cli.errors import CommandError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("package_name")
    parser.add_argument("executable_name")
    parser.add_argument("argv", nargs=argparse.REMAINDER, help="arguments of the executable")


def main(args: argparse.Namespace) -> int:
    """Become the executable, so signals and exit status are its own."""
    found = packages.executables(args.package_name)
    paths = [path for path in found if path.name == args.executable_name]
    if not paths:
        names = ", ".join(path.name for path in found) or "none"
        raise CommandError(
            f"No executable '{args.executable_name}' in package '{args.package_name}'; "
            f"there are: {names}"
        )
    if len(paths) > 1:
        raise CommandError(f"Multiple executables found: {', '.join(map(str, paths))}")
    os.execv(paths[0], [str(paths[0]), *args.argv])
