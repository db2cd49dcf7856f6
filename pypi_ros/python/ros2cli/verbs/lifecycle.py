# SPDX-License-Identifier: Apache-2.0
"""``ros2 lifecycle get | list | set``."""

from __future__ import annotations

import argparse
from typing import Any

from lifecycle_msgs.srv import ChangeState, GetAvailableTransitions, GetState
from ros2cli.errors import CommandError
from ros2cli.graph import CliNode, absolute, add_discovery_argument, cli_node

_CHANGE_S = 60.0  # longest time a transition may take


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verbs."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="<verb>")
    get = verbs.add_parser("get", help="state of a node")
    show = verbs.add_parser("list", help="transitions possible now")
    put = verbs.add_parser("set", help="make a transition")
    for verb in (get, show, put):
        verb.add_argument("node_name")
        add_discovery_argument(verb)
    put.add_argument("transition", help="label or id, e.g. configure")


def main(args: argparse.Namespace) -> int:
    """Run the verb."""
    with cli_node() as cli:
        node = absolute(args.node_name)
        cli.require_node(node, args.spin_time)
        if args.verb == "get":
            state = cli.call(GetState, f"{node}/get_state", GetState.Request()).current_state
            print(f"{state.label} [{state.id}]")
        elif args.verb == "list":
            for item in _transitions(cli, node):
                print(f"- {item.transition.label} [{item.transition.id}]")
                print(f"\tStart: {item.start_state.label}\n\tGoal: {item.goal_state.label}")
        else:
            _set(cli, node, args.transition)
    return 0


def _transitions(cli: CliNode, node: str) -> list[Any]:
    request = GetAvailableTransitions.Request()
    name = f"{node}/get_available_transitions"
    return list(cli.call(GetAvailableTransitions, name, request).available_transitions)


def _set(cli: CliNode, node: str, wanted: str) -> None:
    found = [item.transition for item in _transitions(cli, node)]
    chosen = [t for t in found if wanted in (t.label, str(t.id))]
    if not chosen:
        labels = ", ".join(f"{t.label} [{t.id}]" for t in found) or "none"
        raise CommandError(f"Unknown transition '{wanted}'; possible now: {labels}")
    request = ChangeState.Request(transition=chosen[0])
    if not cli.call(ChangeState, f"{node}/change_state", request, _CHANGE_S).success:
        raise CommandError("Transitioning failed")
    print("Transitioning successful")
