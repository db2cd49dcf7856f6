# SPDX-License-Identifier: Apache-2.0
"""pip install of the part without ROS; colcon builds from CMakeLists.txt instead."""

from setuptools import setup

setup()
