# SPDX-License-Identifier: Apache-2.0
"""Writes simulated drives in the nuScenes v1.0 layout: tables, images, PCD radar, lidar, boxes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.errors import RecordingError
from xd_rcdepth_ros.geometry import RigidTransform
from xd_rcdepth_ros.recordings.pcd import encode_pcd
from xd_rcdepth_ros.simulation.assets.vehicles import size_m
from xd_rcdepth_ros.simulation.bag import encode_jpeg
from xd_rcdepth_ros.simulation.drive import Drive
from xd_rcdepth_ros.simulation.jobs import ordered
from xd_rcdepth_ros.simulation.layouts import (
    complete_folder,
    quaternion_wxyz,
    split_names,
)
from xd_rcdepth_ros.simulation.mesh import heading_rotation
from xd_rcdepth_ros.simulation.radar import RadarScan
from xd_rcdepth_ros.simulation.traffic import Moved

_CHANNELS = {
    "CAM_FRONT": ("camera", "jpg"),
    "RADAR_FRONT": ("radar", "pcd"),
    "LIDAR_TOP": ("lidar", "pcd.bin"),
}
_RADAR_TYPE = np.dtype(
    [("x", "f4"), ("y", "f4"), ("z", "f4"), ("dyn_prop", "i1"), ("id", "i2"), ("rcs", "f4"),
     ("vx", "f4"), ("vy", "f4"), ("vx_comp", "f4"), ("vy_comp", "f4"), ("is_quality_valid", "i1"),
     ("ambig_state", "i1"), ("x_rms", "i1"), ("y_rms", "i1"), ("invalid_state", "i1"),
     ("pdh0", "i1"), ("vx_rms", "i1"), ("vy_rms", "i1")]
)  # fmt: skip
_CATEGORIES = {
    "sedan": "vehicle.car", "hatchback": "vehicle.car", "suv": "vehicle.car", "van": "vehicle.car",
    "truck": "vehicle.truck", "bus": "vehicle.bus.rigid", "bicycle": "vehicle.bicycle",
    "pedestrian": "human.pedestrian.adult",
}  # fmt: skip
_PEDESTRIAN_M = (0.6, 0.6, 1.75)
KEYFRAME_S = 0.5


def write_nuscenes(
    drives: Sequence[Drive], root: str | Path, version: str = "v1.0-mini", workers: int = 2
) -> None:
    """Write drives as scenes of a nuScenes data set; the official devkit can load it.

    Boxes are given for everything that moves. ``ego_pose`` is the drive's ``odom``.

    Args:
        drives: One scene each.
        root: Folder to make.
        version: Name of the folder with the tables.
        workers: Threads.

    Raises:
        RecordingError: The folder exists, or a drive is too short for a keyframe.
    """
    with complete_folder(Path(root)) as folder:
        for part in ("samples", "sweeps"):
            for channel in _CHANNELS:
                (folder / part / channel).mkdir(parents=True)
        (folder / "maps").mkdir()
        tables = _Tables()
        names = [f"scene-sim-{number:04d}" for number in range(len(drives))]
        for drive, name in zip(drives, names, strict=True):
            _Scene(folder, tables, drive, name).write(workers)
        tables.finish(folder)
        target = folder / version
        target.mkdir()
        for table, rows in tables.rows.items():
            (target / f"{table}.json").write_text(json.dumps(rows, indent=0))
        train, val = split_names(names) if len(names) > 1 else (names, [])
        (folder / "splits.json").write_text(json.dumps({"train": train, "val": val}, indent=1))


def token_of(*parts: object) -> str:
    """Return a token that is the same for the same parts."""
    text = "/".join(map(str, parts))
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


class _Tables:
    """The 13 tables while they are being filled."""

    def __init__(self) -> None:
        names = (
            "attribute", "calibrated_sensor", "category", "ego_pose", "instance", "log", "map",
            "sample", "sample_annotation", "sample_data", "scene", "sensor", "visibility",
        )  # fmt: skip
        self.rows: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        for name in sorted(set(_CATEGORIES.values())):
            self.add("category", token_of(name), name=name, description="")
        for channel, (modality, _) in _CHANNELS.items():
            self.add("sensor", token_of(channel), channel=channel, modality=modality)
        for name in ("vehicle.moving", "pedestrian.moving", "cycle.with_rider"):
            self.add("attribute", token_of(name), name=name, description="")
        for number, level in enumerate(("v0-40", "v40-60", "v60-80", "v80-100"), start=1):
            self.add("visibility", str(number), level=level, description="")

    def add(self, table: str, token: str, **values: Any) -> str:
        self.rows[table].append({"token": token, **values})
        return token

    def finish(self, folder: Path) -> None:
        logs = [row["token"] for row in self.rows["log"]]
        name = f"maps/{token_of('map')}.png"
        cv2.imwrite(str(folder / name), np.zeros((8, 8), np.uint8))
        self.add("map", token_of("map"), log_tokens=logs, category="semantic_prior", filename=name)


class _Scene:
    """One drive while it is being written."""

    def __init__(self, folder: Path, tables: _Tables, drive: Drive, name: str) -> None:
        self.folder, self.tables, self.drive, self.name = folder, tables, drive, name
        self.log = f"sim-{drive.settings.seed:06d}-{name[-4:]}"
        camera = drive.stamps_ns("camera")
        step = max(1, round(KEYFRAME_S * drive.settings.camera_hz))
        self.key_stamps = {"camera": [int(s) for s in camera[step // 2 :: step]]}
        if not self.key_stamps["camera"]:
            raise RecordingError(
                f"{name} has {len(camera)} frames; at least {step // 2 + 1} are needed for a "
                "keyframe."
            )
        end = int(camera[-1]) + 60_000_000
        self.stamps = {
            kind: [int(s) for s in drive.stamps_ns(kind) if s <= end]
            for kind in ("camera", "radar", "lidar")
        }
        for kind in ("radar", "lidar"):
            there = np.array(self.stamps[kind])
            self.key_stamps[kind] = [
                int(there[np.abs(there - s).argmin()]) for s in self.key_stamps["camera"]
            ]
        self.samples = [token_of(name, "sample", s) for s in self.key_stamps["lidar"]]

    def write(self, workers: int) -> None:
        add, name = self.tables.add, self.name
        log = add(
            "log", token_of(name, "log"), logfile=self.log, vehicle="simulated",
            date_captured="2023-11-14", location=f"{self.drive.place.name}-simulated",
        )  # fmt: skip
        scene = token_of(name)
        weather = " ".join(sorted(self.drive.tags))
        add(
            "scene", scene, log_token=log, nbr_samples=len(self.samples),
            first_sample_token=self.samples[0], last_sample_token=self.samples[-1], name=name,
            description=weather,
        )  # fmt: skip
        for i, token in enumerate(self.samples):
            add(
                "sample", token, timestamp=self.key_stamps["lidar"][i] // 1000, scene_token=scene,
                prev=self.samples[i - 1] if i else "",
                next=self.samples[i + 1] if i + 1 < len(self.samples) else "",
            )  # fmt: skip
        scans: dict[tuple[str, int], NDArray[Any]] = {}
        for channel, (kind, _) in _CHANNELS.items():
            self._channel(channel, kind, workers, scans)
        self._annotations(scans)

    def _channel(
        self, channel: str, kind: str, workers: int, scans: dict[tuple[str, int], NDArray[Any]]
    ) -> None:
        mounting: RigidTransform = getattr(self.drive.rig, kind)
        sensor = self.tables.add(
            "calibrated_sensor", token_of(self.name, channel, "mounting"),
            sensor_token=token_of(channel), translation=mounting.translation_m.tolist(),
            rotation=quaternion_wxyz(mounting),
            camera_intrinsic=self.drive.camera.k.tolist() if kind == "camera" else [],
        )  # fmt: skip
        stamps = self.stamps[kind]
        tokens = [token_of(self.name, channel, stamp) for stamp in stamps]
        keys = np.array(self.key_stamps[kind])
        for i, stamp in enumerate(stamps):
            key = stamp in self.key_stamps[kind]
            pose = self.drive.pose(stamp)
            ego = self.tables.add(
                "ego_pose", tokens[i], timestamp=stamp // 1000, rotation=quaternion_wxyz(pose),
                translation=pose.translation_m.tolist(),
            )  # fmt: skip
            camera = self.drive.camera
            self.tables.add(
                "sample_data", tokens[i],
                sample_token=self.samples[int(np.abs(keys - stamp).argmin())],
                ego_pose_token=ego, calibrated_sensor_token=sensor, timestamp=stamp // 1000,
                fileformat=_CHANNELS[channel][1].split(".")[0], is_key_frame=key,
                height=camera.height if kind == "camera" else 0,
                width=camera.width if kind == "camera" else 0,
                filename=str(self._path(channel, stamp)),
                prev=tokens[i - 1] if i else "",
                next=tokens[i + 1] if i + 1 < len(stamps) else "",
            )  # fmt: skip
        jobs = ordered(lambda stamp: self._file(channel, kind, stamp), stamps, workers)
        for stamp, points in zip(stamps, jobs, strict=True):
            if points is not None and stamp in self.key_stamps[kind]:
                scans[kind, stamp] = points

    def _path(self, channel: str, stamp: int) -> Path:
        kind, suffix = _CHANNELS[channel]
        part = "samples" if stamp in self.key_stamps[kind] else "sweeps"
        return Path(part) / channel / f"{self.log}__{channel}__{stamp // 1000}.{suffix}"

    def _file(self, channel: str, kind: str, stamp: int) -> NDArray[Any] | None:
        path = self.folder / self._path(channel, stamp)
        if kind == "camera":
            path.write_bytes(encode_jpeg(self.drive.image(stamp)[0]))
            return None
        if kind == "radar":
            scan = self.drive.radar(stamp)
            path.write_bytes(encode_pcd(radar_table(scan)))
            return scan.points.position_m
        sweep = self.drive.lidar(stamp)
        rows = np.column_stack([sweep.points_m, sweep.intensity, sweep.ring]).astype("<f4")
        path.write_bytes(rows.tobytes())
        return sweep.points_m

    def _annotations(self, scans: dict[tuple[str, int], NDArray[Any]]) -> None:
        """Add a box for each mover at each keyframe."""
        rows: dict[int, list[dict[str, Any]]] = {}
        actors = self.drive.traffic.actors
        for i, stamp in enumerate(self.key_stamps["lidar"]):
            clouds = {
                kind: (self.drive.pose(s) @ getattr(self.drive.rig, kind)).apply(scans[kind, s])
                for kind, s in (("lidar", stamp), ("radar", self.key_stamps["radar"][i]))
            }
            for moved in self.drive.moved(stamp):
                number = actors.index(moved.actor)
                box = _box(moved)
                rows.setdefault(number, []).append(
                    {
                        "token": token_of(self.name, "box", number, stamp),
                        "sample_token": self.samples[i],
                        "instance_token": token_of(self.name, "instance", number),
                        "visibility_token": "4",
                        "attribute_tokens": [token_of(_attribute(moved.actor.kind))],
                        "translation": box[0].translation_m.tolist(),
                        "size": [box[1][1], box[1][0], box[1][2]],
                        "rotation": quaternion_wxyz(box[0]),
                        "num_lidar_pts": _inside(box, clouds["lidar"]),
                        "num_radar_pts": _inside(box, clouds["radar"]),
                    }
                )
        for number, boxes in rows.items():
            for i, row in enumerate(boxes):
                row["prev"] = boxes[i - 1]["token"] if i else ""
                row["next"] = boxes[i + 1]["token"] if i + 1 < len(boxes) else ""
            self.tables.rows["sample_annotation"] += boxes
            self.tables.add(
                "instance", token_of(self.name, "instance", number),
                category_token=token_of(_CATEGORIES[actors[number].kind]),
                nbr_annotations=len(boxes), first_annotation_token=boxes[0]["token"],
                last_annotation_token=boxes[-1]["token"],
            )  # fmt: skip


def radar_table(scan: RadarScan) -> NDArray[np.void]:
    """Return a sweep with the 18 fields of a nuScenes radar file."""
    points = scan.points
    table = np.zeros(len(points), _RADAR_TYPE)
    for axis, column in zip("xyz", points.position_m.T, strict=True):
        table[axis] = column
    table["rcs"] = points.rcs_dbsm
    table["vx"], table["vy"] = points.velocity_mps.T
    table["vx_comp"], table["vy_comp"] = points.velocity_compensated_mps.T
    own = np.sign((points.velocity_compensated_mps * points.position_m[:, :2]).sum(1))
    moving = np.linalg.norm(points.velocity_compensated_mps, axis=1) > 1.0
    table["dyn_prop"] = np.where(moving, np.where(own < 0, 2, 0), 1)  # oncoming, moving, stationary
    table["id"] = np.arange(len(points))
    table["is_quality_valid"] = 1
    table["ambig_state"] = 3
    for name in ("x_rms", "y_rms", "vx_rms", "vy_rms"):
        table[name] = 10
    return table


def _attribute(kind: str) -> str:
    names = {"pedestrian": "pedestrian.moving", "bicycle": "cycle.with_rider"}
    return names.get(kind, "vehicle.moving")


def _box(moved: Moved) -> tuple[RigidTransform, tuple[float, float, float]]:
    """Return where a mover's box is (``odom_from_box``, box centre) and length, width, height."""
    kind = moved.actor.kind
    size = _PEDESTRIAN_M if kind == "pedestrian" else size_m(kind)
    center = moved.position_m + np.array([0, 0, size[2] / 2])
    return RigidTransform(heading_rotation(moved.heading_rad), center), size


def _inside(box: tuple[RigidTransform, tuple[float, float, float]], points: NDArray[Any]) -> int:
    local = box[0].inverse().apply(points)
    return int((np.abs(local) <= np.array(box[1]) / 2).all(1).sum())
