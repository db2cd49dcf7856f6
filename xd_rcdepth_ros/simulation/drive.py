# SPDX-License-Identifier: Apache-2.0
"""A simulated drive: one world, one car with camera, radar and lidar, each with its own stamps."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.geometry import (
    LidarSweep,
    PinholeCamera,
    RadarPoints,
    RadarSweep,
    RigidTransform,
    SensorFrame,
    split_sky,
)
from xd_rcdepth_ros.simulation.camera import CameraSimulator
from xd_rcdepth_ros.simulation.caster import Tree, World
from xd_rcdepth_ros.simulation.jobs import ordered
from xd_rcdepth_ros.simulation.lidar import LIDARS, LidarScan, scan_lidar
from xd_rcdepth_ros.simulation.materials import Materials
from xd_rcdepth_ros.simulation.mesh import Mesh
from xd_rcdepth_ros.simulation.radar import RadarScan, scan_radar
from xd_rcdepth_ros.simulation.radar_models import RADARS
from xd_rcdepth_ros.simulation.road import PLACES, Road
from xd_rcdepth_ros.simulation.shading import Lights
from xd_rcdepth_ros.simulation.surroundings import PIECE_M, Surroundings
from xd_rcdepth_ros.simulation.traffic import EgoMotion, Moved, Traffic
from xd_rcdepth_ros.simulation.weather import make_conditions

_CAMERA, _LIDAR, _RADAR = 1, 2, 3
START_NS = 1_700_000_000_000_000_000
WINDOW_M = 2 * PIECE_M  # so far the car drives in one ray tree
AHEAD_M = 270.0
BEHIND_M = 45.0
LONGEST_S = 14_400.0
# x right, y down, z forward from x forward, y left, z up
OPTICAL = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])


@dataclass(frozen=True)
class DriveSettings:
    """What drive to make; the same settings always make the same drive.

    Attributes:
        seed: Seed of everything.
        frames: Number of pictures.
        place: ``city``, ``suburb``, ``country`` or ``motorway``; empty: chosen by the seed.
        weather: ``clear``, ``overcast``, ``fog`` or ``rain``.
        time_of_day: ``day``, ``dusk`` or ``night``.
        season: ``summer``, ``autumn`` or ``winter``; empty: chosen by the seed.
        radar: ``sparse`` (a conventional automotive radar) or ``imaging`` (4D).
        lidar: ``hdl32``, ``vlp16`` or ``pandar64``.
        width, height: Picture size, pixels.
        focal_px: Focal length, pixels; 0 gives a horizontal field of view of 75.6 degrees.
        camera_hz, radar_hz, lidar_hz: Rates. A low camera rate gives frames far apart.
        traffic: Scales the number of other road users.
        speed_mps: Speed of the own car; 0 gives the place's usual one.
        steady: True for a straight level road at constant speed.
    """

    seed: int = 0
    frames: int = 100
    place: str = ""
    weather: str = "clear"
    time_of_day: str = "day"
    season: str = ""
    radar: str = "sparse"
    lidar: str = "hdl32"
    width: int = 704
    height: int = 352
    focal_px: float = 0.0
    camera_hz: float = 12.0
    radar_hz: float = 13.0
    lidar_hz: float = 10.0
    traffic: float = 1.0
    speed_mps: float = 0.0
    steady: bool = False

    def __post_init__(self) -> None:
        choices = (
            ("place", ("", *PLACES)),
            ("season", ("", "summer", "autumn", "winter")),
            ("radar", tuple(RADARS)),
            ("lidar", tuple(LIDARS)),
        )
        for name, known in choices:
            if getattr(self, name) not in known:
                raise ConfigurationError(
                    f"{name} is {getattr(self, name)!r}; known: {', '.join(filter(None, known))}."
                )
        limits = (("frames", 1, 1_000_000), ("width", 32, 8192), ("height", 32, 8192))
        for name, low, high in limits:
            if not low <= getattr(self, name) <= high:
                raise ConfigurationError(
                    f"{name} is {getattr(self, name)}; it must be {low} to {high}."
                )
        for name in ("camera_hz", "radar_hz", "lidar_hz"):
            if not 0.01 <= getattr(self, name) <= 200:
                raise ConfigurationError(
                    f"{name} is {getattr(self, name)}; it must be 0.01 to 200 per second."
                )
        if self.frames / self.camera_hz > LONGEST_S:
            raise ConfigurationError(
                f"{self.frames} frames at {self.camera_hz} per second take "
                f"{self.frames / self.camera_hz:.0f} s; a drive may take {LONGEST_S:.0f} s. Make "
                "several drives with other seeds."
            )
        if self.seed < 0 or not 0 <= self.traffic <= 5 or not 0 <= self.speed_mps <= 60:
            raise ConfigurationError(
                f"seed {self.seed}, traffic {self.traffic} or speed {self.speed_mps} m/s is beyond "
                "what can be simulated: seed from 0, traffic 0 to 5, speed 0 to 60 m/s."
            )


@dataclass(frozen=True, eq=False)
class Rig:
    """Where the sensors sit: transforms ``base_from_<sensor>`` (base: rear axle, on the ground)."""

    camera: RigidTransform = field(
        default_factory=lambda: RigidTransform(OPTICAL, np.array([1.70, 0.0, 1.50]))
    )
    radar: RigidTransform = field(
        default_factory=lambda: RigidTransform(np.eye(3), np.array([3.60, 0.0, 0.55]))
    )
    lidar: RigidTransform = field(
        default_factory=lambda: RigidTransform(np.eye(3), np.array([0.95, 0.0, 1.84]))
    )


class Drive:
    """One simulated drive.

    Args:
        settings: What to make.
    """

    def __init__(self, settings: DriveSettings) -> None:
        self.settings = settings
        rng = np.random.default_rng([settings.seed, 1])
        place_name = settings.place or str(rng.choice(list(PLACES), p=[0.35, 0.25, 0.25, 0.15]))
        self.place = PLACES[place_name]
        self.season = settings.season or str(
            rng.choice(["summer", "autumn", "winter"], p=[0.6, 0.2, 0.2])
        )
        speed = settings.speed_mps or self.place.speed_mps * rng.uniform(0.85, 1.1)
        self.duration_s = settings.frames / settings.camera_hz
        length = speed * self.duration_s * 1.2 + 50
        self.road = Road(settings.seed, self.place, length, bends=not settings.steady)
        self.ego = EgoMotion(self.road, settings.seed, speed, settings.steady)
        self.traffic = Traffic(self.road, self.ego, settings.seed, settings.traffic, length)
        self.surroundings = Surroundings(self.road, settings.seed, self.season)
        self.conditions = make_conditions(
            settings.weather, settings.time_of_day, settings.seed, float(self.road.heading(0.0))
        )
        self.rig = Rig()
        self.camera = self._make_camera()
        self._radar = RADARS[settings.radar].of_drive(np.random.default_rng([settings.seed, 3]))
        self._camera = CameraSimulator(
            self.camera, Materials(self.road, self.conditions, self.season), self.conditions
        )
        self._windows: OrderedDict[int, tuple[Tree, NDArray[Any], NDArray[Any]]] = OrderedDict()
        self._lock = Lock()
        self._stamps: dict[str, NDArray[np.int64]] = {}

    def _make_camera(self) -> PinholeCamera:
        s = self.settings
        focal = s.focal_px or s.width * 0.645
        # The horizon lies a little above the middle, as cameras behind windscreens have it.
        return PinholeCamera.from_focal(
            s.width, s.height, focal, focal, (s.width - 1) / 2, (s.height - 1) * 0.47,
            "camera_front_optical",
        )  # fmt: skip

    @cached_property
    def tags(self) -> frozenset[str]:
        """What describes all frames of the drive."""
        words = {self.place.name, self.season, "simulated"}
        if self.settings.weather != "clear":
            words.add(self.settings.weather)
        if self.settings.time_of_day != "day":
            words.add(self.settings.time_of_day)
        return frozenset(words)

    def time_s(self, stamp_ns: int) -> float:
        """Return seconds since the drive's start."""
        return (stamp_ns - START_NS) * 1e-9

    def stamps_ns(self, sensor: str) -> NDArray[np.int64]:
        """Return the stamps of ``camera``, ``radar`` or ``lidar`` over the whole drive."""
        if sensor in self._stamps:
            return self._stamps[sensor]
        rate = getattr(self.settings, f"{sensor}_hz")
        offset = {"camera": 0.060, "radar": 0.017, "lidar": 0.041}[sensor]
        count = (
            self.settings.frames
            if sensor == "camera"
            else int(np.ceil((self.duration_s + 0.1) * rate))
        )
        jitter = np.random.default_rng([self.settings.seed, 2, len(sensor)]).normal(0, 4e-4, count)
        times = offset + np.arange(count) / rate + np.clip(jitter, -2e-3, 2e-3)
        self._stamps[sensor] = START_NS + (times * 1e9).astype(np.int64)
        return self._stamps[sensor]

    def pose(self, stamp_ns: int) -> RigidTransform:
        """Return ``odom_from_base`` at a stamp."""
        return self.ego.pose(self.time_s(stamp_ns))

    def moved(self, stamp_ns: int) -> list[Moved]:
        """Return the other road users near the own car at a stamp."""
        return self.traffic.at(self.time_s(stamp_ns))

    def world(self, stamp_ns: int) -> tuple[World, NDArray[np.float64], NDArray[np.float32]]:
        """Return what there is at a stamp, the cast frame's origin in odom, and the lamps nearby.

        The cast frame is odom moved near the car, so that 32-bit rays stay exact on long drives.
        """
        time = self.time_s(stamp_ns)
        number = int(np.floor(float(self.ego.s_m(time)) / WINDOW_M))
        with self._lock:  # frames are made in several threads
            if number not in self._windows:
                self._windows[number] = self._window(number)
                while len(self._windows) > 3:
                    self._windows.popitem(last=False)
            static, origin, lamps = self._windows[number]
        moved = self.traffic.at(time)
        moving = self.traffic.mesh(moved, time, origin)
        return World(static, moving), origin, lamps

    def _window(self, number: int) -> tuple[Tree, NDArray[Any], NDArray[Any]]:
        start, end = number * WINDOW_M - BEHIND_M, (number + 1) * WINDOW_M + AHEAD_M
        origin = np.round(self.road.point((number + 0.5) * WINDOW_M))
        mesh = self.surroundings.mesh(start, end).placed(-origin)
        lamps = self.surroundings.lamps_m(start, end)
        return Tree(mesh), origin, lamps - origin.astype(np.float32)

    def image(self, stamp_ns: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Return picture (H, W, 3) uint8 RGB and depth (H, W) float32, metres, +Inf for sky."""
        world, origin, lamps = self.world(stamp_ns)
        base = self._in_cast_frame(stamp_ns, origin)
        rng = np.random.default_rng([self.settings.seed, _CAMERA, stamp_ns - START_NS])
        lights = self._lights(stamp_ns, base, origin, lamps)
        return self._camera.render(world, base @ self.rig.camera, lights, rng)

    def lidar(self, stamp_ns: int) -> LidarScan:
        """Return a lidar sweep in the lidar's frame."""
        world, origin, _ = self.world(stamp_ns)
        pose = self._in_cast_frame(stamp_ns, origin) @ self.rig.lidar
        rng = np.random.default_rng([self.settings.seed, _LIDAR, stamp_ns - START_NS])
        return scan_lidar(LIDARS[self.settings.lidar], world, pose, self.conditions, rng)

    def radar(self, stamp_ns: int) -> RadarScan:
        """Return a radar sweep in the radar's frame."""
        world, origin, _ = self.world(stamp_ns)
        base = self._in_cast_frame(stamp_ns, origin)
        linear, angular = self.ego.twist(self.time_s(stamp_ns))
        arm = self.rig.radar.translation_m
        velocity = self.rig.radar.rotation.T @ (linear + np.cross(angular, arm))
        rng = np.random.default_rng([self.settings.seed, _RADAR, stamp_ns - START_NS])
        speeds = np.array([m.velocity_mps for m in self.moved(stamp_ns)]).reshape(-1, 3)
        pose = base @ self.rig.radar
        return scan_radar(self._radar, world, pose, velocity, speeds, rng)

    def _in_cast_frame(self, stamp_ns: int, origin: NDArray[np.float64]) -> RigidTransform:
        pose = self.pose(stamp_ns)
        return RigidTransform(pose.rotation, pose.translation_m - origin)

    def _lights(
        self,
        stamp_ns: int,
        base: RigidTransform,
        origin: NDArray[np.float64],
        lamps: NDArray[np.float32],
    ) -> Lights:
        if not self.conditions.lamps_on:
            nothing = np.zeros((0, 3), np.float32)
            return Lights(nothing, nothing, nothing)
        beams = [base.apply(np.array([[3.7, 0.0, 0.65]]))[0]]
        forward = [base.rotation[:, 0]]
        for one in self.moved(stamp_ns):
            ahead = one.velocity_mps / max(float(np.linalg.norm(one.velocity_mps)), 1e-6)
            away = one.position_m - origin - base.translation_m
            if one.actor.kind not in ("pedestrian", "bicycle") and np.linalg.norm(away) < 90:
                beams.append(one.position_m - origin + ahead * 2.3 + [0, 0, 0.65])
                forward.append(ahead)
        near = np.linalg.norm(lamps - base.translation_m, axis=1) < 110
        return Lights(lamps[near], np.array(beams, np.float32), np.array(forward, np.float32))

    def frame(self, index: int, sweeps: int = 1) -> SensorFrame:
        """Return one frame: picture, exact depth, newest radar sweeps, nearest lidar.

        Args:
            index: Number of the picture.
            sweeps: How many radar sweeps, newest first.
        """
        stamp = int(self.stamps_ns("camera")[index])
        image, depth = self.image(stamp)
        odom_from_camera = self.pose(stamp) @ self.rig.camera
        camera_from_odom = odom_from_camera.inverse()
        radar_stamps = self.stamps_ns("radar")
        newest = int(np.searchsorted(radar_stamps, stamp, side="right"))
        radar = []
        for radar_stamp in radar_stamps[max(0, newest - sweeps) : max(newest, 1)][::-1]:
            scan = self.radar(int(radar_stamp))
            pose = camera_from_odom @ self.pose(int(radar_stamp)) @ self.rig.radar
            radar.append(RadarSweep(scan.points, pose, int(radar_stamp), "front", ego_motion=True))
        lidar_stamps = self.stamps_ns("lidar")
        lidar_stamp = int(lidar_stamps[np.abs(lidar_stamps - stamp).argmin()])
        transform = camera_from_odom @ self.pose(lidar_stamp) @ self.rig.lidar
        lidar = LidarSweep(self.lidar(lidar_stamp).points_m, transform, lidar_stamp)
        return SensorFrame(
            image, self.camera, tuple(radar), stamp, lidar, *split_sky(depth),
            f"simulated_{self.settings.seed:06d}_{index:06d}", self.tags,
        )  # fmt: skip

    def frames(self, sweeps: int = 1, workers: int = 2) -> Iterator[SensorFrame]:
        """Return the frames one after the other, made ``workers`` at a time.

        Args:
            sweeps: Radar sweeps a frame.
            workers: Threads that make frames; the result does not depend on it.
        """
        yield from ordered(lambda i: self.frame(i, sweeps), range(self.settings.frames), workers)


__all__ = ["Drive", "DriveSettings", "Mesh", "RadarPoints", "Rig"]
