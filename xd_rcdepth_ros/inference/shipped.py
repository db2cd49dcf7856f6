# SPDX-License-Identifier: Apache-2.0
"""Where the model file that comes with the package lies."""

from __future__ import annotations

import sys
from pathlib import Path

import xd_rcdepth_ros


def shipped_model() -> Path:
    """Return the student that the package ships: installed, or beside the source tree."""
    places = [
        Path(sys.prefix) / "share" / "xd_rcdepth_ros",
        Path(xd_rcdepth_ros.__file__).resolve().parents[1],
    ]
    try:
        from ament_index_python.packages import get_package_share_directory

        places.insert(0, Path(get_package_share_directory("xd_rcdepth_ros")))
    except (ImportError, LookupError, OSError):  # no ROS environment, or not installed there
        pass
    files = [place / "models" / "student.safetensors" for place in places]
    return next((file for file in files if file.is_file()), files[-1])
