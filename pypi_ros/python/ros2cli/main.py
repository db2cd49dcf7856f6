# SPDX-License-Identifier: Apache-2.0
"""Entry point of the ``ros2`` command.

Each command, or verb of a command, is a module of `ros2cli.verbs` with ``add_arguments(parser)``
and ``main(args)``; only the one that is asked for is imported.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
from collections.abc import Sequence

from ros2cli.errors import CommandError

COMMANDS: dict[str, str | dict[str, str]] = {
    "bag": {
        "play": "publish the messages of a bag",
        "record": "write messages to a bag",
        "info": "describe a bag",
    },
    "launch": "run a launch file",
    "lifecycle": "states of lifecycle nodes",
    "node": "nodes that run",
    "param": "parameters of nodes",
    "run": "run an executable of a package",
    "service": "call a service",
    "topic": {
        "list": "names of the topics",
        "info": "publishers and subscriptions of a topic",
        "echo": "print messages",
        "hz": "print the rate of messages",
        "pub": "publish messages",
    },
}
"""What each command does, or what each of its verbs does where a verb is a module of its own."""


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
    for name, what in COMMANDS.items():
        text = what if isinstance(what, str) else ", ".join(what)
        command = commands.add_parser(name, help=text, description=text)
        if isinstance(what, str):
            _add_module(command, name, wanted=argv[:1] == [name])
            continue
        verbs = command.add_subparsers(dest="verb", required=True, metavar="<verb>")
        for verb, verb_text in what.items():
            verb_parser = verbs.add_parser(verb, help=verb_text, description=verb_text)
            _add_module(verb_parser, f"{name}_{verb}", wanted=argv[:2] == [name, verb])
    args = parser.parse_args(argv)
    if args.command is None:
        parser.print_help()
        return 0
    try:
        return int(args.module.main(args) or 0)
    except CommandError as error:
        sys.stderr.write(f"ros2 {args.command}: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        # The reader of the output (head, grep -q) has gone; the rest is not wanted.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _add_module(parser: argparse.ArgumentParser, name: str, wanted: bool) -> None:
    if wanted:
        module = importlib.import_module(f"ros2cli.verbs.{name}")
        module.add_arguments(parser)
        parser.set_defaults(module=module)
