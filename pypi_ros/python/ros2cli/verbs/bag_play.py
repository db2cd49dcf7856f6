# SPDX-License-Identifier: Apache-2.0
"""``ros2 bag play``."""

from __future__ import annotations

import argparse
import sys

from ros2cli.bag.player import Pace, Player
from ros2cli.bag.reading import ReadAhead, open_bag
from ros2cli.errors import CommandError
from ros2cli.graph import cli_node

# Time for finding the readers; see `graph.DISCOVERY_S`.
_DISCOVERY_S = 3.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add = parser.add_argument
    add("bag_path", help="the bag: a directory, or a single .mcap or .db3 file")
    add("-s", "--storage", help=argparse.SUPPRESS)  # the storage is known by the bag itself
    add("-r", "--rate", type=positive, default=1.0, help="speed (default: %(default)s)")
    add("--topics", nargs="+", default=[], metavar="TOPIC", help="only these topics")
    add("-m", "--remap", nargs="+", default=[], metavar="OLD:=NEW", help="rename topics")
    add("-l", "--loop", action="store_true", help="begin again at the end")
    add("-d", "--delay", type=not_negative, default=_DISCOVERY_S, metavar="SECONDS",
        help="from making the publishers to the first message (default: %(default)s)")  # fmt: skip
    add("--start-offset", type=not_negative, default=0.0, metavar="SECONDS",
        help="begin this far into the bag")  # fmt: skip
    add("--playback-duration", type=float, default=-1.0, metavar="SECONDS",
        help="end after so much bag time (default: play all)")  # fmt: skip
    add("--clock", type=positive, nargs="?", const=40.0, default=0.0, metavar="HZ",
        help="publish /clock (default rate: %(const)s Hz)")  # fmt: skip
    add("--wait-for-all-acked", type=not_negative, default=1000.0, metavar="MILLISECONDS",
        help="wait so long at the end for reliable readers (default: %(default)s)")  # fmt: skip
    add("--disable-keyboard-controls", action="store_true", help=argparse.SUPPRESS)


def positive(text: str) -> float:
    """Return a number above zero."""
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text} is not above zero")
    return value


def not_negative(text: str) -> float:
    """Return a number that is not below zero."""
    value = float(text)
    if not value >= 0:
        raise argparse.ArgumentTypeError(f"{text} is below zero")
    return value


def main(args: argparse.Namespace) -> int:
    """Play the bag."""
    ros_args = [arg for rule in args.remap for arg in ("-r", rule)]
    with open_bag(args.bag_path) as reader:
        connections = [c for c in reader.connections if not args.topics or c.topic in args.topics]
        if not connections:
            names = ", ".join(sorted(reader.topics)) or "none"
            raise CommandError(f"no topic to play; the bag holds: {names}")
        start_ns = reader.start_time + round(args.start_offset * 1e9)
        stop_ns = reader.end_time
        if args.playback_duration >= 0:
            stop_ns = min(stop_ns, start_ns + round(args.playback_duration * 1e9))
        with cli_node("rosbag2_player", ["--ros-args", *ros_args] if ros_args else []) as cli:
            player = Player(cli.node, Pace(args.rate, args.clock), cli.stop.__bool__)
            connections = player.add_topics(connections)
            if not connections:
                raise CommandError("no topic of the bag can be played")
            cli.stop.sleep(args.delay)
            while not cli.stop:
                messages = ReadAhead(reader, connections, start_ns, stop_ns)
                try:
                    player.play(messages, start_ns)
                finally:
                    messages.close()
                if not args.loop:
                    break
            player.finish(0.0 if cli.stop else args.wait_for_all_acked * 1e-3)
    sys.stderr.write(f"published {player.published} messages\n")
    return 0
