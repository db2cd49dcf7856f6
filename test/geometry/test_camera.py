# SPDX-License-Identifier: Apache-2.0
"""PinholeCamera: known values worked out by hand, and properties of its changes."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xd_rcdepth_ros.errors import GeometryError
from xd_rcdepth_ros.geometry import PinholeCamera

CAMERA = PinholeCamera.from_focal(100, 60, 50.0, 40.0, 49.5, 29.5, frame_id="eye")


def test_projects_a_known_point():
    # u = 50 * 2 / 10 + 49.5 = 59.5, v = 40 * -1 / 10 + 29.5 = 25.5
    uv, depth = CAMERA.project(np.array([[2.0, -1.0, 10.0]]))
    np.testing.assert_allclose(uv, [[59.5, 25.5]])
    np.testing.assert_allclose(depth, [10.0])


def test_points_behind_the_camera_have_no_pixel():
    uv, depth = CAMERA.project(np.array([[1.0, 1.0, -5.0], [1.0, 1.0, 0.0]]))
    assert np.isnan(uv).all()
    np.testing.assert_allclose(depth, [-5.0, 0.0])


def test_stereo_offset_in_p_shifts_the_pixel():
    p = np.array([[50.0, 0, 49.5, -25.0], [0, 40, 29.5, 0], [0, 0, 1, 0]])
    camera = PinholeCamera(100, 60, CAMERA.k, p)
    uv, _ = camera.project(np.array([[0.0, 0.0, 10.0]]))
    np.testing.assert_allclose(uv, [[49.5 - 2.5, 29.5]])
    np.testing.assert_allclose(camera.unproject(uv, np.array([10.0])), [[0, 0, 10]], atol=1e-12)


def test_resize_keeps_pixel_areas():
    # The left edge of the image is at u = -0.5, the right one at 99.5; halves: -0.5 and 49.5.
    half = CAMERA.resize(50, 30)
    assert half.k[0, 0] == 25.0
    assert half.k[0, 2] == pytest.approx((49.5 + 0.5) / 2 - 0.5)
    assert half.p[1, 2] == pytest.approx((29.5 + 0.5) / 2 - 0.5)


def test_flip_moves_the_principal_point_to_the_other_side():
    camera = PinholeCamera.from_focal(100, 60, 50, 40, 30.0, 29.5).flip()
    assert camera.k[0, 2] == 69.0  # 99 - 30
    assert camera.k[0, 0] == 50.0


@pytest.mark.parametrize(
    "k",
    [
        np.zeros((3, 3)),
        np.diag([-1.0, 1.0, 1.0]),
        np.array([[1, 0, np.nan], [0, 1, 0], [0, 0, 1.0]]),
        np.eye(2),
    ],
)
def test_refuses_what_is_no_pinhole(k):
    with pytest.raises(GeometryError):
        PinholeCamera(10, 10, k)


def test_zero_k_error_says_what_to_do():
    with pytest.raises(GeometryError, match="calibrate"):
        PinholeCamera(10, 10, np.zeros((3, 3)))


def test_crop_outside_the_image_is_refused():
    with pytest.raises(GeometryError, match="leaves the image"):
        CAMERA.crop(50, 0, 51, 10)


def test_agrees_with_opencv():
    rng = np.random.default_rng(0)
    points = rng.uniform([-5, -5, 1], [5, 5, 60], (500, 3))
    expected, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), CAMERA.k, None)
    np.testing.assert_allclose(CAMERA.project(points)[0], expected[:, 0], atol=1e-9)


points = st.tuples(st.floats(-20, 20), st.floats(-20, 20), st.floats(0.5, 100))


@given(points, st.integers(10, 300), st.integers(10, 300))
def test_resizing_moves_pixels_as_opencv_moves_images(point, width, height):
    uv, _ = CAMERA.project(np.array([point]))
    moved, _ = CAMERA.resize(width, height).project(np.array([point]))
    expected = (uv + 0.5) * [width / 100, height / 60] - 0.5
    np.testing.assert_allclose(moved, expected, atol=1e-6)


@given(points)
def test_flipping_twice_changes_nothing(point):
    again = CAMERA.flip().flip()
    np.testing.assert_allclose(
        again.project(np.array([point]))[0], CAMERA.project(np.array([point]))[0]
    )


@given(points)
def test_unproject_undoes_project(point):
    uv, depth = CAMERA.project(np.array([point]))
    np.testing.assert_allclose(CAMERA.unproject(uv, depth), [point], atol=1e-9)
