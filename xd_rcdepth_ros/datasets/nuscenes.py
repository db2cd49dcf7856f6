# SPDX-License-Identifier: Apache-2.0
"""nuScenes (schema v1.0) to drive bags: one bag a scene, keyframes and sweeps.

``map`` is nuScenes' global frame; ``odom`` starts at the scene's first ego pose (map -> odom is
fixed); odom -> base_link is the ego pose of every sensor file. Images stay as they are on disk, and
radar keeps all fields of its PCD.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.datasets.conversion import Converter, DrivePlan, option
from xd_rcdepth_ros.datasets.ego import body_velocity
from xd_rcdepth_ros.datasets.nuscenes_files import (
    DEVKIT_FILTER,
    RadarFilter,
    frame_of,
    read_lidar,
    sensor_name,
    topic_of,
)
from xd_rcdepth_ros.datasets.nuscenes_splits import official_split
from xd_rcdepth_ros.datasets.nuscenes_tables import (
    Scene,
    SensorFile,
    channels_of,
    find_version,
    load_scenes,
    scene_names,
)
from xd_rcdepth_ros.errors import RecordingError
from xd_rcdepth_ros.geometry import PinholeCamera, PoseTrack
from xd_rcdepth_ros.recordings import schema
from xd_rcdepth_ros.recordings.pcd import read_radar_pcd
from xd_rcdepth_ros.recordings.writer import DriveWriter

_TAGS = ("night", "rain", "fog", "snow")


@dataclass(frozen=True)
class NuScenesOptions:
    """What of the data set is converted; the command's options and their help come from here."""

    version: str | None = option(None, "Table folder such as v1.0-trainval, if there are several.")
    scenes: Sequence[str] = option((), "Names of scenes; all if left out.")
    split: str | None = option(
        None,
        "train, val, test, mini_train or mini_val by the official lists, or a split named in a "
        "splits.json beside the tables or in the root.",
    )
    cameras: Sequence[str] = option(("CAM_FRONT",), "Camera channels, or all.")
    radars: Sequence[str] = option(("RADAR_FRONT",), "Radar channels, all, or none.")
    lidar: str | None = option("LIDAR_TOP", "Lidar channel, or none.")
    dynamic_properties: Sequence[int] | None = option(
        None, "Keep only radar returns with these dyn_prop, such as 0-6."
    )
    invalid_states: Sequence[int] | None = option(
        None, "Keep only radar returns with these invalid_state, such as 0."
    )
    ambiguity_states: Sequence[int] | None = option(
        None, "Keep only radar returns with these ambig_state, such as 3."
    )
    devkit_filter: bool = option(False, "The radar filter of the nuScenes devkit.")

    @property
    def radar_filter(self) -> RadarFilter:
        """Which radar returns are kept."""
        if self.devkit_filter:
            return DEVKIT_FILTER
        chosen = (self.dynamic_properties, self.invalid_states, self.ambiguity_states)
        return RadarFilter(*(None if values is None else tuple(values) for values in chosen))


