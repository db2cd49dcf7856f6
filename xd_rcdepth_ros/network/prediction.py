# SPDX-License-Identifier: Apache-2.0
"""What a network says of each pixel: depth, how far it may be off, and whether anything is there.

The error is that of a Laplace distribution around the depth, as in heteroscedastic regression
(Kendall and Gal, https://arxiv.org/abs/1703.04977); its scale is given as a share of the depth.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from xd_rcdepth_ros.network.taps import Tap, no_tap

DEPTH, ERROR, SKY = 0, 1, 2  # channels of a network's output
HEAD_LAYERS = ("log_error", "sky_logit")  # names under which the head lends its other outputs

_CENTRE, _SPAN = -2.0, 3.0  # of the logarithm of the error's share: from 0.7 % to 270 %


def head_channels(error_and_sky: bool) -> int:
    """Return how many channels the last convolution of a network has."""
    return 3 if error_and_sky else 1


def predict(logits: Tensor, max_depth_m: float, tap: Tap = no_tap, upscale: float = 1.0) -> Tensor:
    """Turn the last convolution's output into what is said of each pixel.

    Args:
        logits: (B, 1 or 3, h, w).
        max_depth_m: Depth at the upper end of the sigmoid, metres.
        tap: Lends out ``log_error`` (natural logarithm of the error's share of the depth) and
            ``sky_logit``, each (B, 1, H, W), for the losses.
        upscale: Factor from h, w to H, W, bilinear.

    Returns:
        (B, 1 or 3, H, W), single precision: depth in metres along the optical axis; expected error
        as a share of the depth; probability of sky or nothing within range.
    """
    logits = logits.float()  # half precision would round depth to half a metre
    if upscale != 1.0:
        logits = functional.interpolate(
            logits, scale_factor=upscale, mode="bilinear", align_corners=False
        )
    depth = max_depth_m * torch.sigmoid(logits[:, :1])
    if logits.shape[1] == 1:
        return depth
    log_error = tap("log_error", _CENTRE + _SPAN * torch.tanh(logits[:, 1:2] / _SPAN))
    sky_logit = tap("sky_logit", logits[:, 2:3])
    return torch.cat([depth, torch.exp(log_error), torch.sigmoid(sky_logit)], dim=1)
