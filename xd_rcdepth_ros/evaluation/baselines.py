# SPDX-License-Identifier: Apache-2.0
"""What a method must beat: depth from the image row alone, and from the nearest return alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.evaluation.evaluator import FrameSource, Prediction, Predictor, usable_frames
from xd_rcdepth_ros.evaluation.model import ModelPredictor
from xd_rcdepth_ros.evaluation.protocol import Protocol
from xd_rcdepth_ros.evaluation.row_baseline import fit_row_baseline
from xd_rcdepth_ros.geometry import SensorFrame
from xd_rcdepth_ros.inference import DepthEstimator

_FRAMES_TO_FIT = 20


def row_median(
    estimator: DepthEstimator, source: FrameSource, protocol: Protocol
) -> tuple[Predictor, str]:
    """Return the predictor that says the training data's median depth of each row.

    The model file carries the medians on the network's grid. Where a camera's images lie on a grid
    of the same height they are taken as they are; else they are slid up or down to where they suit
    the data best, which favours the baseline.

    Args:
        estimator: The model.
        source: Frames, of one camera.
        protocol: How frames are scored.

    Returns:
        The predictor, and in words how it was laid onto the data.

    Raises:
        ConfigurationError: The model file carries no medians.
        RecordingError: No frame could be read.
    """
    medians = np.asarray(estimator.info.header.row_median_depth_m, np.float32)
    every = max(1, len(source) // _FRAMES_TO_FIT)
    frames = [frame for _, frame in usable_frames(source, {}, every)]
    camera = frames[0].camera
    grid = estimator.grid(camera)
    if len(medians) == grid.height:
        return _on_grid(estimator, medians), "rows as in the training data"
    truths = [protocol.ground_truth(f) for f in frames if f.camera == camera]
    fitted = fit_row_baseline(medians.tolist(), grid, camera, truths, protocol.main_cap_m)
    words = f"rows slid down by {fitted.shift_rows} on the network's grid to suit this data best"
    return lambda frame: Prediction(fitted.depth(frame.camera)), words


def _on_grid(estimator: DepthEstimator, medians: NDArray[np.float32]) -> Predictor:
    def predict(frame: SensorFrame) -> Prediction:
        grid = estimator.grid(frame.camera)
        rows = np.repeat(medians[:, None], grid.width, axis=1)
        return Prediction(grid.to_image(rows, frame.camera.width, frame.camera.height))

    return predict


def nearest_return(frame: SensorFrame) -> Prediction:
    """Say for each pixel the depth of the radar return nearest in the image.

    Returns:
        Depth, metres; NaN everywhere if no return falls into the image.
    """
    height, width = frame.image.shape[:2]
    raster = frame.radar_raster()
    if not len(raster.pixels):
        return Prediction(np.full((height, width), np.nan, np.float32))
    rows, columns = np.mgrid[:height, :width]
    _, index = cKDTree(raster.pixels).query(np.column_stack([columns.ravel(), rows.ravel()]))
    return Prediction(np.asarray(raster.depth_m[index].reshape(height, width), np.float32))


def smaller_of(predictors: Sequence[Predictor]) -> Predictor:
    """Return the predictor that says the smallest of several depths; NaN never wins."""

    def predict(frame: SensorFrame) -> Prediction:
        smallest: NDArray[np.float32] = np.fmin.reduce([p(frame).depth_m for p in predictors])
        return Prediction(smallest)

    return predict


def plain_baselines(
    estimator: DepthEstimator, source: FrameSource, protocol: Protocol
) -> tuple[dict[str, Predictor], dict[str, str]]:
    """Return the baselines by name, and notes on them: how they were fitted, or why left out."""
    chosen: dict[str, Predictor] = {"model_without_radar": ModelPredictor(estimator, radar=False)}
    notes: dict[str, str] = {}
    try:
        chosen["row_median"], notes["row_median"] = row_median(estimator, source, protocol)
    except ConfigurationError as error:
        notes["row_median"] = f"left out: {error}"
    chosen["nearest_return"] = nearest_return
    if "row_median" in chosen:
        chosen["smaller_of_both"] = smaller_of([chosen["row_median"], nearest_return])
    return chosen, notes
