# SPDX-License-Identifier: Apache-2.0
"""The frames of one bag, or of all bags below a folder, by number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from xd_rcdepth_ros.errors import XDRCDepthError
from xd_rcdepth_ros.geometry import SensorFrame
from xd_rcdepth_ros.recordings.bags import NO_RADAR, find_recordings, warn_of_lack
from xd_rcdepth_ros.recordings.closable import Closable
from xd_rcdepth_ros.recordings.pointcloud import RadarFieldMap
from xd_rcdepth_ros.recordings.reader import Recording
from xd_rcdepth_ros.recordings.schema import TopicNames


class RecordedFrames(Closable):
    """All frames of the bags of one split.

    Context manager; the bags stay open until it ends.

    Args:
        path: A bag, its storage file, or a folder that holds bags at any depth.
        split: Only bags whose converter said they belong to this split; None takes all.
        camera: Camera to use.
        radars: Radars to use; None takes all that are there.
        sweeps: Sweeps of each radar.
        keyframes_only: Only frames marked as keyframes (all of a bag that marks none).
        topics: Names of the topics; overrides ``camera`` and ``radars``.
        radar_fields: Names of the radar clouds' fields; None chooses by known names.

    Attributes:
        bags: The bags that can be read.
        unreadable: Why the others cannot, by path.
        notes: Messages left out, put in order or stamped by the log: bag -> reason -> count.

    Raises:
        RecordingError: There is no such bag, or none of them can be read.
    """

    def __init__(
        self,
        path: str | Path,
        split: str | None = None,
        camera: str = "front",
        radars: Sequence[str] | None = None,
        sweeps: int = 1,
        keyframes_only: bool = False,
        topics: TopicNames | None = None,
        radar_fields: RadarFieldMap | None = None,
    ) -> None:
        self.path = Path(path)
        self.bags: list[Path] = []
        self.unreadable: dict[str, str] = {}
        self.notes: dict[str, dict[str, int]] = {}
        self._sweeps = sweeps
        self._frames: list[tuple[Recording, int]] = []
        self._stack = ExitStack()
        errors: list[XDRCDepthError] = []
        without_radar: list[Path] = []
        for bag in find_recordings(path, split):
            try:
                recording = self._stack.enter_context(
                    Recording(bag, camera, radars, topics=topics, radar_fields=radar_fields)
                )
            except XDRCDepthError as error:
                self.unreadable[str(bag)] = str(error)
                errors.append(error)
                continue
            self.bags.append(bag)
            if recording.lacks_radar:
                without_radar.append(bag)
            if recording.skipped:
                self.notes[str(bag)] = dict(recording.skipped)
            numbers = recording.keyframe_indices() if keyframes_only else range(len(recording))
            self._frames += [(recording, number) for number in numbers]
        if not self.bags:
            raise errors[0]
        warn_of_lack(path, without_radar, NO_RADAR)

    def close(self) -> None:
        """Close the bags."""
        self._stack.close()

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int, /) -> SensorFrame:
        """Return one frame; errors as for :meth:`Recording.frame`."""
        recording, number = self._frames[index]
        return recording.frame(number, sweeps=self._sweeps)


def describe_left_out(
    frames: RecordedFrames, every: int, skipped: Mapping[Any, str], frames_without_radar: int
) -> dict[str, Any]:
    """Return all that could not be used, with counts and reasons, for the screen and for JSON.

    Args:
        frames: The bags.
        every: Only every n-th frame was asked for.
        skipped: Why a frame could not be used, by its number.
        frames_without_radar: Frames that were used without a radar sweep.
    """
    return {
        "unreadable_bags": frames.unreadable,
        "messages": frames.notes,
        "frames_in": len(range(0, len(frames), every)),
        "frames": len(skipped),
        "frame_reasons": dict(Counter(skipped.values()).most_common()),
        "frames_without_radar": frames_without_radar,
    }
