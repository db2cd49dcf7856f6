# SPDX-License-Identifier: Apache-2.0
"""The estimator and its pictures."""

import threading

import numpy as np
import pytest
import torch

from xd_rcdepth_ros.errors import CheckpointError, ConfigurationError, DeviceError
from xd_rcdepth_ros.geometry import (
    PinholeCamera,
    RadarPoints,
    RadarSweep,
    RigidTransform,
    SensorFrame,
)
from xd_rcdepth_ros.inference import (
    DepthEstimator,
    colorize_depth,
    draw_radar,
    overlay_heatmap,
)
from xd_rcdepth_ros.network import ModelHeader, Student, load_checkpoint, save_checkpoint

FORWARD = RigidTransform(np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]]), np.zeros(3))


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    torch.manual_seed(3)
    student = Student()
    for film in student.fusions:  # as if trained: radar has a say
        torch.nn.init.normal_(film.beta.weight, std=0.05)
    # All ways from the saliency's place to the depth are positive, so no map is empty.
    for module in (*student.ups[2:].modules(), student.head):
        if isinstance(module, torch.nn.Conv2d):
            module.weight.data.abs_()
    student.head.bias.data.fill_(-6.0)  # some of it in the near field
    path = tmp_path_factory.mktemp("model") / "student.safetensors"
    save_checkpoint(path, student, ModelHeader("xd_rcdepth_student", focal_length_px=100.0))
    return path


@pytest.fixture(scope="module")
def estimator(model_file):
    return DepthEstimator.load(model_file, "cpu", "torch", "fp32")


def make_frame(width=250, height=130, focal=120.0, radar=True):
    rng = np.random.default_rng(0)
    camera = PinholeCamera.from_focal(width, height, focal, focal, width / 2, height / 2)
    points = RadarPoints.from_arrays(rng.uniform([5, -6, -1], [50, 6, 1], (60, 3)))
    sweeps = (RadarSweep(points, FORWARD),) if radar else ()
    image = rng.integers(0, 255, (height, width, 3), dtype=np.uint8)
    return SensorFrame(image, camera, sweeps, stamp_ns=42)


def test_result_carries_stamp_camera_and_timings(estimator):
    result = estimator.estimate(make_frame())
    assert result.stamp_ns == 42
    assert result.depth_m.dtype == np.float32
    assert result.depth_m.shape == (result.camera.height, result.camera.width) == (108, 208)
    assert result.camera.p[0, 0] == pytest.approx(100, rel=0.01)
    assert set(result.timings_ms) == {"preprocess", "rasterize", "network", "postprocess"}
    assert np.isfinite(result.depth_m).all()
    assert estimator.network_camera(make_frame().camera) == result.camera


def test_input_size_gives_the_images_own_camera(estimator):
    frame = make_frame()
    result = estimator.estimate(frame, output_size="input")
    assert result.depth_m.shape == (130, 250)
    assert result.camera == frame.camera


def test_same_network_input_as_by_hand(estimator, model_file):
    frame = make_frame(224, 128, focal=100.0)  # already on the grid: nothing to resize or pad
    model, _ = load_checkpoint(model_file)
    image = torch.from_numpy(frame.image).permute(2, 0, 1)[None] / 255
    radar = torch.from_numpy(frame.radar_raster().channels)[None]
    with torch.no_grad():
        expected = model(image, radar)[0, 0].numpy()
    np.testing.assert_allclose(estimator.estimate(frame).depth_m, expected, atol=1e-3)


def test_radar_has_a_say_and_its_absence_is_flagged(estimator):
    with_radar, without = make_frame(), make_frame(radar=False)
    a, b = estimator.estimate(with_radar), estimator.estimate(without)
    assert not np.allclose(a.depth_m, b.depth_m)
    assert "no_radar" in b.flags and "no_radar" not in a.flags
    assert "static_extrinsics" in a.flags


@pytest.mark.parametrize("size", [(96, 160), (64, 224), (160, 96), (192, 320)])
def test_network_size_covers_the_whole_image(model_file, size):
    """network_size_crops: the image is scaled to fit, never cropped."""
    estimator = DepthEstimator.load(model_file, "cpu", "torch", network_size=size)
    frame = make_frame()
    result = estimator.estimate(frame, output_size="input")
    assert result.depth_m.shape == (130, 250) and np.isfinite(result.depth_m).all()
    small = estimator.estimate(frame)
    corners = np.array([[-0.5, -0.5], [small.camera.width - 0.5, small.camera.height - 0.5]])
    rays = small.camera.unproject(corners, np.ones(2))
    np.testing.assert_allclose(frame.camera.project(rays)[0], [[-0.5, -0.5], [249.5, 129.5]])


