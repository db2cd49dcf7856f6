# SPDX-License-Identifier: Apache-2.0
"""Drives as rosbag2, in and out, without ROS: writer, reader, and converters of data sets."""
