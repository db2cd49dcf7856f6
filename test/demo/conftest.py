# SPDX-License-Identifier: Apache-2.0
"""A small model file."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from ros_fixtures import write_random_model

sys.path.insert(0, str(Path(__file__).parent))  # for demo_helpers


@pytest.fixture(scope="session")
def demo_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student with random weights, of the real architecture, with row medians."""
    return write_random_model(
        tmp_path_factory.mktemp("model") / "random.safetensors",
        focal_length_px=100.0,
        row_median_depth_m=tuple(np.linspace(40, 3, 96).tolist()),
    )
