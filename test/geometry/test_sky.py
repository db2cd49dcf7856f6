# SPDX-License-Identifier: Apache-2.0
"""Masks of the sky: what a depth map says of it, and which of several masks is believed."""

import numpy as np
import pytest

from xd_rcdepth_ros.geometry import NOT_SKY, SKY, UNKNOWN, merge_sky, sky_of_depth, split_sky

DEPTH_M = np.array([[np.nan, 5.0, 150.0, np.inf]], np.float32)


def test_beyond_the_range_is_sky_and_nan_is_unknown():
    assert sky_of_depth(DEPTH_M).tolist() == [[UNKNOWN, NOT_SKY, SKY, SKY]]
    depth_m, sky = split_sky(DEPTH_M)
    assert np.isnan(depth_m[0]).tolist() == [True, False, False, True]
    assert (sky == sky_of_depth(DEPTH_M)).all()


def test_a_later_mask_is_believed_where_it_is_known():
    first = np.array([[UNKNOWN, SKY, SKY, NOT_SKY]], np.uint8)
    later = np.array([[UNKNOWN, UNKNOWN, NOT_SKY, SKY]], np.uint8)
    assert merge_sky(first, later)[0].tolist() == pytest.approx([np.nan, 1, 0, 1], nan_ok=True)
