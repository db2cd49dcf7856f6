# SPDX-License-Identifier: Apache-2.0
"""``ros2 launch <package> <file> | <path> [name:=value ...]``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from launch import LaunchDescription, LaunchIntrospector, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import (
    AnyLaunchDescriptionSource,
    get_launch_description_from_any_launch_file,
)

from .. import packages
from ..errors import CommandError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "-n",
        "--noninteractive",
        action="store_true",
        default=not sys.stdin.isatty(),
        help="no terminal is attached",
    )
    parser.add_argument("-d", "--debug", action="store_true", help="log debug messages")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "-p",
        "--print",
        "--print-description",
        action="store_true",
        dest="print_description",
        help="show the launch description and launch nothing",
    )
    instead.add_argument(
        "-s",
        "--show-args",
        "--show-arguments",
        action="store_true",
        dest="show_args",
        help="show the arguments of the launch file and launch nothing",
    )
    parser.add_argument(
        "-a",
        "--show-all-subprocesses-output",
        action="store_true",
        help="show all output of the processes, whatever the launch file says",
    )
    parser.add_argument("--launch-prefix", help="command put before all executables")
    parser.add_argument(
        "--launch-prefix-filter", help="regular expression: only before executables that match"
    )
    parser.add_argument("package_name", help="package with the launch file, or path of the file")
    parser.add_argument("launch_file_name", nargs="?", help="name of the file in the package")
    parser.add_argument("launch_arguments", nargs="*", help="<name>:=<value>; the last one wins")


def main(args: argparse.Namespace) -> int:
    """Run the launch file, or show what it holds."""
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
    if args.launch_prefix_filter and not args.launch_prefix:
        raise CommandError("--launch-prefix-filter needs --launch-prefix")
    if args.show_all_subprocesses_output:
        os.environ["OVERRIDE_LAUNCH_PROCESS_OUTPUT"] = "both"
    if args.show_args or args.print_description:
        description = get_launch_description_from_any_launch_file(path)
        print(
            format_arguments(description)
            if args.show_args
            else LaunchIntrospector().format_launch_description(description)
        )
        return 0
    values = parse_arguments(rest)
    if args.launch_prefix:
        values["launch-prefix"] = args.launch_prefix
    if args.launch_prefix_filter:
        values["launch-prefix-filter"] = args.launch_prefix_filter
    service = LaunchService(argv=rest, noninteractive=args.noninteractive, debug=args.debug)
    service.include_launch_description(
        LaunchDescription(
            [
                IncludeLaunchDescription(
                    AnyLaunchDescriptionSource(path), launch_arguments=values.items()
                )
            ]
        )
    )
    return service.run()


def find_launch_file(package: str, name: str) -> Path:
    """Return the path of a file anywhere in a package's share directory.

    Raises:
        CommandError: There is no such package or file, or several files have the name.
    """
    share = packages.share(package)
    found = sorted(
        Path(root) / name for root, _, files in os.walk(share, followlinks=False) if name in files
    )
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
        mark = "*" if argument._conditionally_included else ""
        lines += ["", f"    '{argument.name}':{mark}", f"        {argument.description}"]
        if argument.default_value is not None:
            default = " + ".join(part.describe() for part in argument.default_value)
            lines.append(f"        (default: {default})")
    if not arguments:
        lines += ["", "  No arguments."]
    if any(argument._conditionally_included for argument in arguments):
        lines += ["", "* argument(s) which are only used if specific conditions occur"]
    return "\n".join(lines)
