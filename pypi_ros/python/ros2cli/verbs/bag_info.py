# SPDX-License-Identifier: Apache-2.0
"""``ros2 bag info``."""

from __future__ import annotations

import argparse
import datetime
from typing import Any

from ros2cli.bag.reading import open_bag


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("bag_path", help="the bag: a directory, or a .mcap or .db3 file")
    parser.add_argument("-s", "--storage", help=argparse.SUPPRESS)


def main(args: argparse.Namespace) -> int:
    """Describe the bag."""
    with open_bag(args.bag_path) as reader:
        print(describe(reader))
    return 0


def describe(reader: Any) -> str:
    """Return files, size, times and topics of an open bag as text."""
    files = sorted(
        [path for path in reader.path.iterdir() if path.suffix in (".mcap", ".db3", ".zstd")]
        if reader.path.is_dir()
        else [reader.path]
    )
    # `end_time` lies one nanosecond behind the last message.
    empty = reader.message_count == 0
    start_ns = 0 if empty else reader.start_time
    end_ns = 0 if empty else reader.end_time - 1
    rows = {
        "Files": ", ".join(path.name for path in files),
        "Bag size": size_text(sum(path.stat().st_size for path in files)),
        "Storage id": "sqlite3" if files and ".db3" in files[0].suffixes else "mcap",
        "Duration": f"{(end_ns - start_ns) / 1e9:.9f}s",
        "Start": time_text(start_ns),
        "End": time_text(end_ns),
        "Messages": str(reader.message_count),
    }
    lines = ["", *(f"{name + ':':<19}{value}" for name, value in rows.items())]
    indent = "Topic information: "
    for topic in topic_lines(reader.connections):
        lines.append(f"{indent}{topic}")
        indent = " " * len(indent)
    return "\n".join(lines)


def topic_lines(connections: Any) -> list[str]:
    """Return a line for each topic and type, sorted by name."""
    counts: dict[tuple[str, str, str], int] = {}
    for connection in connections:
        key = (connection.topic, connection.msgtype, connection.ext.serialization_format)
        counts[key] = counts.get(key, 0) + connection.msgcount
    return [
        f"Topic: {topic} | Type: {kind} | Count: {count} | Serialization Format: {form}"
        for (topic, kind, form), count in sorted(counts.items())
    ]


def size_text(size: float) -> str:
    """Return a number of bytes as text with a binary unit."""
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def time_text(stamp_ns: int) -> str:
    """Return a time stamp as local time and as seconds."""
    seconds, nanoseconds = divmod(stamp_ns, 10**9)
    local = datetime.datetime.fromtimestamp(seconds)
    return f"{local:%b %e %Y %H:%M:%S}.{nanoseconds:09d} ({seconds}.{nanoseconds:09d})"
