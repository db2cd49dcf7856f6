# SPDX-License-Identifier: Apache-2.0
"""Saliency by every method and target, and the share of each radar return in the depth."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from xd_rcdepth_ros.distillation import ExplanationConfig, explain
from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.geometry import (
    PinholeCamera,
    RadarPoints,
    RadarSweep,
    RigidTransform,
    SensorFrame,
)
from xd_rcdepth_ros.inference import DepthEstimator
from xd_rcdepth_ros.inference.explanation import radar_contributions
from xd_rcdepth_ros.network import ModelHeader, Student, load_checkpoint, save_checkpoint

FORWARD = RigidTransform(np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]]), np.zeros(3))
# On the network's grid as it is: nothing to resize, 32 rows of padding on top.
CAMERA = PinholeCamera.from_focal(128, 80, 100.0, 100.0, 63.5, 39.5)


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    torch.manual_seed(7)
    student = Student()
    for film in student.fusions:  # as if trained: radar has a say
        torch.nn.init.normal_(film.beta.weight, std=2.0)
    with torch.no_grad():
        student.radar_stem[0].weight.mul_(20)
        student.head.weight.mul_(30)
    path = tmp_path_factory.mktemp("model") / "student.safetensors"
    save_checkpoint(path, student, ModelHeader("xd_rcdepth_student", focal_length_px=100.0))
    return path


@pytest.fixture(scope="module")
def estimator(model_file):
    return DepthEstimator.load(model_file, "cpu", "torch")


def spread_points(count=12):
    """Returns that fall into the image, each into a pixel of its own."""
    rng = np.random.default_rng(4)
    azimuth = np.linspace(-0.45, 0.45, count)
    range_m = rng.uniform(8, 60, count)
    position = np.stack(
        [range_m * np.cos(azimuth), range_m * np.sin(azimuth), range_m * rng.uniform(-0.2, 0.2)], 1
    )
    return RadarPoints.from_arrays(
        position, rng.uniform(0, 20, count), rng.normal(0, 8, (count, 2))
    )


def make_frame(*points, image=None):
    rng = np.random.default_rng(1)
    if image is None:
        image = rng.integers(0, 255, (CAMERA.height, CAMERA.width, 3), dtype=np.uint8)
    return SensorFrame(image, CAMERA, tuple(RadarSweep(p, FORWARD) for p in points))


def ranks(values):
    return np.argsort(np.argsort(values)).astype(float)


@pytest.mark.parametrize("method", ["grad_cam", "grad_cam_pp", "gradient_x_input"])
@pytest.mark.parametrize("target", ["mean", "near", "region"])
def test_the_map_is_the_distillations_own(estimator, model_file, method, target):
    frame = make_frame(spread_points())
    region = (0.25, 0.5, 0.75, 1.0)
    heat = estimator.explain(frame, target, region, method)
    model, _ = load_checkpoint(model_file)
    padded = frame.pad(0, 16, 0, 0)  # up to the next multiple of 32
    image = torch.from_numpy(padded.image).permute(2, 0, 1)[None] / 255
    radar = torch.from_numpy(padded.radar_raster().channels)[None]
    layer = "image" if method == "gradient_x_input" else "decoder_8"
    config = ExplanationConfig(method=method, target=target, layers=(layer,), region=region)
    depth, activations = model.eval().forward_taps(image, radar, (layer,))
    cam = explain(depth[..., 16:, :], activations, config)[layer]
    cam = torch.nn.functional.interpolate(cam, (96, 128), mode="bilinear", align_corners=False)
    expected = cam[0, 0, 16:].numpy()
    np.testing.assert_allclose(heat, expected / max(expected.max(), 1e-8), atol=2e-3)
    assert heat.min() >= 0 and heat.max() <= 1 + 1e-6


def test_methods_and_targets_give_other_maps(estimator):
    frame = make_frame(spread_points())
    maps = [
        estimator.explain(frame, "mean", None, method)
        for method in ("grad_cam", "grad_cam_pp", "gradient_x_input")
    ]
    maps += [
        estimator.explain(frame, "region", region, "gradient_x_input")
        for region in ((0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0))
    ]
    for number, one in enumerate(maps):
        assert one.max() > 0
        assert all(np.abs(one - other).max() > 0.05 for other in maps[:number])


def test_gradient_x_input_is_zero_where_the_image_is_black(estimator):
    image = np.full((CAMERA.height, CAMERA.width, 3), 128, np.uint8)
    image[:, 64:] = 0
    heat = estimator.explain(make_frame(image=image), method="gradient_x_input")
    assert heat[:, :64].max() == pytest.approx(1)
    assert not heat[:, 64:].any()


def test_unknown_names_are_refused(estimator):
    frame = make_frame(spread_points())
    with pytest.raises(ConfigurationError, match="attribution method is 'guess'"):
        estimator.explain(frame, method="guess")
    with pytest.raises(ConfigurationError, match="attribution method is 'guess'"):
        estimator.attribute_radar(frame, method="guess")
    with pytest.raises(ConfigurationError, match="'mean', 'near' or 'region'"):
        estimator.attribute_radar(frame, "sky")


@pytest.mark.parametrize("method", ["gradient_x_input", "leave_one_out"])
def test_shares_sum_to_one_and_returns_that_are_not_drawn_get_none(estimator, method):
    seen = spread_points(6)
    hidden = seen.position_m[:1] * 1.5  # the same pixel, farther away
    strange = [[-20.0, 0, 0], [10.0, 40.0, 0], [np.nan, 0, 0], [0.2, 0, 0]]
    mixed = RadarPoints.from_arrays(np.concatenate([seen.position_m, hidden, strange]))
    shares = estimator.attribute_radar(
        make_frame(mixed, RadarPoints.empty(), spread_points(4)), method=method
    )
    assert [len(part) for part in shares] == [11, 0, 4]
    assert all(part.dtype == np.float32 and (part >= 0).all() for part in shares)
    assert sum(part.sum() for part in shares) == pytest.approx(1, abs=1e-5)
    assert (shares[0][:6] > 0).all() and not shares[0][6:].any()


def test_without_returns_there_are_no_shares(estimator):
    before = estimator.backward_passes
    assert estimator.attribute_radar(make_frame()) == ()
    (share,) = estimator.attribute_radar(make_frame(RadarPoints.from_arrays([[-5.0, 0, 0]])))
    assert share.tolist() == [0.0]
    assert estimator.backward_passes == before


def test_contributions_agree_with_finite_differences(estimator, model_file):
    """Gradient x input is the slope of the target as a return's values fade."""
    grid = estimator.grid(CAMERA)
    placed = grid.place(make_frame(spread_points()))
    raster = placed.radar_raster()
    model, _ = load_checkpoint(model_file)
    model.eval().requires_grad_(False)
    image = torch.from_numpy(placed.image).permute(2, 0, 1)[None] / 255
    radar = torch.from_numpy(raster.channels)[None]
    config = ExplanationConfig()
    signed = radar_contributions(model, (image, radar), raster, grid, config)
    rows, columns = grid.inside

    def target(number, factor):
        u, v = raster.pixels[number]
        changed = radar.clone()
        changed[0, :, v, u] *= factor
        with torch.no_grad():
            return float(model(image, changed)[..., rows, columns].double().mean())

    step = 0.02
    slopes = np.array(
        [(target(n, 1 + step) - target(n, 1 - step)) / (2 * step) for n in range(len(signed))]
    )
    assert np.abs(slopes).max() > 1e-3  # or the comparison would be one of noise
    agreement = np.corrcoef(ranks(np.abs(signed)), ranks(np.abs(slopes)))[0, 1]
    assert agreement > 0.8
    np.testing.assert_allclose(signed, slopes, atol=0.25 * np.abs(slopes).max())


