# SPDX-License-Identifier: Apache-2.0
"""``ros2 service list | type | call``."""

from __future__ import annotations

import argparse

from ..errors import CommandError
from ..graph import absolute, add_discovery_argument, cli_node, is_hidden
from ..interfaces import fill, find_interface, parse_values


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verbs."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="<verb>")
    show = verbs.add_parser("list", help="names of the services")
    show.add_argument("-t", "--show-types", action="store_true", help="also their types")
    show.add_argument("-c", "--count-services", action="store_true", help="only how many")
    show.add_argument("--include-hidden-services", action="store_true", help="also hidden ones")
    kind = verbs.add_parser("type", help="type of a service")
    kind.add_argument("service_name")
    call = verbs.add_parser("call", help="call a service")
    call.add_argument("service_name")
    call.add_argument("service_type", help="e.g. std_srvs/srv/Trigger")
    call.add_argument("values", nargs="?", default="{}", help="the request as YAML")
    call.add_argument("--timeout", type=float, default=10.0, metavar="SECONDS")
    for verb in (show, kind, call):
        add_discovery_argument(verb)


def main(args: argparse.Namespace) -> int:
    """Run the verb."""
    with cli_node() as cli:
        if args.verb == "call":
            service_type = find_interface(args.service_type, "srv")
            request = service_type.Request()
            fill(request, parse_values(args.values))
            print(f"requester: making request: {request!r}\n", flush=True)
            response = cli.call(service_type, absolute(args.service_name), request, args.timeout)
            print(f"response:\n{response!r}\n")
            return 0
        cli.discover(args.spin_time)
        services = dict(cli.node.get_service_names_and_types())
        if args.verb == "type":
            name = absolute(args.service_name)
            if name not in services:
                raise CommandError(f"Unknown service '{name}'")
            print("\n".join(services[name]))
            return 0
        names = [s for s in sorted(services) if args.include_hidden_services or not is_hidden(s)]
        if args.count_services:
            print(len(names))
            return 0
        for name in names:
            print(f"{name} [{', '.join(services[name])}]" if args.show_types else name)
    return 0