def test_a_smaller_grid_shows_the_network_a_world_that_is_farther(model_file):
    """Half the focal length: all the network sees is twice as far, and its depth is halved."""
    fixed = DepthEstimator.load(model_file, "cpu", "torch", "fp32", (64, 96))
    frame = make_frame(192, 128, focal=100.0)
    prepared = fixed.prepare(frame)
    assert prepared.grid.depth_scale == 0.5
    whole = frame.radar_raster()
    np.testing.assert_array_equal(prepared.raster.source, whole.source)
    np.testing.assert_allclose(prepared.raster.depth_m, 2 * whole.depth_m, rtol=1e-5)
    by_hand = frame.zoom(0.5)
    model, _ = load_checkpoint(model_file)
    image = torch.from_numpy(by_hand.image).permute(2, 0, 1)[None] / 255
    radar = torch.from_numpy(by_hand.radar_raster().channels)[None]
    with torch.no_grad():
        expected = 0.5 * model(image, radar)[0, 0].numpy()
    result = fixed.estimate(frame)
    np.testing.assert_allclose(result.depth_m, expected, atol=1e-3)
    assert result.depth_m.max() <= 50.0


def test_saliency_is_a_map_in_0_1_on_the_image(estimator):
    frame = make_frame()
    for target, region in (("mean", None), ("near", None), ("region", (0.2, 0.4, 0.6, 0.8))):
        heat = estimator.explain(frame, target, region)
        assert heat.shape == frame.image.shape[:2]
        assert heat.min() >= 0 and heat.max() == pytest.approx(1)
    with pytest.raises(ConfigurationError, match="'mean', 'near' or 'region'"):
        estimator.explain(frame, "everything")
    with pytest.raises(ConfigurationError, match="left < right"):
        estimator.explain(frame, "region", (0.5, 0, 0.4, 1))


def test_explaining_in_a_second_thread_does_not_disturb(estimator):
    frame = make_frame()
    expected_depth, expected_heat = estimator.estimate(frame).depth_m, estimator.explain(frame)
    heats = []
    thread = threading.Thread(target=lambda: heats.extend(estimator.explain(frame) for _ in "abc"))
    thread.start()
    depths = [estimator.estimate(frame).depth_m for _ in range(5)]
    thread.join()
    for depth in depths:
        np.testing.assert_allclose(depth, expected_depth, atol=1e-3)
    for heat in heats:
        np.testing.assert_allclose(heat, expected_heat, atol=1e-3)


def test_bf16_stays_close_to_fp32(model_file, estimator):
    frame = make_frame()
    half = DepthEstimator.load(model_file, "cpu", "torch", "bf16").estimate(frame)
    gap = np.abs(half.depth_m - estimator.estimate(frame).depth_m)
    assert np.median(gap) < 0.5


def test_identity_is_told(estimator, model_file):
    identity = estimator.describe()
    assert identity["device"] == "cpu"
    assert identity["model"] == "student.safetensors"
    assert len(identity["sha256"]) == 64


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"device": "tpu"}, ConfigurationError),
        ({"device": "cuda:x"}, ConfigurationError),
        ({"device": "cuda:99"}, DeviceError),
        ({"backend": "magic"}, ConfigurationError),
        ({"precision": "int3", "device": "cpu"}, ConfigurationError),
        ({"precision": "fp16", "device": "cpu"}, ConfigurationError),
        ({"network_size": (100, 200)}, ConfigurationError),
        ({"model_file": "nowhere.safetensors"}, CheckpointError),
    ],
)
def test_wrong_options_are_refused(model_file, options, error):
    with pytest.raises(error):
        DepthEstimator.load(**{"model_file": model_file, **options})


def test_wrong_output_size_is_refused(estimator):
    with pytest.raises(ConfigurationError, match="'network' or 'input'"):
        estimator.estimate(make_frame(), output_size="huge")


def test_depth_colours_order_near_to_far_and_mark_invalid():
    picture = colorize_depth(np.array([[2.0, 20.0, 79.0, np.nan]]))
    brightness = picture[0].astype(int).sum(axis=1)
    assert brightness[0] > brightness[1] > brightness[2]
    assert brightness[3] == 0


def test_radar_dots_are_where_the_returns_are():
    frame = make_frame()
    dark = np.zeros_like(frame.image)
    raster = frame.radar_raster()
    picture = draw_radar(dark, raster)
    u, v = raster.pixels[raster.depth_m.argmin()]
    assert picture[v, u].any()
    assert not draw_radar(dark, make_frame(radar=False).radar_raster()).any()


def test_heat_colours_only_where_there_is_heat():
    image = np.full((4, 4, 3), 100, np.uint8)
    heat = np.zeros((4, 4))
    heat[1, 2] = 1
    picture = overlay_heatmap(image, heat)
    assert (picture[0, 0] == picture[0, 0, 0]).all()
    assert picture[1, 2, 0] > picture[1, 2, 2]  # hot is red