def test_leaving_one_out_is_what_the_estimator_says_without_that_return(estimator):
    points = spread_points(7)
    (shares,) = estimator.attribute_radar(make_frame(points), method="leave_one_out")
    whole = estimator.estimate(make_frame(points)).depth_m.mean(dtype=np.float64)
    effects = []
    for number in range(len(points)):
        others = points.select(np.arange(len(points)) != number)
        without = estimator.estimate(make_frame(others)).depth_m.mean(dtype=np.float64)
        effects.append(abs(whole - without))
    np.testing.assert_allclose(shares, np.array(effects) / sum(effects), atol=0.02)


def test_leaving_out_can_be_ended_early(estimator):
    answers = iter([True, False])
    (shares,) = estimator.attribute_radar(
        make_frame(spread_points(12)), method="leave_one_out", should_continue=lambda: next(answers)
    )
    assert (shares[:8] > 0).all() and not shares[8:].any()


def test_a_return_that_the_network_hears_gets_more_than_one_it_does_not(estimator, model_file):
    """A network that is deaf to one half of the radar's channels: rcs and velocity."""
    model, header = load_checkpoint(model_file)
    with torch.no_grad():
        model.radar_stem[0].weight[:, 0] = 0  # it hears strength and velocity, not depth
        path = model_file.with_name("deaf.safetensors")
        save_checkpoint(path, model, header)
    deaf = DepthEstimator.load(path, "cpu", "torch")
    points = RadarPoints.from_arrays(
        [[20.0, -2, 0], [20.0, 2, 0]], [15.0, 0.0], [[5.0, 0.0], [0.0, 0.0]]
    )
    (shares,) = deaf.attribute_radar(make_frame(points))
    assert shares.tolist() == [1.0, 0.0]
