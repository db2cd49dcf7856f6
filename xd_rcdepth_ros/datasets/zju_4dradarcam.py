# SPDX-License-Identifier: Apache-2.0
"""ZJU-4DRadarCam to drive bags.

Layout: ``image/<frame>.png``; ``radar/<frame>.npy``, (N, 3) float64 of u, v (pixels) and depth (m),
projected by the data set's owners; ``gt/<frame>.png`` and ``gt_interp/<frame>.png``, lidar depth of
one scan and interpolated, 16 bit, metres x 256, 0 where unknown; ``train.txt``, ``val.txt``,
``test.txt``. A frame is named by its time in seconds.

The bags hold points again: radar and lidar pixels are lifted along their rays and moved into the
sensors' frames, so that projecting them gives back the very pixels and depths. The radar has no
strength and no velocity: its cloud has the fields x, y and z alone, which readers draw as zeros.
There are no ego poses. ``base_link`` is the radar's frame.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.datasets.conversion import (
    Converter,
    DrivePlan,
    SplitOption,
    option,
    read_splits,
)
from xd_rcdepth_ros.errors import GeometryError, MessageError, RecordingError
from xd_rcdepth_ros.geometry import PinholeCamera, RigidTransform
from xd_rcdepth_ros.recordings import schema
from xd_rcdepth_ros.recordings.calibration_file import read_calibration
from xd_rcdepth_ros.recordings.images import image_size
from xd_rcdepth_ros.recordings.radar_files import read_radar_pixels
from xd_rcdepth_ros.recordings.writer import DriveWriter

DEPTH_SCALE = 256.0
FRAMES_PER_BAG = 1000
_CAMERA, _RADAR, _LIDAR = "front", "front", "top"
# Frames named by a plain count get synthetic stamps, a second apart, from here on.
_FIRST_STAMP_NS = 1_640_995_200_000_000_000
_EARLIEST_TIME_S = 100_000_000


@dataclass(frozen=True)
class ZjuCalibration:
    """Intrinsics of the (rectified) images, and where the sensors sit."""

    camera: PinholeCamera
    camera_from_radar: RigidTransform
    camera_from_lidar: RigidTransform


def published_calibration() -> ZjuCalibration:
    """Return the calibration that the data set's owners have published; images of 1280 x 720."""
    frame = schema.camera_frame(_CAMERA)
    return ZjuCalibration(
        PinholeCamera.from_focal(1280, 720, 643.6709, 643.5426, 631.3498, 367.3104, frame),
        _rigid(
            [
                [0.00670575, -0.999977, -0.000254623, -0.0285129],
                [0.00734373, 0.000303868, -0.999973, 0.281534],
                [0.999951, 0.0067037, 0.00734561, 0.237713],
            ]
        ),
        _rigid(
            [
                [0.00734499, -0.999971, -0.00196812, -0.13988],
                [0.00670321, 0.00201724, -0.999975, 0.0151197],
                [0.999951, 0.00733169, 0.00671772, 0.0848874],
            ]
        ),
    )


def _rigid(rows: list[list[float]]) -> RigidTransform:
    matrix = np.array(rows)
    return RigidTransform(matrix[:, :3], matrix[:, 3])


def read_rig(path: Path) -> ZjuCalibration:
    """Read a ``calibration.json`` for data in this layout from another rig.

    Either spelling of ``recordings.calibration_file``, with image size and lidar.

    Raises:
        RecordingError: The file is damaged or lacks a key.
    """
    try:
        calibration = read_calibration(path)
    except GeometryError as error:
        raise RecordingError(str(error)) from error
    if calibration.size is None or calibration.camera_from_lidar is None:
        raise RecordingError(
            f"{path} is no calibration of this layout; expected width, height, K, T_camera_radar "
            "and T_camera_lidar, or camera (with width and height), camera_from_radar and "
            "camera_from_lidar."
        )
    camera = calibration.camera(*calibration.size)
    return ZjuCalibration(
        replace(camera, frame_id=schema.camera_frame(_CAMERA)),
        calibration.camera_from_radar,
        calibration.camera_from_lidar,
    )


