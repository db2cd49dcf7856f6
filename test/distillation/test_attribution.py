# SPDX-License-Identifier: Apache-2.0
"""Attribution maps: captum's as oracle, cases worked out by hand, scaling."""

import pytest
import torch

from xd_rcdepth_ros.distillation.attribution import (
    METHODS,
    NORMALISATIONS,
    attribution,
    grad_cam_pp_map,
)
from xd_rcdepth_ros.distillation.explanation import ExplanationConfig, explain
from xd_rcdepth_ros.errors import ConfigurationError

try:
    import captum.attr as captum
except (ImportError, TypeError) as error:  # a TypeError where NumPy is older than 1.22
    pytest.skip(f"captum cannot be imported: no oracle ({error})", allow_module_level=True)


def ours(network, inputs, method, layers, **options):
    depth, taps = network.forward_taps(*inputs, layers)
    config = ExplanationConfig(method=method, layers=layers, normalisation="none", **options)
    return explain(depth, taps, config)


def scalars(network):
    """One target an image, as captum wants it; the mean of depth, as ours."""
    return lambda image, radar: network(image, radar).mean(dim=(1, 2, 3))


@pytest.mark.parametrize("rectify", [False, True])
def test_grad_cam_is_captums(make_network, batch, rectify):
    network, inputs = make_network(), batch()
    oracle = captum.LayerGradCam(scalars(network), network.second).attribute(
        inputs, relu_attributions=rectify
    )
    cam = ours(network, inputs, "grad_cam", ("decoder_4",), rectify=rectify)["decoder_4"]
    torch.testing.assert_close(cam, oracle)
    assert cam.abs().max() > 0


def test_hires_cam_is_captums_layer_product(make_network, batch):
    network, inputs = make_network(), batch()
    oracle = captum.LayerGradientXActivation(scalars(network), network.second).attribute(inputs)
    cam = ours(network, inputs, "hires_cam", ("decoder_4",), rectify=False)["decoder_4"]
    torch.testing.assert_close(cam, oracle.sum(dim=1, keepdim=True))


def test_gradient_x_input_is_captums(make_network, batch):
    network, inputs = make_network(), batch()
    leaves = tuple(x.clone().requires_grad_(True) for x in inputs)
    oracle = captum.InputXGradient(scalars(network)).attribute(leaves)
    maps = ours(network, inputs, "gradient_x_input", ("image", "radar"), rectify=False)
    for name, expected in zip(("image", "radar"), oracle, strict=True):
        torch.testing.assert_close(maps[name], expected.sum(dim=1, keepdim=True))
    assert (maps["radar"][inputs[1][:, :1] == 0] == 0).all()  # nothing measured, nothing said


def test_grad_cam_pp_by_hand():
    activation = torch.tensor([[[[1.0, 3.0]]]], dtype=torch.float64)
    gradient = torch.tensor([[[[0.5, -1.0]]]], dtype=torch.float64)
    # Only g = 0.5 counts: g^2 / (2 g^2 + S g^3) = 0.25 / (0.5 + 4 * 0.125) = 1/4, times g = 1/8.
    torch.testing.assert_close(grad_cam_pp_map(activation, gradient), activation / 8)


def test_grad_cam_pp_follows_the_published_fraction():
    torch.manual_seed(0)
    activation = torch.rand(2, 3, 4, 5, dtype=torch.float64)
    gradient = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    total = activation.sum((2, 3), keepdim=True)
    alpha = gradient**2 / (2 * gradient**2 + total * gradient**3)
    weights = (alpha * gradient.clamp(min=0)).sum((2, 3), keepdim=True)
    expected = (weights * activation).sum(1, keepdim=True)
    torch.testing.assert_close(grad_cam_pp_map(activation, gradient), expected)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_empty_maps_stay_zero_and_finite(method, normalisation):
    activation = torch.zeros(2, 3, 4, 4, requires_grad=True)
    maps = attribution(method, activation, torch.zeros(2, 3, 4, 4), True, normalisation)
    assert (maps == 0).all()
    maps.sum().backward()
    assert torch.isfinite(activation.grad).all()


def test_scaling_by_hand():
    activation = torch.tensor([[[[1.0, 3.0], [-2.0, 6.0]]]])
    gradient = torch.ones(1, 1, 2, 2)

    def maps(rectify, normalisation):
        return attribution("hires_cam", activation, gradient, rectify, normalisation).flatten()

    assert maps(True, "none").tolist() == [1, 3, 0, 6]
    assert maps(False, "none").tolist() == [1, 3, -2, 6]
    torch.testing.assert_close(maps(True, "sum"), torch.tensor([0.1, 0.3, 0.0, 0.6]))
    torch.testing.assert_close(maps(False, "sum"), torch.tensor([1, 3, -2, 6]) / 12)
    torch.testing.assert_close(maps(False, "min_max"), torch.tensor([3, 5, 0, 8]) / 8)


def test_unknown_names_are_said():
    x = torch.ones(1, 1, 2, 2)
    with pytest.raises(ConfigurationError, match="score_cam"):
        attribution("score_cam", x, x)
    with pytest.raises(ConfigurationError, match="l7"):
        attribution("grad_cam", x, x, True, "l7")
