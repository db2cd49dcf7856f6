# SPDX-License-Identifier: Apache-2.0
"""Entry point of the ``ros2`` command.

Each command is a module of `ros2cli.verbs` with ``add_arguments(parser)`` and ``main(args)``; only
the one that is asked for is imported.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from types import ModuleType

from .errors import CommandError

COMMANDS = {
    "bag": "play, record and describe rosbag2 bags",
    "launch": "run a launch file",
    "lifecycle": "states of lifecycle nodes",
    "node": "nodes that run",
    "param": "parameters of nodes",
    "pkg": "packages that are installed",
    "run": "run an executable of a package",
    "service": "services",
    "topic": "topics: list, echo, rate, publish",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: Arguments; None takes those of the process.

    Returns:
        0, 1 for a failure, 2 for wrong usage.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    os.environ.setdefault("AMENT_PREFIX_PATH", sys.prefix)
    parser = argparse.ArgumentParser(
        prog="ros2",
        description="ros2 for machines without ROS: a part of the upstream command.",
    )
    commands = parser.add_subparsers(dest="command", metavar="<command>")
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text)
        if argv[:1] == [name]:
            _load(name).add_arguments(command)
    args = parser.parse_args(argv)
    if args.command is None:
        parser.print_help()
        return 0
    try:
        return int(_load(args.command).main(args) or 0)
    except CommandError as error:
        sys.stderr.write(f"ros2 {args.command}: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        # The reader of the output (head, grep -q) has gone; nothing is left to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _load(name: str) -> ModuleType:
    return importlib.import_module(f"ros2cli.verbs.{name}")


if __name__ == "__main__":
    sys.exit(main())
