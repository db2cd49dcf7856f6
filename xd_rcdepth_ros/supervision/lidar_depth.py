# SPDX-License-Identifier: Apache-2.0
"""Dense depth to train on, from lidar alone: no boxes, no masks, each step a switch.

Neighbouring sweeps are moved to the image's time by the car's own poses; what moved is taken out by
consistency (see ``movers``); the rest is drawn nearest first, cleared of what is hidden, and small
gaps are interpolated. docs/supervision.md has the effect of each step where exact depth is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.errors import ConfigurationError, RecordingError
from xd_rcdepth_ros.geometry import (
    PinholeCamera,
    RadarSweep,
    RigidTransform,
    SensorFrame,
    rasterize_depth,
)
from xd_rcdepth_ros.recordings.reader import Recording
from xd_rcdepth_ros.supervision.interpolation import drop_hidden, interpolate_gaps
from xd_rcdepth_ros.supervision.movers import (
    Box,
    FreeSpace,
    PlacedSweep,
    contradicted,
    in_boxes,
    near_moving_returns,
)

DepthMap = NDArray[np.float32]
_MARGIN_PX = 40  # points beside the image still serve as rays


@dataclass(frozen=True)
class SupervisionSettings:
    """Which steps are taken.

    Attributes:
        sweeps_each_way: Lidar sweeps before and after the image's own that are added.
        consistency: Remove points that other sweeps saw through; None keeps them.
        doppler_radius_m: Remove points this near to radar returns that move; None keeps them.
        doppler_min_mps: A return moves if its compensated speed is above this, m/s.
        boxes: Remove points inside boxes, where a data set has some.
        hidden_window_px: Drop values that shine through from behind, within this window; 0: keep.
        interpolate: Fill gaps by Delaunay triangles.
        max_gap_px: Longest edge of a triangle that is filled, pixels; None fills all.
        max_jump_share: Greatest difference of depth in a triangle that is filled; None fills all.
        inverse: Interpolate 1 / depth instead of depth.
        max_depth_m: Points farther away are left out, metres.
    """

    sweeps_each_way: int = 10
    consistency: FreeSpace | None = field(default_factory=FreeSpace)
    doppler_radius_m: float | None = None
    doppler_min_mps: float = 1.0
    boxes: bool = True
    hidden_window_px: int = 5
    interpolate: bool = True
    max_gap_px: float | None = 12.0
    max_jump_share: float | None = 0.3
    inverse: bool = True
    max_depth_m: float = 100.0

    def __post_init__(self) -> None:
        if self.sweeps_each_way < 0 or self.hidden_window_px < 0 or self.max_depth_m <= 0:
            raise ConfigurationError(
                f"sweeps_each_way {self.sweeps_each_way} and hidden_window_px "
                f"{self.hidden_window_px} must not be negative, max_depth_m {self.max_depth_m} "
                "must be positive."
            )


@dataclass(frozen=True, eq=False)
class Supervision:
    """Depth to train on, three maps (H, W) float32 in metres, NaN where unknown.

    Attributes:
        single_m: The image's own sweep, untouched: to be kept apart and weighted on its own.
        accumulated_m: All sweeps, movers and hidden points removed.
        dense_m: The same with small gaps interpolated.
        points: Points of other sweeps before removal.
        removed: How many of them each step removed.
    """

    single_m: DepthMap
    accumulated_m: DepthMap
    dense_m: DepthMap
    points: int
    removed: dict[str, int]


def find_movers(
    sweeps: Sequence[PlacedSweep], main: int, settings: SupervisionSettings
) -> tuple[list[NDArray[np.bool_]], dict[str, int]]:
    """Return which points of each sweep go, and how many each step found."""
    steps: dict[str, list[NDArray[np.bool_]]] = {}
    if settings.consistency is not None:
        steps["consistency"] = contradicted(sweeps, main, settings.consistency)
    if settings.doppler_radius_m is not None:
        radius = settings.doppler_radius_m
        steps["doppler"] = [near_moving_returns(sweep, radius) for sweep in sweeps]
    if settings.boxes:
        steps["boxes"] = [in_boxes(sweep) for sweep in sweeps]
    gone = [np.zeros(len(sweep.points_m), bool) for sweep in sweeps]
    counts = {}
    for name, masks in steps.items():
        masks[main] = np.zeros_like(masks[main])
        counts[name] = int(sum(mask.sum() for mask in masks))
        gone = [a | b for a, b in zip(gone, masks, strict=True)]
    return gone, counts


def supervise(
    sweeps: Sequence[PlacedSweep],
    main: int,
    camera: PinholeCamera,
    settings: SupervisionSettings | None = None,
) -> Supervision:
    """Make depth to train on from sweeps in the camera's frame.

    Args:
        sweeps: Sweeps, all in the camera's frame at the image's stamp.
        main: Number of the sweep of the image's own time.
        camera: Camera of the image, rectified.
        settings: Which steps are taken.
    """
    settings = settings or SupervisionSettings()
    gone, removed = find_movers(sweeps, main, settings)
    kept = [s.points_m[~mask] for s, mask in zip(sweeps, gone, strict=True)]
    points = np.concatenate(kept)
    accumulated = rasterize_depth(points[points[:, 2] < settings.max_depth_m], camera)
    if settings.hidden_window_px:
        accumulated = drop_hidden(accumulated, settings.hidden_window_px)
    dense = accumulated
    if settings.interpolate:
        dense = interpolate_gaps(
            accumulated, settings.max_gap_px, settings.max_jump_share, settings.inverse
        )
    return Supervision(
        single_m=rasterize_depth(sweeps[main].points_m, camera),
        accumulated_m=accumulated,
        dense_m=dense,
        points=sum(len(s.points_m) for i, s in enumerate(sweeps) if i != main),
        removed=removed,
    )


class DenseSupervision:
    """Makes depth to train on for the frames of a recording, one after the other.

    Args:
        recording: An open recording with lidar and ego poses.
        settings: Which steps are taken.
    """

    def __init__(self, recording: Recording, settings: SupervisionSettings | None = None) -> None:
        self.recording = recording
        self.settings = settings or SupervisionSettings()
        # Neighbours share nearly all of their sweeps.
        self._frame = lru_cache(maxsize=4 * self.settings.sweeps_each_way + 8)(recording.frame)

    def at(self, number: int) -> Supervision:
        """Return the depth to train on for one frame.

        Raises:
            RecordingError: The frame has no lidar sweep.
        """
        sweeps, main = self.sweeps(number)
        return supervise(sweeps, main, self._frame(number).camera, self.settings)

    def sweeps(self, number: int) -> tuple[list[PlacedSweep], int]:
        """Return the sweeps around a frame in its camera's frame, by time, and the main one.

        Sweeps whose ego motion to the image is not known are left out.

        Raises:
            RecordingError: The frame has no lidar sweep.
        """
        frame = self._frame(number)
        if frame.lidar is None:
            raise RecordingError(f"{frame.name} has no lidar sweep to supervise with.")
        placed = {frame.lidar.stamp_ns: self._placed(frame, frame, RigidTransform.identity())}
        for step in (-1, 1):
            place, added = number + step, 0
            while 0 <= place < len(self.recording) and added < self.settings.sweeps_each_way:
                other = self._frame(place)
                place += step
                if other.lidar is None or other.lidar.stamp_ns in placed:
                    continue
                transform, moved = self.recording.index.transforms.lookup(
                    frame.camera.frame_id, frame.stamp_ns, other.camera.frame_id, other.stamp_ns
                )
                if not moved:
                    break
                placed[other.lidar.stamp_ns] = self._placed(frame, other, transform)
                added += 1
        stamps = sorted(placed)
        return [placed[stamp] for stamp in stamps], stamps.index(frame.lidar.stamp_ns)

    def _placed(
        self, frame: SensorFrame, other: SensorFrame, frame_from_other: RigidTransform
    ) -> PlacedSweep:
        assert other.lidar is not None
        transform = frame_from_other @ other.lidar.camera_from_lidar
        points = transform.apply(other.lidar.points_m)
        moving = [
            (frame_from_other @ sweep.camera_from_radar).apply(self._moving(sweep))
            for sweep in other.radar
        ]
        return PlacedSweep(
            points[in_view(points, frame.camera, self.settings.max_depth_m * 1.5)],
            transform.translation_m,
            transform.rotation[:, 2],
            np.concatenate(moving) if moving else np.zeros((0, 3)),
            tuple(box.moved(frame_from_other) for box in self.boxes_of(other)),
        )

    def boxes_of(self, frame: SensorFrame) -> tuple[Box, ...]:
        """Return boxes around what may move, in the frame's camera frame at its own time.

        Recordings carry none; who has some overrides this.
        """
        return ()

    def _moving(self, sweep: RadarSweep) -> NDArray[np.float32]:
        velocity = sweep.points.velocity_compensated_mps
        speed = np.linalg.norm(np.nan_to_num(velocity, nan=0.0), axis=1)
        moving: NDArray[np.float32] = sweep.points.position_m[speed > self.settings.doppler_min_mps]
        return moving


def in_view(
    points_m: NDArray[np.floating], camera: PinholeCamera, max_depth_m: float
) -> NDArray[np.bool_]:
    """Return a mask (N,) of points in the image or a little beside it."""
    uv, depth = camera.project(points_m)
    with np.errstate(invalid="ignore"):
        return np.asarray(
            (depth > 1.0)
            & (depth < max_depth_m)
            & (uv > -_MARGIN_PX).all(axis=1)
            & (uv[:, 0] < camera.width + _MARGIN_PX)
            & (uv[:, 1] < camera.height + _MARGIN_PX)
        )
