# SPDX-License-Identifier: Apache-2.0
"""Lengths and directions."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike


def vector_norm(data: ArrayLike, axis: int | None = None) -> Any:
    """Return the Euclidean length of all numbers, or along an axis."""
    return np.sqrt(np.sum(np.square(np.asarray(data, dtype=np.float64)), axis=axis))


def unit_vector(data: ArrayLike, axis: int | None = None) -> np.ndarray:
    """Return the numbers scaled to length 1, all together or along an axis."""
    values = np.asarray(data, dtype=np.float64)
    length = vector_norm(values, axis)
    return values / (length if axis is None else np.expand_dims(length, axis))


def random_vector(size: int | tuple[int, ...]) -> np.ndarray:
    """Return numbers drawn evenly from [0, 1)."""
    return np.random.default_rng().random(size)
