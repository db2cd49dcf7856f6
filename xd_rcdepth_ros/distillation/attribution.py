# SPDX-License-Identifier: Apache-2.0
"""Attribution maps from an activation and a gradient, and how they are scaled to be compared.

The activation may be any tensor of the graph: a feature map, or an input itself, for which
gradient x input is the same product as HiResCAM's on features.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from torch import Tensor

from xd_rcdepth_ros.errors import ConfigurationError

T = TypeVar("T")


def grad_cam_map(activation: Tensor, gradient: Tensor) -> Tensor:
    """Weigh each channel by its mean gradient (Selvaraju et al., ICCV 2017)."""
    return (gradient.mean(dim=(2, 3), keepdim=True) * activation).sum(dim=1, keepdim=True)


def grad_cam_pp_map(activation: Tensor, gradient: Tensor) -> Tensor:
    """Weigh each channel by its positive gradients (Grad-CAM++, Chattopadhay et al., WACV 2018).

    The published weight of a place, g^2 / (2 g^2 + S g^3) with S the channel's summed activation,
    is 1 / (2 + S g); only places with g > 0 count. S is taken over positive activations, which
    the paper's features all are, so that the denominator never vanishes.
    """
    total = activation.relu().sum(dim=(2, 3), keepdim=True)
    positive = gradient.relu()
    weights = (positive / (2 + total * positive)).sum(dim=(2, 3), keepdim=True)
    return (weights * activation).sum(dim=1, keepdim=True)


def hires_cam_map(activation: Tensor, gradient: Tensor) -> Tensor:
    """Multiply place by place (HiResCAM, Draelos and Carin, 2020): no averaging of gradients."""
    return (gradient * activation).sum(dim=1, keepdim=True)


# Each maps (B, C, h, w) twice to (B, 1, h, w), signed.
METHODS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "grad_cam": grad_cam_map,
    "grad_cam_pp": grad_cam_pp_map,
    "hires_cam": hires_cam_map,
    "gradient_x_input": hires_cam_map,
}


def min_max(maps: Tensor) -> Tensor:
    """Scale each image's map (B, 1, h, w) to [0, 1]; a constant map becomes zero."""
    low, high = maps.amin(dim=(2, 3), keepdim=True), maps.amax(dim=(2, 3), keepdim=True)
    return (maps - low) / (high - low).clamp(min=1e-8)


def unit_sum(maps: Tensor) -> Tensor:
    """Divide each image's map (B, 1, h, w) by its summed magnitude; an empty map stays zero."""
    return maps / maps.abs().sum(dim=(2, 3), keepdim=True).clamp(min=1e-12)


NORMALISATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "min_max": min_max,
    "sum": unit_sum,
    "none": lambda maps: maps,
}


def attribution(
    method: str,
    activation: Tensor,
    gradient: Tensor,
    rectify: bool = True,
    normalisation: str = "min_max",
) -> Tensor:
    """Return one attribution map an image.

    Args:
        method: A key of ``METHODS``.
        activation: (B, C, h, w).
        gradient: (B, C, h, w), of a scalar with respect to the activation.
        rectify: Keep positive evidence only.
        normalisation: A key of ``NORMALISATIONS``.

    Returns:
        (B, 1, h, w), at least single precision.

    Raises:
        ConfigurationError: A name is unknown.
    """
    maps = choose(METHODS, method, "attribution method")(
        full_precision(activation), full_precision(gradient)
    )
    if rectify:
        maps = maps.relu()
    return choose(NORMALISATIONS, normalisation, "normalisation")(maps)


def choose(table: Mapping[str, T], name: str, what: str) -> T:
    """Look a name up, or say which names there are."""
    if name not in table:
        raise ConfigurationError(f"{what} is {name!r}; expected one of {sorted(table)}.")
    return table[name]


def full_precision(x: Tensor) -> Tensor:
    """Return single precision, or double where it is double already."""
    return x if x.element_size() >= 4 else x.float()
