# SPDX-License-Identifier: Apache-2.0
"""How well a model knows its own error: calibration, and what leaving out the doubtful brings.

Sparsification (Ilg et al., ECCV 2018, https://arxiv.org/abs/1802.07095): pixels are left out in the
order of their expected error, and the mean error of the rest is followed; AUSE is the area between
that curve and the one of the best order, that of the true error, as a share of the mean error.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SHARES_LEFT_OUT = np.linspace(0, 0.95, 20)
# Of errors under a Laplace distribution, this share is within its scale: 1 - 1/e.
LAPLACE_WITHIN_SCALE = 1 - np.exp(-1.0)


def sparsification(
    error_m: NDArray[np.floating], order_by: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return the mean error of what is left after each of ``SHARES_LEFT_OUT``.

    Args:
        error_m: (N,) absolute errors, metres; at least one.
        order_by: (N,) the greatest of these are left out first.
    """
    ordered = np.asarray(error_m, np.float64)[np.argsort(order_by, kind="stable")]
    means = np.cumsum(ordered) / np.arange(1, len(ordered) + 1)
    kept = np.maximum(1, np.ceil((1 - SHARES_LEFT_OUT) * len(ordered) - 1e-9).astype(int))
    return np.asarray(means[kept - 1], np.float64)


class Calibration:
    """Sums up over images what a model says of its own error; each image counts alike."""

    def __init__(self) -> None:
        self._images = 0
        self._within = self._half = 0.0
        self._curve = np.zeros(len(SHARES_LEFT_OUT))
        self._best = np.zeros(len(SHARES_LEFT_OUT))

    def add(self, error_m: NDArray[np.floating], expected_m: NDArray[np.floating]) -> None:
        """Add an image.

        Args:
            error_m: (N,) absolute errors where truth is known, metres.
            expected_m: (N,) expected errors there (scale of a Laplace distribution), metres.
        """
        known = np.isfinite(error_m) & np.isfinite(expected_m)
        error_m, expected_m = error_m[known], expected_m[known]
        if not len(error_m) or not error_m.mean():
            return
        self._images += 1
        self._within += float((error_m <= expected_m).mean())
        self._curve += sparsification(error_m, expected_m) / error_m.mean()
        self._best += sparsification(error_m, error_m) / error_m.mean()
        half = np.argsort(expected_m, kind="stable")[: -(-len(error_m) // 2)]
        self._half += float(error_m[half].mean() / error_m.mean())

    def figures(self) -> dict[str, Any] | None:
        """Return the figures, or None where no image had an expected error.

        Returns:
            ``within_scale``: share of errors within the stated scale (63.2 % if all is Laplace);
            ``trusted_half``: mean error of the half of the pixels that are trusted more, as a share
            of the mean error of all; ``ause``; ``left_out`` with the curves ``error`` and ``best``
            as shares of the mean error; ``images``.
        """
        if not self._images:
            return None
        curve, best = self._curve / self._images, self._best / self._images
        gap = curve - best
        return {
            "images": self._images,
            "within_scale": self._within / self._images,
            "trusted_half": self._half / self._images,
            "ause": float((gap[1:] + gap[:-1]).sum() / 2 * SHARES_LEFT_OUT[1]),
            "left_out": SHARES_LEFT_OUT.round(2).tolist(),
            "error": curve.round(4).tolist(),
            "best": best.round(4).tolist(),
        }
