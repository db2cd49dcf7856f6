# SPDX-License-Identifier: Apache-2.0
"""Every geometric change moves everything: image, intrinsics, radar, lidar and depth together."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from xd_rcdepth_ros.errors import GeometryError
from xd_rcdepth_ros.geometry import (
    MAX_RANGE_M,
    NOT_SKY,
    SKY,
    UNKNOWN,
    NetworkGrid,
    PinholeCamera,
    RigidTransform,
    sky_of_depth,
    split_sky,
)

shares_frame = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def test_flip_is_the_mirror_of_everything(frame):
    flipped = frame.flip()
    before, after = frame.radar_raster().channels, flipped.radar_raster().channels
    mirrored = before[:, :, ::-1].copy()
    mirrored[3] *= -1  # vy
    assert np.count_nonzero(before[0]) > 50
    np.testing.assert_allclose(after, mirrored, atol=1e-4)
    np.testing.assert_allclose(flipped.lidar_depth(), frame.lidar_depth()[:, ::-1], atol=1e-4)
    np.testing.assert_array_equal(flipped.depth_m, frame.depth_m[:, ::-1])
    np.testing.assert_array_equal(flipped.image, frame.image[:, ::-1])
    np.testing.assert_array_equal(flipped.sky, frame.sky[:, ::-1])


@shares_frame
@given(angles=st.tuples(*[st.floats(-180, 180)] * 3))
def test_flip_mirrors_the_velocity_of_a_radar_mounted_anyhow(frame, angles):
    rotation = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    sweep = frame.radar[0]
    turned = replace(sweep, camera_from_radar=RigidTransform(rotation, np.zeros(3)))
    before = turned.velocity_along_camera_mps()
    assert np.abs(before).max() > 1
    np.testing.assert_allclose(
        turned.flip().velocity_along_camera_mps(), before * [1, -1], atol=1e-4
    )


def test_flipping_twice_gives_the_frame_back(frame):
    again = frame.flip().flip()
    np.testing.assert_allclose(again.radar_raster().channels, frame.radar_raster().channels)
    np.testing.assert_array_equal(again.image, frame.image)
    np.testing.assert_array_equal(again.sky, frame.sky)


@shares_frame
@given(left=st.integers(0, 40), top=st.integers(0, 20))
def test_crop_cuts_raster_and_image_alike(frame, left, top):
    part = frame.crop(left, top, 50, 25)
    rows, columns = slice(top, top + 25), slice(left, left + 50)
    whole = frame.radar_raster().channels
    np.testing.assert_allclose(part.radar_raster().channels, whole[:, rows, columns], atol=1e-5)
    np.testing.assert_array_equal(part.image, frame.image[rows, columns])
    np.testing.assert_array_equal(part.depth_m, frame.depth_m[rows, columns])
    np.testing.assert_array_equal(part.sky, frame.sky[rows, columns])
    np.testing.assert_allclose(part.lidar_depth(), frame.lidar_depth()[rows, columns], rtol=1e-6)


@shares_frame
@given(sides=st.tuples(*[st.integers(0, 12)] * 4))
def test_crop_undoes_pad(frame, sides):
    left, top, _, _ = sides
    back = frame.pad(*sides).crop(left, top, frame.camera.width, frame.camera.height)
    np.testing.assert_array_equal(back.image, frame.image)
    np.testing.assert_array_equal(back.depth_m, frame.depth_m)
    np.testing.assert_array_equal(back.sky, frame.sky)
    np.testing.assert_allclose(back.camera.k, frame.camera.k)


def test_padding_does_not_hide_returns_that_were_in_the_image(frame):
    padded = frame.pad(3, 5, 2, 1)
    inside = padded.radar_raster().channels[:, 5 : 5 + 48, 3 : 3 + 96]
    np.testing.assert_allclose(inside, frame.radar_raster().channels, atol=1e-5)


def test_resize_scales_pixels_and_keeps_metres(frame):
    doubled = frame.resize(192, 96)
    before, after = frame.radar_raster(), doubled.radar_raster()
    common = {tuple(s): d for s, d in zip(before.source, before.depth_m, strict=True)}
    for source, pixel, depth in zip(after.source, after.pixels, after.depth_m, strict=True):
        if tuple(source) in common:
            assert common[tuple(source)] == pytest.approx(depth)
            assert 0 <= pixel[0] < 192
    assert doubled.depth_m.shape == (96, 192)
    assert set(np.unique(doubled.depth_m[~np.isnan(doubled.depth_m)])) <= set(
        np.unique(frame.depth_m[~np.isnan(frame.depth_m)])
    )


@shares_frame
@given(width=st.integers(1, 300), height=st.integers(1, 150))
def test_resize_takes_sky_and_depth_from_the_same_pixels(frame, width, height):
    sky = np.where(np.isnan(frame.depth_m), UNKNOWN, frame.depth_m > 40).astype(np.uint8)
    resized = replace(frame, sky=sky).resize(width, height)
    expected = np.where(np.isnan(resized.depth_m), UNKNOWN, resized.depth_m > 40)
    np.testing.assert_array_equal(resized.sky, expected)
    assert resized.sky.dtype == np.uint8


def test_padding_is_unknown_sky(frame):
    padded = frame.pad(3, 5, 2, 1).sky
    assert (padded[5:-1, 3:-2] == frame.sky).all()
    padded[5:-1, 3:-2] = UNKNOWN
    assert (padded == UNKNOWN).all()


@shares_frame
@given(factor=st.floats(0.5, 2.0))
def test_zoomed_sky_follows_the_depth_where_it_is_known(frame, factor):
    zoomed = frame.zoom(factor)
    known = np.isfinite(zoomed.depth_m)
    np.testing.assert_array_equal(zoomed.sky[known], zoomed.depth_m[known] > MAX_RANGE_M)
    resized = frame.resize(zoomed.camera.width, zoomed.camera.height)
    np.testing.assert_array_equal(zoomed.sky[~known], resized.sky[~known])
    without_depth = replace(frame, depth_m=None).zoom(factor)
    np.testing.assert_array_equal(without_depth.sky, resized.sky)


def test_sky_of_a_depth_map():
    depth = np.array([[np.inf, 100.5, 100.0], [3.0, np.nan, 99.0]], np.float32)
    np.testing.assert_array_equal(sky_of_depth(depth), [[SKY, SKY, NOT_SKY], [0, UNKNOWN, 0]])
    np.testing.assert_array_equal(sky_of_depth(depth, 50.0), [[1, 1, 1], [0, UNKNOWN, 1]])
    metres, sky = split_sky(depth)
    np.testing.assert_array_equal(metres, [[np.nan, 100.5, 100.0], [3.0, np.nan, 99.0]])
    np.testing.assert_array_equal(sky, sky_of_depth(depth))


def test_sky_must_fit_the_image(frame):
    for sky in (frame.sky[:-1], frame.sky.astype(np.int32)):
        with pytest.raises(GeometryError, match=r"sky is .* expected \(48, 96\) uint8"):
            replace(frame, sky=sky)


def test_image_and_camera_must_belong_together(frame):
    with pytest.raises(GeometryError, match="belong together"):
        type(frame)(frame.image[:-1], frame.camera)
    with pytest.raises(GeometryError, match="uint8"):
        type(frame)(frame.image.astype(np.float32), frame.camera)


class TestNetworkGrid:
    def test_known_layout_of_a_nuscenes_camera(self):
        camera = PinholeCamera.from_focal(1600, 900, 1266.4, 1266.4, 816.3, 491.5)
        grid = NetworkGrid.for_camera(camera, 454.5)
        # 1600 * 454.5 / 1266.4 = 574.2, 900 * 454.5 / 1266.4 = 323.0
        assert (grid.image_width, grid.image_height) == (574, 323)
        assert (grid.width, grid.height) == (576, 352)
        assert (grid.left, grid.top) == (1, 29)

    @given(
        width=st.integers(40, 400),
        height=st.integers(30, 300),
        focal=st.floats(40, 400),
        size=st.sampled_from([None, (64, 96), (128, 320)]),
    )
    @settings(deadline=None, max_examples=60)
    def test_placed_frame_and_cut_depth_fit_their_cameras(self, width, height, focal, size):
        from xd_rcdepth_ros.geometry import SensorFrame

        camera = PinholeCamera.from_focal(width, height, focal, focal, width / 2, height / 2)
        frame = SensorFrame(np.zeros((height, width, 3), np.uint8), camera)
        grid = NetworkGrid.for_camera(camera, 150.0, size)
        placed = grid.place(frame)
        assert placed.image.shape == (grid.height, grid.width, 3)
        assert grid.height % 32 == 0 and grid.width % 32 == 0
        cut = grid.cut(np.zeros((grid.height, grid.width), np.float32))
        part = grid.camera_of_image(camera)
        assert cut.shape == (part.height, part.width)
        # The same ray has the same pixel by both ways: placed camera, cut camera plus offset.
        point = np.array([[0.1, 0.05, 1.0]])
        rows, columns = grid.inside
        np.testing.assert_allclose(
            placed.camera.project(point)[0],
            part.project(point)[0] + [columns.start, rows.start],
            atol=1e-6,
        )

    def test_depth_comes_back_to_the_image(self, frame):
        grid = NetworkGrid.for_camera(frame.camera, 60.0)
        ramp = np.arange(grid.width, dtype=np.float32)[None].repeat(grid.height, 0)
        back = grid.to_image(ramp, 96, 48)
        assert back.shape == (48, 96)
        np.testing.assert_allclose(back[0, 10:80], ramp[0, grid.left + 10 : grid.left + 80], atol=1)

    def test_an_image_that_does_not_fit_is_scaled_to_fit(self, frame):
        grid = NetworkGrid.for_camera(frame.camera, 60.0, (32, 64))
        # At a focal length of 60 both ways the image is 96 x 52.4 pixels: rows decide, 32 / 52.4.
        assert (grid.image_width, grid.image_height) == (59, 32)
        assert grid.depth_scale == pytest.approx(32 / (48 * 60 / 55))
        placed = grid.place(frame)
        assert placed.image.shape == (32, 64, 3)
        before, after = frame.radar_raster(), placed.radar_raster().crop(*grid.inside)
        np.testing.assert_array_equal(after.source, before.source)
        np.testing.assert_allclose(after.depth_m, before.depth_m / grid.depth_scale, rtol=1e-5)
        truths = [np.nanmedian(f.depth_m) for f in (frame, placed)]
        assert truths[1] == pytest.approx(truths[0] / grid.depth_scale, rel=0.1)
        back = grid.to_image(np.ones((32, 64), np.float32), 96, 48)
        np.testing.assert_array_equal(back, np.ones((48, 96)))

    def test_without_a_focal_length_depth_stays_as_it_is(self, frame):
        grid = NetworkGrid.for_camera(frame.camera, None, (32, 96))
        assert (grid.image_width, grid.image_height, grid.depth_scale) == (64, 32, 1.0)


def test_a_cropped_raster_is_the_raster_of_the_part(frame):
    raster = frame.radar_raster()
    part = raster.crop(slice(10, 40), slice(20, 80))
    expected = frame.crop(20, 10, 60, 30).radar_raster()
    np.testing.assert_array_equal(part.channels, expected.channels)
    np.testing.assert_array_equal(part.pixels, expected.pixels)
    np.testing.assert_array_equal(part.source, expected.source)
    np.testing.assert_array_equal(part.visible, expected.visible)
