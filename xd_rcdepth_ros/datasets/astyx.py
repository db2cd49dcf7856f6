# SPDX-License-Identifier: Apache-2.0
"""Astyx HiRes2019 to drive bags.

Single frames without ego poses and without stamps. The stamps are synthetic: frame number n is at
``FIRST_STAMP_NS`` + n seconds, and camera, radar and lidar of a frame share it. A second is more
than sweeps of one past are apart, so nothing takes one frame for another's past.

``base_link`` is the data set's reference frame, which is the radar's. A bag has one mounting; where
the calibration changes, a new bag begins: ``astyx-val``, ``astyx-val-2``. Images may be of any
size, as the original's or halved; the intrinsics belong to them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.datasets.conversion import (
    Converter,
    DrivePlan,
    SplitOption,
    read_splits,
)
from xd_rcdepth_ros.errors import GeometryError, MessageError, RecordingError
from xd_rcdepth_ros.geometry import PinholeCamera, RigidTransform
from xd_rcdepth_ros.recordings import schema
from xd_rcdepth_ros.recordings.images import image_size
from xd_rcdepth_ros.recordings.radar_files import read_astyx_radar, read_table
from xd_rcdepth_ros.recordings.writer import DriveWriter

FIRST_STAMP_NS = 1_546_300_800_000_000_000  # 2019-01-01, the year of the data set
_SENSORS = ("radar_6455", "lidar_vlp16", "camera_front")
_CAMERA, _RADAR, _LIDAR = "front", "front", "top"


@dataclass(frozen=True)
class AstyxCalibration:
    """Calibration of a frame: reference frame from each sensor, and K (3, 3) in pixels."""

    reference_from_camera: RigidTransform
    reference_from_radar: RigidTransform
    reference_from_lidar: RigidTransform
    k: tuple[tuple[float, ...], ...]


def read_calibration(path: Path) -> AstyxCalibration:
    """Read a calibration file.

    Raises:
        RecordingError: The file is missing or damaged, or lacks a sensor.
    """
    try:
        sensors = json.loads(path.read_text(encoding="utf8"))["sensors"]
        data = {str(sensor["sensor_uid"]): sensor["calib_data"] for sensor in sensors}
        poses = [RigidTransform.from_matrix(data[uid]["T_to_ref_COS"]) for uid in _SENSORS]
        k = np.array(data["camera_front"]["K"], np.float64).reshape(3, 3)
    except (OSError, ValueError, KeyError, TypeError, GeometryError) as error:
        raise RecordingError(
            f"{path} is no calibration of {', '.join(_SENSORS)}: {type(error).__name__} {error}."
        ) from error
    radar, lidar, camera = poses
    return AstyxCalibration(camera, radar, lidar, tuple(tuple(map(float, row)) for row in k))


@dataclass
class AstyxPlan(DrivePlan):
    """Frames of one split and one calibration as a bag."""

    root: Path
    name: str
    frames: tuple[str, ...]
    calibration: AstyxCalibration
    info: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return 3 * len(self.frames)

    def write(self, writer: DriveWriter, tick: Callable[[], None]) -> Counter[str]:
        """Write the frames; see ``DrivePlan.write``."""
        mounting = self.calibration
        for frame, pose in (
            (schema.camera_frame(_CAMERA), mounting.reference_from_camera),
            (schema.radar_frame(_RADAR), mounting.reference_from_radar),
            (schema.lidar_frame(_LIDAR), mounting.reference_from_lidar),
        ):
            writer.static_transform(schema.BASE_FRAME, frame, pose)
        for frame in self.frames:
            stamp_ns = stamp_of(frame)
            data = self._file("camera_front", frame).read_bytes()
            writer.camera_info(_CAMERA, stamp_ns, self._camera(frame, data))
            writer.image(_CAMERA, stamp_ns, data)
            tick()
            writer.radar(_RADAR, stamp_ns, read_astyx_radar(self._file("radar_6455", frame)))
            tick()
            lidar = read_table(self._file("lidar_vlp16", frame), _LIDAR_COLUMNS)
            xyz = np.stack([lidar["X"], lidar["Y"], lidar["Z"]], axis=1)
            writer.lidar(_LIDAR, stamp_ns, xyz, lidar["Reflectivity"], lidar["LaserID"])
            tick()
        return Counter()

    def _file(self, sensor: str, frame: str) -> Path:
        path = self.root / sensor / f"{frame}.{'jpg' if sensor == 'camera_front' else 'txt'}"
        if not path.is_file():
            raise RecordingError(f"frame {frame} lacks {path}; the data set is not complete.")
        return path

    def _camera(self, frame: str, data: bytes) -> PinholeCamera:
        try:
            width, height = image_size(data, f"image of frame {frame}")
        except MessageError as error:
            raise RecordingError(str(error)) from error
        k = np.array(self.calibration.k)
        # A K that belongs to an image of another size would pass unseen otherwise.
        centre = k[:2, 2] / (width, height)
        if not ((centre > 1 / 3) & (centre < 2 / 3)).all():
            raise RecordingError(
                f"frame {frame}: the image is {width} x {height}, but K has its centre at "
                f"{k[:2, 2].tolist()}; expected the intrinsics of that image, not of a resized one."
            )
        return PinholeCamera(width, height, k, frame_id=schema.camera_frame(_CAMERA))

    def stamps(self) -> dict[str, list[int]]:
        """Return the stamps on each sensor topic; see ``DrivePlan.stamps``."""
        stamps = [stamp_of(frame) for frame in self.frames]
        topics = (
            schema.image_topic(_CAMERA),
            schema.radar_topic(_RADAR),
            schema.lidar_topic(_LIDAR),
        )
        return {topic: list(stamps) for topic in topics}

    def source_images(self) -> Iterator[tuple[str, int, bytes]]:
        """Yield the images on disk; see ``DrivePlan.source_images``."""
        for frame in self.frames:
            data = self._file("camera_front", frame).read_bytes()
            yield schema.image_topic(_CAMERA), stamp_of(frame), data

    def source_lidar(self, stamp_ns: int) -> NDArray[np.float64] | None:
        """Return inv(T_camera) T_lidar X; see ``DrivePlan.source_lidar``."""
        frame = next((f for f in self.frames if stamp_of(f) == stamp_ns), None)
        if frame is None:
            return None
        lidar = read_table(self._file("lidar_vlp16", frame), _LIDAR_COLUMNS)
        points = np.stack([lidar["X"], lidar["Y"], lidar["Z"], np.ones(len(lidar))])
        matrices = []
        for pose in (
            self.calibration.reference_from_camera,
            self.calibration.reference_from_lidar,
        ):
            matrix = np.eye(4)
            matrix[:3, :3], matrix[:3, 3] = pose.rotation, pose.translation_m
            matrices.append(matrix)
        return np.asarray((np.linalg.solve(matrices[0], matrices[1] @ points))[:3].T)


_LIDAR_COLUMNS = ("X", "Y", "Z", "Reflectivity", "LaserID")


def stamp_of(frame: str) -> int:
    """Return the synthetic stamp, nanoseconds, of a six-digit frame number."""
    return FIRST_STAMP_NS + int(frame) * 1_000_000_000


def plan_astyx(root: str | Path, **options: Any) -> list[AstyxPlan]:
    """Plan Astyx HiRes2019, original or reduced: one bag a split and calibration.

    Args:
        root: Folder with ``camera_front``, ``radar_6455``, ``lidar_vlp16`` and ``calibration``.
            ``train.txt`` and ``val.txt`` (frame numbers) make the splits; without them all frames
            go into ``astyx-all``.
        **options: As in :class:`SplitOption`.

    Raises:
        RecordingError: Something is missing or damaged.
    """
    split = SplitOption(**options).split
    root = Path(root)
    for folder in ("camera_front", "radar_6455", "lidar_vlp16", "calibration"):
        if not (root / folder).is_dir():
            raise RecordingError(
                f"{root} has no folder '{folder}'; expected the root of Astyx HiRes2019."
            )
    there = sorted(path.stem for path in (root / "camera_front").glob("*.jpg"))
    plans: list[AstyxPlan] = []
    for name, frames in read_splits(root, ("train", "val", "test"), there, split).items():
        wrong = [frame for frame in frames if not frame.isdecimal()]
        if wrong:
            raise RecordingError(f"'{wrong[0]}' of {name} in {root} is no frame number.")
        groups: dict[AstyxCalibration, list[str]] = {}
        known: dict[str, AstyxCalibration] = {}
        for frame in sorted(frames):
            calibration = read_calibration(root / "calibration" / f"{frame}.json")
            # Equal calibrations share one key: transforms compare by identity.
            calibration = known.setdefault(_text_of(calibration), calibration)
            groups.setdefault(calibration, []).append(frame)
        for number, (calibration, members) in enumerate(groups.items(), 1):
            info = {
                "source": "astyx",
                "split": None if name == "all" else name,
                "tags": [],
                "synthetic_stamps": True,
                "frames": [members[0], members[-1]],
                "options": {"frames": len(members)},
            }
            suffix = "" if number == 1 else f"-{number}"
            bag = f"astyx-{name}{suffix}"
            plans.append(AstyxPlan(root, bag, tuple(members), calibration, info))
    return plans


convert_astyx = Converter(plan_astyx)


def _text_of(calibration: AstyxCalibration) -> str:
    poses: Sequence[RigidTransform] = (
        calibration.reference_from_camera,
        calibration.reference_from_radar,
        calibration.reference_from_lidar,
    )
    numbers = [[pose.rotation.tolist(), pose.translation_m.tolist()] for pose in poses]
    return json.dumps([calibration.k, numbers])
