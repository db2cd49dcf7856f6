# SPDX-License-Identifier: Apache-2.0
"""One pass over a bag: where each sensor message lies, and all that is small enough to keep."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rosbags.highlevel import AnyReader
from rosbags.interfaces import Connection

from xd_rcdepth_ros.errors import GeometryError, MessageError
from xd_rcdepth_ros.geometry import PinholeCamera, nearest_stamp
from xd_rcdepth_ros.recordings import schema
from xd_rcdepth_ros.recordings.bags import reading
from xd_rcdepth_ros.recordings.messages import camera_of, stamp_ns_of, transform_of
from xd_rcdepth_ros.recordings.transforms import TransformTree

NO_STAMP = "stamp is 0, taken from the log"


@dataclass(frozen=True)
class Entry:
    """Where one message lies.

    Attributes:
        topic: Its topic.
        log_ns: Time at which it was recorded, nanoseconds.
        stamp_ns: Stamp in its header, nanoseconds; the log time where that is unset (0).
        frame_id: Frame in its header.
    """

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
        skipped: Reason -> number of messages left out, put in order, or stamped by the log.
        problems: Topic -> what was wrong with the last damaged message.
    """

    entries: dict[str, list[Entry]] = field(default_factory=dict)
    cameras: list[tuple[int, PinholeCamera]] = field(default_factory=list)
    keyframes: set[tuple[str, int]] = field(default_factory=set)
    transforms: TransformTree = field(default_factory=TransformTree)
    skipped: Counter[str] = field(default_factory=Counter)
    problems: dict[str, str] = field(default_factory=dict)
    _stamps: dict[str, NDArray[np.int64]] = field(default_factory=dict)

    def stamp_of(self, topic: str, header_ns: int, log_ns: int) -> int:
        """Return the stamp of a message: its header's, or the log time where that is unset (0)."""
        if header_ns:
            return header_ns
        self.skipped[f"{topic}: {NO_STAMP}"] += 1
        return log_ns

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
                    stamp_ns, frame_id = header_of(raw)
                    index.entries[topic].append(
                        Entry(topic, log_ns, index.stamp_of(topic, stamp_ns, log_ns), frame_id)
                    )
                elif topic == camera_info_topic:
                    # All but the stamp is nearly always the same, so it is decoded only once.
                    if (camera := known.get(bytes(raw[12:]))) is None:
                        camera = camera_of(decode_message(reader, connection, raw))
                        known[bytes(raw[12:])] = camera
                    stamp_ns = index.stamp_of(topic, header_of(raw)[0], log_ns)
                    cameras.setdefault(stamp_ns, camera)
                else:
                    message = decode_message(reader, connection, raw)
                    _keep_small(index, connection.topic, log_ns, message)
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


def _keep_small(index: BagIndex, topic: str, log_ns: int, message: Any) -> None:
    if topic == schema.KEYFRAMES_TOPIC:
        index.keyframes.add((message.frame_id.lstrip("/"), stamp_ns_of(message)))
        return
    for stamped in message.transforms:
        pair = (stamped.header.frame_id, stamped.child_frame_id)
        transform = transform_of(stamped.transform)
        if topic == schema.TF_STATIC_TOPIC:
            index.transforms.add_static(*pair, transform)
        else:
            stamp_ns = index.stamp_of(topic, stamp_ns_of(stamped.header), log_ns)
            index.transforms.add(*pair, stamp_ns, transform)
