# SPDX-License-Identifier: Apache-2.0
"""Depth to learn from: accumulated lidar without what moved, with small gaps interpolated."""
