# SPDX-License-Identifier: Apache-2.0
"""``ros2 bag record``."""

from __future__ import annotations

import argparse
import datetime
import re
import sys
from collections.abc import Callable
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add = parser.add_argument
    add("topics", nargs="*", help="topics to record")
    add("--topics", nargs="+", default=[], dest="more_topics", metavar="TOPIC",
        help="topics to record")  # fmt: skip
    add("-a", "--all", action="store_true", help="record all topics")
    add("--all-topics", action="store_true", dest="all", help="record all topics")
    add("-e", "--regex", help="record the topics that match")
    add("-x", "--exclude-regex", help="but not those that match this")
    add("--exclude-topics", nargs="+", default=[], metavar="TOPIC", help="but not these")
    add("--include-hidden-topics", action="store_true", help="also those with a leading underscore")
    add("-o", "--output", metavar="DIR",
        help="directory of the bag (default: rosbag2_ and the time)")  # fmt: skip
    add("-s", "--storage", choices=["mcap", "sqlite3"], default="mcap",
        help="storage (default: %(default)s)")  # fmt: skip
    add("--no-discovery", action="store_true", help="record only topics there are at the start")
    add("-p", "--polling-interval", type=int, default=100, metavar="MILLISECONDS",
        help="time between looks for new topics (default: %(default)s)")  # fmt: skip
    add("--use-sim-time", action="store_true", help="stamp messages with /clock")
    add("--qos-profile-overrides-path", metavar="YAML", help="QoS by topic name")
    add("--node-name", default="rosbag2_recorder", help="name of the node")
    add("--disable-keyboard-controls", action="store_true", help=argparse.SUPPRESS)


def main(args: argparse.Namespace) -> int:
    """Record until SIGINT or SIGTERM; then complete the bag."""
    from ..bag.recorder import BagFile, Recorder
    from ..errors import CommandError
    from ..graph import absolute, cli_node
    from ..qos import read_overrides

    names = {absolute(topic) for topic in [*args.topics, *args.more_topics]}
    if not names and not args.all and not args.regex:
        raise CommandError("nothing to record: name topics, or give --all or --regex")
    overrides = read_overrides(args.qos_profile_overrides_path)
    now = datetime.datetime.now()
    path = Path(args.output or now.strftime("rosbag2_%Y_%m_%d-%H_%M_%S")).absolute()
    with cli_node(args.node_name, use_sim_time=args.use_sim_time) as cli:
        bag = BagFile(path, args.storage)
        try:
            recorder = Recorder(
                cli.node,
                bag,
                selection(names, args),
                overrides=overrides,
                use_sim_time=args.use_sim_time,
            )
            cli.node.get_logger().info(f"Recording to '{path}'")
            first = True
            while not cli.stop and bag.error is None:
                if first or not args.no_discovery:
                    recorder.look_for_topics()
                    first = False
                cli.spin(lambda: bag.error is not None, args.polling_interval * 1e-3)
        finally:
            bag.close()
    for topic, count in sorted(bag.counts.items()):
        sys.stderr.write(f"{count:8d} messages of {topic}\n")
    sys.stderr.write(f"recorded {sum(bag.counts.values())} messages to '{path}'\n")
    return 0


def selection(names: set[str], args: argparse.Namespace) -> Callable[[str], bool]:
    """Return the function that says whether the user wants a topic recorded."""
    from ..graph import absolute, is_hidden

    excluded = {absolute(topic) for topic in args.exclude_topics}

    def wanted(topic: str) -> bool:
        if topic in names:
            return True
        if topic in excluded or (is_hidden(topic) and not args.include_hidden_topics):
            return False
        if args.exclude_regex and re.search(args.exclude_regex, topic):
            return False
        return args.all or bool(args.regex and re.search(args.regex, topic))

    return wanted
