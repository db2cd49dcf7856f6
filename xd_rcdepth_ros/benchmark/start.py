# SPDX-License-Identifier: Apache-2.0
"""From the start of a process to its first depth, with what the cache holds by then."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from xd_rcdepth_ros.errors import DeviceError

_FIRST_DEPTH = """
import sys
from xd_rcdepth_ros.benchmark.stages import benchmark_frame
from xd_rcdepth_ros.inference import DepthEstimator
estimator = DepthEstimator.load(sys.argv[1], "cpu")
estimator.estimate(benchmark_frame(352, 704, estimator.info.header.focal_length_px))
"""


def cold_start_s(model: Path, limit_s: float = 300.0) -> float:
    """Return how long a new process takes to its first depth image, seconds.

    Args:
        model: Model file; its graph must have been loaded before, so that it is in the cache.
        limit_s: Longest time.

    Raises:
        DeviceError: It came to no depth.
    """
    start_s = time.perf_counter()
    try:
        subprocess.run(
            [sys.executable, "-c", _FIRST_DEPTH, str(model)],
            check=True,
            capture_output=True,
            timeout=limit_s,
        )
    except subprocess.TimeoutExpired as error:
        raise DeviceError(f"a new process gave no depth within {limit_s:.0f} s.") from error
    except subprocess.CalledProcessError as error:
        raise DeviceError(
            f"a new process came to no depth: {error.stderr.decode(errors='replace')[-800:]}"
        ) from error
    return time.perf_counter() - start_s
