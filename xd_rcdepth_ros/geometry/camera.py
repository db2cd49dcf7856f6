# SPDX-License-Identifier: Apache-2.0
"""The pinhole camera, and how it changes when its image is resized, cropped, padded or flipped.

Pixel convention: the centre of the top-left pixel is (0, 0), as in OpenCV. Camera frame: optical
(REP-103), x right, y down, z forward; depth is metres along z (REP-118).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.errors import GeometryError

FloatArray = NDArray[np.float64]


def _readonly(value: object, shape: tuple[int, ...], name: str) -> FloatArray:
    array = np.array(value, dtype=np.float64)
    if array.shape != shape:
        raise GeometryError(f"{name} has shape {array.shape}; expected {shape}.")
    if not np.isfinite(array).all():
        raise GeometryError(f"{name} holds values that are not finite: {array.tolist()}.")
    array.flags.writeable = False
    return array


@dataclass(frozen=True, eq=False)
class PinholeCamera:
    """Intrinsics of one image.

    Attributes:
        width: Image width, pixels.
        height: Image height, pixels.
        k: (3, 3) float64, intrinsics of the image as it is, pixels.
        p: (3, 4) float64, projection of the rectified image, pixels; ``[k | 0]`` if left out.
        distortion: Coefficients in OpenCV's order; all zero for a rectified image.
        distortion_model: ROS name of the model: ``plumb_bob``, ``rational_polynomial``, ...
        frame_id: Name of the optical frame.
    """

    width: int
    height: int
    k: FloatArray
    p: FloatArray = field(default=None)  # type: ignore[arg-type]
    distortion: tuple[float, ...] = ()
    distortion_model: str = "plumb_bob"
    frame_id: str = ""

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise GeometryError(
                f"camera image is {self.width} x {self.height} pixels; both must be at least 1."
            )
        k = _readonly(self.k, (3, 3), "camera matrix K")
        if k[0, 0] <= 0 or k[1, 1] <= 0 or k[2, 2] != 1.0:
            raise GeometryError(
                f"camera matrix K = {k.tolist()} is not a pinhole: fx and fy must be positive and "
                "K[2][2] must be 1. An uncalibrated camera publishes zeros: calibrate it first."
            )
        p = np.hstack([k, np.zeros((3, 1))]) if self.p is None else self.p
        p = _readonly(p, (3, 4), "projection matrix P")
        if p[0, 0] <= 0 or p[1, 1] <= 0:
            raise GeometryError(f"projection matrix P = {p.tolist()} has no positive focal length.")
        object.__setattr__(self, "k", k)
        object.__setattr__(self, "p", p)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PinholeCamera):
            return NotImplemented
        return (
            (self.width, self.height, self.distortion, self.frame_id)
            == (other.width, other.height, other.distortion, other.frame_id)
            and np.array_equal(self.k, other.k)
            and np.array_equal(self.p, other.p)
        )

    @classmethod
    def from_focal(
        cls, width: int, height: int, fx: float, fy: float, cx: float, cy: float, frame_id: str = ""
    ) -> PinholeCamera:
        """Make a camera without distortion from its four intrinsics (pixels)."""
        k = np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])
        return cls(width, height, k, frame_id=frame_id)

    @property
    def is_rectified(self) -> bool:
        """True if the image has no lens distortion.

        An equidistant lens bends straight lines even where its coefficients are all 0; one without
        coefficients is taken for an image that is rectified already.
        """
        return not any(self.distortion) and not (
            self.distortion and self.distortion_model == "equidistant"
        )

    def rectified(self) -> PinholeCamera:
        """Return the camera of the image after undistortion: K becomes P, no distortion left."""
        return replace(self, k=self.p[:, :3].copy(), distortion=(), distortion_model="plumb_bob")

    def project(self, points_m: NDArray[np.floating]) -> tuple[FloatArray, FloatArray]:
        """Project points of the camera's frame onto the rectified image.

        Args:
            points_m: (N, 3), metres, camera optical frame.

        Returns:
            Pixel coordinates (N, 2) float64 as (u, v), and depths (N,) float64 in metres along z.
            Where the depth is not positive the pixel coordinates are NaN.
        """
        rows = np.asarray(points_m, dtype=np.float64).T  # long rows: several times as fast
        depth = rows[2].copy()
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            uvw = self.p[:, :3] @ rows + self.p[:, 3:]
            uv = np.where(depth > 0, uvw[:2] / uvw[2], np.nan)
        return uv.T, depth

    def unproject(self, uv_px: NDArray[np.floating], depth_m: NDArray[np.floating]) -> FloatArray:
        """Return the points (N, 3), metres, camera frame, seen at pixels (N, 2) and depths (N,)."""
        uv = np.asarray(uv_px, dtype=np.float64)
        depth = np.asarray(depth_m, dtype=np.float64)
        homogeneous = np.concatenate([uv, np.ones((len(uv), 1))], axis=1) * depth[:, None]
        points = np.linalg.solve(self.p[:, :3], (homogeneous - self.p[:, 3]).T).T
        return np.asarray(points, np.float64)

    def resize(self, width: int, height: int) -> PinholeCamera:
        """Return the camera of the image resized to width x height pixels."""
        sx, sy = width / self.width, height / self.height
        # c' = (c + 0.5) s - 0.5: pixel areas scale, and centres lie at whole numbers.
        change = np.array([[sx, 0, 0.5 * sx - 0.5], [0, sy, 0.5 * sy - 0.5], [0, 0, 1.0]])
        return self._changed(change, width, height)

    def crop(self, left: int, top: int, width: int, height: int) -> PinholeCamera:
        """Return the camera of the image part that starts at pixel (left, top).

        Raises:
            GeometryError: The part does not lie inside the image.
        """
        if left < 0 or top < 0 or left + width > self.width or top + height > self.height:
            raise GeometryError(
                f"crop of {width} x {height} at ({left}, {top}) leaves the image of "
                f"{self.width} x {self.height}; pad first, or crop less."
            )
        return self._shifted(-left, -top, width, height)

    def pad(self, left: int, top: int, right: int, bottom: int) -> PinholeCamera:
        """Return the camera of the image with that many pixels added on each side."""
        if min(left, top, right, bottom) < 0:
            raise GeometryError(f"padding ({left}, {top}, {right}, {bottom}) must not be negative.")
        return self._shifted(left, top, self.width + left + right, self.height + top + bottom)

    def flip(self) -> PinholeCamera:
        """Return the camera that sees the mirrored world as the left-right mirrored image."""
        k, p = self.k.copy(), self.p.copy()
        for matrix in (k, p):
            matrix[0, 2] = self.width - 1 - matrix[0, 2]
            matrix[0, 1] = -matrix[0, 1]
        p[0, 3] = -p[0, 3]
        return replace(self, k=k, p=p)

    def _shifted(self, dx: float, dy: float, width: int, height: int) -> PinholeCamera:
        change = np.array([[1.0, 0, dx], [0, 1.0, dy], [0, 0, 1.0]])
        return self._changed(change, width, height)

    def _changed(self, change: FloatArray, width: int, height: int) -> PinholeCamera:
        return replace(self, width=width, height=height, k=change @ self.k, p=change @ self.p)
