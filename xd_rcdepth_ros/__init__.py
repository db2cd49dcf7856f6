# SPDX-License-Identifier: Apache-2.0
"""Radar-camera depth for robots: metric dense depth from one camera and automotive radar.

The names below are the Python API (docs/python_api.md); their types are told by ``__init__.pyi``.
"""

from importlib import import_module
from pkgutil import extend_path

# The generated messages (xd_rcdepth_ros.msg) are installed beside this package by colcon. When the
# source tree comes first on the path, both halves must still be found.
__path__ = extend_path(__path__, __name__)

__version__ = "0.2.0"

# Imported when first asked for: the command's `--help` must not wait for PyTorch.
_MODULES = {
    "DepthEstimator": "inference",
    "DepthResult": "geometry",
    "PinholeCamera": "geometry",
    "RadarPoints": "geometry",
    "RadarSweep": "geometry",
    "RigidTransform": "geometry",
    "SensorFrame": "geometry",
    "XDRCDepthError": "errors",
    "colorize_depth": "inference",
    "draw_radar": "inference",
    "frame_from_arrays": "inference",
    "overlay_heatmap": "inference",
}
__all__ = ["__version__", *_MODULES]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
