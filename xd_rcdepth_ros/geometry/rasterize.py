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
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return indices (M,) of the points (N, 3) that fall into the image, and pixels (2, M)."""
    uv, depth = camera.project(points_m)
    u, v = np.floor(uv.T + 0.5)  # nearest pixel; halves go up, for every parity alike
    with np.errstate(invalid="ignore"):
        inside = (depth >= min_depth_m) & (depth < np.inf)
        inside &= (u >= 0) & (u < camera.width) & (v >= 0) & (v < camera.height)
    index = np.flatnonzero(inside)
    return index, np.stack([u.take(index), v.take(index)]).astype(np.int64)


def _nearest_in_pixel(
    camera: PinholeCamera, flat: NDArray[np.int64], depth_m: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Return a mask (M,) of the points that are the nearest one in their pixel, by its number."""
    # Positive floats are ordered as their bits are. With the index below them one sort of integers,
    # the fastest there is, gives the order, the first of two as near first.
    keys = depth_m.view(np.int32).astype(np.int64) << 32
    numbers = np.arange(len(flat))
    keys |= numbers
    keys.sort()
    order = (keys & 0xFFFFFFFF)[::-1]
    # Farthest first: the last one that is written into a pixel stays.
    owner = np.empty(camera.width * camera.height, np.int32)  # read only where it was written
    owner[flat.take(order)] = order
    return np.asarray(owner.take(flat) == numbers)


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
    ends = np.cumsum([0, *(len(sweep.points) for sweep in sweeps)])
    in_camera = np.empty((3, ends[-1]))
    values = np.empty((len(RADAR_CHANNELS), ends[-1]), np.float32)
    for sweep, start, end in zip(sweeps, ends, ends[1:], strict=False):
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite falls nowhere
            moved = sweep.camera_from_radar.apply(sweep.points.position_m)
        in_camera[:, start:end] = moved.T
        values[1, start:end] = sweep.points.rcs_dbsm
        values[2:, start:end] = sweep.velocity_along_camera_mps().T
    index, (u, v) = _into_image(camera, in_camera.T, min_depth_m)
    values[0] = in_camera[2]
    values = values.take(index, axis=1)  # several times faster than values[:, index]
    values[~np.isfinite(values)] = 0.0  # not measured, as for a radar without such a field
    flat = v * camera.width + u
    visible = _nearest_in_pixel(camera, flat, values[0])
    channels = np.zeros((len(RADAR_CHANNELS), camera.height, camera.width), np.float32)
    shown = np.flatnonzero(visible)
    for channel, value in zip(channels, values.take(shown, axis=1), strict=True):
        channel.reshape(-1)[flat.take(shown)] = value
    number = np.repeat(np.arange(len(sweeps)), np.diff(ends)).take(index)
    return RadarRaster(
        channels,
        np.stack([u, v], axis=1),
        values[0],
        np.stack([number, index - ends.take(number)], axis=1),
        visible,
    )


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
    index, (u, v) = _into_image(camera, points_m, min_depth_m)
    depth = np.asarray(points_m)[index, 2].astype(np.float32)
    flat = v * camera.width + u
    nearest = _nearest_in_pixel(camera, flat, depth)
    depth_map = np.full(camera.height * camera.width, np.nan, np.float32)
    depth_map[flat[nearest]] = depth[nearest]
    return depth_map.reshape(camera.height, camera.width)
