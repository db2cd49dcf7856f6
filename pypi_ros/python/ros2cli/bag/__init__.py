# SPDX-License-Identifier: Apache-2.0
"""Playing and recording rosbag2 bags without deserializing messages."""
