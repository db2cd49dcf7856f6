# SPDX-License-Identifier: Apache-2.0
"""What counts as measured: limits of depth and of its expected error."""

import numpy as np

from xd_rcdepth_ros.geometry import DepthResult, PinholeCamera, rasterize_radar
from xd_rcdepth_ros.ros.limits import limit_depth

CAMERA = PinholeCamera.from_focal(6, 1, 5.0, 5.0, 2.5, 0.0)
DEPTH = np.array([[0.5, 10.0, 70.0, 120.0, np.inf, 20.0]], np.float32)
ERROR = np.array([[0.1, 0.2, 0.6, 0.1, 0.3, np.nan]], np.float32)


def result(error=None):
    return DepthResult(DEPTH, CAMERA, 0, rasterize_radar((), CAMERA), error=error)


def test_what_is_too_near_or_too_far_is_infinite():
    limited = limit_depth(result(), 1.0, 100.0, 0.5)
    expected = [[-np.inf, 10.0, 70.0, np.inf, np.inf, 20.0]]
    np.testing.assert_array_equal(limited.depth_m, expected)
    assert limited.error is None
    assert DEPTH[0, 0] == 0.5  # the estimate itself stays


def test_depth_that_is_not_trusted_is_unknown_and_sky_has_no_error():
    limited = limit_depth(result(ERROR), 1.0, 100.0, 0.5)
    expected = [[-np.inf, 10.0, np.nan, np.inf, np.inf, np.nan]]
    np.testing.assert_array_equal(limited.depth_m, expected)
    np.testing.assert_array_equal(
        limited.error, np.array([[0.1, 0.2, 0.6, 0.1, np.nan, np.nan]], np.float32)
    )
