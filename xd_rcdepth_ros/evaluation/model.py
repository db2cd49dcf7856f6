# SPDX-License-Identifier: Apache-2.0
"""A model as a predictor: its depth and its own expected error at the image's resolution."""

from __future__ import annotations

from dataclasses import dataclass, replace

from xd_rcdepth_ros.evaluation.evaluator import Prediction
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

    def __call__(self, frame: SensorFrame) -> Prediction:
        """Return the depth, and its expected error if the model says it."""
        if not self.radar:
            frame = replace(frame, radar=())
        result = self.estimator.estimate(frame, output_size="input")
        return Prediction(result.depth_m, result.error)
