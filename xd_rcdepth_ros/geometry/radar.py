# SPDX-License-Identifier: Apache-2.0
"""Radar returns with named fields, whatever sensor or file they came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xd_rcdepth_ros.errors import GeometryError

Float32Array = NDArray[np.float32]
RADAR_COLUMNS = (3, 4, 5, 6)
"""Numbers of columns that :meth:`RadarPoints.from_columns` takes."""


@dataclass(frozen=True, eq=False)
class RadarPoints:
    """Radar returns of one sweep in the sensor's own frame (x forward, y left, z up).

    Attributes:
        position_m: (N, 3) float32, metres.
        rcs_dbsm: (N,) float32, radar cross section, or another measure of strength in dB; NaN
            where not measured, as for the velocity.
        velocity_mps: (N, 2) float32, measured velocity (vx, vy) relative to the moving sensor,
            along its own x and y. A sensor that measures only range rate gives range rate times the
            direction (cos, sin).
        velocity_compensated_mps: (N, 2) float32, the same after taking out the sensor's own
            motion; NaN where not known.
    """

    position_m: Float32Array
    rcs_dbsm: Float32Array
    velocity_mps: Float32Array
    velocity_compensated_mps: Float32Array

    def __post_init__(self) -> None:
        count = len(self.position_m)
        for name, width in (
            ("position_m", 3),
            ("rcs_dbsm", None),
            ("velocity_mps", 2),
            ("velocity_compensated_mps", 2),
        ):
            array = np.asarray(getattr(self, name), dtype=np.float32)
            expected = (count,) if width is None else (count, width)
            if array.shape != expected:
                raise GeometryError(f"radar {name} has shape {array.shape}; expected {expected}.")
            object.__setattr__(self, name, array)

    def __len__(self) -> int:
        return len(self.position_m)

    @classmethod
    def empty(cls) -> RadarPoints:
        """Return a sweep without returns."""
        return cls.from_arrays(np.zeros((0, 3)))

    @classmethod
    def from_arrays(
        cls,
        position_m: ArrayLike,
        rcs_dbsm: ArrayLike | None = None,
        velocity_mps: ArrayLike | None = None,
        velocity_compensated_mps: ArrayLike | None = None,
    ) -> RadarPoints:
        """Make points from what is known: strength and velocity default to 0, compensated to NaN.

        Args:
            position_m: (N, 3), metres, radar frame.
            rcs_dbsm: (N,), dB.
            velocity_mps: (N, 2) as (vx, vy), or (N,) range rates, positive when receding.
            velocity_compensated_mps: (N, 2) or (N,), like ``velocity_mps``.
        """
        position = np.asarray(position_m, dtype=np.float32).reshape(-1, 3)
        count = len(position)

        def velocity(value: ArrayLike | None, fallback: float) -> Float32Array:
            if value is None:
                return np.full((count, 2), fallback, np.float32)
            array = np.asarray(value, dtype=np.float32)
            return radial_to_planar(position, array) if array.ndim == 1 else array

        return cls(
            position,
            np.zeros(count, np.float32) if rcs_dbsm is None else np.asarray(rcs_dbsm, np.float32),
            velocity(velocity_mps, 0.0),
            velocity(velocity_compensated_mps, np.nan),
        )

    @classmethod
    def from_columns(cls, columns: ArrayLike) -> RadarPoints:
        """Make points from one array with a row for each return.

        Args:
            columns: (N, 3) x y z; (N, 4) x y z rcs; (N, 5) x y z rcs range rate; or (N, 6) x y z
                rcs vx vy: metres, dB, m/s, positive when receding.

        Raises:
            GeometryError: The array has another shape, or holds no numbers.
        """
        table = np.asarray(columns)
        if table.ndim != 2 or table.shape[1] not in RADAR_COLUMNS or table.dtype.kind not in "fiu":
            raise GeometryError(
                f"radar is {table.shape} {table.dtype}; expected numbers (N, 3), (N, 4), (N, 5) or "
                "(N, 6): x y z, then rcs, then range rate or vx vy."
            )
        rcs = table[:, 3] if table.shape[1] > 3 else None
        velocity = {5: table[:, 4:].ravel(), 6: table[:, 4:]}.get(table.shape[1])
        return cls.from_arrays(table[:, :3], rcs, velocity)

    @classmethod
    def concatenate(cls, parts: Sequence[RadarPoints]) -> RadarPoints:
        """Join the returns of several sweeps that share one frame."""
        if not parts:
            return cls.empty()
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))

    def select(self, which: Any) -> RadarPoints:
        """Return the points that a mask, slice or index array names."""
        return RadarPoints(*(getattr(self, f.name)[which] for f in fields(self)))

    def usable(self) -> NDArray[np.bool_]:
        """Return a mask (N,) of points whose position is finite."""
        return np.asarray(np.isfinite(self.position_m).all(axis=1))

    def incomplete(self) -> NDArray[np.bool_]:
        """Return a mask (N,) of usable points whose strength or velocity was not measured (NaN)."""
        measured = np.isfinite(self.rcs_dbsm) & np.isfinite(self.velocity_mps).all(axis=1)
        return self.usable() & ~measured

    def shifted_by_motion(self, duration_s: float) -> RadarPoints:
        """Move each return by its own compensated velocity, as if seen ``duration_s`` later.

        Returns whose compensated velocity is not known stay where they are.
        """
        shift = np.nan_to_num(self.velocity_compensated_mps, nan=0.0) * np.float32(duration_s)
        position = self.position_m.copy()
        position[:, :2] += shift
        return replace(self, position_m=position)

    def scaled(self, factor: float) -> RadarPoints:
        """Return the points of a world that is larger by a factor; velocities stay."""
        return replace(self, position_m=self.position_m * np.float32(factor))

    def mirrored(self) -> RadarPoints:
        """Return the points of the world mirrored left to right: y, vy and vy_comp change sign."""
        lateral = np.array([1, -1], np.float32)
        return RadarPoints(
            self.position_m * np.array([1, -1, 1], np.float32),
            self.rcs_dbsm,
            self.velocity_mps * lateral,
            self.velocity_compensated_mps * lateral,
        )


def radial_to_planar(position_m: NDArray[Any], range_rate_mps: NDArray[Any]) -> Float32Array:
    """Turn range rates into planar velocities along the line of sight.

    Args:
        position_m: (N, 3), metres, radar frame.
        range_rate_mps: (N,), positive when receding.

    Returns:
        (N, 2) float32, (vx, vy) = range rate x (cos, sin) of the azimuth.
    """
    azimuth = np.arctan2(position_m[:, 1], position_m[:, 0])
    direction = np.stack([np.cos(azimuth), np.sin(azimuth)], axis=1)
    velocity: Float32Array = (range_rate_mps[:, None] * direction).astype(np.float32)
    return velocity
