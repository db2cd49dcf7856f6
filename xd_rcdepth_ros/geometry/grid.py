# SPDX-License-Identifier: Apache-2.0
"""How an image of any camera is laid onto the network's pixel grid, and depth laid back.

A network learns how many pixels a thing covers at a depth, so its metric scale holds for one focal
length only. The image is therefore resized until its focal length is the one of the training, and
then padded (or cropped) to the grid: rows on top, columns on both sides.
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
        left: Column of the grid where the resized image starts; negative where it is cropped.
        top: Row of the grid where the resized image starts; negative where it is cropped.
    """

    width: int
    height: int
    image_width: int
    image_height: int
    left: int
    top: int

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
            focal_length_px: Focal length that the network expects; None fits the width to ``size``
                or keeps the image's resolution.
            size: (height, width) of the grid; None takes the smallest one that holds the image.
            stride: The grid's height and width are rounded up to multiples of this.
        """
        if focal_length_px is not None:
            sx = focal_length_px / camera.p[0, 0]
            sy = focal_length_px / camera.p[1, 1]
        else:
            sx = sy = 1.0 if size is None else size[1] / camera.width
        image_width = max(1, round(camera.width * sx))
        image_height = max(1, round(camera.height * sy))
        height, width = size or (image_height, image_width)
        height, width = (-(-n // stride) * stride for n in (height, width))
        # The road is at the bottom, the sky on top: keep the bottom row, pad or crop on top.
        return cls(
            width,
            height,
            image_width,
            image_height,
            left=(width - image_width) // 2,
            top=height - image_height,
        )

    @property
    def _crop(self) -> tuple[int, int, int, int]:
        """Left, top, width, height of the part of the resized image that lies on the grid."""
        left, top = max(0, -self.left), max(0, -self.top)
        return left, top, min(self.image_width, self.width), min(self.image_height, self.height)

    @property
    def inside(self) -> tuple[slice, slice]:
        """Rows and columns of the grid that hold image, not padding."""
        left, top = max(0, self.left), max(0, self.top)
        _, _, width, height = self._crop
        return slice(top, top + height), slice(left, left + width)

    def place(self, frame: SensorFrame) -> SensorFrame:
        """Return the frame on the grid: resized, cropped and padded, with all that moves along."""
        rows, columns = self.inside
        return (
            frame.resize(self.image_width, self.image_height)
            .crop(*self._crop)
            .pad(columns.start, rows.start, self.width - columns.stop, self.height - rows.stop)
        )

    def camera_of_image(self, camera: PinholeCamera) -> PinholeCamera:
        """Return the camera of the grid's image part: what the cut-out depth is seen by."""
        return camera.resize(self.image_width, self.image_height).crop(*self._crop)

    def cut(self, grid_map: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the image part of a map on the grid (H, W): padding removed."""
        return grid_map[self.inside]

    def to_image(
        self, grid_map: NDArray[np.float32], width: int, height: int
    ) -> NDArray[np.float32]:
        """Return a map on the grid (H, W) at the image's own resolution; NaN where not covered."""
        rows, columns = self.inside
        left, top, part_width, part_height = self._crop
        full = np.full((self.image_height, self.image_width), np.nan, np.float32)
        full[top : top + part_height, left : left + part_width] = grid_map[rows, columns]
        resized = cv2.resize(full, (width, height), interpolation=cv2.INTER_LINEAR)
        return np.asarray(resized, np.float32)
