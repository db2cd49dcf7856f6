# SPDX-License-Identifier: Apache-2.0
"""The own car's drive and everybody else's: positions are functions of time, nothing is stepped."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xd_rcdepth_ros.geometry import RigidTransform
from xd_rcdepth_ros.simulation.assets.people import pedestrian, standing
from xd_rcdepth_ros.simulation.assets.vehicles import size_m, vehicle
from xd_rcdepth_ros.simulation.mesh import Mesh, heading_rotation
from xd_rcdepth_ros.simulation.road import Road

FloatArray = NDArray[np.float64]
LOOP_M = 420.0  # through traffic that falls behind comes back this far ahead
BEHIND_M = 60.0
VIEW_M = 330.0
CROSSING_S = 40.0  # who crosses is on the scene so long before and after
FAR_M = 38.0  # from here on vehicles have fewer triangles


class EgoMotion:
    """Motion of the own car along its lane: base_link is on the ground below the rear axle.

    Args:
        road: The road.
        seed: Seed of the speed's ups and downs.
        speed_mps: Mean speed.
        steady: True for constant speed and no rocking.
    """

    def __init__(self, road: Road, seed: int, speed_mps: float, steady: bool = False) -> None:
        rng = np.random.default_rng([seed, 21])
        self.road, self.speed_mps = road, speed_mps
        self.t_m = -road.place.lane_center_m(0)
        calm = 0.0 if steady else 1.0
        self._swing = np.array([0.12, 0.05]) * speed_mps * calm
        self._rate = 2 * np.pi / np.array([17.0, 7.0])
        self._phase = rng.uniform(0, 2 * np.pi, 2)
        self._rock = np.array([0.0018, 0.0025]) * calm  # pitch, roll, radians
        self._rock_rate = 2 * np.pi * np.array([1.1, 0.8])

    def s_m(self, time_s: ArrayLike) -> FloatArray:
        """Return the arc length reached at a time."""
        t = np.asarray(time_s, float)[..., None]
        wave = (
            self._swing / self._rate * (np.sin(self._rate * t + self._phase) - np.sin(self._phase))
        )
        reached: FloatArray = self.speed_mps * t[..., 0] + wave.sum(-1)
        return reached

    def s_rate_mps(self, time_s: ArrayLike) -> FloatArray:
        """Return the speed along the centre line at a time."""
        t = np.asarray(time_s, float)[..., None]
        wave: FloatArray = (self._swing * np.cos(self._rate * t + self._phase)).sum(-1)
        return self.speed_mps + wave

    def time_at(self, s_m: ArrayLike) -> FloatArray:
        """Return when an arc length is reached, seconds."""
        s = np.asarray(s_m, float)
        time = s / self.speed_mps
        for _ in range(6):  # Newton; the speed never comes near zero
            time = time - (self.s_m(time) - s) / self.s_rate_mps(time)
        return time

    def pose(self, time_s: float) -> RigidTransform:
        """Return ``odom_from_base`` at a time."""
        s = float(self.s_m(time_s))
        pitch = float(np.arctan(self.road.slope(s)))
        rock = self._rock * np.sin(self._rock_rate * time_s + self._phase)
        rotation = heading_rotation(float(self.road.heading(s)), pitch + rock[0])
        c, w = np.cos(rock[1]), np.sin(rock[1])
        rotation = rotation @ np.array([[1, 0, 0], [0, c, -w], [0, w, c]])
        return RigidTransform(rotation, self.road.point(s, self.t_m))

    def twist(self, time_s: float) -> tuple[FloatArray, FloatArray]:
        """Return linear (m/s) and angular (rad/s) velocity in the base frame."""
        step = 1e-4
        before, now, after = (self.pose(time_s + d) for d in (-step, 0.0, step))
        linear = (after.translation_m - before.translation_m) / (2 * step)
        turn = (after.rotation - before.rotation) / (2 * step) @ now.rotation.T
        angular = np.array([turn[2, 1], turn[0, 2], turn[1, 0]])
        return now.rotation.T @ linear, now.rotation.T @ angular


@dataclass(frozen=True)
class Actor:
    """Somebody who moves.

    Attributes:
        kind: Kind of vehicle, or ``pedestrian``.
        look: Paint or clothes.
        mode: ``lead`` keeps a distance to the own car, ``stream`` drives on and comes round again,
            ``cross`` goes over the road once, ``walk`` walks along the pavement.
        s_m: Place at time 0 (stream, walk), distance ahead (lead), or where it crosses (cross).
        t_m: Lateral place; for ``cross`` the side it comes from (its sign).
        speed_mps: Speed along s (stream, walk) or across (cross).
        start_s: When a crossing actor is on the centre line.
        phase: Free number of the actor, radians.
    """

    kind: str
    look: int
    mode: str
    s_m: float
    t_m: float
    speed_mps: float
    start_s: float = 0.0
    phase: float = 0.0


@dataclass(frozen=True, eq=False)
class Moved:
    """One actor at one moment: road coordinates, world position, heading and velocity."""

    actor: Actor
    s_m: float
    t_m: float
    position_m: FloatArray
    heading_rad: float
    velocity_mps: FloatArray


class Traffic:
    """All actors of a drive.

    Args:
        road: The road.
        ego: The own car, which the leaders follow and the crossers wait for.
        seed: Seed of who there is.
        density: Scales the number of actors.
        length_m: How far the drive goes.
    """

    def __init__(
        self, road: Road, ego: EgoMotion, seed: int, density: float, length_m: float
    ) -> None:
        self.road, self.ego = road, ego
        self._rng = np.random.default_rng([seed, 22])
        self.actors: list[Actor] = []
        if density > 0:
            self._leaders(density)
            self._streams(density)
            self._walkers(density)
        self._always = tuple(self.actors)
        self._crossers: list[Actor] = []
        if density > 0:
            self._add_crossers(density, length_m)
        self._crossers.sort(key=lambda actor: actor.start_s)
        self._starts = [actor.start_s for actor in self._crossers]
        self.actors += self._crossers

    def _vehicle(self, slow: bool = False) -> str:
        kinds = ["sedan", "hatchback", "suv", "van", "truck", "bus"]
        share = [0.1, 0.1, 0.1, 0.2, 0.45, 0.05] if slow else [0.3, 0.3, 0.24, 0.09, 0.05, 0.02]
        return str(self._rng.choice(kinds, p=share))

    def _look(self) -> int:
        return int(self._rng.integers(100))

    def _leaders(self, density: float) -> None:
        rng, place = self._rng, self.road.place
        gap = rng.uniform(10, 16) + place.speed_mps * rng.uniform(0.6, 1.6)
        for _ in range(int(rng.poisson(1.3 * density))):
            if gap > 150:
                break
            actor = Actor(self._vehicle(), self._look(), "lead", gap, self.ego.t_m, 0.0,
                          phase=rng.uniform(0, 6.28))  # fmt: skip
            self.actors.append(actor)
            gap += rng.uniform(14, 50)

    def _streams(self, density: float) -> None:
        rng, place = self._rng, self.road.place
        lanes = [(lane, 1) for lane in range(1, place.lanes)]
        lanes += [(lane, -1) for lane in range(place.lanes)]
        for lane, way in lanes:
            count = int(rng.poisson((5.5 if place.name == "motorway" else 4.5) * density))
            slots = np.sort(rng.permutation(14)[: min(count, 14)]) * (LOOP_M / 14)
            slow = lane > 0 and way > 0
            speed = place.speed_mps * (rng.uniform(0.78, 0.9) if slow else rng.uniform(0.95, 1.1))
            for slot in slots:
                s = slot + rng.uniform(0, 9)
                t = -way * place.lane_center_m(lane)
                self.actors.append(
                    Actor(self._vehicle(slow), self._look(), "stream", s, t, way * speed)
                )
        if place.name in ("city", "suburb"):
            for _ in range(int(rng.poisson(1.2 * density))):
                t = -(place.half_width_m - place.parking_m - 0.15)
                self.actors.append(
                    Actor("bicycle", self._look(), "stream", rng.uniform(20, 300), t, 5.0)
                )

    def _walkers(self, density: float) -> None:
        rng, place = self._rng, self.road.place
        if not place.pavement_m:
            return
        for _ in range(int(rng.poisson((14 if place.name == "city" else 5) * density))):
            side = rng.choice([-1, 1])
            t = side * (place.half_width_m + rng.uniform(1.0, max(1.1, place.pavement_m - 0.5)))
            speed = rng.choice([-1, 1]) * rng.uniform(0.9, 1.7)
            self.actors.append(
                Actor("pedestrian", self._look(), "walk", rng.uniform(0, 240), t, speed,
                      phase=rng.uniform(0, 6.28))
            )  # fmt: skip

    def _add_crossers(self, density: float, length_m: float) -> None:
        rng = self._rng
        crossings = self.road.crossings_m
        for s in crossings[crossings < length_m + 60].tolist():
            side, start = self._side_and_time(s, 45, 75)
            car = Actor(
                self._vehicle(), self._look(), "cross", s - side * 1.7, side,
                -side * rng.uniform(6, 9), start,
            )  # fmt: skip
            if rng.random() < 0.75 * density and self._clear(car):
                self._crossers.append(car)
            for _ in range(int(rng.poisson(1.2 * density))):
                side, start = self._side_and_time(s, 22, 45)
                walker = Actor(
                    "pedestrian", self._look(), "cross", s - rng.uniform(5.4, 7.4), side,
                    -side * rng.uniform(1.1, 1.6), start, rng.uniform(0, 6.28),
                )  # fmt: skip
                if self._clear(walker):
                    self._crossers.append(walker)

    def _side_and_time(self, s_m: float, least_m: float, most_m: float) -> tuple[float, float]:
        """Choose from where somebody crosses, and when: with the own car so far before."""
        distance = self._rng.uniform(least_m, most_m)
        return float(self._rng.choice([-1, 1])), float(self.ego.time_at(s_m - distance))

    def _clear(self, crosser: Actor) -> bool:
        """Return True if nobody drives through the crosser while it is on the road."""
        half = self.road.place.half_width_m + 2.0
        for offset in np.linspace(-half, half, 13):
            time = crosser.start_s + offset / abs(crosser.speed_mps)
            ego = float(self.ego.s_m(time)), float(self.ego.s_rate_mps(time))
            own = self._place(crosser, time, *ego)
            for actor in (*self._always, *self._crossers[-8:]):
                if actor.mode == "walk":
                    continue
                other = self._place(actor, time, *ego)
                reach = (size_m(actor.kind)[0] if actor.kind != "pedestrian" else 1.0) / 2 + 3.5
                if abs(own[0] - other[0]) < reach and abs(own[1] - other[1]) < 3.0:
                    return False
        return True

    def _place(
        self, actor: Actor, time_s: float, ego_s: float, ego_rate: float
    ) -> tuple[float, float, float, float]:
        """Return s, t and their rates at a time, given the own car's place and speed then."""
        if actor.mode == "lead":
            rate = 2 * np.pi / 23.0
            sway = min(4.0, actor.s_m * 0.15)
            s = ego_s + actor.s_m + sway * np.sin(rate * time_s + actor.phase)
            return s, actor.t_m, ego_rate + sway * rate * np.cos(rate * time_s + actor.phase), 0.0
        if actor.mode == "cross":
            return actor.s_m, actor.speed_mps * (time_s - actor.start_s), 0.0, actor.speed_mps
        loop = LOOP_M if actor.mode == "stream" else 240.0
        behind = BEHIND_M if actor.mode == "stream" else 20.0
        s = actor.s_m + actor.speed_mps * time_s
        s = ego_s - behind + (s - ego_s + behind) % loop
        return s, actor.t_m, actor.speed_mps, 0.0

    def at(self, time_s: float) -> list[Moved]:
        """Return every actor near the own car at a time."""
        ego_s = float(self.ego.s_m(time_s))
        ego_rate = float(self.ego.s_rate_mps(time_s))
        near = []
        first = bisect_left(self._starts, time_s - CROSSING_S)
        last = bisect_right(self._starts, time_s + CROSSING_S)
        for actor in (*self._always, *self._crossers[first:last]):
            s, t, s_rate, t_rate = self._place(actor, time_s, ego_s, ego_rate)
            reach = 120 if actor.kind in ("bicycle", "pedestrian") else VIEW_M
            if -25 < s - ego_s < reach and abs(t) < 70:
                near.append((actor, s, t, s_rate, t_rate))
        if not near:
            return []
        s, t, s_rate, t_rate = np.array([row[1:] for row in near]).T
        road = self.road
        heading = road.heading(s)
        cosine, sine = np.cos(heading), np.sin(heading)
        along = s_rate * (1.0 - road.curvature(s) * t)  # off the centre line bends change the way
        velocity = np.stack(
            [cosine * along - sine * t_rate, sine * along + cosine * t_rate, road.slope(s) * along],
            1,
        )
        direction = np.arctan2(velocity[:, 1], velocity[:, 0])
        foot = np.array([row[0].kind == "pedestrian" for row in near])
        raised = foot & (np.abs(t) > road.place.half_width_m) & ~road.near_crossing(s, 5.0)
        position = road.point(s, t, np.where(raised & (road.place.pavement_m > 0), 0.13, 0.0))
        return [
            Moved(row[0], row[1], row[2], position[i], float(direction[i]), velocity[i])
            for i, row in enumerate(near)
        ]

    def mesh(self, moved: list[Moved], time_s: float, origin_m: FloatArray) -> Mesh:
        """Return the mesh of moved actors about an origin; object ids are indices of the list."""
        parts = []
        ego_s = float(self.ego.s_m(time_s))
        for index, one in enumerate(moved):
            actor, far = one.actor, not -8 < one.s_m - ego_s < FAR_M
            pitch = 0.0
            if actor.kind == "pedestrian":
                step = 2 * np.pi * abs(actor.speed_mps) * time_s / 1.5 + actor.phase
                mesh = standing(actor.look) if far else pedestrian(actor.look, step)
            else:
                mesh = vehicle(actor.kind, actor.look, far)
                pitch = float(np.arctan2(one.velocity_mps[2], np.hypot(*one.velocity_mps[:2])))
            placed = mesh.placed(one.position_m - origin_m, one.heading_rad, pitch_rad=pitch)
            parts.append(placed.owned(index))
        return Mesh.join(parts)
