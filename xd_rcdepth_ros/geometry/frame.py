# SPDX-License-Identifier: Apache-2.0
"""SensorFrame goes into the method, DepthResult comes out: the one currency of all rooms.

Every geometric change (resize, crop, pad, flip) is one method here that moves the image, the
intrinsics, the radar, the lidar, the exact depth and the sky together. Nobody else scales a K.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.errors import GeometryError
from xd_rcdepth_ros.geometry.camera import PinholeCamera
from xd_rcdepth_ros.geometry.rasterize import RadarRaster, rasterize_depth, rasterize_radar
from xd_rcdepth_ros.geometry.sky import UNKNOWN, sky_of_depth
from xd_rcdepth_ros.geometry.sweeps import LidarSweep, RadarSweep


@dataclass(frozen=True, eq=False)
class SensorFrame:
    """One image with the radar (and lidar) that belongs to it.

    Attributes:
        image: (H, W, 3) uint8, RGB, rectified.
        camera: Intrinsics of that image.
        radar: Sweeps, newest first.
        stamp_ns: Stamp of the image, nanoseconds.
        lidar: Lidar sweep nearest in time, if any.
        depth_m: (H, W) float32 exact or dense reference depth, metres, NaN where unknown, if any.
        sky: (H, W) uint8, ``SKY`` (1) where there is sky or nothing within range, ``NOT_SKY`` (0)
            where there is something, ``UNKNOWN`` (255) elsewhere, if any.
        name: Where the frame came from, for people.
        tags: Free properties of the frame: ``night``, ``rain``, ``keyframe``, ...
    """

    image: NDArray[np.uint8]
    camera: PinholeCamera
    radar: tuple[RadarSweep, ...] = ()
    stamp_ns: int = 0
    lidar: LidarSweep | None = None
    depth_m: NDArray[np.float32] | None = None
    sky: NDArray[np.uint8] | None = None
    name: str = ""
    tags: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        expected = (self.camera.height, self.camera.width, 3)
        if self.image.shape != expected or self.image.dtype != np.uint8:
            raise GeometryError(
                f"image is {self.image.shape} {self.image.dtype}, but its camera says {expected} "
                "uint8 RGB. Image and camera_info must belong together."
            )
        if self.depth_m is not None and self.depth_m.shape != expected[:2]:
            raise GeometryError(f"depth is {self.depth_m.shape}; expected {expected[:2]}.")
        if self.sky is not None and (self.sky.shape != expected[:2] or self.sky.dtype != np.uint8):
            raise GeometryError(
                f"sky is {self.sky.shape} {self.sky.dtype}; expected {expected[:2]} uint8."
            )

    def radar_raster(self, min_depth_m: float = 1.0) -> RadarRaster:
        """Draw the radar sweeps onto the image's pixel grid."""
        return rasterize_radar(self.radar, self.camera, min_depth_m)

    def lidar_depth(self, min_depth_m: float = 1.0) -> NDArray[np.float32]:
        """Return the single-sweep lidar depth map (H, W) float32, metres, NaN where unknown."""
        if self.lidar is None:
            return np.full(self.image.shape[:2], np.nan, np.float32)
        points = self.lidar.camera_from_lidar.apply(self.lidar.points_m)
        return rasterize_depth(points, self.camera, min_depth_m)

    def resize(self, width: int, height: int) -> SensorFrame:
        """Return the frame with its image at width x height pixels."""
        smaller = width * height < self.camera.width * self.camera.height
        image = cv2.resize(
            self.image,
            (width, height),
            interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR,
        )
        return replace(
            self,
            image=np.asarray(image, np.uint8),
            camera=self.camera.resize(width, height),
            depth_m=_nearest(self.depth_m, width, height),
            sky=_nearest(self.sky, width, height),
        )

    def crop(self, left: int, top: int, width: int, height: int) -> SensorFrame:
        """Return the part of the frame that starts at pixel (left, top)."""
        camera = self.camera.crop(left, top, width, height)
        part = np.s_[top : top + height, left : left + width]
        depth = None if self.depth_m is None else self.depth_m[part]
        sky = None if self.sky is None else self.sky[part]
        return replace(self, image=self.image[part], camera=camera, depth_m=depth, sky=sky)

    def pad(self, left: int, top: int, right: int, bottom: int) -> SensorFrame:
        """Return the frame with black pixels (depth: NaN, sky: unknown) added on each side."""
        camera = self.camera.pad(left, top, right, bottom)
        sides = ((top, bottom), (left, right))
        image = np.pad(self.image, (*sides, (0, 0)))
        depth = self.depth_m
        if depth is not None:
            depth = np.pad(depth, sides, constant_values=np.nan)
        sky = self.sky
        if sky is not None:
            sky = np.pad(sky, sides, constant_values=UNKNOWN)
        return replace(self, image=image, camera=camera, depth_m=depth, sky=sky)

    def zoom(self, factor: float) -> SensorFrame:
        """Return the frame as if everything were nearer by a factor.

        To a network for one focal length, an image that is enlarged shows a world that is nearer.
        So the image, with its intrinsics, becomes larger by the factor, and the world smaller: all
        positions and depths are divided by it. Velocities stay. The sky mask follows the new depth,
        where the depth is known: what was out of range may now be within it.

        Args:
            factor: Above 1 everything is nearer, below 1 farther.
        """
        camera = self.camera
        width, height = round(camera.width * factor), round(camera.height * factor)
        return self.resize(width, height).scale_world(1 / factor)

    def scale_world(self, factor: float) -> SensorFrame:
        """Return the frame of a world that is larger by a factor, seen in the same image.

        All positions and depths are multiplied by it. Velocities stay.
        """
        depth, sky = self.depth_m, self.sky
        if depth is not None:
            depth = depth * np.float32(factor)
            if sky is not None:
                sky = np.where(np.isfinite(depth), sky_of_depth(depth), sky)
        return replace(
            self,
            radar=tuple(sweep.scale(factor) for sweep in self.radar),
            lidar=None if self.lidar is None else self.lidar.scale(factor),
            depth_m=depth,
            sky=sky,
        )

    def flip(self) -> SensorFrame:
        """Return the frame of the world mirrored left to right, lateral velocities included."""
        return replace(
            self,
            image=np.ascontiguousarray(self.image[:, ::-1]),
            camera=self.camera.flip(),
            radar=tuple(sweep.flip() for sweep in self.radar),
            lidar=None if self.lidar is None else self.lidar.flip(),
            depth_m=None if self.depth_m is None else self.depth_m[:, ::-1].copy(),
            sky=None if self.sky is None else self.sky[:, ::-1].copy(),
        )


