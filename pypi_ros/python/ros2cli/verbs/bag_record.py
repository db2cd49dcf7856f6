# SPDX-License-Identifier: Apache-2.0
"""``ros2 bag record``."""

from __future__ import annotations

import argparse
import datetime
import sys
from pathlib import Path

from ros2cli.bag.recorder import BagFile, Recorder
from ros2cli.errors import CommandError
from ros2cli.graph import absolute, cli_node, is_hidden

_LOOK_S = 0.1  # time between looks for new topics


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add = parser.add_argument
    add("topics", nargs="*", help="topics to record")
    add("--topics", nargs="+", default=[], dest="more_topics", metavar="TOPIC",
        help="topics to record")  # fmt: skip
    add("-a", "--all", action="store_true", help="record all topics")
    add("-o", "--output", metavar="DIR",
        help="directory of the bag (default: rosbag2_ and the time)")  # fmt: skip
    add("-s", "--storage", choices=["mcap", "sqlite3"], default="mcap",
        help="storage (default: %(default)s)")  # fmt: skip
    add("--disable-keyboard-controls", action="store_true", help=argparse.SUPPRESS)


def main(args: argparse.Namespace) -> int:
    """Record until SIGINT or SIGTERM; then complete the bag."""
    names = {absolute(topic) for topic in [*args.topics, *args.more_topics]}
    if not names and not args.all:
        raise CommandError("nothing to record: name topics, or give --all")

    def wanted(topic: str) -> bool:
        return topic in names or (args.all and not is_hidden(topic))

    now = datetime.datetime.now()
    path = Path(args.output or now.strftime("rosbag2_%Y_%m_%d-%H_%M_%S")).absolute()
    with cli_node("rosbag2_recorder") as cli:
        bag = BagFile(path, args.storage)
        try:
            recorder = Recorder(cli.node, bag, wanted)
            cli.node.get_logger().info(f"Recording to '{path}'")
            while not cli.stop and bag.error is None:
                recorder.look_for_topics()
                cli.spin(lambda: bag.error is not None, _LOOK_S)
        finally:
            bag.close()
    for topic, count in sorted(bag.counts.items()):
        sys.stderr.write(f"{count:8d} messages of {topic}\n")
    sys.stderr.write(f"recorded {sum(bag.counts.values())} messages to '{path}'\n")
    return 0