@dataclass
class NuScenesPlan(DrivePlan):
    """One scene as a bag."""

    root: Path
    scene: Scene
    radar_filter: RadarFilter = field(default_factory=RadarFilter)
    info: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:  # type: ignore[override]
        """Name of the scene."""
        return self.scene.name

    def __len__(self) -> int:
        return len(self.scene.files)

    def write(self, writer: DriveWriter, tick: Callable[[], None]) -> Counter[str]:
        """Write the scene; see ``DrivePlan.write``."""
        self._check_keyframes()
        map_from_odom = self.scene.files[0].map_from_base
        odom_from_map = map_from_odom.inverse()
        writer.static_transform(schema.MAP_FRAME, schema.ODOM_FRAME, map_from_odom)
        for channel, mounting in self.scene.mountings.items():
            frame = frame_of(channel)
            writer.static_transform(schema.BASE_FRAME, frame, mounting.base_from_sensor)
        stamps = [file.stamp_ns for file in self.scene.files]
        poses = [odom_from_map @ file.map_from_base for file in self.scene.files]
        track = PoseTrack(stamps, poses)
        last = None
        for file, pose in zip(self.scene.files, poses, strict=True):
            if file.stamp_ns != last:
                last = file.stamp_ns
                writer.transform(schema.ODOM_FRAME, schema.BASE_FRAME, last, pose)
                writer.odometry(last, pose, *body_velocity(track, last, stamps[0], stamps[-1]))
            if file not in self._missing:
                self._write_file(writer, file)
            tick()
        gone = Counter(f"{Path(f.path).parent} file missing" for f in self._missing)
        return Counter(self.scene.skipped) + gone

    @cached_property
    def _missing(self) -> set[SensorFile]:
        """Files that are not there: without the blobs of sweeps, keyframes alone are converted."""
        return {f for f in self.scene.files if not (self.root / f.path).is_file()}

    @property
    def files(self) -> list[SensorFile]:
        """The sensor files that are there, ordered by stamp and channel."""
        return [file for file in self.scene.files if file not in self._missing]

    def _write_file(self, writer: DriveWriter, file: SensorFile) -> None:
        kind, name = sensor_name(file.channel)
        path = self.root / file.path
        if kind == "camera":
            writer.camera_info(name, file.stamp_ns, self._camera(file))
            image_format = "png" if path.suffix.lower() == ".png" else "jpeg"
            writer.image(name, file.stamp_ns, path.read_bytes(), image_format)
        elif kind == "radar":
            writer.radar(name, file.stamp_ns, self.radar_filter.apply(read_radar_pcd(path)))
        else:
            points = read_lidar(path)
            writer.lidar(name, file.stamp_ns, points[:, :3], points[:, 3], points[:, 4])
        if file.is_keyframe:
            writer.keyframe(frame_of(file.channel), file.stamp_ns)

    def _camera(self, file: SensorFile) -> PinholeCamera:
        k = self.scene.mountings[file.channel].k
        if k is None or min(file.size) < 1:
            raise RecordingError(
                f"{self.scene.name}: {file.channel} has intrinsics {k} and size {file.size}; "
                "expected a 3 x 3 camera_intrinsic, width and height."
            )
        return PinholeCamera(*file.size, k, frame_id=frame_of(file.channel))

    def _check_keyframes(self) -> None:
        if not self.scene.files:
            raise RecordingError(f"{self.scene.name} has no file of the wanted channels.")
        keyframes = [file for file in self.scene.files if file.is_keyframe]
        missing = [file.path for file in keyframes if file in self._missing]
        if missing:
            raise RecordingError(
                f"{self.scene.name}: {len(missing)} of {len(keyframes)} keyframe files are "
                f"missing, the first is {self.root / missing[0]}. Download the "
                "part of the data set that holds it, or leave the scene out."
            )

    def stamps(self) -> dict[str, list[int]]:
        """Return the stamps on each sensor topic; see ``DrivePlan.stamps``."""
        result: dict[str, list[int]] = {}
        for file in self.files:
            result.setdefault(topic_of(file.channel), []).append(file.stamp_ns)
        return result

    def source_images(self) -> Iterator[tuple[str, int, bytes]]:
        """Yield the images on disk; see ``DrivePlan.source_images``."""
        for file in self.files:
            if sensor_name(file.channel)[0] == "camera":
                yield topic_of(file.channel), file.stamp_ns, (self.root / file.path).read_bytes()

    def source_lidar(self, stamp_ns: int) -> NDArray[np.float64] | None:
        """Return the nearest lidar file's points, sensor -> ego -> global -> ego -> camera."""
        lidars = [f for f in self.files if sensor_name(f.channel)[0] == "lidar"]
        image = next((f for f in self.files if f.stamp_ns == stamp_ns), None)
        if not lidars or image is None:
            return None
        if image.is_keyframe:
            lidars = [f for f in lidars if f.is_keyframe] or lidars
        lidar = min(lidars, key=lambda f: abs(f.stamp_ns - stamp_ns))
        points = read_lidar(self.root / lidar.path)[:, :3].astype(np.float64)
        mountings = self.scene.mountings
        for step in (mountings[lidar.channel].base_from_sensor, lidar.map_from_base):
            points = points @ step.rotation.T + step.translation_m
        for step in (image.map_from_base, mountings[image.channel].base_from_sensor):
            points = (points - step.translation_m) @ step.rotation
        return points


