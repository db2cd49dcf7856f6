# SPDX-License-Identifier: Apache-2.0
"""Types of the names that ``__init__.py`` imports when first asked for."""

from xd_rcdepth_ros.errors import XDRCDepthError as XDRCDepthError
from xd_rcdepth_ros.geometry import DepthResult as DepthResult
from xd_rcdepth_ros.geometry import PinholeCamera as PinholeCamera
from xd_rcdepth_ros.geometry import RadarPoints as RadarPoints
from xd_rcdepth_ros.geometry import RadarSweep as RadarSweep
from xd_rcdepth_ros.geometry import RigidTransform as RigidTransform
from xd_rcdepth_ros.geometry import SensorFrame as SensorFrame
from xd_rcdepth_ros.inference import DepthEstimator as DepthEstimator
from xd_rcdepth_ros.inference import colorize_depth as colorize_depth
from xd_rcdepth_ros.inference import draw_radar as draw_radar
from xd_rcdepth_ros.inference import frame_from_arrays as frame_from_arrays
from xd_rcdepth_ros.inference import overlay_heatmap as overlay_heatmap

__version__: str
