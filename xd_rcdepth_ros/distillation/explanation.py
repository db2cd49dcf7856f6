# SPDX-License-Identifier: Apache-2.0
"""Explainability-aligned distillation: the student shall look where the teacher looks.

Both networks explain one scalar of their dense prediction by attribution maps over activations of
equal stride; a map has one channel, so the networks' widths need not match. The student's map is
itself a function of first derivatives, so training it takes second ones.

Public is that Grad-CAM maps of teacher and student are aligned. Each choice below is a switch;
the defaults are this project's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from xd_rcdepth_ros.distillation.attribution import (
    METHODS,
    NORMALISATIONS,
    attribution,
    choose,
    full_precision,
)
from xd_rcdepth_ros.distillation.saliency import (
    NEAR_FIELD_M,
    masked_mean,
    mean_depth,
    region_depth,
)
from xd_rcdepth_ros.errors import ConfigurationError

TARGETS = ("mean", "valid", "near", "region", "projection")
_INPUTS = ("image", "radar")
# Gradients of a mean over 10^5 pixels are too small for half precision; powers of two cost nothing.
_GRADIENT_SCALE = 2.0**12


@dataclass(frozen=True)
class ExplanationConfig:
    """How explanations are made and compared.

    Attributes:
        method: ``grad_cam``, ``grad_cam_pp``, ``hires_cam`` or ``gradient_x_input``.
        target: Scalar that is explained: ``mean`` of the prediction; its mean where ground truth
            is ``valid``; its mean where the teacher says ``near``; its mean in a ``region``; or a
            ``projection`` onto random signs, one a pixel, the same for both networks.
        layers: Activations of both networks, by name; ``image`` and ``radar`` for the inputs.
        rectify: Keep positive evidence only (ReLU).
        normalisation: ``min_max``, ``sum`` or ``none``.
        loss: ``l1``, ``mse``, ``cosine`` (1 - cosine similarity), or ``e2kd``: cosine between maps
            that are not normalised, as in explanation-enhanced distillation (2402.03119).
        near_m: Limit of ``near``, in the prediction's unit (metres).
        region: Left, top, right, bottom as shares of the image, for ``region``.
    """

    method: str = "grad_cam"
    target: str = "mean"
    layers: tuple[str, ...] = ("decoder_8",)
    rectify: bool = True
    normalisation: str = "min_max"
    loss: str = "l1"
    near_m: float = NEAR_FIELD_M
    region: tuple[float, float, float, float] = (0.25, 0.25, 0.75, 0.75)

    def __post_init__(self) -> None:
        choose(METHODS, self.method, "attribution method")
        choose(NORMALISATIONS, self.normalisation, "normalisation")
        choose(_LOSSES, self.loss, "explanation loss")
        choose(dict.fromkeys(TARGETS), self.target, "explanation target")
        if not self.layers:
            raise ConfigurationError("explanation layers are empty; expected at least one name.")
        inputs = [layer in _INPUTS for layer in self.layers]
        if self.method == "gradient_x_input" and not all(inputs):
            raise ConfigurationError(
                f"gradient_x_input explains inputs, but layers are {self.layers}; expected 'image' "
                "or 'radar'. On features the same product is called hires_cam."
            )
        left, top, right, bottom = self.region
        if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
            raise ConfigurationError(
                f"explanation region is {self.region}; expected left < right and top < bottom, as "
                "shares of the image in [0, 1]."
            )


def random_signs(like: Tensor, seed: int) -> Tensor:
    """Return +1 or -1 for each place (1, C, H, W), the same for all images of a batch."""
    generator = torch.Generator().manual_seed(seed)
    bits = torch.randint(2, (1, *like.shape[1:]), generator=generator)
    return (2 * bits - 1).to(like)


def target_scalar(
    prediction: Tensor, config: ExplanationConfig, mask: Tensor | None = None, seed: int = 0
) -> Tensor:
    """Return the scalar that is explained.

    Args:
        prediction: (B, C, H, W), any dense prediction.
        config: Names the target.
        mask: (B, 1, H, W) bool, the places of ``valid`` or ``near``; ``near`` takes the
            prediction's own near places without it.
        seed: Of the signs of ``projection``.
    """
    if config.target == "mean":
        return mean_depth(prediction)
    if config.target == "region":
        return region_depth(prediction, config.region)
    if config.target == "projection":
        return mean_depth(prediction * random_signs(prediction, seed))
    if mask is None and config.target == "near":
        mask = prediction.detach() < config.near_m
    if mask is None:
        raise ConfigurationError("explanation target 'valid' needs ground truth; none was given.")
    return masked_mean(prediction, mask)


def explain(
    prediction: Tensor,
    activations: Mapping[str, Tensor],
    config: ExplanationConfig,
    mask: Tensor | None = None,
    seed: int = 0,
    create_graph: bool = False,
) -> dict[str, Tensor]:
    """Return attribution maps of a dense prediction, one a layer.

    Args:
        prediction: (B, C, H, W), such as depth in metres or class scores.
        activations: (B, C', h, w) by name, each in the prediction's graph.
        config: What is explained, and how.
        mask: As for :func:`target_scalar`.
        seed: As for :func:`target_scalar`.
        create_graph: Keep the maps differentiable (for training).

    Returns:
        (B, 1, h, w) by name, at least single precision; detached unless ``create_graph``.
    """
    scalar = _GRADIENT_SCALE * target_scalar(prediction, config, mask, seed)
    normalisation = "none" if config.loss == "e2kd" else config.normalisation
    maps = {}
    # A backward pass chooses its own precisions; autocast on top would cast some of them again.
    with torch.autocast(prediction.device.type, enabled=False):
        gradients = torch.autograd.grad(
            scalar, list(activations.values()), create_graph=create_graph
        )
        for (name, activation), gradient in zip(activations.items(), gradients, strict=True):
            gradient = full_precision(gradient) / _GRADIENT_SCALE
            maps[name] = attribution(
                config.method, activation, gradient, config.rectify, normalisation
            )
    return maps if create_graph else {name: value.detach() for name, value in maps.items()}


def alignment_loss(
    student: Mapping[str, Tensor], teacher: Mapping[str, Tensor], config: ExplanationConfig
) -> Tensor:
    """Return how far the student's maps are from the teacher's, averaged over layers and images.

    Args:
        student: (B, 1, h, w) by layer, differentiable; resized to the teacher's where they differ.
        teacher: (B, 1, h', w') by the same layers; no gradient goes there.
        config: Names the loss.
    """
    compare = _LOSSES[config.loss]
    losses = []
    with torch.autocast(next(iter(student.values())).device.type, enabled=False):
        for name, goal in teacher.items():
            maps = student[name]
            if maps.shape[2:] != goal.shape[2:]:
                maps = functional.interpolate(
                    maps, size=goal.shape[2:], mode="bilinear", align_corners=False
                )
            goal = goal.detach().to(maps.dtype)
            # Maps that sum to one have tiny places: their mean difference would weigh nothing.
            scale = maps[0].numel() if config.normalisation == "sum" else 1
            losses.append(compare(maps.flatten(1), goal.flatten(1), scale))
    return torch.stack(losses).mean()


def _cosine(maps: Tensor, goal: Tensor, scale: int) -> Tensor:
    # Norms are raised to a floor inside the product, so empty maps give 1 and no gradient. Maps
    # are brought to about 1 first: raw gradients can be far below any floor.
    maps = maps / maps.detach().abs().amax(dim=1, keepdim=True).clamp(min=1e-30)
    goal = goal / goal.abs().amax(dim=1, keepdim=True).clamp(min=1e-30)
    norms = (maps.square().sum(1) + 1e-12).sqrt() * (goal.square().sum(1) + 1e-12).sqrt()
    return (1 - (maps * goal).sum(1) / norms).mean()


_LOSSES = {
    "l1": lambda maps, goal, scale: scale * (maps - goal).abs().mean(),
    "mse": lambda maps, goal, scale: scale * (maps - goal).square().mean(),
    "cosine": _cosine,
    "e2kd": _cosine,
}
