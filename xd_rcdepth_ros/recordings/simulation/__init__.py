# SPDX-License-Identifier: Apache-2.0
"""Simulated drives with exact depth: procedural roads, cast by one ray caster for all sensors."""

from xd_rcdepth_ros.recordings.simulation.bag import write_bag
from xd_rcdepth_ros.recordings.simulation.drive import Drive, DriveSettings

__all__ = ["Drive", "DriveSettings", "write_bag"]
