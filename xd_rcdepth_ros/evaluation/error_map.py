# SPDX-License-Identifier: Apache-2.0
"""Depth errors of one image: computed once, summed over any groups of its pixels.

``ErrorMap`` holds the error terms of one image's scored pixels; ``total``, ``below`` and ``by`` sum
them over all pixels, below a lower cap, and by any value a pixel.

With prediction p, truth g (metres) and e = ln p - ln g, over the scored pixels of one image:
MAE = mean |p - g|, RMSE = sqrt(mean (p - g)^2), AbsRel = mean(|p - g| / g), SqRel =
mean((p - g)^2 / g), log10 = mean |log10 p - log10 g|, RMSElog = sqrt(mean e^2), SIlog =
100 sqrt(mean e^2 - (mean e)^2), delta_n = share with max(p / g, g / p) < 1.25^n, iMAE and iRMSE =
MAE and RMSE of 1000 / p and 1000 / g (1/km). The definitions are those of the CaFNet family's test
scripts; iMAE and iRMSE those of Singh et al.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.evaluation.protocol import MIN_DEPTH_M, NESL_MAX_DEPTH_M, Clamp

METRICS = (
    "mae_m",
    "rmse_m",
    "abs_rel",
    "sq_rel",
    "log10",
    "rmse_log",
    "silog",
    "delta1",
    "delta2",
    "delta3",
    "imae_per_km",
    "irmse_per_km",
)
HIGHER_IS_BETTER = frozenset({"delta1", "delta2", "delta3"})
TERMS = 12  # pixel terms whose means make the metrics


def scored_pixels(truth: Tensor, cap_m: float, clamp: Clamp) -> Tensor:
    """Return the mask of pixels whose truth counts; NaN and infinite truth never does."""
    lower = MIN_DEPTH_M if clamp == Clamp.CAFNET else 0.0
    return (truth > lower) & (truth < cap_m)


def prepare_prediction(prediction: Tensor, cap_m: float, clamp: Clamp) -> Tensor:
    """Return the prediction as the family's rule scores it: finite, at least 0.001 m."""
    top = cap_m if clamp == Clamp.CAFNET else NESL_MAX_DEPTH_M
    known = torch.nan_to_num(prediction, nan=MIN_DEPTH_M, posinf=top, neginf=MIN_DEPTH_M)
    return known.clamp(MIN_DEPTH_M, cap_m if clamp == Clamp.CAFNET else None)


def _pixel_terms(p: Tensor, g: Tensor) -> Tensor:
    """Return the terms (12, N) float64 of scored pixels: predictions (N,) and truths (N,)."""
    p, g = p.double(), g.double()
    error = (p - g).abs()
    log_error = p.log() - g.log()
    ratio = torch.maximum(p / g, g / p)
    inverse = (1000 / p - 1000 / g).abs()
    return torch.stack(
        [
            error,
            error**2,
            error / g,
            error**2 / g,
            log_error.abs() / math.log(10),
            log_error**2,
            log_error,
            (ratio < 1.25).double(),
            (ratio < 1.25**2).double(),
            (ratio < 1.25**3).double(),
            inverse,
            inverse**2,
        ]
    )


def _finish(means: Tensor) -> Tensor:
    """Turn means of the terms (12,) into the metrics (12,), in the order of ``METRICS``."""
    mae, mse, abs_rel, sq_rel, log10, log_square, log_mean, d1, d2, d3, imae, imse = means
    variance = (log_square - log_mean**2).clamp(min=0)  # rounding can leave -1e-17
    return torch.stack(
        [
            mae,
            mse.sqrt(),
            abs_rel,
            sq_rel,
            log10,
            log_square.sqrt(),
            100 * variance.sqrt(),
            d1,
            d2,
            d3,
            imae,
            imse.sqrt(),
        ]
    )


