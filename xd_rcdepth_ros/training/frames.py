# SPDX-License-Identifier: Apache-2.0
"""Frames of bags as training sees them: at the training's focal length, with depth to learn from.

They come by the same way as in the live node and the evaluation: bag, reader, SensorFrame. Dense
depth made of lidar takes long, so it is kept on disk; frames are kept in memory up to a limit.
"""

from __future__ import annotations

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.errors import RecordingError, XDRCDepthError
from xd_rcdepth_ros.geometry import NetworkGrid, SensorFrame
from xd_rcdepth_ros.recordings.bags import NO_RADAR, find_recordings, warn_of_lack
from xd_rcdepth_ros.recordings.closable import Closable
from xd_rcdepth_ros.recordings.reader import Recording
from xd_rcdepth_ros.recordings.wiring import parse_radar_fields, parse_topics
from xd_rcdepth_ros.supervision.lidar_depth import DenseSupervision, supervise
from xd_rcdepth_ros.supervision.lidar_radar import sweep_from_lidar
from xd_rcdepth_ros.training.kept import keep_array
from xd_rcdepth_ros.training.sky import SkyLabeller
from xd_rcdepth_ros.training.source import Frames, SourceConfig

_log = logging.getLogger(__name__)
OnFrame = Callable[[int, int], None]


class TrainingFrames(Closable):
    """The frames of one source by number, resized, with ``depth_m`` as dense depth to learn from.

    Context manager. Each process that uses it opens the bags anew.

    Args:
        source: Which bags, and how their lidar becomes dense depth.
        camera: Camera of the bags.
        focal_length_px: Images are resized to this focal length.
        cache: Folder where dense depth and labels of the sky are kept.
        memory_mb: Frames kept in memory, megabytes.

    Raises:
        RecordingError: There is no such bag, or it cannot be read.
        CheckpointError: The model for the sky is not there.
    """

    def __init__(
        self,
        source: SourceConfig,
        camera: str,
        focal_length_px: float,
        cache: Path,
        memory_mb: int = 1024,
    ) -> None:
        self.source = source
        self.focal_length_px = focal_length_px
        self.recordings = [
            Recording(
                bag,
                camera,
                topics=parse_topics(source.topics),
                radar_fields=parse_radar_fields(source.radar_fields),
            )
            for bag in find_recordings(source.path, source.split)
        ]
        self.places = [
            (recording, number)
            for recording in self.recordings
            for number in part_of(
                recording.keyframe_indices() if source.keyframes_only else range(len(recording)),
                source.part,
            )
        ]
        if source.dense == "auto":
            bare = [r.path for r in self.recordings if not (r.has_depth or r.has_lidar)]
            warn_of_lack(source.path, bare, "neither reference depth nor lidar, so no depth")
        if source.radar == "recorded":
            silent = [r.path for r in self.recordings if r.lacks_radar]
            warn_of_lack(source.path, silent, NO_RADAR)
        self._sky = (
            None if source.sky_model is None else SkyLabeller(source.sky_model, source.sky_labels)
        )
        # Where the dense depth of each recording is kept, and the stamps that name its files.
        self._kept_depth = {
            recording.path: (cache / self._key(recording.path), recording.stamps_ns())
            for recording in self.recordings
        }
        self._kept: OrderedDict[int, SensorFrame] = OrderedDict()
        self._kept_bytes = 0
        self._said_no_lidar = False
        self._limit_bytes = memory_mb * 2**20

    @property
    def paths(self) -> list[Path]:
        """Return where the bags lie."""
        return [recording.path for recording in self.recordings]

    @cached_property
    def exact(self) -> bool:
        """True if dense depth is exact also at edges: the bags' own reference, not lidar's."""
        return self.source.dense != "none" and not any(map(self._from_lidar, range(len(self))))

    def close(self) -> None:
        """Close the bags."""
        for recording in self.recordings:
            recording.close()

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int, /) -> SensorFrame:
        """Return one frame.

        Raises:
            XDRCDepthError: As :meth:`Recording.frame`.
        """
        if index in self._kept:
            self._kept.move_to_end(index)
            return self._kept[index]
        frame = self._read(index)
        self._keep(index, frame)
        return frame

    def with_radar(self, index: int, rng: np.random.Generator) -> SensorFrame:
        """Return one frame with radar as the source says: as recorded, or made from its lidar.

        Raises:
            XDRCDepthError: As :meth:`Recording.frame`.
        """
        frame = self[index]
        if self.source.radar == "recorded":
            return frame
        if frame.lidar is None:
            if not self._said_no_lidar:
                _log.warning("%s has no lidar to make radar from; it is as recorded", frame.name)
            self._said_no_lidar = True
            return frame
        velocity = self.velocity_mps(index, frame)
        return replace(frame, radar=(sweep_from_lidar(frame, self.source.radar, rng, velocity),))

    def velocity_mps(self, index: int, frame: SensorFrame) -> NDArray[np.float64] | None:
        """Return the camera's velocity (3,) over ground, its own axes; None where not known."""
        transforms = self.places[index][0].index.transforms
        return transforms.velocity(frame.camera.frame_id, frame.stamp_ns)

    def prepare(self, on_frame: OnFrame | None = None) -> dict[int, str]:
        """Make what is not on disk yet of dense depth and labels of the sky, in the bags' order.

        Args:
            on_frame: Called with frames done and frames in all.

        Returns:
            Reasons by number of the frames that cannot be used; they are left out from now on.

        Raises:
            RecordingError: No frame can be used.
        """
        failed: dict[int, str] = {}
        makers: dict[int, DenseSupervision] = {}
        for index, (recording, _) in enumerate(self.places):
            try:
                if self._from_lidar(index):
                    makers.setdefault(
                        id(recording), DenseSupervision(recording, self.source.supervision)
                    )
                    self._lidar_depth(index, makers[id(recording)])
                if self._sky is not None or not self._from_lidar(index):
                    self._read(index)
            except XDRCDepthError as error:
                failed[index] = str(error)
            if on_frame is not None:
                on_frame(index + 1, len(self.places))
        if len(failed) == len(self.places):
            raise RecordingError(
                f"of {len(failed)} frames at {self.source.path} none can be used for training. "
                f"The first: {next(iter(failed.values()), 'there are none')}"
            )
        self.places = [place for i, place in enumerate(self.places) if i not in failed]
        self._kept.clear()
        self._kept_bytes = 0
        return failed

    def _read(self, index: int) -> SensorFrame:
        recording, number = self.places[index]
        frame = recording.frame(number, self.source.sweeps)
        grid = NetworkGrid.for_camera(frame.camera, self.focal_length_px)
        depth = None
        if self._from_lidar(index):
            depth = self._lidar_depth(index)
        elif self.source.dense == "none":
            frame = replace(frame, depth_m=None)
        elif self.source.dense == "depth" and frame.depth_m is None:
            raise RecordingError(f"{frame.name} has no reference depth, but dense is 'depth'.")
        if not self.source.lidar:
            frame = replace(frame, lidar=None)
        frame = frame.resize(grid.image_width, grid.image_height)
        if depth is not None:
            frame = replace(frame, depth_m=depth)
        if self._sky is not None:
            frame = self._sky.label(frame, self._kept_depth[recording.path][0])
        return frame

    def _from_lidar(self, index: int) -> bool:
        if self.source.dense != "auto":
            return self.source.dense == "lidar"
        recording, _ = self.places[index]
        return recording.has_lidar and not recording.has_depth

    def _lidar_depth(
        self, index: int, maker: DenseSupervision | None = None
    ) -> NDArray[np.float32]:
        """Return dense depth of a frame at the training's focal length, from disk if there."""
        recording, number = self.places[index]
        folder, stamps = self._kept_depth[recording.path]
        file = folder / f"{stamps[number]}.npy"
        if file.exists():
            return np.asarray(np.load(file, allow_pickle=False), np.float32)
        maker = maker or DenseSupervision(recording, self.source.supervision)
        sweeps, main = maker.sweeps(number)
        camera = recording.frame(number).camera  # rectified, as the image is
        grid = NetworkGrid.for_camera(camera, self.focal_length_px)
        camera = camera.resize(grid.image_width, grid.image_height)
        depth = supervise(sweeps, main, camera, self.source.supervision).dense_m
        keep_array(file, depth)
        return depth.astype(np.float16).astype(np.float32)

    def _key(self, bag: Path) -> str:
        """Return a name for all that dense depth depends on."""
        files = sorted(bag.iterdir()) if bag.is_dir() else [bag]
        stamps = [f"{p.name} {p.stat().st_size}" for p in files if p.is_file()]
        parts = (bag.resolve(), stamps, self.focal_length_px, asdict(self.source.supervision))
        return f"{bag.name}-{hashlib.sha256(repr(parts).encode()).hexdigest()[:16]}"

    def _keep(self, index: int, frame: SensorFrame) -> None:
        self._kept[index] = frame
        self._kept_bytes += _bytes_of(frame)
        while self._kept_bytes > self._limit_bytes and self._kept:
            _, oldest = self._kept.popitem(last=False)
            self._kept_bytes -= _bytes_of(oldest)


