# SPDX-License-Identifier: Apache-2.0
"""Pseudo-labels of the sky for pictures with lidar: a classifier proposes, the lidar objects.

A lidar has no return from the sky, but none from much else either: a label of sky needs a
classifier that has seen labelled skies. Where a beam ended there is something, whatever the
classifier says. docs/supervision.md has what each rule costs and spares.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.errors import ConfigurationError, GeometryError
from xd_rcdepth_ros.geometry import MAX_RANGE_M, NOT_SKY, SKY, UNKNOWN


@dataclass(frozen=True)
class SkyLabelSettings:
    """When a pixel is told to be sky, or something.

    Attributes:
        threshold: Least probability of sky that the classifier must give.
        clearance_px: No sky this near to a lidar point, pixels.
        gap_px: Places among lidar points so dense that no disc of this diameter fits between them
            show something, pixels, unless the classifier is sure of sky.
        max_range_m: Lidar points farther away say nothing, metres.
    """

    threshold: float = 0.9
    clearance_px: int = 3
    gap_px: int = 20
    max_range_m: float = MAX_RANGE_M

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1:
            raise ConfigurationError(
                f"sky threshold is {self.threshold}; expected a probability above 0, at most 1."
            )
        if self.clearance_px < 0 or self.gap_px < 0 or self.max_range_m <= 0:
            raise ConfigurationError(
                f"sky clearance_px {self.clearance_px} and gap_px {self.gap_px} must not be "
                f"negative, max_range_m {self.max_range_m} must be positive."
            )


def sky_labels(
    probability: NDArray[np.floating],
    lidar_depth_m: NDArray[np.floating],
    settings: SkyLabelSettings | None = None,
) -> NDArray[np.uint8]:
    """Return the sky mask that a classifier and a lidar agree on.

    Sky is where the classifier is sure of it, no lidar point is near, and none is above in the same
    column: what is below something is hardly ever sky. Something is where a lidar point lies, and
    in the gaps among dense points. All else is unknown.

    Args:
        probability: (H, W), of sky or nothing within range, 0 to 1; NaN where not known.
        lidar_depth_m: (H, W), metres, NaN where no point is; single sweep or accumulated.
        settings: When a pixel is told to be sky.

    Returns:
        (H, W) uint8 of ``SKY``, ``NOT_SKY`` and ``UNKNOWN``.

    Raises:
        GeometryError: The two maps differ in size.
    """
    if probability.shape != lidar_depth_m.shape:
        raise GeometryError(
            f"probability of sky is {probability.shape}, lidar depth {lidar_depth_m.shape}; "
            "expected two maps of the same image."
        )
    settings = settings or SkyLabelSettings()
    sure = probability >= settings.threshold
    hit = lidar_depth_m <= settings.max_range_m
    points = hit.astype(np.uint8)
    between = _close_gaps(points, settings.gap_px)
    near = cv2.dilate(points, _disc(settings.clearance_px)) > 0
    below = np.maximum.accumulate(hit, axis=0)
    labels = np.full(hit.shape, UNKNOWN, np.uint8)
    labels[sure & ~(near | below | between)] = SKY
    labels[hit | (between & ~sure)] = NOT_SKY
    return labels


def _close_gaps(points: NDArray[np.uint8], gap_px: int) -> NDArray[np.bool_]:
    """Return where no disc of that diameter fits between points; none are outside the image."""
    padded = np.pad(points, gap_px)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, _disc(gap_px / 2)) > 0
    return closed[gap_px:, gap_px:][: points.shape[0], : points.shape[1]]


def _disc(radius_px: float) -> NDArray[np.uint8]:
    reach = np.arange(-int(radius_px), int(radius_px) + 1)
    return (np.hypot(reach, reach[:, None]) <= radius_px).astype(np.uint8)
