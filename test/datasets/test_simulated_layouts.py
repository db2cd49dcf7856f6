# SPDX-License-Identifier: Apache-2.0
"""Simulated drives, written in the layouts of the three data sets, come back through converters."""

import numpy as np
import pytest

from xd_rcdepth_ros.datasets.astyx import plan_astyx
from xd_rcdepth_ros.datasets.check import check_bags
from xd_rcdepth_ros.datasets.conversion import convert_plans
from xd_rcdepth_ros.datasets.nuscenes import plan_nuscenes
from xd_rcdepth_ros.datasets.zju_4dradarcam import plan_zju
from xd_rcdepth_ros.recordings.reader import Recording

simulation = pytest.importorskip(
    "xd_rcdepth_ros.simulation", reason="the simulator's libraries are not installed"
)
FRAMES = 6


@pytest.mark.parametrize("layout", ["nuscenes", "zju", "astyx"])
def test_simulated_layout_there_and_back(tmp_path, layout):
    settings = simulation.DriveSettings(
        seed=1, frames=FRAMES, width=160, height=96, lidar="vlp16" if layout == "astyx" else "hdl32"
    )
    drive = simulation.Drive(settings)
    write = getattr(simulation, f"write_{layout}")
    write([drive] if layout == "nuscenes" else drive, tmp_path / "tree")
    planner = {
        "nuscenes": plan_nuscenes,
        "zju": lambda root: plan_zju(root, dense=True),
        "astyx": plan_astyx,
    }[layout]
    plans = planner(tmp_path / "tree")
    bags = convert_plans(plans, tmp_path / "bags")
    results = check_bags(plans, tmp_path / "bags")
    assert sum(result.images for result in results) == FRAMES
    frames = []
    for bag in bags:
        with Recording(bag) as recording:
            frames += list(recording.frames())
    assert len(frames) == FRAMES
    frames.sort(key=lambda frame: frame.stamp_ns)
    checked = 0
    for number, frame in enumerate(frames):
        exact = drive.frame(number).depth_m
        lidar = frame.lidar_depth()
        both = np.isfinite(lidar) & np.isfinite(exact)
        # Lidar is noisy and sits elsewhere than the camera, but most of it must agree.
        error = np.abs(lidar[both] - exact[both]) / exact[both]
        assert np.median(error) < 0.03
        checked += int(both.sum())
        if layout == "zju":
            known = np.isfinite(frame.depth_m)
            np.testing.assert_allclose(frame.depth_m[known], exact[known], atol=1 / 256)
        assert len(frame.radar) == 1
    assert checked > 1000
