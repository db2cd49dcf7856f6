# SPDX-License-Identifier: Apache-2.0
"""``ros2 topic hz``."""

from __future__ import annotations

import argparse
import itertools
import math
import sys
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

from ros2cli.graph import CliNode, absolute, add_discovery_argument, cli_node
from ros2cli.interfaces import find_interface
from ros2cli.qos import adapted_to_publishers

_REPORT_S = 1.0
_WARN_S = 2.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("topic_name")
    parser.add_argument(
        "-w", "--window", type=int, default=10000, metavar="N",
        help="number of messages the figures are taken over (default: %(default)s)",
    )  # fmt: skip
    add_discovery_argument(parser)


def main(args: argparse.Namespace) -> int:
    """Print the rate each second until SIGINT."""
    topic = absolute(args.topic_name)
    arrivals: deque[float] = deque(maxlen=args.window + 1)
    with cli_node() as cli:
        endpoints = _wait_for_publishers(cli, topic)
        if not endpoints:
            return 0

        def on_message(data: bytes) -> None:
            arrivals.append(time.monotonic())

        qos = adapted_to_publishers(topic, endpoints, 100)
        message_type = find_interface(endpoints[0].topic_type)
        cli.node.create_subscription(message_type, topic, on_message, qos, raw=True)
        reported = 0.0
        while not cli.stop:
            cli.spin(timeout_s=_REPORT_S)
            if len(arrivals) < 2:
                continue
            if arrivals[-1] == reported:
                print("no new messages", flush=True)
                continue
            reported = arrivals[-1]
            print(report(arrivals), flush=True)
    return 0


def _wait_for_publishers(cli: CliNode, topic: str) -> Sequence[Any]:
    found: list[Any] = []

    def published() -> bool:
        found[:] = cli.node.get_publishers_info_by_topic(topic)
        return bool(found)

    while not cli.stop and not cli.spin(published, _WARN_S):
        sys.stderr.write(f"WARNING: topic [{topic}] does not appear to be published yet\n")
    return found


def report(arrivals: Sequence[float]) -> str:
    """Return mean rate in Hz, and shortest, longest and spread of the gaps in seconds."""
    times = list(arrivals)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    mean_s = sum(gaps) / len(gaps)
    deviation_s = math.sqrt(sum((gap - mean_s) ** 2 for gap in gaps) / len(gaps))
    rate_hz = 1.0 / mean_s if mean_s > 0 else 0.0
    return (
        f"average rate: {rate_hz:.3f}\n"
        f"\tmin: {min(gaps):.3f}s max: {max(gaps):.3f}s std dev: {deviation_s:.5f}s "
        f"window: {len(gaps)}"
    )