def _nearest(pixels: Any, width: int, height: int) -> Any:
    """Return a map at another size, nearest pixels: nothing may be averaged across edges."""
    if pixels is None:
        return None
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)


@dataclass(frozen=True, eq=False)
class DepthResult:
    """What the method says about one frame.

    Attributes:
        depth_m: (h, w) float32, metres along the optical axis; NaN invalid, -Inf too near, +Inf
            too far (REP-117).
        camera: Intrinsics of ``depth_m``; same optical frame as the image.
        stamp_ns: Stamp of the image, nanoseconds.
        radar: Radar returns as the network saw them: on the grid's image part, whose pixels are
            those of ``depth_m`` at the network's resolution, at the network's scale of depth.
        error: (h, w) float32, expected error of the depth as a share of it (scale of a Laplace
            distribution); None for models that do not say it.
        saliency: (h, w) float32 in [0, 1], if it was asked for.
        timings_ms: Milliseconds by stage.
        flags: Conditions worth telling: ``no_radar``, ``static_extrinsics``, ...
    """

    depth_m: NDArray[np.float32]
    camera: PinholeCamera
    stamp_ns: int
    radar: RadarRaster
    error: NDArray[np.float32] | None = None
    saliency: NDArray[np.float32] | None = None
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    flags: frozenset[str] = frozenset()
