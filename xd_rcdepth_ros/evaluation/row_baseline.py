# SPDX-License-Identifier: Apache-2.0
"""What a model must at least beat: the training data's median depth of each image row.

The medians lie on the network's grid of the training camera. Another camera looks up or down more,
so its rows mean other things: the column of medians is slid up and down over the whole drive, and
the height that suits the drive best is taken. That favours the baseline, never the model.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.geometry import NetworkGrid, PinholeCamera

_SAMPLES = 4000  # scored pixels of a frame that choose the height


@dataclass(frozen=True)
class RowBaseline:
    """Depth from the image row alone.

    Attributes:
        row_depth_m: (H,), depth of each row of the image, metres.
        shift_rows: Rows of the network's grid by which the medians were slid down.
    """

    row_depth_m: NDArray[np.float32]
    shift_rows: int

    def depth(self, camera: PinholeCamera) -> NDArray[np.float32]:
        """Return the baseline's depth map (H, W), metres, of an image of that camera."""
        return np.repeat(self.row_depth_m[:, None], camera.width, axis=1)


def fit_row_baseline(
    medians_m: Sequence[float],
    grid: NetworkGrid,
    camera: PinholeCamera,
    truths_m: Iterable[NDArray[np.float32]],
    cap_m: float = 80.0,
) -> RowBaseline:
    """Lay the training data's row medians onto a camera's image where they suit a drive best.

    Args:
        medians_m: Median depth of each row of the training grid, metres.
        grid: How this camera's images are laid onto the network's grid.
        camera: This camera.
        truths_m: Ground truth (H, W) of the drive's frames, metres; NaN where unknown.
        cap_m: Largest truth that counts, metres.

    Raises:
        ConfigurationError: The model file carries no row medians.
    """
    medians = np.asarray(medians_m, np.float64)
    if not len(medians) or not np.isfinite(medians).all():
        raise ConfigurationError(
            "the model file carries no row medians of its training data, so there is no baseline "
            "to compare with. Use a model file that was written by this project's training."
        )
    # Row of the network's grid, counted from its bottom, for each row of the image.
    scale = grid.image_height / camera.height
    on_grid = (np.arange(camera.height) + 0.5) * scale - 0.5 + grid.top - grid.height
    random = np.random.default_rng(0)
    rows, depths = [], []
    for truth in truths_m:
        v, u = np.nonzero((truth > 0) & (truth < cap_m))
        chosen = random.permutation(len(v))[:_SAMPLES]
        rows.append(on_grid[v[chosen]])
        depths.append(truth[v[chosen], u[chosen]])
    row, depth = np.concatenate(rows), np.concatenate(depths)

    def predict(at: NDArray[Any], shift: int) -> NDArray[np.float64]:
        depth = np.interp(at + len(medians) - shift, np.arange(len(medians)), medians)
        return np.asarray(depth, np.float64)

    reach = grid.height
    shifts = range(-reach, reach + 1) if len(row) else ()  # without truth, as they are
    errors = {s: np.abs(predict(row, s) - depth).mean() for s in shifts}
    best = min(errors, key=lambda s: (errors[s], abs(s)), default=0)
    return RowBaseline(predict(on_grid, best).astype(np.float32), best)
