# SPDX-License-Identifier: Apache-2.0
"""Simulated drives with exact depth: procedural roads, cast by one ray caster for all sensors."""

from xd_rcdepth_ros.simulation.bag import write_bag
from xd_rcdepth_ros.simulation.drive import Drive, DriveSettings
from xd_rcdepth_ros.simulation.layouts import write_astyx, write_zju
from xd_rcdepth_ros.simulation.nuscenes_layout import write_nuscenes

__all__ = ["Drive", "DriveSettings", "write_astyx", "write_bag", "write_nuscenes", "write_zju"]
