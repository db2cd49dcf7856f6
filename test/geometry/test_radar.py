# SPDX-License-Identifier: Apache-2.0
"""RadarPoints: defaults, range rates, motion, mirror."""

import numpy as np
import pytest

from xd_rcdepth_ros.errors import GeometryError
from xd_rcdepth_ros.geometry import RadarPoints


def test_what_is_not_known_gets_stated_defaults():
    points = RadarPoints.from_arrays([[1, 2, 3]])
    assert points.rcs_dbsm.tolist() == [0]
    assert points.velocity_mps.tolist() == [[0, 0]]
    assert np.isnan(points.velocity_compensated_mps).all()
    assert points.usable().tolist() == [True]


def test_range_rates_become_velocities_along_the_line_of_sight():
    # 3-4-5 triangle: cos = 0.6, sin = 0.8
    points = RadarPoints.from_arrays([[3, 4, 7]], velocity_mps=np.array([-10.0]))
    np.testing.assert_allclose(points.velocity_mps, [[-6, -8]], rtol=1e-6)


def test_wrong_shapes_are_named():
    with pytest.raises(GeometryError, match="rcs_dbsm"):
        RadarPoints.from_arrays([[1, 2, 3]], rcs_dbsm=[1, 2])


def test_motion_moves_by_compensated_velocity_only():
    points = RadarPoints.from_arrays(
        [[10, 0, 0], [20, 0, 0]],
        velocity_mps=[[5, 5], [5, 5]],
        velocity_compensated_mps=[[2, -4], [np.nan, np.nan]],
    )
    moved = points.shifted_by_motion(0.5).position_m
    np.testing.assert_allclose(moved, [[11, -2, 0], [20, 0, 0]])


def test_mirror_negates_all_that_is_lateral():
    points = RadarPoints.from_arrays([[1, 2, 3]], [4], [[5, 6]], [[7, 8]]).mirrored()
    np.testing.assert_allclose(points.position_m, [[1, -2, 3]])
    np.testing.assert_allclose(points.velocity_mps, [[5, -6]])
    np.testing.assert_allclose(points.velocity_compensated_mps, [[7, -8]])


def test_concatenate_and_select():
    a, b = RadarPoints.from_arrays([[1, 0, 0]]), RadarPoints.from_arrays([[2, 0, 0], [3, 0, 0]])
    joined = RadarPoints.concatenate([a, b])
    assert joined.position_m[:, 0].tolist() == [1, 2, 3]
    assert joined.select([2, 0]).position_m[:, 0].tolist() == [3, 1]
    assert len(RadarPoints.concatenate([])) == 0