def read_depth_png(path: Path, camera: PinholeCamera) -> NDArray[np.float32]:
    """Read a depth picture: (H, W) float32, metres, NaN where unknown.

    Raises:
        RecordingError: The file is missing, or not 16 bit, one channel, and of the camera's size.
    """
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise RecordingError(f"cannot read {path}: {error.strerror or error}.") from error
    values = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if len(data) else None
    if values is None:
        raise RecordingError(f"{path} is no picture that can be decoded; expected a 16-bit PNG.")
    if values.dtype != np.uint16 or values.shape != (camera.height, camera.width):
        raise RecordingError(
            f"{path} is {values.dtype} {values.shape}; expected uint16 "
            f"{(camera.height, camera.width)}: metres x 256. Eight bits would end at 1 m."
        )
    depth = values.astype(np.float32) / np.float32(DEPTH_SCALE)
    depth[values == 0] = np.nan
    return depth


@dataclass
class ZjuPlan(DrivePlan):
    """Some frames of one split as a bag."""

    root: Path
    name: str
    frames: tuple[tuple[int, str], ...]  # stamp, name
    calibration: ZjuCalibration
    dense: bool
    info: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return 3 * len(self.frames)

    def write(self, writer: DriveWriter, tick: Callable[[], None]) -> Counter[str]:
        """Write the frames; see ``DrivePlan.write``."""
        skipped: Counter[str] = Counter()
        rig = self.calibration
        radar_from_camera = rig.camera_from_radar.inverse()
        for frame, pose in (
            (schema.camera_frame(_CAMERA), radar_from_camera),
            (schema.radar_frame(_RADAR), RigidTransform.identity()),
            (schema.lidar_frame(_LIDAR), radar_from_camera @ rig.camera_from_lidar),
        ):
            writer.static_transform(schema.BASE_FRAME, frame, pose)
        lidar_from_camera = rig.camera_from_lidar.inverse()
        for stamp_ns, frame in self.frames:
            data = self._image(frame)
            writer.camera_info(_CAMERA, stamp_ns, rig.camera)
            writer.image(_CAMERA, stamp_ns, data, "png")
            tick()
            pixels = read_radar_pixels(self._file("radar", frame, "npy"))
            known = np.isfinite(pixels).all(axis=1) & (pixels[:, 2] > 0)
            skipped["radar point without depth"] += int((~known).sum())
            in_camera = rig.camera.unproject(pixels[known, :2], pixels[known, 2])
            xyz = radar_from_camera.apply(in_camera).astype("<f4")
            cloud = np.ascontiguousarray(xyz).view([(axis, "<f4") for axis in "xyz"]).reshape(-1)
            writer.radar(_RADAR, stamp_ns, cloud)
            tick()
            writer.lidar(_LIDAR, stamp_ns, lidar_from_camera.apply(self._lidar_in_camera(frame)))
            tick()
            if self.dense:
                path = self._file("gt_interp", frame, "png")
                writer.depth(_CAMERA, stamp_ns, read_depth_png(path, rig.camera))
        return skipped

    def _lidar_in_camera(self, frame: str) -> NDArray[np.float64]:
        depth = read_depth_png(self._file("gt", frame, "png"), self.calibration.camera)
        rows, columns = np.nonzero(np.isfinite(depth))
        uv = np.stack([columns, rows], axis=1).astype(np.float64)
        return self.calibration.camera.unproject(uv, depth[rows, columns])

    def _image(self, frame: str) -> bytes:
        data = self._file("image", frame, "png").read_bytes()
        camera = self.calibration.camera
        try:
            size = image_size(data, f"image of frame {frame}")
        except MessageError as error:
            raise RecordingError(str(error)) from error
        if size != (camera.width, camera.height):
            raise RecordingError(
                f"image of frame {frame} is {size[0]} x {size[1]}, but the calibration is for "
                f"{camera.width} x {camera.height}. Put a calibration.json beside the lists."
            )
        return data

    def _file(self, folder: str, frame: str, suffix: str) -> Path:
        path = self.root / folder / f"{frame}.{suffix}"
        if not path.is_file():
            raise RecordingError(f"frame {frame} lacks {path}; the data set is not complete.")
        return path

    def stamps(self) -> dict[str, list[int]]:
        """Return the stamps on each sensor topic; see ``DrivePlan.stamps``."""
        stamps = [stamp for stamp, _ in self.frames]
        topics = [schema.image_topic(_CAMERA), schema.radar_topic(_RADAR)]
        topics += [schema.lidar_topic(_LIDAR)]
        topics += [schema.depth_topic(_CAMERA)] if self.dense else []
        return {topic: list(stamps) for topic in topics}

    def source_images(self) -> Iterator[tuple[str, int, bytes]]:
        """Yield the images on disk; see ``DrivePlan.source_images``."""
        for stamp_ns, frame in self.frames:
            yield schema.image_topic(_CAMERA), stamp_ns, self._image(frame)

    def source_lidar(self, stamp_ns: int) -> NDArray[np.float64] | None:
        """Return the lidar pixels along their rays; see ``DrivePlan.source_lidar``."""
        frame = dict(self.frames).get(stamp_ns)
        return None if frame is None else self._lidar_in_camera(frame)


