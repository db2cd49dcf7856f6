# SPDX-License-Identifier: Apache-2.0
"""Helpers for sensor messages; see `sensor_msgs_py.point_cloud2`."""
