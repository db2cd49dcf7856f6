# SPDX-License-Identifier: Apache-2.0
"""Drawing points onto the camera's pixel grid; where points share a pixel, the nearest wins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.geometry.camera import PinholeCamera
from xd_rcdepth_ros.geometry.sweeps import RadarSweep

# Order of the network's radar input: metres, dBsm, m/s, m/s; vx is the velocity along the camera's
# optical axis, vy the one to the camera's left, so that no radar's mounting changes the raster.
RADAR_CHANNELS = ("depth", "rcs", "vx", "vy")


@dataclass(frozen=True)
class RadarRaster:
    """Radar returns on the pixel grid.

    Attributes:
        channels: (4, H, W) float32: depth (m), RCS (dBsm), vx, vy (m/s, forward and left of the
            camera); 0 where there is none.
        pixels: (M, 2) int64 (u, v) of each return that falls into the image, also hidden ones.
        depth_m: (M,) float32 depth of those returns.
        source: (M, 2) int64 (sweep index, point index) of those returns.
        visible: (M,) bool, False where a nearer return took the pixel.
    """

    channels: NDArray[np.float32]
    pixels: NDArray[np.int64]
    depth_m: NDArray[np.float32]
    source: NDArray[np.int64]
    visible: NDArray[np.bool_]

    def crop(self, rows: slice, columns: slice) -> RadarRaster:
        """Return the part of the raster that lies in those rows and columns."""
        u, v = self.pixels[:, 0], self.pixels[:, 1]
        inside = (u >= columns.start) & (u < columns.stop) & (v >= rows.start) & (v < rows.stop)
        return RadarRaster(
            self.channels[:, rows, columns],
            self.pixels[inside] - [columns.start, rows.start],
            self.depth_m[inside],
            self.source[inside],
            self.visible[inside],
        )


def _into_image(
    camera: PinholeCamera, points_m: NDArray[np.floating], min_depth_m: float
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """Return pixels (M, 2), depths (M,) and indices (M,) of the points that fall into the image."""
    uv, depth = camera.project(points_m)
    uv = np.floor(uv + 0.5)  # nearest pixel; halves go up, for every parity alike
    with np.errstate(invalid="ignore"):
        inside = (
            (depth >= min_depth_m)
            & np.isfinite(depth)
            & (uv[:, 0] >= 0)
            & (uv[:, 0] < camera.width)
            & (uv[:, 1] >= 0)
            & (uv[:, 1] < camera.height)
        )
    index = np.flatnonzero(inside)
    return uv[index].astype(np.int64), depth[index], index


def _nearest_in_pixel(
    camera: PinholeCamera, pixels: NDArray[np.int64], depth_m: NDArray[np.floating]
) -> NDArray[np.bool_]:
    """Return a mask (M,) of the points that are the nearest one in their pixel."""
    flat = pixels[:, 1] * camera.width + pixels[:, 0]
    # Positive floats are ordered as their bits are. With the index below them one sort of integers,
    # the fastest there is, gives the order, the first of two as near first.
    bits = np.ascontiguousarray(depth_m, np.float32).view(np.int32).astype(np.int64)
    order = (np.sort(bits << 32 | np.arange(len(bits))) & 0xFFFFFFFF)[::-1]
    # Farthest first: the last one that is written into a pixel stays.
    owner = np.empty(camera.width * camera.height, np.int32)  # read only where it was written
    owner[flat[order]] = order
    return np.asarray(owner[flat] == np.arange(len(flat)))


def rasterize_radar(
    sweeps: Sequence[RadarSweep], camera: PinholeCamera, min_depth_m: float = 1.0
) -> RadarRaster:
    """Draw radar sweeps onto the camera's pixel grid, one pixel a return, nearest wins.

    The four channels and their raw, un-normalised values follow LiRCDepth's published input.
    Velocities are turned into the camera's axes, as positions are: where a radar looks, or which
    side of it is up, makes no difference.

    Args:
        sweeps: Sweeps with their transform into the camera's frame at the image's stamp.
        camera: Camera of the image, rectified.
        min_depth_m: Returns nearer than this are left out, metres.

    Returns:
        The raster; points without a finite position are left out, strength and velocity that were
        not measured (NaN) are 0.
    """
    parts = []
    for number, sweep in enumerate(sweeps):
        points = sweep.points
        usable = np.flatnonzero(points.usable())
        in_camera = sweep.camera_from_radar.apply(points.position_m[usable])
        pixels, depth, inside = _into_image(camera, in_camera, min_depth_m)
        index = usable[inside]
        velocity = sweep.velocity_along_camera_mps()[index]
        values = np.column_stack([depth, points.rcs_dbsm[index], velocity])
        values[~np.isfinite(values)] = 0.0  # not measured, as for a radar without such a field
        source = np.column_stack([np.full(len(index), number), index])
        parts.append((pixels, values.astype(np.float32), source))
    pixels = np.concatenate([p[0] for p in parts]) if parts else np.zeros((0, 2), np.int64)
    values = np.concatenate([p[1] for p in parts]) if parts else np.zeros((0, 4), np.float32)
    source = np.concatenate([p[2] for p in parts]) if parts else np.zeros((0, 2), np.int64)
    visible = _nearest_in_pixel(camera, pixels, values[:, 0])
    channels = np.zeros((len(RADAR_CHANNELS), camera.height, camera.width), np.float32)
    flat = pixels[visible, 1] * camera.width + pixels[visible, 0]
    for channel, value in zip(channels, values[visible].T, strict=True):
        channel.reshape(-1)[flat] = value
    return RadarRaster(channels, pixels, values[:, 0], source.astype(np.int64), visible)


def rasterize_depth(
    points_m: NDArray[np.floating], camera: PinholeCamera, min_depth_m: float = 1.0
) -> NDArray[np.float32]:
    """Draw points (such as lidar's) as a sparse, z-buffered depth map.

    Args:
        points_m: (N, 3), metres, camera optical frame.
        camera: Camera of the image, rectified.
        min_depth_m: Points nearer than this are left out, metres.

    Returns:
        (H, W) float32, metres; NaN where no point falls.
    """
    pixels, depth, _ = _into_image(camera, points_m, min_depth_m)
    nearest = _nearest_in_pixel(camera, pixels, depth)
    depth_map = np.full((camera.height, camera.width), np.nan, np.float32)
    depth_map[pixels[nearest, 1], pixels[nearest, 0]] = depth[nearest]
    return depth_map
