# SPDX-License-Identifier: Apache-2.0
"""Cameras, poses, radar points, rasters and the frame of sensor data that holds them (NumPy)."""

from xd_rcdepth_ros.geometry.camera import PinholeCamera
from xd_rcdepth_ros.geometry.frame import DepthResult, SensorFrame
from xd_rcdepth_ros.geometry.grid import NetworkGrid
from xd_rcdepth_ros.geometry.pose import OPTICAL_FROM_BODY, PoseTrack, RigidTransform
from xd_rcdepth_ros.geometry.radar import RadarPoints
from xd_rcdepth_ros.geometry.rasterize import (
    RADAR_CHANNELS,
    RadarRaster,
    rasterize_depth,
    rasterize_radar,
)
from xd_rcdepth_ros.geometry.sky import (
    MAX_RANGE_M,
    NOT_SKY,
    SKY,
    SKY_VALUES,
    UNKNOWN,
    merge_sky,
    sky_of_depth,
    split_sky,
)
from xd_rcdepth_ros.geometry.sweep_choice import MAX_SWEEP_GAP_NS, nearest_stamp, sweeps_up_to
from xd_rcdepth_ros.geometry.sweeps import LidarSweep, RadarSweep

__all__ = [
    "MAX_RANGE_M",
    "MAX_SWEEP_GAP_NS",
    "NOT_SKY",
    "OPTICAL_FROM_BODY",
    "RADAR_CHANNELS",
    "SKY",
    "SKY_VALUES",
    "UNKNOWN",
    "DepthResult",
    "LidarSweep",
    "NetworkGrid",
    "PinholeCamera",
    "PoseTrack",
    "RadarPoints",
    "RadarRaster",
    "RadarSweep",
    "RigidTransform",
    "SensorFrame",
    "merge_sky",
    "nearest_stamp",
    "rasterize_depth",
    "rasterize_radar",
    "sky_of_depth",
    "split_sky",
    "sweeps_up_to",
]
