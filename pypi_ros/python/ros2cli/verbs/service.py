# SPDX-License-Identifier: Apache-2.0
"""``ros2 service call``."""

from __future__ import annotations

import argparse

from ros2cli.graph import absolute, cli_node
from ros2cli.interfaces import fill, find_interface, parse_values


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="<verb>")
    call = verbs.add_parser("call", help="call a service")
    call.add_argument("service_name")
    call.add_argument("service_type", help="e.g. std_srvs/srv/Trigger")
    call.add_argument("values", nargs="?", default="{}", help="the request as YAML")


def main(args: argparse.Namespace) -> int:
    """Call the service and show its response."""
    service_type = find_interface(args.service_type, "srv")
    request = service_type.Request()
    fill(request, parse_values(args.values))
    with cli_node() as cli:
        print(f"requester: making request: {request!r}\n", flush=True)
        response = cli.call(service_type, absolute(args.service_name), request)
        print(f"response:\n{response!r}\n")
    return 0
