# SPDX-License-Identifier: Apache-2.0
"""Where the files that come with the package lie: its model and its configuration."""

from __future__ import annotations

import sys
from pathlib import Path

import xd_rcdepth_ros


def share_folder() -> Path:
    """Return the folder that holds ``models/`` and ``config/``.

    pip lays them into the package; colcon beside it, in share/; else it is the source tree.
    """
    package = Path(xd_rcdepth_ros.__file__).resolve().parent
    places = [package / "share", Path(sys.prefix) / "share" / "xd_rcdepth_ros", package.parent]
    try:
        from ament_index_python.packages import get_package_share_directory

        places.insert(1, Path(get_package_share_directory("xd_rcdepth_ros")))
    except (ImportError, LookupError, OSError):  # no ROS environment, or not installed there
        pass
    return next((place for place in places if (place / "models").is_dir()), places[-1])


def shipped_model() -> Path:
    """Return the student that the package ships."""
    return share_folder() / "models" / "student.safetensors"