@dataclass(frozen=True)
class ErrorSums:
    """Sums over some of one image's scored pixels.

    Attributes:
        terms: (12,) float64, sums of the pixel terms.
        pixels: How many pixels were summed.
        missing_pixels: How many of them had no finite prediction.
    """

    terms: Tensor
    pixels: int
    missing_pixels: int

    def metrics(self) -> Tensor:
        """Return the metrics (12,) of these pixels, in the order of ``METRICS``."""
        return _finish(self.terms / self.pixels)

    def figures(self) -> dict[str, float | None]:
        """Return the metrics by name as numbers; None where there are no pixels."""
        if not self.pixels:
            return dict.fromkeys(METRICS)
        return dict(zip(METRICS, self.metrics().tolist(), strict=True))


class ErrorMap:
    """The error terms of one image's scored pixels, computed once.

    Args:
        prediction: (..., H, W), metres; NaN or +-Inf where there is none.
        truth: The same shape, metres; NaN or 0 where unknown.
        cap_m: Largest truth that is scored, metres.
        clamp: Family of the clamping rule.
        where: Mask of the same shape; pixels outside are not scored.

    Attributes:
        where: (..., H, W) bool, the N scored pixels.
        terms: (12, N) float64, the pixel terms; the first is the absolute error, metres.

    Raises:
        ConfigurationError: The shapes differ.
    """

    def __init__(
        self,
        prediction: Tensor,
        truth: Tensor,
        cap_m: float,
        clamp: Clamp,
        where: Tensor | None = None,
    ) -> None:
        if prediction.shape != truth.shape:
            raise ConfigurationError(
                f"prediction has shape {tuple(prediction.shape)}, truth {tuple(truth.shape)}; "
                "they must be equal. Resize the prediction to the truth's resolution first."
            )
        self.where = scored_pixels(truth, cap_m, clamp)
        if where is not None:
            self.where = self.where & where
        self._clamp = clamp
        self._truth = truth[self.where]
        said = prediction[self.where]
        self._missing = ~torch.isfinite(said)
        self._prediction = prepare_prediction(said, cap_m, clamp)
        self.terms = _pixel_terms(self._prediction, self._truth)

    def total(self) -> ErrorSums:
        """Return the sums over all scored pixels."""
        return ErrorSums(self.terms.sum(dim=1), len(self._truth), int(self._missing.sum()))

    def below(self, cap_m: float) -> ErrorSums:
        """Return the sums at a lower cap, by which predictions are clamped anew."""
        kept = self._truth < cap_m
        changed = kept & (self._prediction > cap_m)
        if self._clamp != Clamp.CAFNET:  # the other family's rule knows no cap of predictions
            changed = torch.zeros_like(kept)
        again = prepare_prediction(self._prediction[changed], cap_m, self._clamp)
        terms = self.terms @ (kept & ~changed).double()
        terms += _pixel_terms(again, self._truth[changed]).sum(dim=1)
        return ErrorSums(terms, int(kept.sum()), int(self._missing[kept].sum()))

    def by(self, values: Tensor, edges: Sequence[float]) -> list[ErrorSums]:
        """Return the sums over the pixels of each bin: edge <= value < next edge.

        Args:
            values: (..., H, W), what the pixels are grouped by; NaN belongs to no bin.
            edges: Ascending, one more than there are bins.
        """
        count = len(edges) - 1
        picked = values[self.where]
        bins = torch.bucketize(picked, torch.tensor(edges, dtype=picked.dtype), right=True) - 1
        inside = (bins >= 0) & (bins < count)
        bins, every = bins[inside], bool(inside.all())

        def sums(weights: Tensor) -> Tensor:
            return torch.bincount(bins, weights if every else weights[inside], minlength=count)

        pixels = torch.bincount(bins, minlength=count).tolist()
        missing = sums(self._missing.double()).long().tolist()
        terms = torch.stack([sums(term) for term in self.terms], dim=1)
        return [ErrorSums(*group) for group in zip(terms, pixels, missing, strict=True)]
