# SPDX-License-Identifier: Apache-2.0
"""``ros2 launch <package> <file> | <path> [name:=value ...]``."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import get_launch_description_from_python_launch_file
from launch.utilities import describe_substitutions
from ros2cli import packages
from ros2cli.errors import CommandError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add = parser.add_argument
    add("-n", "--noninteractive", action="store_true", help=argparse.SUPPRESS)
    add("-d", "--debug", action="store_true", help="log debug messages")
    add("-s", "--show-args", "--show-arguments", action="store_true", dest="show_args",
        help="show the arguments of the launch file and launch nothing")  # fmt: skip
    add("package_name", help="package with the launch file, or path of the file")
    add("launch_file_name", nargs="?", help="name of the file in the package")
    add("launch_arguments", nargs="*", help="<name>:=<value>; the last one wins")


def main(args: argparse.Namespace) -> int:
    """Run the launch file, or show its arguments."""
    rest = list(args.launch_arguments)
    if os.path.isfile(args.package_name):
        path = args.package_name
        if args.launch_file_name is not None:
            rest.insert(0, args.launch_file_name)
    elif args.launch_file_name is None:
        raise CommandError(
            f"'{args.package_name}' is no file, and no launch file of a package is named"
        )
    else:
        path = str(find_launch_file(args.package_name, args.launch_file_name))
    if args.show_args:
        print(format_arguments(get_launch_description_from_python_launch_file(path)))
        return 0
    included = IncludeLaunchDescription(path, launch_arguments=parse_arguments(rest).items())
    service = LaunchService(debug=args.debug)
    service.include_launch_description(LaunchDescription([included]))
    return service.run()


def find_launch_file(package: str, name: str) -> Path:
    """Return the path of a file anywhere in a package's share directory.

    Raises:
        CommandError: There is no such package or file, or several files have the name.
    """
    share = packages.share(package)
    found = sorted(Path(root) / name for root, _, files in os.walk(share) if name in files)
    if not found:
        raise CommandError(
            f"file '{name}' was not found in the share directory of package '{package}' ({share})"
        )
    if len(found) > 1:
        raise CommandError(
            f"file '{name}' was found more than once in package '{package}': "
            f"{', '.join(map(str, found))}"
        )
    return found[0]


def parse_arguments(texts: list[str]) -> dict[str, str]:
    """Return the values of ``name:=value`` texts; the last one of a name wins.

    Raises:
        CommandError: A text is of another form.
    """
    values: dict[str, str] = {}
    for text in texts:
        name, sign, value = text.partition(":=")
        if not sign or not name or (not value and text.count(":=") == 1):
            raise CommandError(
                f"malformed launch argument '{text}', expected format '<name>:=<value>'"
            )
        values[name] = value
    return values


def format_arguments(description: LaunchDescription) -> str:
    """Return the launch arguments of a description, with descriptions and defaults."""
    lines = ["Arguments (pass arguments as '<name>:=<value>'):"]
    arguments = description.get_launch_arguments()
    for argument in arguments:
        lines += ["", f"    '{argument.name}':", f"        {argument.description}"]
        if argument.default_value is not None:
            lines.append(f"        (default: {describe_substitutions(argument.default_value)})")
    if not arguments:
        lines += ["", "  No arguments."]
    return "\n".join(lines)
