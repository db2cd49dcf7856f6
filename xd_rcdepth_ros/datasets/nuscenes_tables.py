# SPDX-License-Identifier: Apache-2.0
"""The tables of a data set in the nuScenes v1.0 schema, as far as recordings need them.

Schema: https://www.nuscenes.org/nuscenes#data-format. The two large tables (sample_data, ego_pose;
up to a gigabyte) are read record by record, and only what is wanted is kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.errors import GeometryError, RecordingError
from xd_rcdepth_ros.geometry import RigidTransform

_BLOCK = 1 << 22
_BETWEEN = re.compile(r"[\s,]*")


@dataclass(frozen=True)
class SensorFile:
    """One row of sample_data with its ego pose.

    Attributes:
        channel: Such as ``CAM_FRONT``.
        path: Path of the file below the root.
        stamp_ns: Nanoseconds.
        is_keyframe: True for samples, False for sweeps.
        size: Image width and height, pixels; (0, 0) for other sensors.
        map_from_base: Ego pose at the stamp.
    """

    channel: str
    path: str
    stamp_ns: int
    is_keyframe: bool
    size: tuple[int, int]
    map_from_base: RigidTransform


@dataclass(frozen=True)
class Mounting:
    """Where a sensor sits, and its intrinsics (3, 3) if it is a camera."""

    base_from_sensor: RigidTransform
    k: NDArray[np.float64] | None = None


@dataclass
class Scene:
    """One drive.

    Attributes:
        name: Such as ``scene-0061``.
        description: Free text of the data set.
        files: All wanted sensor files, ordered by stamp and channel.
        mountings: Channel -> where the sensor sits.
        skipped: Reason -> files left out.
    """

    name: str
    description: str
    files: list[SensorFile] = field(default_factory=list)
    mountings: dict[str, Mounting] = field(default_factory=dict)
    skipped: dict[str, int] = field(default_factory=dict)


def find_version(root: Path, version: str | None = None) -> str:
    """Return the name of the table folder, such as ``v1.0-mini``.

    Raises:
        RecordingError: There is none, or several to choose from.
    """
    if not root.is_dir():
        raise RecordingError(f"there is no folder {root}.")
    there = sorted(p.parent.name for p in root.glob("v1.0-*/sample_data.json"))
    if version is None and len(there) == 1:
        return there[0]
    if version is None:
        have = f"has {', '.join(there)}; choose one by version" if there else "has none"
        raise RecordingError(f"{root} needs a folder v1.0-* with the nuScenes tables; it {have}.")
    if not (root / version).is_dir():
        raise RecordingError(
            f"{root} has no tables '{version}'; it has {', '.join(there) or 'none'}."
        )
    return version


def scene_names(root: Path, version: str) -> list[str]:
    """Return the names of all scenes, in the order of the table."""
    return [_get(row, "name", "scene") for row in iter_records(root / version / "scene.json")]


def channels_of(root: Path, version: str) -> dict[str, str]:
    """Return channel -> modality (camera, radar, lidar) of the sensor table."""
    rows = iter_records(root / version / "sensor.json")
    return {_get(row, "channel", "sensor"): _get(row, "modality", "sensor") for row in rows}


def load_scenes(
    root: Path, version: str, channels: Collection[str], names: Collection[str]
) -> list[Scene]:
    """Read some scenes of some channels.

    Args:
        root: Folder that holds ``samples``, ``sweeps`` and the tables.
        version: Name of the table folder.
        channels: Channels wanted.
        names: Names of the scenes wanted.

    Returns:
        The scenes, in the order of the table.

    Raises:
        RecordingError: A table is missing or damaged, or a token points nowhere.
    """
    tables = root / version
    scenes: dict[str, Scene] = {}
    for row in iter_records(tables / "scene.json"):
        if _get(row, "name", "scene") in names:
            token = _get(row, "token", "scene")
            scenes[token] = Scene(row["name"], str(row.get("description", "")))
    scene_of_sample = {
        _get(row, "token", "sample"): _get(row, "scene_token", "sample")
        for row in iter_records(tables / "sample.json")
    }
    channel_of_sensor = {
        _get(row, "token", "sensor"): _get(row, "channel", "sensor")
        for row in iter_records(tables / "sensor.json")
    }
    calibrated = {
        _get(row, "token", "calibrated_sensor"): row
        for row in iter_records(tables / "calibrated_sensor.json")
    }
    rows: list[tuple[Scene, str, dict[str, Any]]] = []
    for row in iter_records(tables / "sample_data.json"):
        sensor = _follow(calibrated, row, "calibrated_sensor_token", "sample_data")
        channel = _follow(channel_of_sensor, sensor, "sensor_token", "calibrated_sensor")
        if channel not in channels:
            continue
        scene_token = _follow(scene_of_sample, row, "sample_token", "sample_data")
        if scene_token in scenes:
            rows.append((scenes[scene_token], channel, row))
    wanted = {_get(row, "ego_pose_token", "sample_data") for _, _, row in rows}
    poses = {
        row["token"]: _pose(row, "ego_pose")
        for row in iter_records(tables / "ego_pose.json")
        if _get(row, "token", "ego_pose") in wanted
    }
    for scene, channel, row in rows:
        _add(scene, channel, row, calibrated[row["calibrated_sensor_token"]], poses)
    for scene in scenes.values():
        _put_in_order(scene)
    return list(scenes.values())


def iter_records(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSON file that holds one list of objects, block by block.

    Raises:
        RecordingError: The file is missing, cut off, or holds something else.
    """
    decoder = json.JSONDecoder()
    try:
        with path.open(encoding="utf8") as file:
            text = file.read(_BLOCK).lstrip()
            if not text.startswith("["):
                raise RecordingError(f"{path} holds no list of records; expected a JSON list.")
            position = 1
            while True:
                position = _BETWEEN.match(text, position).end()  # type: ignore[union-attr]
                try:
                    record, position = decoder.raw_decode(text, position)
                except ValueError as error:
                    if text.startswith("]", position):
                        return
                    block = file.read(_BLOCK)
                    if not block:
                        raise RecordingError(f"{path} is cut off or damaged: {error}.") from error
                    text, position = text[position:] + block, 0
                    continue
                if not isinstance(record, dict):
                    raise RecordingError(f"{path} holds {record!r:.60} among its records.")
                yield record
    except FileNotFoundError:
        raise RecordingError(
            f"the table {path} is missing; download the data set's metadata again."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise RecordingError(f"the table {path} cannot be read: {error}.") from error


def _get(row: dict[str, Any], key: str, table: str) -> Any:
    if key not in row:
        raise RecordingError(f"a record of {table} has no '{key}': {json.dumps(row)[:160]}.")
    return row[key]


def _follow(table: dict[str, Any], row: dict[str, Any], key: str, name: str) -> Any:
    token = _get(row, key, name)
    if token not in table:
        raise RecordingError(
            f"{name} {row.get('token')}: its {key} {token} points to no record; the tables do not "
            "belong together, or one is incomplete."
        )
    return table[token]


def _pose(row: dict[str, Any], table: str) -> RigidTransform:
    try:
        w, x, y, z = _get(row, "rotation", table)  # nuScenes puts w first
        return RigidTransform.from_quaternion((x, y, z, w), _get(row, "translation", table))
    except (GeometryError, TypeError, ValueError) as error:
        raise RecordingError(f"{table} {row.get('token')} is no pose: {error}") from error


def _add(
    scene: Scene,
    channel: str,
    row: dict[str, Any],
    calibrated: dict[str, Any],
    poses: dict[str, RigidTransform],
) -> None:
    k = calibrated.get("camera_intrinsic") or None
    try:
        intrinsics = None if k is None else np.array(k, np.float64).reshape(3, 3)
        stamp_ns = int(_get(row, "timestamp", "sample_data")) * 1000
        size = (int(row.get("width") or 0), int(row.get("height") or 0))
        if not 0 <= stamp_ns < 2**31 * 1_000_000_000:
            raise ValueError(f"timestamp {row['timestamp']} is no time in microseconds")
    except (TypeError, ValueError) as error:
        raise RecordingError(f"sample_data {row.get('token')} is damaged: {error}.") from error
    mounting = Mounting(_pose(calibrated, "calibrated_sensor"), intrinsics)
    known = scene.mountings.setdefault(channel, mounting)
    if not (
        np.array_equal(known.base_from_sensor.rotation, mounting.base_from_sensor.rotation)
        and np.array_equal(
            known.base_from_sensor.translation_m, mounting.base_from_sensor.translation_m
        )
    ):
        raise RecordingError(
            f"{scene.name} mounts {channel} in two ways; expected one calibrated_sensor a scene."
        )
    scene.files.append(
        SensorFile(
            channel,
            str(_get(row, "filename", "sample_data")),
            stamp_ns,
            bool(_get(row, "is_key_frame", "sample_data")),
            size,
            _follow(poses, row, "ego_pose_token", "sample_data"),
        )
    )


def _put_in_order(scene: Scene) -> None:
    """Sort a scene's files by time, and keep one file a stamp and channel, keyframes first."""
    first: dict[tuple[int, str], SensorFile] = {}
    for file in sorted(scene.files, key=lambda f: (f.stamp_ns, f.channel, not f.is_keyframe)):
        first.setdefault((file.stamp_ns, file.channel), file)
    if len(first) < len(scene.files):
        scene.skipped["duplicate stamp"] = len(scene.files) - len(first)
    scene.files = list(first.values())
