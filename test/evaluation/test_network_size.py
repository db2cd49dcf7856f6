# SPDX-License-Identifier: Apache-2.0
"""A smaller network_size trades accuracy for speed, and never a part of the image."""

import numpy as np

from xd_rcdepth_ros.inference import DepthEstimator, shipped_model
from xd_rcdepth_ros.simulation import Drive, DriveSettings


def test_network_size_of_about_half_costs_little_on_simulated_drives():
    """network_size_crops, mean of two frames of each of three places: one drive says little."""
    drives = [
        Drive(DriveSettings(seed=seed, frames=2, place=place, camera_hz=0.5))
        for seed, place in ((5, "city"), (6, "suburb"), (7, "country"))
    ]
    frames = [drive.frame(number) for drive in drives for number in range(2)]
    depths_m = {}
    for size in ((352, 704), (192, 384)):
        estimator = DepthEstimator.load(shipped_model(), "cpu", "torch", "fp32", network_size=size)
        depths_m[size] = [estimator.estimate(f, output_size="input").depth_m for f in frames]
    errors_m = {size: [] for size in depths_m}
    for number, frame in enumerate(frames):
        near = frame.depth_m < 80
        known = near & np.logical_and.reduce([np.isfinite(d[number]) for d in depths_m.values()])
        assert known.sum() > 0.95 * near.sum()
        for size, found in depths_m.items():
            errors_m[size].append(np.abs(found[number] - frame.depth_m)[known].mean())
            # A part that is cut off would have no depth: no border of the image is without one.
            for border in (found[number][:, :8], found[number][:, -8:], found[number][-8:]):
                assert not np.isnan(border).any()
    assert np.mean(errors_m[192, 384]) < 1.25 * np.mean(errors_m[352, 704])
