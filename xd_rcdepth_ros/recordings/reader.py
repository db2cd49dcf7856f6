# SPDX-License-Identifier: Apache-2.0
"""Reads a drive bag, or another rosbag2 with camera and radar, into SensorFrames; needs no ROS."""

from __future__ import annotations

import logging
import os
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.highlevel import AnyReader

from xd_rcdepth_ros.errors import (
    GeometryError,
    MessageError,
    RecordingError,
    TransformUnavailableError,
)
from xd_rcdepth_ros.geometry import LidarSweep, RadarSweep, SensorFrame, sweeps_up_to
from xd_rcdepth_ros.recordings import schema
from xd_rcdepth_ros.recordings.bags import open_bag, read_info, reading
from xd_rcdepth_ros.recordings.closable import Closable
from xd_rcdepth_ros.recordings.images import compressed_image_rgb, raw_image_rgb
from xd_rcdepth_ros.recordings.index import BagIndex, Entry, build_index, decode_message
from xd_rcdepth_ros.recordings.messages import rectify, reference_maps, stamp_ns_of
from xd_rcdepth_ros.recordings.pointcloud import (
    RadarFieldMap,
    cloud_xyz,
    decode_cloud,
    radar_points,
)
from xd_rcdepth_ros.recordings.schema import TopicNames
from xd_rcdepth_ros.recordings.wiring import find_topics

_log = logging.getLogger(__name__)


