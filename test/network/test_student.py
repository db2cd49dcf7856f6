# SPDX-License-Identifier: Apache-2.0
"""The student: size, shapes, parity of a fresh FiLM, gradients, and what radar can do."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from xd_rcdepth_ros.benchmark.compute import count_gmac
from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.network import Student, StudentConfig
from xd_rcdepth_ros.network.daspp import PointwiseDASPP
from xd_rcdepth_ros.network.film import FiLM
from xd_rcdepth_ros.network.mobilenet import TAP_CHANNELS, TAP_STRIDES, MobileNetV2Encoder
from xd_rcdepth_ros.network.raster_pooling import halve_raster, halve_raster_array

LIRCDEPTH_PARAMETERS = 12_645_228
CONFIG_FILE = Path(__file__).parents[2] / "config/distill/student.yaml"
FAST = StudentConfig(**yaml.safe_load(CONFIG_FILE.read_text(encoding="utf8"))["student"])


@pytest.fixture(scope="module")
def student():
    torch.manual_seed(0)
    return Student().eval()


def inputs(batch=1, height=64, width=96):
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(batch, 3, height, width, generator=generator)
    radar = torch.zeros(batch, 4, height, width)
    radar[:, :, height // 2, width // 3] = torch.tensor([20.0, 10.0, -3.0, 0.5])
    return image, radar


def test_size_is_that_of_the_paper(student):
    parameters = sum(p.numel() for p in student.parameters())
    assert 8_620_000 <= parameters <= 8_890_000
    assert parameters <= (1 - 0.297) * LIRCDEPTH_PARAMETERS
    assert count_gmac(student) <= 7.0


def test_layout_that_trainings_take_is_as_large_but_computes_half():
    fast = Student(FAST)
    assert 8_620_000 <= sum(p.numel() for p in fast.parameters()) <= 8_890_000
    assert count_gmac(fast) <= 4.5


def test_halved_raster_keeps_the_nearest_return_of_four_pixels_with_all_its_channels():
    raster = torch.zeros(1, 2, 4, 4)
    raster[0, :, 0, 0] = torch.tensor([20.0, 1.0])
    raster[0, :, 1, 1] = torch.tensor([10.0, 2.0])  # nearer than the one above it
    raster[0, :, 2, 3] = torch.tensor([30.0, -3.0])  # alone
    expected = torch.tensor([[[[10.0, 0], [0, 30]], [[2.0, 0], [0, -3]]]])
    torch.testing.assert_close(halve_raster(raster), expected)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 1.0])
def test_an_array_is_halved_as_a_tensor_is(share):
    rng = np.random.default_rng(0)
    raster = rng.normal(size=(4, 32, 48)).astype(np.float32)
    raster[0] = rng.integers(1, 9, (32, 48))  # many that are as near as each other
    raster[:, rng.random((32, 48)) >= share] = 0
    expected = halve_raster(torch.from_numpy(raster)[None])[0].numpy()
    np.testing.assert_array_equal(halve_raster_array(raster), expected)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (96, 160), (64, 128)])
def test_coarse_radar_fits_every_grid(height, width):
    """At stride 32 a radar map of half the resolution has an odd edge, which must not shift."""
    fast = Student(FAST).eval()
    with torch.no_grad():
        assert fast(*inputs(1, height, width)).shape[-2:] == (height, width)


def test_coarse_film_by_hand():
    film = FiLM(1, 1, coarse=True)
    film.beta.weight.data.fill_(1.0)
    fused = film(torch.zeros(1, 1, 1, 5), torch.tensor([[[[1.0, 2, 3]]]]))
    assert fused.flatten().tolist() == [1, 1, 2, 2, 3]


@pytest.mark.parametrize("name", ["daspp_stride", "radar_stride"])
def test_unknown_layout_is_refused(name):
    with pytest.raises(ConfigurationError, match=name):
        Student(StudentConfig(**{name: 4}))


def test_gmac_of_one_convolution_by_hand():
    class One(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(3, 8, 3, padding=1, bias=False)

        def forward(self, image, radar):
            return self.conv(image)

    assert count_gmac(One(), 10, 20) == pytest.approx(10 * 20 * 8 * 3 * 9 / 1e9)


def test_encoder_gives_five_scales():
    maps = MobileNetV2Encoder().eval()(torch.zeros(1, 3, 64, 96))
    assert [m.shape[1] for m in maps] == list(TAP_CHANNELS)
    assert [64 // m.shape[2] for m in maps] == list(TAP_STRIDES)


def test_depth_has_the_inputs_size_and_range(student):
    with torch.no_grad():
        depth = student(*inputs(2))
    assert depth.shape == (2, 1, 64, 96)
    assert depth.min() > 0 and depth.max() < student.config.max_depth_m


def test_fresh_film_leaves_the_image_as_it_is():
    image, radar = torch.randn(2, 8, 4, 6), torch.randn(2, 5, 4, 6)
    for pooled in (False, True):
        torch.testing.assert_close(FiLM(8, 5, pooled)(image, radar), image)


def test_film_by_hand():
    film = FiLM(1, 1)
    film.gamma.weight.data.fill_(2.0)
    film.beta.bias.data.fill_(-1.0)
    # (1 + 2 * 3) * 5 - 1
    assert film(torch.full((1, 1, 1, 1), 5.0), torch.full((1, 1, 1, 1), 3.0)).item() == 34.0


def test_pooled_film_cannot_tell_where_but_spatial_can():
    image, radar = torch.randn(1, 4, 6, 6), torch.zeros(1, 2, 6, 6)
    radar[..., 1, 2] = 5
    for pooled in (False, True):
        film = FiLM(4, 2, pooled)
        torch.nn.init.normal_(film.gamma.weight)
        torch.nn.init.normal_(film.beta.weight)
        moved = film(image, radar.roll(2, dims=3)) - film(image, radar)
        assert torch.allclose(moved, torch.zeros_like(moved), atol=1e-6) == pooled


def test_radar_changes_nothing_before_training_and_something_after(student):
    image, radar = inputs()
    with torch.no_grad():
        torch.testing.assert_close(student(image, radar), student(image, radar * 0))
        trained = Student().eval()
        for film in trained.fusions:
            torch.nn.init.normal_(film.beta.weight, std=0.1)
        assert not torch.allclose(trained(image, radar), trained(image, radar * 0))


@pytest.mark.parametrize("config", [StudentConfig(), FAST], ids=["default", "fast"])
def test_every_weight_gets_a_finite_gradient(config):
    student = Student(config).train()
    student(*inputs(2)).mean().backward()
    for name, parameter in student.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


def test_images_of_a_batch_do_not_mix(student):
    image, radar = inputs(3)
    order = torch.tensor([2, 0, 1])
    with torch.no_grad():
        together = student(image, radar)[order]
        torch.testing.assert_close(student(image[order], radar[order]), together)
        torch.testing.assert_close(student(image[2:], radar[2:]), together[:1], atol=1e-3, rtol=0)


def test_depth_is_single_precision_under_autocast(student):
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        depth = student(*inputs())
    assert depth.dtype == torch.float32


def test_daspp_sees_as_far_as_its_dilations():
    block = PointwiseDASPP(4, 4, (3, 6)).eval()
    x = torch.zeros(1, 4, 41, 41, requires_grad=True)
    for layer in block.modules():  # random statistics, so that no ReLU is all shut
        if isinstance(layer, torch.nn.BatchNorm2d):
            torch.nn.init.constant_(layer.bias, 1.0)
    block(x)[0, :, 20, 20].sum().backward()
    rows = x.grad.abs().sum(dim=(0, 1, 3)).nonzero().flatten()
    # The second branch sees the first one's output: 3 + 6 pixels to each side.
    assert (rows.min().item(), rows.max().item()) == (11, 29)


def test_config_reaches_the_network():
    config = StudentConfig(
        radar_channels=1, radar_scale=(0.02,), decoder_channels=(64, 32, 24, 16), max_depth_m=50
    )
    small = Student(config).eval()
    image, _ = inputs()
    with torch.no_grad():
        assert small(image, torch.zeros(1, 1, 64, 96)).max() < 50
