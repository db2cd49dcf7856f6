# SPDX-License-Identifier: Apache-2.0
"""A model as a predictor: its depth and its own expected error at the image's resolution."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.geometry import SensorFrame
from xd_rcdepth_ros.inference import DepthEstimator


@dataclass(frozen=True)
class ModelPredictor:
    """Estimates the depth of frames.

    Attributes:
        estimator: What runs the model.
        radar: False leaves the radar out.
    """

    estimator: DepthEstimator
    radar: bool = True

    def __call__(self, frame: SensorFrame) -> NDArray[np.float32]:
        """Return the depth (H, W), metres."""
        return self.with_error(frame)[0]

    def with_error(
        self, frame: SensorFrame
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Return the depth (H, W), metres, and its expected error (H, W) as a share of it.

        The error is None for a model that does not say it.
        """
        if not self.radar:
            frame = replace(frame, radar=())
        result = self.estimator.estimate(frame, output_size="input")
        return result.depth_m, result.error
