# SPDX-License-Identifier: Apache-2.0
"""One pass over a bag: where each sensor message lies, and all that is small enough to keep."""

from __future__ import annotations

import json
import struct
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from rosbags.highlevel import AnyReader
from rosbags.interfaces import Connection

from xd_rcdepth_ros.errors import GeometryError, MessageError, RecordingError, XDRCDepthError
from xd_rcdepth_ros.geometry import PinholeCamera, nearest_stamp
from xd_rcdepth_ros.recordings import schema
from xd_rcdepth_ros.recordings.messages import camera_of, stamp_ns_of, transform_of
from xd_rcdepth_ros.recordings.transforms import TransformTree


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever the bag library raises on a damaged bag into a RecordingError."""
    try:
        yield
    except (XDRCDepthError, KeyboardInterrupt):
        raise
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise RecordingError(
            f"the bag {path} cannot be read: {reason} If its recording was cut off, try "
            "`ros2 bag reindex`; else record or convert it again."
        ) from error


def open_bag(path: Path) -> AnyReader:
    """Open a bag folder or storage file.

    Raises:
        RecordingError: There is no bag, or it is damaged.
    """
    if not path.exists():
        raise RecordingError(f"there is no bag at {path}.")
    if path.is_dir() and not (path / "metadata.yaml").exists():
        raise RecordingError(
            f"{path} is no rosbag2 folder: it has no metadata.yaml. A recording that was killed "
            "lacks it too; `ros2 bag reindex` writes it."
        )
    with reading(path):
        reader = AnyReader([path], default_typestore=schema.typestore())
        reader.open()
    return reader


def read_info(path: str | Path) -> dict[str, Any]:
    """Return what the writer remembered about a bag: source, split, tags, counts; {} if nothing.

    Raises:
        RecordingError: The folder is no bag, or its metadata is damaged.
    """
    path = Path(path)
    try:
        metadata = yaml.safe_load((path / "metadata.yaml").read_text(encoding="utf8"))
        custom = metadata["rosbag2_bagfile_information"].get("custom_data") or {}
        info = json.loads(custom.get(schema.INFO_KEY, "{}"))
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise RecordingError(f"{path} is no rosbag2 folder with sound metadata: {error}") from error
    if not isinstance(info, dict):
        raise RecordingError(f"{path} has {schema.INFO_KEY} data that are no JSON object.")
    return info


def find_recordings(
    folder: str | Path, split: str | None = None, missing_ok: bool = False
) -> list[Path]:
    """Return the bags at or below a folder, sorted by name.

    Args:
        folder: A bag, or a folder that holds bags at any depth.
        split: Only bags whose writer said they belong to this split, such as ``val``.
        missing_ok: Return an empty list instead of raising when there is none.

    Raises:
        RecordingError: No such bag; the text names the splits that are there.
    """
    folder = Path(folder)
    if folder.is_file() and folder.suffix in (".mcap", ".db3"):
        folder = folder.parent
    bags = sorted(
        parent
        for parent in {path.parent for path in folder.rglob("metadata.yaml")}
        if not any(part.endswith(".partial") for part in parent.parts)
    )
    splits = {bag: read_info(bag).get("split") for bag in bags} if split else {}
    chosen = [bag for bag in bags if split is None or splits[bag] == split]
    if not chosen and not missing_ok:
        there = sorted({str(s) for s in splits.values() if s})
        wanted = f" of split '{split}' (found: {', '.join(there) or 'none'})" if split else ""
        raise RecordingError(
            f"found no bag{wanted} at {folder}, where {len(bags)} bags lie. "
            "Make one with `xd-rcdepth convert` or `xd-rcdepth simulate`."
        )
    return chosen


@dataclass(frozen=True)
class Entry:
    """Where one message lies: its topic, log time, header stamp and frame."""

    topic: str
    log_ns: int
    stamp_ns: int
    frame_id: str


@dataclass
class BagIndex:
    """What one pass over a bag found.

    Attributes:
        entries: Topic -> its messages, ordered by stamp, one a stamp.
        cameras: Stamps (nanoseconds) and intrinsics from camera_info, ordered by stamp.
        keyframes: (frame_id, stamp) of the messages marked as keyframes; empty without marks.
        transforms: All of /tf and /tf_static.
        skipped: Reason -> number of messages left out or put in order.
        problems: Topic -> what was wrong with the last damaged message.
    """

    entries: dict[str, list[Entry]] = field(default_factory=dict)
    cameras: list[tuple[int, PinholeCamera]] = field(default_factory=list)
    keyframes: set[tuple[str, int]] = field(default_factory=set)
    transforms: TransformTree = field(default_factory=TransformTree)
    skipped: Counter[str] = field(default_factory=Counter)
    problems: dict[str, str] = field(default_factory=dict)
    _stamps: dict[str, NDArray[np.int64]] = field(default_factory=dict)

    def stamps(self, topic: str) -> NDArray[np.int64]:
        """Return the stamps (N,) int64, nanoseconds, of a topic's messages, ascending."""
        if topic not in self._stamps:
            stamps = [entry.stamp_ns for entry in self.entries.get(topic, [])]
            self._stamps[topic] = np.array(stamps, np.int64)
        return self._stamps[topic]

    def is_keyframe(self, entry: Entry) -> bool:
        """Return whether a message is marked as a keyframe."""
        return (entry.frame_id.lstrip("/"), entry.stamp_ns) in self.keyframes

    def camera_at(self, stamp_ns: int) -> PinholeCamera:
        """Return the camera of an image: the camera_info of its stamp, else the one before it."""
        after = bisect_right(self.cameras, stamp_ns, key=lambda item: item[0])
        return self.cameras[max(after - 1, 0)][1]

    def nearest(
        self, topic: str, stamp_ns: int, max_offset_ns: int, keyframe: bool = False
    ) -> int | None:
        """Return the number of the message nearest to a stamp, or None if none is near enough.

        Args:
            topic: Topic of the message.
            stamp_ns: Wanted stamp, nanoseconds.
            max_offset_ns: Greatest distance to it.
            keyframe: If there are keyframes near enough, take the nearest of them.
        """
        stamps = self.stamps(topic)
        if keyframe:
            entries = self.entries.get(topic, [])
            marked = [i for i, entry in enumerate(entries) if self.is_keyframe(entry)]
            number = nearest_stamp(stamps[marked], stamp_ns, max_offset_ns)
            if number is not None:
                return marked[number]
        return nearest_stamp(stamps, stamp_ns, max_offset_ns)


