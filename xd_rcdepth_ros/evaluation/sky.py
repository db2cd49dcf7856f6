# SPDX-License-Identifier: Apache-2.0
"""How well a predictor tells the sky: the share that it finds, and what it takes for sky."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.geometry import MAX_RANGE_M, NOT_SKY, SKY


class SkyScore:
    """Counts of labelled pixels, all frames together."""

    def __init__(self) -> None:
        self.frames = self.sky_pixels = self.other_pixels = 0
        self._found = self._false = 0

    def update(self, prediction: NDArray[np.float32], sky: NDArray[np.uint8] | None) -> None:
        """Count the pixels of one frame.

        Args:
            prediction: (H, W), metres; +Inf, or beyond ``MAX_RANGE_M``, is told as sky.
            sky: (H, W) sky mask; None where the frame has none.
        """
        if sky is None:
            return
        told = prediction > MAX_RANGE_M
        is_sky, is_other = sky == SKY, sky == NOT_SKY
        self.frames += bool(is_sky.any() or is_other.any())
        self.sky_pixels += int(is_sky.sum())
        self.other_pixels += int(is_other.sum())
        self._found += int((told & is_sky).sum())
        self._false += int((told & is_other).sum())

    def to_json(self) -> dict[str, Any]:
        """Return the shares, None where there was nothing labelled, and the counts.

        ``recall`` is the share of the sky (or nothing within range) that is told as such,
        ``false_share`` the share of all other labelled pixels that is told so too.
        """
        return {
            "recall": self._found / self.sky_pixels if self.sky_pixels else None,
            "false_share": self._false / self.other_pixels if self.other_pixels else None,
            "frames": self.frames,
            "sky_pixels": self.sky_pixels,
            "other_pixels": self.other_pixels,
        }
