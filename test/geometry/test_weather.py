# SPDX-License-Identifier: Apache-2.0
"""Weather on images by known physics."""

import numpy as np
import pytest

from xd_rcdepth_ros.geometry import PinholeCamera, SensorFrame, weather
from xd_rcdepth_ros.geometry.sky import NOT_SKY, SKY


def test_fog_at_the_visibility_leaves_five_percent_of_the_contrast():
    image = np.zeros((40, 40, 3), np.uint8)
    image[:, 20:] = 200
    clear = weather.add_fog(image, np.full((40, 40), 1e-6), 100.0)
    np.testing.assert_allclose(clear, image, atol=1)
    thick = weather.add_fog(image, np.full((40, 40), 100.0), 100.0).astype(int)
    assert abs((thick[0, 30, 0] - thick[0, 5, 0]) - 0.05 * 200) <= 1
    unknown = weather.add_fog(image, np.full((40, 40), np.nan), 50.0).astype(int)
    assert np.ptp(unknown) <= 1  # nothing is seen through 200 m of such fog


def test_rain_by_its_attenuation():
    image = np.zeros((50, 50, 3), np.uint8)
    image[:, 25:] = 200
    depth = np.full((50, 50), 100.0)
    weak = weather.add_rain(image, depth, 1e-3, np.random.default_rng(0)).astype(int)
    strong = weather.add_rain(image, depth, 50.0, np.random.default_rng(0)).astype(int)
    assert np.ptp(weak) > 198
    # 1.076 * 50^0.67 = 14.8 dB/km: 1.48 dB over 100 m leave a share of 0.711 of the light.
    assert np.median(strong[:, 40:]) - np.median(strong[:, :10]) == pytest.approx(142, abs=15)


def test_night_takes_light_and_adds_noise():
    image = np.full((64, 64, 3), 128, np.uint8)
    dark = weather.make_night(image, 4, np.random.default_rng(0))
    # 4 stops less, 2 made good: 128 * (1/4)^(1/2.2) = 68.
    assert dark.mean() == pytest.approx(68, abs=3)
    assert dark.std() > weather.make_night(image, 0, np.random.default_rng(0)).std()


def frame_of(depth_m=None, sky=None):
    camera = PinholeCamera(256, 80, np.array([[200.0, 0, 128], [0, 200.0, 40], [0, 0, 1]]))
    return SensorFrame(np.full((80, 256, 3), 90, np.uint8), camera, depth_m=depth_m, sky=sky)


def test_depth_without_any_measurement_is_that_of_a_flat_road():
    depth = weather.complete_depth(frame_of())
    np.testing.assert_allclose(depth[70], 1.5 * 200 / 30, rtol=1e-5)  # 30 pixels below the horizon
    assert (depth[:38] == 80).all()


def test_known_depth_stays_and_fills_gaps_near_it_and_sky_is_far():
    known = np.full((80, 256), np.nan, np.float32)
    known[:, 0:64:4] = 25.0
    sky = np.full((80, 256), NOT_SKY, np.uint8)
    sky[:20] = SKY
    depth = weather.complete_depth(frame_of(known, sky))
    assert np.isfinite(depth).all()
    np.testing.assert_allclose(depth[20:, 0:64:4], 25.0)
    np.testing.assert_allclose(depth[20:, 16:48], 25.0, rtol=0.02)  # between
    np.testing.assert_allclose(depth[70, 230:], 10.0, rtol=0.04)  # the road, far from anything
    assert (depth[:20] == 200).all()


def test_drops_blur_what_lies_behind_them_and_nothing_else():
    image = np.zeros((80, 256, 3), np.uint8)
    image[:, ::2] = 200
    same = weather.add_drops(image, 0, np.random.default_rng(0))
    np.testing.assert_array_equal(same, image)
    wet = weather.add_drops(image, 5, np.random.default_rng(0)).astype(int)
    changed = np.abs(wet - image).max(axis=2) > 50
    assert 0.005 < changed.mean() < 0.5
    assert np.abs(wet[changed].mean() - 100) < 25  # the mean of the stripes


def test_streaks_are_many_in_heavy_rain_and_lean_away_from_the_middle():
    few, many = (weather.draw_streaks(200, 300, n, np.random.default_rng(1)) for n in (5, 200))
    assert 0 < (few > 0.1).mean() < (many > 0.1).mean() < 0.5
    assert many.max() <= 1.0 and not weather.draw_streaks(20, 30, 0, np.random.default_rng(1)).any()


def test_headlamps_light_what_is_near_and_below_the_horizon():
    image = np.full((60, 80, 3), 180, np.uint8)
    depth = np.full((60, 80), 6.0, np.float32)
    depth[:, 40:] = 70.0
    near, far, above, below = np.zeros(4)
    for seed in range(40):
        night = weather.light_by_headlamps(image, depth, 0.4, np.random.default_rng(seed)).astype(
            float
        )
        assert night.shape == image.shape and night.std() > 0
        near, far = near + night[30:, :40].mean(), far + night[30:, 40:].mean()
        above, below = above + night[:8, :40].mean(), below + night[30:38, :40].mean()
    # Mirrored draws are as likely, so the sides differ by their distance alone.
    assert near > 1.3 * far and below > 1.2 * above


def test_headlamps_take_unknown_depth_as_far_also_in_a_black_image():
    for value in (0, 120):
        image = np.full((40, 50, 3), value, np.uint8)
        unknown, far = np.full((40, 50), np.nan, np.float32), np.full((40, 50), np.inf, np.float32)
        one, two = (
            weather.light_by_headlamps(image, depth, 0.5, np.random.default_rng(value))
            for depth in (unknown, far)
        )
        np.testing.assert_array_equal(one, two)
        assert one.dtype == np.uint8