def plan_nuscenes(root: str | Path, **options: Any) -> list[NuScenesPlan]:
    """Plan scenes of a data set in nuScenes' v1.0 schema: one bag a scene.

    Sweeps whose files are not there are left out and counted; the files of keyframes must be there.

    Args:
        root: Folder with ``samples``, ``sweeps`` and ``v1.0-*``.
        **options: As in :class:`NuScenesOptions`.

    Raises:
        RecordingError: A table, file, channel or scene is missing or damaged.
    """
    root, wish = Path(root), NuScenesOptions(**options)
    version = find_version(root, wish.version)
    there = channels_of(root, version)
    wanted = [*_expand(wish.cameras, "CAM_", there), *_expand(wish.radars, "RADAR_", there)]
    channels = [*wanted, *([wish.lidar] if wish.lidar else [])]
    absent = [channel for channel in channels if channel not in there]
    if absent or not channels:
        raise RecordingError(
            f"{root} has no channel {', '.join(absent)}; it has {', '.join(sorted(there))}."
        )
    splits = _splits(root, version)
    names = _choose(scene_names(root, version), wish.scenes or None, wish.split, splits)
    chosen = wish.radar_filter
    plans = []
    for scene in load_scenes(root, version, channels, names):
        words = set(re.findall(r"[a-z]+", scene.description.lower()))
        info = {
            "source": f"nuscenes {version}",
            "scene": scene.name,
            "description": scene.description,
            "split": splits(scene.name),
            "tags": [tag for tag in _TAGS if tag in words],
            "options": {
                "channels": sorted(channels),
                "radar_filter": {k: list(v) for k, v in vars(chosen).items() if v is not None},
            },
        }
        plans.append(NuScenesPlan(root, scene, chosen, info))
    return plans


convert_nuscenes = Converter(plan_nuscenes)


def _splits(root: Path, version: str) -> Callable[[str], str | None]:
    """Return the function that gives a scene's split: by splits.json where there is one."""
    path = next((p for p in (root / version, root) if (p / "splits.json").is_file()), None)
    if path is None:
        return official_split
    try:
        lists = json.loads((path / "splits.json").read_text(encoding="utf8"))
        split_of = {str(name): str(split) for split, names in lists.items() for name in names}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise RecordingError(
            f"{path / 'splits.json'} should hold {{split: [scene names]}}, but: {error}."
        ) from error
    return lambda name: split_of.get(name) or official_split(name)


def _expand(channels: Sequence[str], prefix: str, there: Collection[str]) -> list[str]:
    if list(channels) != ["all"]:
        return list(channels)
    return sorted(channel for channel in there if channel.startswith(prefix))


def _choose(
    there: Sequence[str],
    scenes: Collection[str] | None,
    split: str | None,
    split_of: Callable[[str], str | None],
) -> list[str]:
    unknown = [name for name in scenes or () if name not in there]
    if unknown:
        raise RecordingError(
            f"no scene {', '.join(unknown)}; there are {len(there)}: {', '.join(there[:5])}"
            f"{', ...' if len(there) > 5 else ''}."
        )
    names = [name for name in there if scenes is None or name in scenes]
    if split is not None:
        chosen = [name for name in names if split_of(name) == split or _is_mini(name, split)]
        if not chosen:
            known = sorted({s for s in map(split_of, names) if s})
            raise RecordingError(
                f"none of the {len(names)} scenes is of split '{split}'; they are of: "
                f"{', '.join(known) or 'no known split'}."
            )
        names = chosen
    return names


def _is_mini(name: str, split: str) -> bool:
    return split.startswith("mini_") and official_split(name, mini=True) == split
