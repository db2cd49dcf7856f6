# SPDX-License-Identifier: Apache-2.0
"""Gets the bags that a demo replays: simulated, converted from nuScenes, or given."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from xd_rcdepth_ros.errors import RecordingError
from xd_rcdepth_ros.recordings.bags import find_recordings, open_bag, refuse_ros1
from xd_rcdepth_ros.recordings.index import NO_STAMP
from xd_rcdepth_ros.recordings.pointcloud import RadarFieldMap
from xd_rcdepth_ros.recordings.reader import Recording
from xd_rcdepth_ros.recordings.schema import TopicNames

# A suburban street with parked and moving cars; the same drive each time.
PLACE, SEED = "suburb", 5
DEFAULT_FRAMES = 50
_MARGIN_S = 0.02  # beyond the last image, so that its own messages are played

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Leg:
    """One bag that is replayed in one go, or the beginning of one.

    Attributes:
        bag: The bag.
        stamps_ns: Stamps of the images that are replayed, nanoseconds, ascending.
        play_s: How much of the bag is played, seconds from its first message; -1 for all.
        period_s: Usual time between two images, seconds.
        topics: Where the bag holds what.
        radar_fields: Radar -> which fields of its clouds are read as what.
        has_depth: True if the bag holds exact or dense reference depth.
    """

    bag: Path
    stamps_ns: tuple[int, ...]
    play_s: float
    period_s: float
    topics: TopicNames
    radar_fields: Mapping[str, RadarFieldMap]
    has_depth: bool

    @property
    def radars(self) -> tuple[str, ...]:
        """Names of the radars."""
        return tuple(self.radar_fields)

    def open(self) -> Recording:
        """Open the bag by the same topics and fields."""
        fields = next(iter(self.radar_fields.values()), None)
        same = all(other == fields for other in self.radar_fields.values())
        return Recording(self.bag, topics=self.topics, radar_fields=fields if same else None)


def read_leg(
    bag: Path,
    most_frames: int = 0,
    topics: TopicNames | None = None,
    radar_fields: RadarFieldMap | None = None,
) -> Leg:
    """Look into a bag.

    Args:
        bag: A drive bag.
        most_frames: Images to replay at most; 0 for all.
        topics: Topics of a bag with other names.
        radar_fields: Fields of its radar clouds; None chooses by known names.

    Raises:
        RecordingError: The bag cannot be read, lacks a topic or the images' stamps, or has fewer
            than two images.
    """
    with Recording(bag, topics=topics, radar_fields=radar_fields) as recording:
        names = recording.topic_names
        if recording.skipped[f"{names.image}: {NO_STAMP}"]:
            raise RecordingError(
                f"the images of {bag} have the stamp 0, so a live node cannot bring them together "
                "with radar and transforms. `xd-rcdepth evaluate` takes the log's times instead."
            )
        stamps = recording.stamps_ns()
        if len(stamps) < 2:
            raise RecordingError(f"{bag} has {len(stamps)} images; a replay needs at least 2.")
        chosen = stamps[: most_frames or None]
        play_s = -1.0
        if len(chosen) < len(stamps):
            images = recording.index.entries[names.image]
            last_ns, next_ns = (images[len(chosen) - 1 + i].log_ns for i in (0, 1))
            with closing(open_bag(bag)) as reader:
                stop_ns = min((last_ns + next_ns) // 2, last_ns + round(_MARGIN_S * 1e9))
                play_s = (stop_ns - reader.start_time) / 1e9
        return Leg(
            bag,
            tuple(chosen),
            play_s,
            float(np.median(np.diff(stamps))) / 1e9,
            names,
            {radar: recording.radar_field_map(radar) for radar in recording.radar_names},
            recording.frame(0).depth_m is not None,
        )


def simulated_drive(folder: Path, frames: int, progress: Progress | None = None) -> Path:
    """Return the bag of a short simulated drive; made anew only if the settings have changed.

    Args:
        folder: Where the bag lies.
        frames: Number of images.
        progress: Called with the number of images made and wanted.
    """
    from xd_rcdepth_ros import __version__
    from xd_rcdepth_ros.simulation import Drive, DriveSettings, write_bag

    settings = DriveSettings(seed=SEED, frames=frames, place=PLACE, season="summer")
    made_by = json.dumps({"version": __version__, **asdict(settings)}, sort_keys=True)
    bag, note = folder / "simulated", folder / "simulated.json"
    if bag.is_dir() and note.is_file() and note.read_text() == made_by:
        return bag
    note.unlink(missing_ok=True)
    shutil.rmtree(bag, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    write_bag(Drive(settings), bag, progress=progress)
    note.write_text(made_by)
    return bag


def legs_of_nuscenes(
    root: Path, folder: Path, frames: int, progress: Progress | None = None
) -> list[Leg]:
    """Convert as many scenes of a nuScenes root as the wanted number of images takes.

    Args:
        root: Folder with ``samples``, ``sweeps`` and ``v1.0-*``.
        folder: Where the bags lie; finished ones are used again.
        frames: Images wanted, 0 for all scenes.
        progress: Called with messages done and messages in all of a scene.
    """
    from xd_rcdepth_ros.datasets.nuscenes import convert_nuscenes
    from xd_rcdepth_ros.datasets.nuscenes_tables import find_version, scene_names

    legs: list[Leg] = []
    for scene in scene_names(root, find_version(root, None)):
        left = frames - sum(len(leg.stamps_ns) for leg in legs)
        if frames and left < 2:
            break
        report = (lambda done, total, _: progress(done, total)) if progress else None
        (bag,) = convert_nuscenes(root, folder, scenes=[scene], progress=report)
        legs.append(read_leg(bag, left if frames else 0))
    if not legs:
        raise RecordingError(f"{root} lists no scene.")
    return legs


def find_legs(
    data: Path | None,
    folder: Path,
    frames: int,
    progress: Progress | None = None,
    topics: TopicNames | None = None,
    radar_fields: RadarFieldMap | None = None,
) -> list[Leg]:
    """Return what to replay.

    Args:
        data: A bag, a folder of bags, or a nuScenes root; None for a simulated drive.
        folder: Where bags that have to be made first are kept.
        frames: Images to replay at most, 0 for all.
        progress: Called with steps done and steps in all.
        topics: Topics of bags with other names.
        radar_fields: Fields of their radar clouds; None chooses by known names.

    Raises:
        RecordingError: The data is missing, damaged, or neither of the two.
    """
    if data is None:
        return [read_leg(simulated_drive(folder, frames or DEFAULT_FRAMES, progress))]
    if not data.exists():
        raise RecordingError(f"{data} does not exist; expected a rosbag2 or a nuScenes root.")
    if data.is_dir() and any(data.glob("v1.0-*")):
        return legs_of_nuscenes(data, folder, frames, progress)
    bags = find_recordings(data, missing_ok=True)
    if not bags:
        refuse_ros1(data)
        raise RecordingError(
            f"{data} is neither a rosbag2 (no metadata.yaml, no .mcap, no .db3) nor a nuScenes "
            "root (no v1.0-*)."
        )
    legs: list[Leg] = []
    for bag in bags:
        left = frames - sum(len(leg.stamps_ns) for leg in legs)
        if frames and legs and left < 2:
            break
        legs.append(read_leg(bag, left if frames else 0, topics, radar_fields))
    return legs
