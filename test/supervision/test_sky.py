# SPDX-License-Identifier: Apache-2.0
"""Pseudo-labels of the sky: known values, and that the lidar always has the last word."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import distance_transform_edt

from xd_rcdepth_ros.errors import ConfigurationError, GeometryError
from xd_rcdepth_ros.geometry import NOT_SKY, SKY, UNKNOWN
from xd_rcdepth_ros.supervision.sky import SkyLabelSettings, sky_labels

SHAPE = (18, 24)
probabilities = arrays(
    np.float32, SHAPE, elements=st.sampled_from(np.float32([0, 0.5, 0.89, 0.91, 1, np.nan]))
)


@st.composite
def lidar_maps(draw):
    depth = np.full(SHAPE, np.nan, np.float32)
    places = st.tuples(
        st.integers(0, SHAPE[0] - 1), st.integers(0, SHAPE[1] - 1), st.floats(1, 200, width=32)
    )
    for row, column, metres in draw(st.lists(places, max_size=12)):
        depth[row, column] = metres
    return depth


def test_known_labels():
    probability = np.full((7, 7), 0.95)
    probability[:, 6] = 0.3
    lidar = np.full((7, 7), np.nan)
    lidar[4, 2] = 20.0
    lidar[2, 4] = 150.0  # out of range: says nothing
    labels = sky_labels(probability, lidar, SkyLabelSettings(clearance_px=1))
    s, n, u = SKY, NOT_SKY, UNKNOWN
    expected = [
        [s, s, s, s, s, s, u],  # on the right the classifier is not sure
        [s, s, s, s, s, s, u],
        [s, s, s, s, s, s, u],
        [s, s, u, s, s, s, u],  # beside the point
        [s, u, n, u, s, s, u],
        [s, s, u, s, s, s, u],  # below it
        [s, s, u, s, s, s, u],
    ]
    np.testing.assert_array_equal(labels, expected)


def test_gaps_among_dense_points_show_something():
    lidar = np.full((30, 40), np.nan)
    lidar[12:22:3, 10:30:2] = 15.0  # scan lines three rows apart, a point every other column
    unsure = np.full(lidar.shape, 0.5)
    labels = sky_labels(unsure, lidar, SkyLabelSettings(gap_px=8))
    assert (labels[13:21, 11:28] == NOT_SKY).all()
    assert (labels[:11] == UNKNOWN).all() and (labels[:, :9] == UNKNOWN).all()
    narrow = sky_labels(unsure, lidar, SkyLabelSettings(gap_px=2))
    np.testing.assert_array_equal(narrow == NOT_SKY, lidar == 15)
    # Where the classifier is sure of sky among them, nothing is told but the points.
    np.testing.assert_array_equal(sky_labels(unsure + 0.5, lidar)[12:22, 10:30] == NOT_SKY,
                                  lidar[12:22, 10:30] == 15)  # fmt: skip


@given(probability=probabilities, lidar=lidar_maps())
def test_no_sky_where_anything_speaks_against_it(probability, lidar):
    settings = SkyLabelSettings()
    labels = sky_labels(probability, lidar, settings)
    hit = lidar <= settings.max_range_m
    assert (labels[hit] == NOT_SKY).all()
    sky = labels == SKY
    assert (probability[sky] >= settings.threshold).all()
    if hit.any():
        assert (distance_transform_edt(~hit)[sky] > settings.clearance_px).all()
        rows, columns = np.nonzero(hit)
        for row, column in zip(rows, columns, strict=True):
            assert not sky[row:, column].any()
    else:
        np.testing.assert_array_equal(labels, np.where(probability >= 0.9, SKY, UNKNOWN))


@given(probability=probabilities, lidar=lidar_maps(), more=lidar_maps())
def test_more_points_never_add_sky_nor_take_something_away(probability, lidar, more):
    few = sky_labels(probability, lidar)
    many = sky_labels(probability, np.fmin(lidar, more))
    assert not ((many == SKY) & (few != SKY)).any()
    assert (many[few == NOT_SKY] == NOT_SKY).all()


@given(probability=probabilities, lidar=lidar_maps())
def test_mirror_image_has_mirrored_labels(probability, lidar):
    mirrored = sky_labels(probability[:, ::-1], lidar[:, ::-1])
    np.testing.assert_array_equal(mirrored, sky_labels(probability, lidar)[:, ::-1])


def test_maps_of_two_images_and_bad_settings_are_refused():
    with pytest.raises(GeometryError, match=r"\(2, 3\), lidar depth \(3, 2\)"):
        sky_labels(np.zeros((2, 3)), np.zeros((3, 2)))
    with pytest.raises(ConfigurationError, match=r"threshold is 1\.5"):
        SkyLabelSettings(threshold=1.5)
    with pytest.raises(ConfigurationError, match="gap_px -1"):
        SkyLabelSettings(gap_px=-1)
