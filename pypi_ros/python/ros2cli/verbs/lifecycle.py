# SPDX-License-Identifier: Apache-2.0
"""``ros2 lifecycle nodes | get | list | set``."""

from __future__ import annotations

import argparse

from lifecycle_msgs.srv import ChangeState, GetAvailableTransitions, GetState

from ..errors import CommandError
from ..graph import CliNode, absolute, add_discovery_argument, cli_node, is_hidden
from .node import node_names

_FIND_S = 5.0
_GET_STATE = "lifecycle_msgs/srv/GetState"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verbs."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="<verb>")
    nodes = verbs.add_parser("nodes", help="names of the lifecycle nodes")
    nodes.add_argument("-a", "--all", action="store_true", help="also hidden ones")
    nodes.add_argument("-c", "--count-nodes", action="store_true", help="only how many")
    get = verbs.add_parser("get", help="state of a node")
    get.add_argument("node_name", nargs="?", help="by default all lifecycle nodes")
    show = verbs.add_parser("list", help="transitions possible now")
    show.add_argument("node_name")
    put = verbs.add_parser("set", help="make a transition")
    put.add_argument("node_name")
    put.add_argument("transition", help="label or id, e.g. configure")
    for verb in (nodes, get, show, put):
        add_discovery_argument(verb)


def main(args: argparse.Namespace) -> int:
    """Run the verb."""
    with cli_node() as cli:
        if args.verb == "nodes" or (args.verb == "get" and args.node_name is None):
            cli.discover(args.spin_time)
            found = lifecycle_nodes(cli)
            if args.verb == "get":
                for node in found:
                    print(f"{node}: {_state(cli, node)}")
                return 0
            shown = [node for node in found if args.all or not is_hidden(node)]
            print(len(shown) if args.count_nodes else "\n".join(shown))
            return 0
        node = absolute(args.node_name)
        if not cli.spin(lambda: node in lifecycle_nodes(cli), max(args.spin_time, _FIND_S)):
            raise CommandError(f"Node not found: {node} (or it is no lifecycle node)")
        if args.verb == "get":
            print(_state(cli, node))
        elif args.verb == "list":
            _list(cli, node)
        else:
            _set(cli, node, args.transition)
    return 0


def lifecycle_nodes(cli: CliNode) -> list[str]:
    """Return the nodes found so far that offer the service for their state."""
    services = dict(cli.node.get_service_names_and_types())
    return [n for n in node_names(cli) if _GET_STATE in services.get(f"{n}/get_state", [])]


def _state(cli: CliNode, node: str) -> str:
    state = cli.call(GetState, f"{node}/get_state", GetState.Request()).current_state
    return f"{state.label} [{state.id}]"


def _transitions(cli: CliNode, node: str) -> list:
    request = GetAvailableTransitions.Request()
    name = f"{node}/get_available_transitions"
    return list(cli.call(GetAvailableTransitions, name, request).available_transitions)


def _list(cli: CliNode, node: str) -> None:
    for item in _transitions(cli, node):
        print(f"- {item.transition.label} [{item.transition.id}]")
        print(f"\tStart: {item.start_state.label}\n\tGoal: {item.goal_state.label}")


def _set(cli: CliNode, node: str, wanted: str) -> None:
    found = [item.transition for item in _transitions(cli, node)]
    chosen = [t for t in found if wanted in (t.label, str(t.id))]
    if not chosen:
        labels = ", ".join(f"{t.label} [{t.id}]" for t in found) or "none"
        raise CommandError(f"Unknown transition '{wanted}'; possible now: {labels}")
    request = ChangeState.Request(transition=chosen[0])
    if not cli.call(ChangeState, f"{node}/change_state", request, 60.0).success:
        raise CommandError("Transitioning failed")
    print("Transitioning successful")
