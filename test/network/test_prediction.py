# SPDX-License-Identifier: Apache-2.0
"""The head's three outputs: known values, and both networks that have them."""

import math

import pytest
import torch

from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.network import Student, StudentConfig, Teacher, TeacherConfig
from xd_rcdepth_ros.network.prediction import DEPTH, ERROR, HEAD_LAYERS, SKY, predict
from xd_rcdepth_ros.network.taps import Taps


def test_logits_of_zero_say_half_the_range_13_percent_and_even_odds():
    output = predict(torch.zeros(1, 3, 2, 2), 100.0)
    assert output[:, DEPTH].eq(50).all() and output[:, SKY].eq(0.5).all()
    torch.testing.assert_close(output[:, ERROR], torch.full((1, 2, 2), math.exp(-2)))


def test_the_error_stays_within_its_range_and_the_depth_in_single_precision():
    logits = torch.tensor([-1e4, 0.0, 1e4]).view(1, 1, 1, 3).repeat(1, 3, 1, 1)
    output = predict(logits.half(), 100.0)
    assert output.dtype == torch.float32 and torch.isfinite(output).all()
    torch.testing.assert_close(output[0, ERROR, 0, [0, 2]], torch.tensor([-5.0, 1.0]).exp())


def test_one_channel_says_depth_alone():
    assert predict(torch.zeros(1, 1, 2, 2), 80.0, upscale=2.0).shape == (1, 1, 4, 4)


def test_logarithm_and_logit_are_lent_out_before_they_are_squashed():
    taps = Taps(HEAD_LAYERS)
    logits = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    output = predict(logits.requires_grad_(), 100.0, taps)
    lent = taps.complete()
    torch.testing.assert_close(lent["log_error"].exp(), output[:, ERROR : ERROR + 1])
    torch.testing.assert_close(lent["sky_logit"].sigmoid(), output[:, SKY : SKY + 1])
    (gradient,) = torch.autograd.grad(lent["sky_logit"].sum(), logits)
    assert gradient[:, 2].eq(1).all() and gradient[:, :2].eq(0).all()


NETWORKS = {
    "student": (Student, StudentConfig(decoder_channels=(48, 32, 24, 16), daspp_growth=8)),
    "teacher": (
        Teacher,
        TeacherConfig(
            "efficientnet_lite2",
            "mobilenet_v2",
            decoder_width=64,
            confidence_channels=(16, 16, 16, 8, 8),
        ),
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_says_three_things_only_where_it_is_configured_so(name):
    from dataclasses import replace

    kind, config = NETWORKS[name]
    image, radar = torch.rand(1, 3, 64, 96), torch.zeros(1, 4, 64, 96)
    torch.manual_seed(0)
    plain, full = kind(config).eval(), kind(replace(config, error_and_sky=True)).eval()
    with torch.no_grad():
        assert plain(image, radar).shape == (1, 1, 64, 96)
        output = full(image, radar)
        depth, lent = full.forward_taps(image, radar, HEAD_LAYERS)
    assert output.shape == (1, 3, 64, 96) and set(lent) == set(HEAD_LAYERS)
    torch.testing.assert_close(depth, output[:, :1])
    more = sum(p.numel() for p in full.parameters()) - sum(p.numel() for p in plain.parameters())
    assert 0 < more < 700  # a few hundred weights
    with pytest.raises(ConfigurationError, match="log_error"):
        plain.forward_taps(image, radar, HEAD_LAYERS)
