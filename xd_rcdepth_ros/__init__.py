# SPDX-License-Identifier: Apache-2.0
"""Radar-camera depth for robots: metric dense depth from one camera and automotive radar."""

from pkgutil import extend_path

# The generated messages (xd_rcdepth_ros.msg) are installed beside this package by colcon. When the
# source tree comes first on the path, both halves must still be found.
__path__ = extend_path(__path__, __name__)

__version__ = "0.1.0"
