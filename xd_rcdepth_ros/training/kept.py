# SPDX-License-Identifier: Apache-2.0
"""Arrays kept on disk, since making them takes long; processes may write the same one at once."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, DTypeLike


def keep_array(file: Path, array: ArrayLike, dtype: DTypeLike = np.float16) -> None:
    """Write an array; its name appears when it is complete.

    Args:
        file: Its name, ending in ``.npy``.
        array: What is kept.
        dtype: Kept as this; half precision is 3 cm at 50 m.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(f".{os.getpid()}.partial")
    with partial.open("wb") as out:
        np.save(out, np.asarray(array, dtype))
    partial.replace(file)
