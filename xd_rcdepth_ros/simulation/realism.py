# SPDX-License-Identifier: Apache-2.0
"""Figures that say how a radar relates to a lidar and a camera, for real and simulated frames."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from xd_rcdepth_ros.geometry import SensorFrame

PERCENTILES = (5, 25, 50, 75, 95)
RANGE_BINS_M = ((0.0, 20.0), (20.0, 40.0), (40.0, 60.0))
NEIGHBOUR_PX = 6.0  # of a 1024 pixel wide image; a lidar point this near counts as the same pixel
_COLUMN_PX = 2.0
_MARGIN = 0.1  # lidar counts up to this share of the image's size outside it


@dataclass(frozen=True)
class RadarFigures:
    """How the radar of a set of frames looks beside the lidar.

    Attributes:
        frames: Number of frames.
        returns: (least, 5 %, median, 95 %, most) returns a frame in the image.
        radar_depth_m: Percentiles 5, 25, 50, 75, 95 of the depth of returns in the image, metres.
        lidar_depth_m: The same of lidar points.
        lidar_points: Median number of lidar points a frame in the image.
        bev_distance_m: Median distance from a return to the nearest lidar point, seen from above,
            for returns at 0 to 20, 20 to 40 and 40 to 60 m.
        agreement: Share of returns with a lidar point at their pixel whose depth agrees with that
            of the nearest such point within 1 m or 5 %, whichever is more.
        column_agreement: The same with any lidar point in the return's column of pixels: true if
            the radar is right about range and azimuth, whatever it says about height.
        nearer: Share of the same returns that are nearer than the lidar by more than that.
        static: Share of returns whose compensated speed is below 1 m/s; NaN where not known.
    """

    frames: int
    returns: tuple[int, ...]
    radar_depth_m: tuple[float, ...]
    lidar_depth_m: tuple[float, ...]
    lidar_points: int
    bev_distance_m: tuple[float, ...]
    agreement: float
    column_agreement: float
    nearer: float
    static: float

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return asdict(self)


def measure(frames: Iterable[SensorFrame]) -> RadarFigures:
    """Measure the first radar sweep of each frame against its lidar.

    Args:
        frames: Frames with radar and lidar.
    """
    counts: list[int] = []
    lidar_counts: list[int] = []
    radar_depth: list[NDArray[Any]] = []
    lidar_depth: list[NDArray[Any]] = []
    ranges: list[NDArray[Any]] = []
    from_above: list[NDArray[Any]] = []
    difference: list[NDArray[Any]] = []
    speeds: list[NDArray[Any]] = []
    columns: list[bool] = []
    for frame in frames:
        if frame.lidar is None or not frame.radar:
            continue
        camera, sweep = frame.camera, frame.radar[0]
        points = sweep.camera_from_radar.apply(sweep.points.position_m)
        lidar = frame.lidar.camera_from_lidar.apply(frame.lidar.points_m)
        uv, depth = camera.project(points)
        lidar_uv, lidar_z = camera.project(lidar)
        size = np.array([camera.width, camera.height])
        with np.errstate(invalid="ignore"):
            inside = (depth > 1) & ((uv >= 0) & (uv < size)).all(1)
            near = ((lidar_uv > -_MARGIN * size) & (lidar_uv < (1 + _MARGIN) * size)).all(1)
            shown = (lidar_z > 1) & ((lidar_uv >= 0) & (lidar_uv < size)).all(1)
        near &= lidar_z > 1
        counts.append(int(inside.sum()))
        lidar_counts.append(int(shown.sum()))
        radar_depth.append(depth[inside])
        lidar_depth.append(lidar_z[shown])
        speed = np.linalg.norm(sweep.points.velocity_compensated_mps[inside], axis=1)
        speeds.append(speed)
        if not inside.any() or not shown.any():
            continue
        ranges.append(np.hypot(points[inside, 0], points[inside, 2]))
        from_above.append(cKDTree(lidar[near][:, [0, 2]]).query(points[inside][:, [0, 2]])[0])
        reach = NEIGHBOUR_PX * camera.width / 1024
        away, index = cKDTree(lidar_uv[shown]).query(uv[inside], distance_upper_bound=reach)
        found = np.isfinite(away)
        reference = lidar_z[shown][index[found]]
        allowed = np.maximum(1.0, 0.05 * reference)
        difference.append((depth[inside][found] - reference) / allowed)
        columns += _in_column(uv[inside, 0], depth[inside], lidar_uv[shown, 0], lidar_z[shown])
    distance, above = np.concatenate(ranges), np.concatenate(from_above)
    gap, speed = np.concatenate(difference), np.concatenate(speeds)
    bins = [above[(distance >= low) & (distance < high)] for low, high in RANGE_BINS_M]
    known = np.isfinite(speed)
    return RadarFigures(
        frames=len(counts),
        returns=tuple(int(x) for x in np.percentile(counts, (0, 5, 50, 95, 100))),
        radar_depth_m=_rounded(np.percentile(np.concatenate(radar_depth), PERCENTILES)),
        lidar_depth_m=_rounded(np.percentile(np.concatenate(lidar_depth), PERCENTILES)),
        lidar_points=int(np.median(lidar_counts)),
        bev_distance_m=_rounded([np.median(b) if len(b) else np.nan for b in bins]),
        agreement=round(float((np.abs(gap) <= 1).mean()), 3),
        column_agreement=round(float(np.mean(columns)), 3),
        nearer=round(float((gap < -1).mean()), 3),
        static=round(float((speed[known] < 1).mean()), 3) if known.any() else float("nan"),
    )


def _in_column(
    u_px: NDArray[Any], depth_m: NDArray[Any], lidar_u_px: NDArray[Any], lidar_depth_m: NDArray[Any]
) -> list[bool]:
    """Return for each return whether a lidar point in its columns has its depth."""
    order = np.argsort(lidar_u_px)
    sorted_u, sorted_depth = lidar_u_px[order], lidar_depth_m[order]
    first = np.searchsorted(sorted_u, u_px - _COLUMN_PX)
    last = np.searchsorted(sorted_u, u_px + _COLUMN_PX)
    return [
        bool((np.abs(sorted_depth[a:b] - d) <= np.maximum(1.0, 0.05 * sorted_depth[a:b])).any())
        for a, b, d in zip(first, last, depth_m, strict=True)
        if b > a
    ]


def _rounded(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(round(float(v), 2) for v in values)
