# SPDX-License-Identifier: Apache-2.0
"""Whatever is varied, image, radar, lidar and depth stay on each other."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xd_rcdepth_ros.geometry import (
    LidarSweep,
    PinholeCamera,
    RadarPoints,
    RadarSweep,
    RigidTransform,
    SensorFrame,
)
from xd_rcdepth_ros.training.augmentation import AugmentationConfig, augment, vary_colour

ROWS, COLUMNS, FOCAL = 48, 80, 60.0
# x forward, y left, z up -> x right, y down, z forward
CAMERA_FROM_SENSOR = RigidTransform(np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]]), np.zeros(3))
PLAIN = AugmentationConfig(flip=0.0, gain=0.0, gamma=0.0)


def marked_frame(u, v, depth_m=20.0, velocity=(3.0, 2.0)):
    """Return a black frame with one bright pixel, where one return, one point and one depth lie."""
    camera = PinholeCamera(COLUMNS, ROWS, np.array([[FOCAL, 0, 39.5], [0, FOCAL, 23.5], [0, 0, 1]]))
    image = np.zeros((ROWS, COLUMNS, 3), np.uint8)
    image[v, u] = 255
    depth = np.full((ROWS, COLUMNS), np.nan, np.float32)
    depth[v, u] = depth_m
    right = (u - 39.5) / FOCAL * depth_m
    down = (v - 23.5) / FOCAL * depth_m
    point = np.array([[depth_m, -right, -down]], np.float32)
    radar = RadarPoints.from_arrays(point, [7.0], [velocity])
    return SensorFrame(
        image,
        camera,
        (RadarSweep(radar, CAMERA_FROM_SENSOR),),
        lidar=LidarSweep(point, CAMERA_FROM_SENSOR),
        depth_m=depth,
    )


@settings(max_examples=60)
@given(
    u=st.integers(2, COLUMNS - 3),
    v=st.integers(2, ROWS - 3),
    height=st.sampled_from([32, 64, 96]),
    width=st.sampled_from([64, 96]),
    flip=st.booleans(),
    shift=st.integers(0, 40),
    seed=st.integers(0, 2**31),
)
def test_everything_moves_together(u, v, height, width, flip, shift, seed):
    config = AugmentationConfig(flip=float(flip), shift_px=shift, gain=0, gamma=0)
    frame = augment(marked_frame(u, v), (height, width), config, np.random.default_rng(seed))
    assert frame.image.shape == (height, width, 3)
    bright = np.argwhere(frame.image[..., 0] > 0)
    radar = frame.radar_raster().channels
    for grid in (radar[0] > 0, np.isfinite(frame.lidar_depth()), np.isfinite(frame.depth_m)):
        np.testing.assert_array_equal(np.argwhere(grid), bright)
    if len(bright):
        row, column = bright[0]
        assert radar[0, row, column] == pytest.approx(20.0)
        # vx is forward and stays; vy is to the left, so the mirror turns its sign.
        np.testing.assert_allclose(radar[2:, row, column], [3.0, -2.0 if flip else 2.0])


def test_a_smaller_image_stands_on_the_bottom_row():
    frame = augment(marked_frame(40, ROWS - 1), (64, 96), PLAIN, np.random.default_rng(0))
    (place,) = np.argwhere(frame.image[..., 0] > 0)
    assert tuple(place) == (63, 40 + (96 - COLUMNS) // 2)


def test_the_shift_lifts_the_image_at_most_so_far():
    config = AugmentationConfig(flip=0, gain=0, gamma=0, shift_px=5)
    rows = set()
    for seed in range(60):
        frame = augment(marked_frame(40, ROWS - 1), (64, 96), config, np.random.default_rng(seed))
        rows.add(int(np.argwhere(frame.image[..., 0] > 0)[0, 0]))
    assert rows == set(range(58, 64))


def test_the_same_generator_makes_the_same_variant():
    config = AugmentationConfig(dark=0.5, thin=0.5, no_radar=0.2, shift_px=8)
    frame = marked_frame(30, 20)
    one, two = (augment(frame, (64, 96), config, np.random.default_rng(9)) for _ in range(2))
    np.testing.assert_array_equal(one.image, two.image)
    np.testing.assert_array_equal(one.radar_raster().channels, two.radar_raster().channels)


def test_radar_can_be_lost():
    config = AugmentationConfig(no_radar=1.0)
    frame = augment(marked_frame(30, 20), (64, 96), config, np.random.default_rng(0))
    assert not frame.radar_raster().channels.any()


def test_radar_is_thinned_to_at_most_half():
    frame = marked_frame(30, 20)
    many = RadarPoints.from_arrays(np.repeat(frame.radar[0].points.position_m, 1000, axis=0))
    frame = SensorFrame(frame.image, frame.camera, (RadarSweep(many, CAMERA_FROM_SENSOR),))
    config = AugmentationConfig(thin=1.0)
    for seed in range(10):
        thin = augment(frame, (64, 96), config, np.random.default_rng(seed))
        assert 0 < len(thin.radar[0].points) < 600


def test_colours_without_variation_are_kept():
    image = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    np.testing.assert_array_equal(vary_colour(image, PLAIN, np.random.default_rng(0)), image)


def test_dark_images_are_darker():
    image = np.full((32, 32, 3), 200, np.uint8)
    config = AugmentationConfig(gain=0, gamma=0, dark=1.0)
    assert vary_colour(image, config, np.random.default_rng(1)).mean() < 0.65 * 200


@settings(max_examples=60)
@given(
    u=st.integers(10, COLUMNS - 11),
    v=st.integers(10, ROWS - 11),
    factor=st.floats(0.8, 1.25),
    offset=st.tuples(*[st.floats(-0.5, 0.5)] * 3),
)
def test_a_zoomed_world_is_nearer_by_as_much_as_it_is_larger(u, v, factor, offset):
    frame = marked_frame(u, v)
    # A sensor that is mounted elsewhere: the same point in other coordinates.
    shifted = RigidTransform(CAMERA_FROM_SENSOR.rotation, np.array(offset))
    moved = (frame.lidar.points_m - shifted.rotation.T @ np.array(offset)).astype(np.float32)
    points = RadarPoints.from_arrays(moved, [7.0], [(3.0, 2.0)])
    frame = replace(frame, radar=(RadarSweep(points, shifted),), lidar=LidarSweep(moved, shifted))
    zoomed = frame.zoom(factor)
    size = (round(ROWS * factor), round(COLUMNS * factor))
    assert zoomed.image.shape[:2] == size
    centre = np.array([(v + 0.5) * size[0] / ROWS - 0.5, (u + 0.5) * size[1] / COLUMNS - 0.5])
    radar, lidar = zoomed.radar_raster().channels, zoomed.lidar_depth()
    for place in (np.argwhere(radar[0] > 0), np.argwhere(np.isfinite(lidar))):
        assert np.abs(place - centre).max() <= 0.51 and len(place) == 1
    velocity = frame.radar_raster().channels[2:, v, u]
    np.testing.assert_allclose(radar[:, radar[0] > 0].T, [[20 / factor, 7.0, *velocity]], rtol=1e-4)
    assert np.nanmax(lidar) == pytest.approx(20 / factor, rel=1e-4)
    known = zoomed.depth_m[np.isfinite(zoomed.depth_m)]
    assert len(known) or factor < 1  # a single pixel may fall between those of a smaller image
    np.testing.assert_allclose(known, 20 / factor, rtol=1e-5)


def test_zoom_varies_the_depth_and_stays_within_its_limits():
    config = AugmentationConfig(flip=0.0, gain=0.0, gamma=0.0, zoom=0.2)
    depths = [
        np.nanmax(
            augment(marked_frame(40, 24), (64, 96), config, np.random.default_rng(n)).lidar_depth()
        )
        for n in range(60)
    ]
    assert min(depths) >= 20 / 1.2 - 1e-3 and max(depths) <= 20 * 1.2 + 1e-3
    assert min(depths) < 18 and max(depths) > 22


def test_scale_moves_radar_and_depth_alike_under_the_same_image():
    config = replace(PLAIN, scale=0.25)
    frame = marked_frame(40, 24)
    depths = []
    for seed in range(60):
        varied = augment(frame, (ROWS, COLUMNS), config, np.random.default_rng(seed))
        radar, lidar = varied.radar_raster().channels[0], varied.lidar_depth()
        assert np.argwhere(varied.image[..., 0] > 0).tolist() == np.argwhere(radar > 0).tolist()
        depths.append(radar.max())
        assert np.nanmax(lidar) == pytest.approx(depths[-1], rel=1e-5)
        assert np.nanmax(varied.depth_m) == pytest.approx(depths[-1], rel=1e-5)
    assert 16 - 1e-3 <= min(depths) < 17 and 24 < max(depths) <= 25 + 1e-3


def test_scale_is_left_where_no_radar_tells_it():
    frame = replace(marked_frame(40, 24), radar=())
    varied = augment(frame, (32, 64), replace(PLAIN, scale=0.25), np.random.default_rng(1))
    assert np.nanmax(varied.lidar_depth()) == pytest.approx(20.0)


def test_weather_veils_the_image_and_leaves_depth_and_radar_alone():
    frame = marked_frame(40, 20)
    frame = replace(
        frame, image=np.random.default_rng(0).integers(0, 255, frame.image.shape, np.uint8)
    )
    config = replace(PLAIN, weather=1.0)
    clear = augment(frame, (64, 96), PLAIN, np.random.default_rng(3))
    contrasts, seen = [], set()
    for seed in range(12):
        wet = augment(frame, (64, 96), config, np.random.default_rng(seed))
        again = augment(frame, (64, 96), config, np.random.default_rng(seed))
        np.testing.assert_array_equal(wet.image, again.image)
        np.testing.assert_array_equal(wet.depth_m, clear.depth_m)
        np.testing.assert_array_equal(wet.radar_raster().channels, clear.radar_raster().channels)
        assert not wet.image[:10].any()  # what is padded stays black
        contrasts.append(wet.image[20:].std())
        seen.add(wet.image.tobytes())
    assert len(seen) == 12 and max(contrasts) < clear.image[20:].std()


def test_night_changes_the_image_alone_and_is_repeatable():
    frame = marked_frame(40, 20)
    frame = replace(frame, image=np.full_like(frame.image, 180))
    clear = augment(frame, (64, 96), PLAIN, np.random.default_rng(3))
    seen = set()
    for seed in range(6):
        night, again = (
            augment(frame, (64, 96), replace(PLAIN, night=1.0), np.random.default_rng(seed))
            for _ in range(2)
        )
        np.testing.assert_array_equal(night.image, again.image)
        np.testing.assert_array_equal(night.depth_m, clear.depth_m)
        np.testing.assert_array_equal(night.radar_raster().channels, clear.radar_raster().channels)
        seen.add(night.image.tobytes())
    assert len(seen) == 6


def test_an_imaging_radar_can_be_made_sparse():
    frame = marked_frame(40, 20)
    places = np.random.default_rng(0).uniform((10, -4, -2), (40, 4, 2), (800, 3))
    many = RadarPoints.from_arrays(places, np.linspace(45, 80, 800), np.zeros(800))
    frame = replace(frame, radar=(RadarSweep(many, CAMERA_FROM_SENSOR),))
    thin = augment(frame, (64, 96), replace(PLAIN, sparsify=1.0), np.random.default_rng(0))
    assert 15 <= len(thin.radar[0].points) <= 60
    kept = augment(frame, (64, 96), PLAIN, np.random.default_rng(0))
    assert len(kept.radar[0].points) == 800
