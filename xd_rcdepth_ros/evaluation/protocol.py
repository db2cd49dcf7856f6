# SPDX-License-Identifier: Apache-2.0
"""Which pixels are scored, and how a prediction is prepared for it.

Two families of published code differ in this, and their figures must not be mixed:

* ``cafnet`` (CaFNet, LiRCDepth, GET-UP, TRIDE): the prediction is clamped to [0.001 m, cap]; +Inf
  becomes the cap and NaN becomes 0.001 m; ground truth counts where 0.001 m < truth < cap.
* ``nesl`` (Singh et al., RadarCam-Depth): the prediction is not clamped to the cap; ground truth
  counts where 0 < truth < cap. Their networks only say 1 m to 100 m, so what happens outside is
  not defined there; here +Inf becomes 100 m, and NaN and anything below 0.001 m become 0.001 m, so
  that logarithms and reciprocals exist.

A prediction at 50 m cap is never off by more than 50 m in the first family; in the second it is.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import Enum
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.geometry import SensorFrame

MIN_DEPTH_M = 1e-3
NESL_MAX_DEPTH_M = 100.0
CAPS_M = (50.0, 70.0, 80.0)
# Rows of the image that a data set's published figures are computed on.
ROWS = {
    "all": (0, None),
    "nuscenes": (4, None),  # 896 of 900 rows
    "zju": (240, 540),  # 300 of 720 rows
}


class Clamp(str, Enum):
    """Family of published evaluation code (see the module's description)."""

    CAFNET = "cafnet"
    NESL = "nesl"


class Truth(str, Enum):
    """What a frame is scored against."""

    AUTO = "auto"  # the lidar sweep where the frame has one, else the reference depth
    LIDAR = "lidar"  # the single lidar sweep, z-buffered
    DEPTH = "depth"  # the exact or dense reference depth


@dataclass(frozen=True)
class Protocol:
    """How frames are scored.

    Attributes:
        clamp: Family of the clamping rule.
        caps_m: Largest depths that are scored, metres, ascending; breakdowns use the last.
        rows: First row and one past the last row that are scored (None: to the end).
        truth: What is scored against.
    """

    clamp: Clamp = Clamp.CAFNET
    caps_m: tuple[float, ...] = CAPS_M
    rows: tuple[int, int | None] = (0, None)
    truth: Truth = Truth.AUTO

    def __post_init__(self) -> None:
        if not self.caps_m or any(not b > a for a, b in pairwise((MIN_DEPTH_M, *self.caps_m))):
            raise ConfigurationError(
                f"caps are {self.caps_m}; expected at least one, above {MIN_DEPTH_M} m, ascending."
            )

    @property
    def main_cap_m(self) -> float:
        """The cap of breakdowns, pictures and plots, metres."""
        return self.caps_m[-1]

    def ground_truth(self, frame: SensorFrame) -> NDArray[np.float32]:
        """Return what a frame is scored against: (H, W) float32, metres, NaN where unknown."""
        use_lidar = self.truth == Truth.LIDAR or (
            self.truth == Truth.AUTO and frame.lidar is not None
        )
        if use_lidar or frame.depth_m is None:
            truth = frame.lidar_depth() if use_lidar else np.full(frame.image.shape[:2], np.nan)
        else:
            truth = frame.depth_m.copy()
        start, stop = self.rows
        truth[:start] = np.nan
        if stop is not None:
            truth[stop:] = np.nan
        return truth.astype(np.float32)

    def statement(self) -> dict[str, Any]:
        """Return the protocol in words, to be written beside every figure."""
        limits = {
            Clamp.CAFNET: f"[{MIN_DEPTH_M} m, cap]; +Inf is the cap, NaN is {MIN_DEPTH_M} m",
            Clamp.NESL: f"not clamped to the cap; +Inf is {NESL_MAX_DEPTH_M:g} m, NaN and less "
            f"than {MIN_DEPTH_M} m are {MIN_DEPTH_M} m",
        }
        return {
            **asdict(self),
            "clamp": self.clamp.value,
            "truth": self.truth.value,
            "prediction": limits[self.clamp],
            "averaging": "'caps': mean over frames of per-image values; 'pixel_pooled' and "
            "breakdowns: all pixels together",
            "between_points": "not part of the published protocol: truth interpolated between the "
            "points of a sparse sweep, to see what a network says where no point ever lies",
            "frames_without_truth": "counted and left out of the means",
            "resolution": "the image's own; network output resized bilinearly",
        }


def parse_rows(text: str) -> tuple[int, int | None]:
    """Read ``all``, ``nuscenes``, ``zju`` or ``START:STOP`` (either may be empty).

    Raises:
        ConfigurationError: The text has another form.
    """
    if text in ROWS:
        return ROWS[text]
    start, colon, stop = text.partition(":")
    if not colon or any(part and not part.isdigit() for part in (start, stop)):
        raise ConfigurationError(
            f"rows are {text!r}; expected one of {sorted(ROWS)}, or START:STOP such as 4:900."
        )
    return int(start or 0), int(stop) if stop else None