def build_index(
    reader: AnyReader, path: Path, sensor_topics: Collection[str], camera_info_topic: str
) -> BagIndex:
    """Read a bag once from end to end.

    Args:
        reader: The open bag.
        path: Its path, for error texts.
        sensor_topics: Topics whose messages are only located, by the stamp in their header.
        camera_info_topic: Topic of the intrinsics.

    Raises:
        RecordingError: The bag is damaged.
    """
    index = BagIndex(entries={topic: [] for topic in sensor_topics})
    small = {camera_info_topic, schema.TF_TOPIC, schema.TF_STATIC_TOPIC, schema.KEYFRAMES_TOPIC}
    wanted = small | set(sensor_topics)
    connections = [c for c in reader.connections if c.topic in wanted]
    known: dict[bytes, PinholeCamera] = {}
    cameras: dict[int, PinholeCamera] = {}
    with reading(path):
        for connection, log_ns, raw in reader.messages(connections):
            topic = connection.topic
            try:
                if topic in index.entries:
                    index.entries[topic].append(Entry(topic, log_ns, *header_of(raw)))
                elif topic == camera_info_topic:
                    # All but the stamp is nearly always the same, so it is decoded only once.
                    if (camera := known.get(bytes(raw[12:]))) is None:
                        camera = camera_of(decode_message(reader, connection, raw))
                        known[bytes(raw[12:])] = camera
                    cameras.setdefault(header_of(raw)[0], camera)
                else:
                    _keep_small(index, connection, decode_message(reader, connection, raw))
            except (MessageError, GeometryError) as error:
                index.skipped[f"{topic}: damaged"] += 1
                index.problems[topic] = str(error)
    index.cameras = sorted(cameras.items(), key=lambda item: item[0])
    for topic, entries in index.entries.items():
        first: dict[int, Entry] = {}
        for entry in entries:
            first.setdefault(entry.stamp_ns, entry)
        if len(first) < len(entries):
            index.skipped[f"{topic}: stamp came twice"] += len(entries) - len(first)
        backward = sum(a.stamp_ns > b.stamp_ns for a, b in pairwise(entries))
        if backward:
            index.skipped[f"{topic}: jumped back in time, put in order"] += backward
        index.entries[topic] = sorted(first.values(), key=lambda entry: entry.stamp_ns)
    return index


def header_of(raw: bytes | memoryview) -> tuple[int, str]:
    """Return stamp (nanoseconds) and frame of a CDR message that begins with a std_msgs/Header.

    Raises:
        MessageError: The bytes are cut off or no such message.
    """
    try:
        order = "<" if raw[1] == 1 else ">"
        seconds, nanoseconds, length = struct.unpack_from(f"{order}iII", raw, 4)
        text = bytes(raw[16 : 16 + length])
        if len(text) != length:
            raise ValueError("the text is cut off")
        return seconds * 1_000_000_000 + nanoseconds, text.rstrip(b"\0").decode()
    except (struct.error, IndexError, ValueError) as error:
        raise MessageError(f"a message of {len(raw)} bytes has no sound header: {error}.") from None


def decode_message(reader: AnyReader, connection: Connection, raw: bytes) -> Any:
    """Return the message of a connection's bytes.

    Raises:
        MessageError: The bytes are no such message.
    """
    try:
        return reader.deserialize(raw, connection.msgtype)
    except Exception as error:
        raise MessageError(
            f"a message on {connection.topic} is no sound {connection.msgtype}: {error}"
        ) from error


def _keep_small(index: BagIndex, connection: Connection, message: Any) -> None:
    if connection.topic == schema.KEYFRAMES_TOPIC:
        index.keyframes.add((message.frame_id.lstrip("/"), stamp_ns_of(message)))
        return
    for stamped in message.transforms:
        pair = (stamped.header.frame_id, stamped.child_frame_id)
        transform = transform_of(stamped.transform)
        if connection.topic == schema.TF_STATIC_TOPIC:
            index.transforms.add_static(*pair, transform)
        else:
            index.transforms.add(*pair, stamp_ns_of(stamped.header), transform)
