# SPDX-License-Identifier: Apache-2.0
"""Which places and which radar returns made a network say its depth.

Attribution is the distillation's own (``distillation.explain``): what a user sees is what teacher
and student were compared by. It is taken over the image's part of the network's grid, so that
padding has no say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xd_rcdepth_ros.distillation import ExplanationConfig, explain, saliency_target
from xd_rcdepth_ros.distillation.explanation import target_scalar
from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.geometry import NetworkGrid, RadarRaster

Region = tuple[float, float, float, float]
ATTRIBUTION_METHODS = ("gradient_x_input", "leave_one_out")
LEFT_OUT_AT_ONCE = 8  # images a batch; more would take memory, and time before one can stop


def explanation_config(
    method: str, target: str, region: Region | None, grid: NetworkGrid
) -> ExplanationConfig:
    """Return what is explained and how, for a saliency map.

    Args:
        method: ``grad_cam``, ``grad_cam_pp``, ``hires_cam`` (over the decoder at stride 8) or
            ``gradient_x_input`` (over the image's pixels).
        target: ``mean``, ``near`` or ``region``.
        region: Left, top, right, bottom as shares of the image, for ``region``.
        grid: Placement of the image.

    Raises:
        ConfigurationError: A name is unknown, or the region is missing or empty.
    """
    saliency_target(target, region)  # refuses other names and regions
    layer = "image" if method == "gradient_x_input" else "decoder_8"
    config = ExplanationConfig(method=method, target=target, layers=(layer,))
    # What is near is so in the world; the network's metres may be others.
    config = replace(config, near_m=config.near_m / grid.depth_scale)
    return replace(config, region=region) if target == "region" and region else config


def saliency_map(
    model: Any, inputs: tuple[Tensor, Tensor], grid: NetworkGrid, config: ExplanationConfig
) -> NDArray[np.float32]:
    """Return the attribution map of the image's depth.

    Args:
        model: Student or Teacher.
        inputs: Image (1, 3, H, W) and radar (1, 4, H, W) on the grid.
        grid: Placement of the image.
        config: What is explained; one layer.

    Returns:
        (H, W) float32 in [0, 1] on the grid.
    """
    with torch.enable_grad():
        depth, activations = model.forward_taps(*inputs, config.layers)
        maps = explain(_image_part(depth.float(), grid), activations, config)
    (cam,) = maps.values()
    size = (grid.height, grid.width)
    cam = torch.nn.functional.interpolate(cam, size=size, mode="bilinear", align_corners=False)
    return np.asarray(cam[0, 0].cpu().numpy(), np.float32)


def radar_contributions(
    model: Any,
    inputs: tuple[Tensor, Tensor],
    raster: RadarRaster,
    grid: NetworkGrid,
    config: ExplanationConfig,
    method: str = "gradient_x_input",
    should_continue: Callable[[], bool] = lambda: True,
) -> NDArray[np.float64]:
    """Return what each return in the raster adds to the target, metres.

    Args:
        model: Student or Teacher.
        inputs: Image and radar on the grid.
        raster: The returns as drawn into ``inputs``.
        grid: Placement of the image.
        config: Names the target.
        method: ``gradient_x_input``: gradient times value, summed over the radar channels at the
            return's pixel, which is the effect of a small change scaled up (one backward pass);
            ``leave_one_out``: the target's fall when the return is taken away (one forward pass a
            return).
        should_continue: Asked between batches of ``leave_one_out``; False ends it early.

    Returns:
        (M,) signed, in the order of ``raster.pixels``; 0 for a return hidden by a nearer one.

    Raises:
        ConfigurationError: The method is unknown.
    """
    if method not in ATTRIBUTION_METHODS:
        raise ConfigurationError(
            f"attribution method is {method!r}; expected one of {ATTRIBUTION_METHODS}."
        )
    contributions = np.zeros(len(raster.pixels))
    if not raster.visible.any():
        return contributions
    u, v = raster.pixels[raster.visible].T
    if method == "leave_one_out":
        falls = _leave_one_out(model, inputs, (u, v), grid, config, should_continue)
    else:
        over_radar = ExplanationConfig(
            method="gradient_x_input",
            target=config.target,
            layers=("radar",),
            rectify=False,
            normalisation="none",
            region=config.region,
            near_m=config.near_m,
        )
        with torch.enable_grad():
            depth, activations = model.forward_taps(*inputs, ("radar",))
            product = explain(_image_part(depth.float(), grid), activations, over_radar)["radar"]
        falls = product[0, 0].cpu().numpy()[v, u]
    contributions[raster.visible] = falls
    return contributions


def _leave_one_out(
    model: Any,
    inputs: tuple[Tensor, Tensor],
    pixels: tuple[NDArray[np.int64], NDArray[np.int64]],
    grid: NetworkGrid,
    config: ExplanationConfig,
    should_continue: Callable[[], bool],
) -> NDArray[np.float64]:
    image, radar = inputs
    columns, rows = pixels
    falls = np.zeros(len(columns))
    with torch.no_grad():
        whole = _image_part(model(image, radar)[:, :1].float(), grid)
        # What is near stays so: leaving a return out must not change which pixels are asked.
        mask = whole < config.near_m if config.target == "near" else None
        value = float(target_scalar(whole, config, mask))
        for start in range(0, len(columns), LEFT_OUT_AT_ONCE):
            if not should_continue():
                break
            some = range(start, min(start + LEFT_OUT_AT_ONCE, len(columns)))
            without = radar.repeat(len(some), 1, 1, 1)
            for place, number in enumerate(some):
                without[place, :, rows[number], columns[number]] = 0
            images = image.expand(len(some), -1, -1, -1)
            depth = _image_part(model(images, without)[:, :1].float(), grid)
            for place, number in enumerate(some):
                one = depth[place : place + 1]
                falls[number] = value - float(target_scalar(one, config, mask))
    return falls


def shares_by_sweep(
    raster: RadarRaster, contributions: NDArray[np.float64], sizes: list[int]
) -> tuple[NDArray[np.float32], ...]:
    """Return each return's share in the decision.

    Args:
        raster: Where the returns went.
        contributions: (M,) signed, as of :func:`radar_contributions`.
        sizes: Number of returns of each sweep.

    Returns:
        (N,) float32 a sweep: magnitudes that sum to 1 over all sweeps (to 0 if no return
        contributes); 0 for returns that the network did not get.
    """
    shares = tuple(np.zeros(size, np.float32) for size in sizes)
    magnitude = np.abs(np.nan_to_num(contributions))
    total = magnitude.sum()
    if total > 0:
        for number, values in enumerate(shares):
            own = raster.source[:, 0] == number
            values[raster.source[own, 1]] = magnitude[own] / total
    return shares


def _image_part(depth: Tensor, grid: NetworkGrid) -> Tensor:
    rows, columns = grid.inside
    return depth[..., rows, columns]
