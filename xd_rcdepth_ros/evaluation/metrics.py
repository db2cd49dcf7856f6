# SPDX-License-Identifier: Apache-2.0
"""Depth errors over images, kept as sums."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.evaluation.error_map import METRICS, TERMS, ErrorMap, ErrorSums
from xd_rcdepth_ros.evaluation.protocol import Clamp


class DepthErrors(Metric):
    """The twelve depth errors at one cap, by image or pooled over pixels.

    All states are sums, so it is right under DDP and in any order of images. An image without
    scored pixels is counted in ``empty_images`` and left out.

    Args:
        cap_m: Largest truth that is scored, metres.
        clamp: Family of the clamping rule.
        averaging: What :meth:`compute` returns: ``image``, the mean of per-image values, or
            ``pixel``, values over all pixels together. Both are always accumulated.
        **kwargs: Passed on to :class:`torchmetrics.Metric`.
    """

    full_state_update = False
    is_differentiable = False

    image_sums: Tensor
    images: Tensor
    empty_images: Tensor
    pixel_sums: Tensor
    pixels: Tensor
    missing_pixels: Tensor

    def __init__(
        self,
        cap_m: float = 80.0,
        clamp: Clamp | str = Clamp.CAFNET,
        averaging: str = "image",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if averaging not in ("image", "pixel"):
            raise ConfigurationError(f"averaging is {averaging!r}; expected 'image' or 'pixel'.")
        self.cap_m = float(cap_m)
        self.clamp = Clamp(clamp)
        self.averaging = averaging
        for name in ("image_sums", "pixel_sums"):
            self.add_state(name, torch.zeros(TERMS, dtype=torch.float64), dist_reduce_fx="sum")
        for name in ("images", "empty_images", "pixels", "missing_pixels"):
            self.add_state(name, torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, truth: Tensor, where: Tensor | None = None) -> None:
        """Add images.

        Args:
            prediction: (B, ..., H, W) or (H, W), metres; NaN or +-Inf where there is none.
            truth: The same shape, metres; NaN or 0 where unknown.
            where: Mask of the same shape; pixels outside are not scored.
        """
        if prediction.dim() == 2:
            prediction, truth = prediction[None], truth[None]
            where = None if where is None else where[None]
        for index, (p, g) in enumerate(zip(prediction, truth, strict=True)):
            inside = None if where is None else where[index]
            self.add(ErrorMap(p, g, self.cap_m, self.clamp, inside).total())

    def add(self, sums: ErrorSums) -> None:
        """Add one image, or the part of it that counts here, by its sums."""
        if not sums.pixels:
            self.empty_images += 1
            return
        self.image_sums += sums.metrics()
        self.images += 1
        self.pixel_sums += sums.terms
        self.pixels += sums.pixels
        self.missing_pixels += sums.missing_pixels

    def compute(self) -> dict[str, Tensor]:
        """Return the metrics by name; empty if no image had a scored pixel (never NaN)."""
        return self.averaged(self.averaging)

    def averaged(self, averaging: str) -> dict[str, Tensor]:
        """Return the metrics of this process by ``image`` or ``pixel`` averaging."""
        if int(self.images) == 0:
            return {}
        if averaging == "image":
            values = self.image_sums / self.images
        else:
            values = ErrorSums(self.pixel_sums, int(self.pixels), 0).metrics()
        return dict(zip(METRICS, values, strict=True))

    def figures(self, averaging: str | None = None) -> dict[str, float | None]:
        """Return the metrics as numbers for JSON; None where no image had a scored pixel."""
        values = self.averaged(averaging or self.averaging)
        return {name: float(values[name]) if values else None for name in METRICS}

    def counts(self) -> dict[str, int]:
        """Return how many images and pixels the figures stand on."""
        return {
            "frames_scored": int(self.images),
            "frames_without_truth": int(self.empty_images),
            "pixels": int(self.pixels),
            "pixels_without_prediction": int(self.missing_pixels),
        }