class Recording(Closable):
    """A drive bag as frames, by number or in order.

    Context manager. May be pickled, used after a fork, and handed on to another thread: each opens
    the files anew. Two threads must not use it at the same time.

    Args:
        path: Folder of the bag, or its storage file.
        camera: Camera to use, such as ``front``.
        radars: Radars to use; None takes all that are there.
        lidar: Lidar to use, where it is there; None for none.
        topics: Names of the topics, for bags that are not laid out as a drive bag; overrides
            ``camera``, ``radars`` and ``lidar``.
        radar_fields: Names of the radar clouds' fields; None chooses by known names.

    Attributes:
        lacks_radar: True if any radar was wanted and there is none.

    Raises:
        RecordingError: The bag is missing or damaged, or lacks a topic; the text names the topics
            that were found and those that were wanted.
    """

    def __init__(
        self,
        path: str | Path,
        camera: str = "front",
        radars: Sequence[str] | None = None,
        lidar: str | None = "top",
        topics: TopicNames | None = None,
        radar_fields: RadarFieldMap | None = None,
    ) -> None:
        self.path = Path(path)
        self._names = topics or TopicNames.of_drive(
            camera, None if radars is None else list(radars), lidar
        )
        self._radar_fields = radar_fields
        self.skipped: Counter[str] = Counter()
        self._reader: AnyReader | None = None
        self._owner = (0, 0)
        reader = self._opened()
        try:
            self.topics: dict[str, str] = {c.topic: c.msgtype for c in reader.connections}
            self._names = find_topics(self._names, self.topics, self.path)
            self._radars = dict(self._names.radars or {})
            optional = (self._names.lidar, self._names.depth, self._names.sky)
            sensors = [self._names.image, *self._radars.values()]
            sensors += [topic for topic in optional if topic and topic in self.topics]
            self._index = build_index(reader, self.path, sensors, self._names.camera_info)
            self.skipped.update(self._index.skipped)
            self.duration_s = max(0, reader.end_time - reader.start_time - 1) / 1e9
            self._check_not_empty()
        except BaseException:
            self.close()
            raise
        self.info: dict[str, Any] = read_info(self.path)
        any_radar = radars is None and (topics is None or topics.radars is None)
        self.lacks_radar = any_radar and not self._radars
        self.tags = frozenset(str(tag) for tag in self.info.get("tags", ()))

    def __len__(self) -> int:
        return len(self._index.entries[self._names.image])

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_reader": None, "_owner": (0, 0)}

    def close(self) -> None:
        """Close the files; the next access opens them again."""
        if self._reader is not None and self._owner == _here():
            self._reader.close()
        self._reader = None

    @property
    def index(self) -> BagIndex:
        """Where each message lies, the transforms and the keyframes."""
        return self._index

    @property
    def radar_names(self) -> tuple[str, ...]:
        """Names of the radars in use."""
        return tuple(self._radars)

    @property
    def has_depth(self) -> bool:
        """True if the bag has the topic of exact or dense reference depth."""
        return self._names.depth in self.topics

    @property
    def has_lidar(self) -> bool:
        """True if the bag has the topic of the lidar."""
        return self._names.lidar in self.topics

    @property
    def topic_names(self) -> TopicNames:
        """Where the bag holds what."""
        return self._names

    def radar_field_map(self, name: str) -> RadarFieldMap:
        """Return which fields of a radar's clouds are read as what, by its first cloud."""
        entries = self._index.entries[self._radars[name]]
        if self._radar_fields is not None or not entries:
            return self._radar_fields or RadarFieldMap()
        return RadarFieldMap.matching(decode_cloud(self._message(entries[0])).dtype.names or ())

    def keyframe_indices(self) -> list[int]:
        """Return the numbers of the frames that are keyframes; all, if the bag marks none."""
        entries = self._index.entries[self._names.image]
        marked = [i for i, entry in enumerate(entries) if self._index.is_keyframe(entry)]
        return marked if self._index.keyframes else list(range(len(entries)))

    def stamps_ns(self) -> list[int]:
        """Return the images' stamps, nanoseconds, ascending."""
        return [int(stamp) for stamp in self._index.stamps(self._names.image)]

    def frames(
        self,
        sweeps: int = 1,
        max_radar_offset_s: float = 0.1,
        ego_motion: bool = True,
        keyframes_only: bool = False,
    ) -> Iterator[SensorFrame]:
        """Yield the frames in the order of their stamps.

        Frames that cannot be read are left out, counted in ``skipped`` and logged.

        Args:
            sweeps: See ``frame``.
            max_radar_offset_s: See ``frame``.
            ego_motion: See ``frame``.
            keyframes_only: Only frames marked as keyframes (all, if the bag marks none).

        Raises:
            RecordingError: Not one frame could be read.
        """
        numbers = self.keyframe_indices() if keyframes_only else range(len(self))
        done, reason = 0, ""
        for number in numbers:
            try:
                frame = self.frame(number, sweeps, max_radar_offset_s, ego_motion)
            except (GeometryError, MessageError) as error:
                reason = str(error)
                self.skipped[f"frame: {type(error).__name__}"] += 1
                _log.warning("%s: frame %d left out: %s", self.path, number, error)
                continue
            done += 1
            yield frame
        if not done and reason:
            raise RecordingError(f"no frame of {self.path} could be read; the last: {reason}")

    def frame(
        self,
        number: int,
        sweeps: int = 1,
        max_radar_offset_s: float = 0.1,
        ego_motion: bool = True,
    ) -> SensorFrame:
        """Return one frame.

        The radar sweep nearest to the image in time is taken (with a keyframe image, a keyframe
        sweep if there is one), and those before it. Lidar likewise.

        Args:
            number: 0 to ``len() - 1``, ordered by stamp.
            sweeps: Sweeps of each radar, this one and those before it. Earlier sweeps need ego
                motion; where it is not known they are left out.
            max_radar_offset_s: Greatest distance in time of radar or lidar to the image, seconds.
                Where there is none, the frame has no radar.
            ego_motion: Compensate the car's motion between the sensors' stamps.

        Raises:
            MessageError: The image, its camera_info, or a cloud is damaged.
            GeometryError: Image and camera_info do not belong together.
            RecordingError: The bag is damaged, or a sensor's frame is not connected to the camera.
        """
        entries = self._index.entries[self._names.image]
        if not -len(entries) <= number < len(entries):
            raise RecordingError(f"{self.path} has {len(entries)} frames, but no number {number}.")
        entry = entries[number]
        camera = self._index.camera_at(entry.stamp_ns)
        image, camera = rectify(self._image(entry), camera)
        window_ns = round(max_radar_offset_s * 1e9)
        keyframe = self._index.is_keyframe(entry)
        target = (camera.frame_id or entry.frame_id, entry.stamp_ns)
        radar = []
        for name, topic in self._radars.items():
            newest = self._index.nearest(topic, entry.stamp_ns, window_ns, keyframe)
            if newest is not None:
                radar += self._radar_sweeps(name, topic, newest, target, sweeps, ego_motion)
        radar.sort(key=lambda sweep: sweep.stamp_ns, reverse=True)
        depth, sky = self._maps(entry.stamp_ns)
        return SensorFrame(
            image=image,
            camera=camera,
            radar=tuple(radar),
            stamp_ns=entry.stamp_ns,
            lidar=self._lidar(target, window_ns, keyframe, ego_motion),
            depth_m=depth,
            sky=sky,
            name=f"{self.path.name}/{entry.stamp_ns}",
            tags=self.tags | {"keyframe"} if keyframe else self.tags,
        )

    def _radar_sweeps(
        self,
        name: str,
        topic: str,
        newest: int,
        target: tuple[str, int],
        sweeps: int,
        ego_motion: bool,
    ) -> list[RadarSweep]:
        result: list[RadarSweep] = []
        for number in sweeps_up_to(self._index.stamps(topic), newest, sweeps):
            entry = self._index.entries[topic][number]
            message = self._message(entry)
            transform, moved = self._transform(target, message, entry, ego_motion)
            if result and ego_motion and not moved:
                break
            points = radar_points(decode_cloud(message), self._radar_fields)
            result.append(RadarSweep(points, transform, entry.stamp_ns, name, moved))
        return result

    def _lidar(
        self, target: tuple[str, int], window_ns: int, keyframe: bool, ego_motion: bool
    ) -> LidarSweep | None:
        topic = self._names.lidar
        if topic is None or topic not in self._index.entries:
            return None
        number = self._index.nearest(topic, target[1], window_ns, keyframe)
        if number is None:
            return None
        entry = self._index.entries[topic][number]
        message = self._message(entry)
        points = cloud_xyz(decode_cloud(message))
        points = points[np.isfinite(points).all(axis=1)]
        transform, _ = self._transform(target, message, entry, ego_motion)
        return LidarSweep(points, transform, entry.stamp_ns)

    def _maps(self, stamp_ns: int) -> tuple[Any, Any]:
        """Return depth and sky mask of the image of a stamp, each None where there is none."""
        names, camera = self._names, self._index.camera_at(stamp_ns)
        depth, sky = (self._message_at(topic, stamp_ns) for topic in (names.depth, names.sky))
        return reference_maps(depth, sky, camera)

    def _message_at(self, topic: str | None, stamp_ns: int) -> Any:
        if topic is None or topic not in self._index.entries:
            return None
        number = self._index.nearest(topic, stamp_ns, 0)
        return None if number is None else self._message(self._index.entries[topic][number])

    def _transform(
        self, target: tuple[str, int], message: Any, entry: Entry, ego_motion: bool
    ) -> tuple[Any, bool]:
        try:
            return self._index.transforms.lookup(
                *target, message.header.frame_id, entry.stamp_ns, ego_motion
            )
        except TransformUnavailableError as error:
            raise RecordingError(f"{self.path}, {entry.topic}: {error}") from error

    def _image(self, entry: Entry) -> Any:
        message = self._message(entry)
        if self.topics[entry.topic] == schema.COMPRESSED_IMAGE:
            return compressed_image_rgb(message, f"image {entry.stamp_ns} on {entry.topic}")
        return raw_image_rgb(message)

    def _message(self, entry: Entry) -> Any:
        reader = self._opened()
        connections = [c for c in reader.connections if c.topic == entry.topic]
        with reading(self.path):
            for connection, _, raw in reader.messages(connections, entry.log_ns, entry.log_ns + 1):
                message = decode_message(reader, connection, raw)
                if (stamp_ns_of(message.header) or entry.log_ns) == entry.stamp_ns:
                    return message
        raise RecordingError(f"{self.path} has changed: {entry.topic} {entry.stamp_ns} is gone.")

    def _opened(self) -> AnyReader:
        if self._reader is None or self._owner != _here():
            self._reader, self._owner = open_bag(self.path), _here()
        return self._reader

    def _check_not_empty(self) -> None:
        counts = {self._names.image: len(self), self._names.camera_info: len(self._index.cameras)}
        for topic, count in counts.items():
            if not count:
                why = self._index.problems.get(topic, "the topic is empty")
                raise RecordingError(f"{self.path} has no usable message on {topic}: {why}.")


def _here() -> tuple[int, int]:
    """Return the process and thread that the open files belong to."""
    return os.getpid(), threading.get_ident()