@dataclass(frozen=True)
class ZjuOptions(SplitOption):
    """What of the data set is converted; the command's options and their help come from here."""

    dense: bool = option(False, "Also the interpolated lidar depth, 3.7 MB a frame.")


def plan_zju(root: str | Path, **options: Any) -> list[ZjuPlan]:
    """Plan ZJU-4DRadarCam: one bag for every 1000 frames of a split.

    Args:
        root: Folder with ``image``, ``radar``, ``gt`` and the lists, or with ``data`` that has
            them. Images of another rig need a ``calibration.json`` there (``read_rig``).
        **options: As in :class:`ZjuOptions`.

    Raises:
        RecordingError: Something is missing or damaged.
    """
    root, wish = Path(root), ZjuOptions(**options)
    dense = wish.dense
    root = root / "data" if (root / "data" / "image").is_dir() else root
    folders = ("image", "radar", "gt", *(("gt_interp",) if dense else ()))
    absent = [folder for folder in folders if not (root / folder).is_dir()]
    if absent:
        raise RecordingError(
            f"{root} has no folder {', '.join(absent)}; expected the root of ZJU-4DRadarCam."
        )
    own = root / "calibration.json"
    calibration = read_rig(own) if own.is_file() else published_calibration()
    there = sorted(path.stem for path in (root / "image").glob("*.png"))
    plans = []
    for name, frames in read_splits(root, ("train", "val", "test"), there, wish.split).items():
        stamped = sorted((_stamp_of(frame), frame) for frame in frames)
        if len({stamp for stamp, _ in stamped}) < len(stamped):
            raise RecordingError(f"two frames of {name} in {root} have the same time.")
        for start in range(0, len(stamped), FRAMES_PER_BAG):
            part = tuple(stamped[start : start + FRAMES_PER_BAG])
            info = {
                "source": "zju-4dradarcam",
                "split": None if name == "all" else name,
                "tags": [],
                "synthetic_stamps": not _is_time(part[0][1]),
                "frames": [part[0][1], part[-1][1]],
                "options": {"dense": dense, "frames": len(part)},
            }
            bag = f"zju-{name}-{start // FRAMES_PER_BAG:03d}"
            plans.append(ZjuPlan(root, bag, part, calibration, dense, info))
    return plans


convert_zju = Converter(plan_zju)


def _seconds(frame: str) -> Decimal:
    try:
        seconds = Decimal(frame)
    except InvalidOperation:
        seconds = Decimal("NaN")
    if not seconds.is_finite() or not 0 <= seconds < 2**31:
        raise RecordingError(f"frame '{frame}' is named neither by a time in seconds nor a number.")
    return seconds


def _is_time(frame: str) -> bool:
    return _seconds(frame) >= _EARLIEST_TIME_S


def _stamp_of(frame: str) -> int:
    stamp_ns = int(_seconds(frame) * 1_000_000_000)
    return stamp_ns if _is_time(frame) else _FIRST_STAMP_NS + stamp_ns
