# SPDX-License-Identifier: Apache-2.0
"""From a SensorFrame to a DepthResult, and pictures of both."""

from xd_rcdepth_ros.inference.arrays import frame_from_arrays
from xd_rcdepth_ros.inference.estimator import DepthEstimator, NetworkInput
from xd_rcdepth_ros.inference.model_info import ModelInfo
from xd_rcdepth_ros.inference.overlay import colorize_depth, draw_radar, overlay_heatmap
from xd_rcdepth_ros.inference.shipped import share_folder, shipped_model

__all__ = [
    "DepthEstimator",
    "ModelInfo",
    "NetworkInput",
    "colorize_depth",
    "draw_radar",
    "frame_from_arrays",
    "overlay_heatmap",
    "share_folder",
    "shipped_model",
]
