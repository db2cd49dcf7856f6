# SPDX-License-Identifier: Apache-2.0
"""Training frames packed into one small file, for a machine that has not the bags.

A pack holds frames as :class:`TrainingFrames` gives them: at the training's focal length, with
dense depth and labels of the sky already made. Images become WebP and depths 16-bit PNG of some
tens of kilobytes; dense depth that is not exact is kept at half the resolution. A source whose path
ends in ``.frames.zip`` is read from such a file.
"""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.errors import RecordingError
from xd_rcdepth_ros.geometry import (
    LidarSweep,
    PinholeCamera,
    RadarPoints,
    RadarSweep,
    RigidTransform,
    SensorFrame,
)
from xd_rcdepth_ros.recordings.closable import Closable
from xd_rcdepth_ros.supervision.lidar_radar import sweep_from_lidar
from xd_rcdepth_ros.training.frames import TrainingFrames
from xd_rcdepth_ros.training.source import SourceConfig

SUFFIX = ".frames.zip"
FORMAT = 1
_NEAREST_M = 0.25
_STEPS_AN_OCTAVE = 256  # relative steps of 0.27 %
_INFINITE = 65535
_INDEX = "frames.json"


def pack_frames(
    frames: TrainingFrames,
    file: Path,
    quality: int = 80,
    on_frame: Callable[[int, int], None] | None = None,
) -> int:
    """Write the frames of a source into one file; it appears when it is complete.

    Args:
        frames: Prepared frames.
        file: Its name, which should end in ``.frames.zip``.
        quality: Of the images (WebP), 0 to 100.
        on_frame: Called with frames done and frames in all.

    Returns:
        Size of the file, bytes.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    entries = []
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as pack:
        for index in range(len(frames)):
            frame = frames[index]
            members = _members(frame, quality, frames.exact)
            for name, data in members.items():
                pack.writestr(f"{index}/{name}", data)
            entries.append(_entry(frame, frames.velocity_mps(index, frame), list(members)))
            if on_frame is not None:
                on_frame(index + 1, len(frames))
        said = {
            "format": FORMAT,
            "focal_length_px": frames.focal_length_px,
            "exact": frames.exact,
            "frames": entries,
        }
        pack.writestr(_INDEX, json.dumps(said))
    partial.replace(file)
    return file.stat().st_size


class PackedFrames(Closable):
    """The frames of a pack, as :class:`TrainingFrames` gives those of bags. Context manager.

    Args:
        source: Where the pack lies, and which radar is made of its lidar.
        focal_length_px: Focal length of the training, which must be the pack's.

    Raises:
        RecordingError: The file is missing, damaged, or made for another training.
    """

    def __init__(self, source: SourceConfig, focal_length_px: float) -> None:
        self.source = source
        self.focal_length_px = focal_length_px
        self.paths = [Path(source.path)]
        self._pack: zipfile.ZipFile | None = None
        self._owner = 0  # process that opened the file: a place in it is never shared
        said = self._index()
        made_for = (said.get("format"), said.get("focal_length_px"))
        if made_for != (FORMAT, focal_length_px):
            raise RecordingError(
                f"{source.path} has format and focal length {made_for}, but this training needs "
                f"{(FORMAT, focal_length_px)}. Pack the frames anew."
            )
        self.exact: bool = said["exact"]
        self._entries: list[dict[str, Any]] = said["frames"]

    def close(self) -> None:
        """Close the file; the next access opens it again."""
        if self._pack is not None:
            self._pack.close()
            self._pack = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_pack": None}

    def __len__(self) -> int:
        return len(self._entries)

    def prepare(self, on_frame: Callable[[int, int], None] | None = None) -> dict[int, str]:
        """Do nothing, as packed frames are ready; return that none is unusable."""
        if on_frame is not None:
            on_frame(len(self), len(self))
        return {}

    def __getitem__(self, index: int, /) -> SensorFrame:
        """Return one frame, its lidar as points in the camera's frame.

        Raises:
            RecordingError: The file is damaged.
        """
        entry = self._entries[index]
        members = {name: self._read(f"{index}/{name}") for name in entry["members"]}
        image = cv2.imdecode(np.frombuffer(members["image.webp"], np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise RecordingError(f"{self.source.path}: the image of frame {index} is damaged.")
        camera = PinholeCamera(
            image.shape[1], image.shape[0], np.array(entry["k"]), np.array(entry["p"])
        )
        sky = members.get("sky.png")
        depth = members.get("depth.png")
        return SensorFrame(
            image=np.ascontiguousarray(image[..., ::-1]),
            camera=camera,
            radar=tuple(
                _sweep(members[f"radar{number}"], np.array(matrix), entry["stamp_ns"])
                for number, matrix in enumerate(entry["camera_from_radar"])
            ),
            stamp_ns=entry["stamp_ns"],
            lidar=_lidar(members["lidar.png"], camera) if "lidar.png" in members else None,
            depth_m=None if depth is None else _at_size(_decode_depth(depth), image.shape[:2]),
            sky=None if sky is None else _decode_png(sky),
            name=entry["name"],
            tags=frozenset(entry["tags"]),
        )

    def with_radar(self, index: int, rng: np.random.Generator) -> SensorFrame:
        """Return one frame with radar as the source says: as recorded, or made from its lidar."""
        frame = self[index]
        if self.source.radar == "recorded" or frame.lidar is None:
            return frame
        velocity = self._entries[index]["velocity_mps"]
        velocity = None if velocity is None else np.array(velocity)
        return replace(frame, radar=(sweep_from_lidar(frame, self.source.radar, rng, velocity),))

    def _index(self) -> dict[str, Any]:
        try:
            said = json.loads(self._read(_INDEX))
        except ValueError as error:
            raise RecordingError(f"{self.source.path}: {_INDEX} is damaged: {error}.") from error
        return dict(said)

    def _read(self, name: str) -> bytes:
        try:
            if self._pack is None or self._owner != os.getpid():
                self._pack, self._owner = zipfile.ZipFile(self.source.path), os.getpid()
            return self._pack.read(name)
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise RecordingError(
                f"cannot read {name} of the packed frames {self.source.path}: {error}."
            ) from error


def _members(frame: SensorFrame, quality: int, exact: bool) -> dict[str, bytes]:
    """Return the files that a frame becomes."""
    bgr = np.ascontiguousarray(frame.image[..., ::-1])
    members = {"image.webp": _encode(".webp", bgr, [cv2.IMWRITE_WEBP_QUALITY, quality])}
    if frame.lidar is not None:
        members["lidar.png"] = _encode_depth(frame.lidar_depth())
    if frame.depth_m is not None:
        members["depth.png"] = _encode_depth(frame.depth_m if exact else frame.depth_m[::2, ::2])
    if frame.sky is not None:
        members["sky.png"] = _encode(".png", frame.sky, [])
    for number, sweep in enumerate(frame.radar):
        points = sweep.points
        rows = (points.position_m.T, points.rcs_dbsm[None], points.velocity_mps.T)
        members[f"radar{number}"] = zlib.compress(np.concatenate(rows).astype("<f2").tobytes(), 9)
    return members


def _entry(
    frame: SensorFrame, velocity_mps: NDArray[np.floating] | None, members: list[str]
) -> dict[str, Any]:
    """Return what the index says of a frame."""
    return {
        "name": frame.name,
        "stamp_ns": frame.stamp_ns,
        "tags": sorted(frame.tags),
        "k": frame.camera.k.tolist(),
        "p": frame.camera.p.tolist(),
        "camera_from_radar": [sweep.camera_from_radar.matrix.tolist() for sweep in frame.radar],
        "velocity_mps": None if velocity_mps is None else np.asarray(velocity_mps).tolist(),
        "members": members,
    }


def _encode(kind: str, array: NDArray[Any], options: list[int]) -> bytes:
    done, data = cv2.imencode(kind, array, options)
    if not done:
        raise RecordingError(f"cannot encode an array of {array.shape} {array.dtype} as {kind}.")
    return data.tobytes()


def _encode_depth(depth_m: NDArray[np.floating]) -> bytes:
    """Return depth (H, W), metres, as a PNG of logarithms: 0 unknown, 65535 infinite."""
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = np.round(_STEPS_AN_OCTAVE * np.log2(np.maximum(depth_m, _NEAREST_M) / _NEAREST_M))
    code = np.where(np.isfinite(steps), np.minimum(steps + 1, _INFINITE - 1), 0)
    code[np.isposinf(depth_m)] = _INFINITE
    return _encode(".png", code.astype(np.uint16), [cv2.IMWRITE_PNG_COMPRESSION, 9])


def _decode_png(data: bytes) -> NDArray[Any]:
    array = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if array is None:
        raise RecordingError("a map in the packed frames is damaged.")
    return np.asarray(array)


def _decode_depth(data: bytes) -> NDArray[np.float32]:
    code = _decode_png(data).astype(np.float32)
    depth = _NEAREST_M * np.exp2((code - 1) / _STEPS_AN_OCTAVE)
    depth[code == 0] = np.nan
    depth[code == _INFINITE] = np.inf
    return np.asarray(depth, np.float32)


def _at_size(depth_m: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Return depth kept at half the resolution at the image's size again."""
    if depth_m.shape == size:
        return depth_m
    return np.repeat(np.repeat(depth_m, 2, axis=0), 2, axis=1)[: size[0], : size[1]]


def _lidar(data: bytes, camera: PinholeCamera) -> LidarSweep:
    """Return the points of a depth map, at the middles of its pixels, in the camera's frame."""
    depth = _decode_depth(data)
    rows, columns = np.nonzero(np.isfinite(depth))
    points = camera.unproject(np.column_stack([columns, rows]), depth[rows, columns])
    return LidarSweep(points.astype(np.float32), RigidTransform.identity())


def _sweep(data: bytes, camera_from_radar: NDArray[np.floating], stamp_ns: int) -> RadarSweep:
    rows = np.frombuffer(zlib.decompress(data), "<f2").reshape(6, -1).astype(np.float32)
    points = RadarPoints.from_arrays(rows[:3].T, rows[3], rows[4:].T)
    return RadarSweep(points, RigidTransform.from_matrix(camera_from_radar), stamp_ns)
