# SPDX-License-Identifier: Apache-2.0
"""What a method must beat: depth from the image row alone, and from the nearest return alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.evaluation.evaluator import Predictor
from xd_rcdepth_ros.geometry import PinholeCamera, SensorFrame
from xd_rcdepth_ros.inference import DepthEstimator


def model_predictor(estimator: DepthEstimator) -> Predictor:
    """Return the predictor of a model: its depth at the image's own resolution."""

    def predict(frame: SensorFrame) -> NDArray[np.float32]:
        return estimator.estimate(frame, output_size="input").depth_m

    return predict


def row_median(estimator: DepthEstimator, camera: PinholeCamera) -> Predictor:
    """Return the predictor that says the training data's median depth of each row.

    Args:
        estimator: The model; its file carries the medians on the network's grid.
        camera: A camera of the data; its images must be laid onto a grid of the same height.

    Raises:
        ConfigurationError: The file has no medians, or the grid differs.
    """
    medians = np.asarray(estimator.info.header.row_median_depth_m, np.float32)
    height = estimator.grid(camera).height
    if len(medians) != height:
        raise ConfigurationError(
            f"the model file has {len(medians)} row medians, but this camera's images lie on a "
            f"grid of {height} rows: the row baseline only fits cameras like the training's."
        )

    def predict(frame: SensorFrame) -> NDArray[np.float32]:
        grid = estimator.grid(frame.camera)
        rows = np.repeat(medians[:, None], grid.width, axis=1)
        return grid.to_image(rows, frame.camera.width, frame.camera.height)

    return predict


def nearest_return(frame: SensorFrame) -> NDArray[np.float32]:
    """Say for each pixel the depth of the radar return nearest in the image.

    Returns:
        (H, W) float32, metres; NaN everywhere if no return falls into the image.
    """
    height, width = frame.image.shape[:2]
    raster = frame.radar_raster()
    if not len(raster.pixels):
        return np.full((height, width), np.nan, np.float32)
    rows, columns = np.mgrid[:height, :width]
    _, index = cKDTree(raster.pixels).query(np.column_stack([columns.ravel(), rows.ravel()]))
    return np.asarray(raster.depth_m[index].reshape(height, width), np.float32)


def smaller_of(predictors: Sequence[Predictor]) -> Predictor:
    """Return the predictor that says the smallest of several depths; NaN never wins."""

    def predict(frame: SensorFrame) -> NDArray[np.float32]:
        smallest: NDArray[np.float32] = np.fmin.reduce([p(frame) for p in predictors])
        return smallest

    return predict


def plain_baselines(
    estimator: DepthEstimator, camera: PinholeCamera
) -> tuple[dict[str, Predictor], dict[str, str]]:
    """Return the baselines that fit a camera, and why the others do not."""
    chosen: dict[str, Predictor] = {}
    refused: dict[str, str] = {}
    try:
        chosen["row_median"] = row_median(estimator, camera)
    except ConfigurationError as error:
        refused["row_median"] = str(error)
    chosen["nearest_return"] = nearest_return
    if len(chosen) == 2:
        chosen["smaller_of_both"] = smaller_of(list(chosen.values()))
    return chosen, refused
