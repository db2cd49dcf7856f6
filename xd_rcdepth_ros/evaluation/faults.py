# SPDX-License-Identifier: Apache-2.0
"""Controlled faults of a frame: radar that fails, lies elsewhere or comes late, and bad weather."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.geometry import RadarPoints, RigidTransform, SensorFrame
from xd_rcdepth_ros.geometry.weather import add_fog, add_rain, make_night


@dataclass(frozen=True)
class Situation:
    """What a fault may use besides the frame.

    Attributes:
        seed: Seed of the frame's own random numbers, the same for all levels of a fault.
        depth_m: (H, W), metres: depth that fog and rain are computed with.
        speed_mps: The car's speed where radar does not tell it, m/s; None if not known.
    """

    seed: int
    depth_m: NDArray[np.floating]
    speed_mps: float | None = None

    def rng(self) -> np.random.Generator:
        """Return fresh random numbers."""
        return np.random.default_rng(self.seed)


# Returns None where the frame lacks what the fault needs.
Effect = Callable[[SensorFrame, float, Situation], SensorFrame | None]


@dataclass(frozen=True)
class Fault:
    """A fault in several levels.

    Attributes:
        title: What it is, for people.
        unit: Unit of the levels.
        levels: From harmless to severe.
        effect: Makes the faulty frame.
        needs: What a frame must have, if anything.
    """

    title: str
    unit: str
    levels: tuple[float, ...]
    effect: Effect
    needs: str = ""


def _with_points(frame: SensorFrame, change: Callable[[RadarPoints], RadarPoints]) -> SensorFrame:
    sweeps = tuple(replace(sweep, points=change(sweep.points)) for sweep in frame.radar)
    return replace(frame, radar=sweeps)


def keep_returns(frame: SensorFrame, percent: float, situation: Situation) -> SensorFrame:
    """Keep a random share of the returns; 0 % is a radar that sees nothing."""
    rng = situation.rng()
    return _with_points(frame, lambda p: p.select(rng.random(len(p)) < percent / 100))


def _rotated(frame: SensorFrame, axis: int, degrees: float) -> SensorFrame:
    vector = np.zeros(3)
    vector[axis] = np.sin(np.radians(degrees) / 2)
    quaternion = [*vector, np.cos(np.radians(degrees) / 2)]
    error = RigidTransform.from_quaternion(quaternion, np.zeros(3))
    sweeps = tuple(
        replace(sweep, camera_from_radar=sweep.camera_from_radar @ error) for sweep in frame.radar
    )
    return replace(frame, radar=sweeps)


def yaw_radar(frame: SensorFrame, degrees: float, situation: Situation) -> SensorFrame:
    """Calibrate the radar falsely by a turn to the left."""
    return _rotated(frame, 2, degrees)


def pitch_radar(frame: SensorFrame, degrees: float, situation: Situation) -> SensorFrame:
    """Calibrate the radar falsely by a turn downwards."""
    return _rotated(frame, 1, degrees)


def ego_velocity(points: RadarPoints) -> NDArray[np.float64] | None:
    """Find the radar's own velocity (vx, vy), m/s, from what was taken out of its returns.

    Compensated minus measured velocity is the part of the sensor's velocity along the line of
    sight, whether the target moves or not; two directions determine it.

    Returns:
        None if compensated velocities are not known, or all returns lie in one direction.
    """
    position = points.position_m[:, :2].astype(np.float64)
    reach = np.linalg.norm(position, axis=1)
    removed = (points.velocity_compensated_mps - points.velocity_mps).astype(np.float64)
    known = np.isfinite(removed).all(axis=1) & (reach > 0)
    if known.sum() < 2:
        return None
    direction = position[known] / reach[known, None]
    if np.linalg.svd(direction, compute_uv=False)[-1] < 1e-3:
        return None
    along = (removed[known] * direction).sum(axis=1)
    velocity: NDArray[np.float64] = np.linalg.lstsq(direction, along, rcond=None)[0]
    return velocity


def delay_radar(frame: SensorFrame, delay_ms: float, situation: Situation) -> SensorFrame | None:
    """Show where the returns were ``delay_ms`` before: a stamp that is too young by that much.

    The car's velocity comes from the radar itself, else straight ahead at the stated speed. Its
    turning is left out. Moving targets move by their compensated velocity.
    """
    seconds = delay_ms / 1000
    sweeps = []
    for sweep in frame.radar:
        velocity = ego_velocity(sweep.points)
        if velocity is None:
            if situation.speed_mps is None:
                return None
            velocity = np.array([situation.speed_mps, 0.0])
        earlier = sweep.points.shifted_by_motion(-seconds)
        position = earlier.position_m.copy()
        position[:, :2] += (velocity * seconds).astype(np.float32)
        sweeps.append(replace(sweep, points=replace(earlier, position_m=position)))
    return replace(frame, radar=tuple(sweeps))


def fog(frame: SensorFrame, visibility_m: float, situation: Situation) -> SensorFrame:
    """Put fog onto the image."""
    return replace(frame, image=add_fog(frame.image, situation.depth_m, visibility_m))


def rain(frame: SensorFrame, rate_mm_per_h: float, situation: Situation) -> SensorFrame:
    """Put rain onto the image."""
    wet = add_rain(frame.image, situation.depth_m, rate_mm_per_h, situation.rng())
    return replace(frame, image=wet)


def night(frame: SensorFrame, stops: float, situation: Situation) -> SensorFrame:
    """Take light from the image."""
    return replace(frame, image=make_night(frame.image, stops, situation.rng()))


FAULTS: Mapping[str, Fault] = {
    "returns": Fault("radar returns kept", "%", (50, 25, 10, 5, 0), keep_returns),
    "yaw": Fault("radar calibration turned left", "degrees", (0.5, 1, 2, 3), yaw_radar),
    "pitch": Fault("radar calibration turned down", "degrees", (0.5, 1, 2, 3), pitch_radar),
    "delay": Fault(
        "radar later than stamped",
        "ms",
        (50, 100, 200),
        delay_radar,
        "compensated radar velocities, or a stated speed of the car",
    ),
    "fog": Fault("fog on the image, visibility", "m", (200, 100, 50), fog),
    "rain": Fault("rain on the image", "mm/h", (5, 20, 50), rain),
    "night": Fault("less light on the image", "stops", (2, 4, 6), night),
}


def choose_faults(names: Sequence[str]) -> dict[str, Fault]:
    """Return faults by name; all, if none is named.

    Raises:
        ConfigurationError: A name is not known.
    """
    unknown = sorted(set(names) - set(FAULTS))
    if unknown:
        raise ConfigurationError(f"no fault {unknown[0]!r}; there are {', '.join(FAULTS)}.")
    return {name: fault for name, fault in FAULTS.items() if not names or name in names}