def part_of(numbers: Sequence[int], part: tuple[float, float]) -> Sequence[int]:
    """Return the numbers from one share of their length to another: no number is in two parts."""
    first, last = (round(share * len(numbers)) for share in part)
    return numbers[first:last]


def _bytes_of(frame: SensorFrame) -> int:
    lidar = None if frame.lidar is None else frame.lidar.points_m
    arrays = (frame.image, frame.depth_m, frame.sky, lidar)
    held = sum(array.nbytes for array in arrays if array is not None)
    return held + sum(40 * len(sweep.points) for sweep in frame.radar)


def row_medians(sources: Sequence[Frames], sample: int = 200) -> tuple[float, ...]:
    """Return the median lidar (or reference) depth of each row of the network's grid, metres.

    It is the plain baseline that a model is compared with. Rows without depth take their
    neighbour's. Cameras whose images are not as high as the first one's are left out.

    Args:
        sources: Training frames.
        sample: About so many frames are looked at.
    """
    places = [(frames, i) for frames in sources for i in range(len(frames))]
    rows: list[list[NDArray[np.float32]]] = []
    for frames, index in places[:: max(1, len(places) // sample)]:
        frame = frames[index]
        grid = NetworkGrid.for_camera(frame.camera, frames.focal_length_px)
        placed = grid.place(frame)
        depth = placed.depth_m if placed.lidar is None else placed.lidar_depth()
        if depth is None or (rows and len(depth) != len(rows)):
            continue
        rows = rows or [[] for _ in depth]
        for known, row in zip(rows, depth, strict=True):
            known.append(row[np.isfinite(row)])
    medians = np.array([np.median(np.concatenate(r)) if sum(map(len, r)) else np.nan for r in rows])
    there = np.flatnonzero(np.isfinite(medians))
    if not len(there):
        return ()
    filled = np.interp(np.arange(len(medians)), there, medians[there])
    return tuple(round(float(depth), 2) for depth in filled)
