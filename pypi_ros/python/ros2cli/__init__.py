# SPDX-License-Identifier: Apache-2.0
"""The ``ros2`` command for machines without ROS: the verbs that this project uses."""
