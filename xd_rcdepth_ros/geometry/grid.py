# SPDX-License-Identifier: Apache-2.0
"""How an image of any camera is laid onto the network's pixel grid, and depth laid back.

A network learns how many pixels a thing covers at a depth, so its metric scale holds for one focal
length only. The image is therefore resized until its focal length is the one of the training, and
then padded to the grid: rows on top, columns on both sides.

Where a grid of a given size cannot hold that image, the image is resized further until it fits. A
shorter focal length shows a world that is farther by the ratio of the two: radar is scaled to that
world, and the depth that comes out is scaled back.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.geometry.camera import PinholeCamera
from xd_rcdepth_ros.geometry.frame import SensorFrame


@dataclass(frozen=True)
class NetworkGrid:
    """Placement of one camera's image on the network's grid.

    Attributes:
        width: Columns of the grid, pixels.
        height: Rows of the grid, pixels.
        image_width: Columns of the resized image, pixels.
        image_height: Rows of the resized image, pixels.
        left: Column of the grid where the resized image starts.
        top: Row of the grid where the resized image starts.
        depth_scale: Metres of the world a metre of the network; below 1 where the image is smaller
            than the network's focal length would have it.
    """

    width: int
    height: int
    image_width: int
    image_height: int
    left: int
    top: int
    depth_scale: float = 1.0

    @classmethod
    def for_camera(
        cls,
        camera: PinholeCamera,
        focal_length_px: float | None,
        size: tuple[int, int] | None = None,
        stride: int = 32,
    ) -> NetworkGrid:
        """Lay the image of a camera onto the grid.

        Args:
            camera: Camera of the image.
            focal_length_px: Focal length that the network expects; None fits the image to ``size``
                or keeps its resolution, and leaves depth as it is.
            size: (height, width) of the grid; None takes the smallest one that holds the image.
            stride: The grid's height and width are rounded up to multiples of this.
        """
        if focal_length_px is not None:
            sx = focal_length_px / camera.p[0, 0]
            sy = focal_length_px / camera.p[1, 1]
        else:
            sx = sy = 1.0 if size is None else size[1] / camera.width
        fit = 1.0
        if size is not None:
            fit = min(1.0, size[1] / (camera.width * sx), size[0] / (camera.height * sy))
        image_width = max(1, round(camera.width * sx * fit))
        image_height = max(1, round(camera.height * sy * fit))
        height, width = size or (image_height, image_width)
        height, width = (-(-n // stride) * stride for n in (height, width))
        # The road is at the bottom, the sky on top: keep the bottom row, pad on top.
        return cls(
            width,
            height,
            image_width,
            image_height,
            left=(width - image_width) // 2,
            top=height - image_height,
            depth_scale=1.0 if focal_length_px is None else fit,
        )

    @property
    def inside(self) -> tuple[slice, slice]:
        """Rows and columns of the grid that hold image, not padding."""
        return (
            slice(self.top, self.top + self.image_height),
            slice(self.left, self.left + self.image_width),
        )

    def place(self, frame: SensorFrame) -> SensorFrame:
        """Return the frame on the grid: resized and padded, with all that moves along."""
        rows, columns = self.inside
        resized = frame.resize(self.image_width, self.image_height)
        if self.depth_scale != 1.0:
            resized = resized.scale_world(1 / self.depth_scale)
        return resized.pad(
            columns.start, rows.start, self.width - columns.stop, self.height - rows.stop
        )

    def camera_of_image(self, camera: PinholeCamera) -> PinholeCamera:
        """Return the camera of the grid's image part: what the cut-out depth is seen by."""
        return camera.resize(self.image_width, self.image_height)

    def cut(self, grid_map: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the image part of a map on the grid (H, W): padding removed."""
        return grid_map[self.inside]

    def reduction(self, camera: PinholeCamera) -> int:
        """Return the greatest of 1, 2, 4, 8 by which the camera's image exceeds the grid's.

        Decoded at that part of its size, the image still has every pixel that the grid shows.
        """
        return max(
            factor
            for factor in (1, 2, 4, 8)
            if factor == 1
            or (
                factor * self.image_width <= camera.width
                and camera.width % factor == camera.height % factor == 0
            )
        )

    def to_image(
        self, grid_map: NDArray[np.float32], width: int, height: int
    ) -> NDArray[np.float32]:
        """Return a map on the grid (H, W) at the image's own resolution."""
        part = np.ascontiguousarray(grid_map[self.inside])
        resized = cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR)
        return np.asarray(resized, np.float32)
