# SPDX-License-Identifier: Apache-2.0
"""What all tests share: one thread, hypothesis without deadlines, the optional data."""

import os
import signal
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

# Shared machines are slow now and then; how long a test takes is not what it asserts.
# In CI the same examples are drawn each time; elsewhere new ones look for new failures.
settings.register_profile("project", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("project")

# Networks are small here: a second thread gains nothing, and on a busy machine both spin. Read when
# PyTorch loads, and by the processes that tests start.
os.environ["OMP_NUM_THREADS"] = "1"
# OpenVINO's telemetry would start a process at each conversion that tries to reach a server.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]

# Graphs that tests make are cached for this run alone; processes that tests start see them too.
_cache = tempfile.TemporaryDirectory(prefix="xd_rcdepth_test_cache.")
os.environ["XDG_CACHE_HOME"] = _cache.name

# A background job's children ignore Ctrl-C; the processes that tests interrupt must not.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

sys.path.insert(0, str(Path(__file__).parent))
# Used by the tests of recordings, data sets and evaluation, and by those that need ROS.
pytest_plugins = ["bag_fixtures", "nuscenes_fixtures", "ros_fixtures"]

PROJECT = Path(__file__).resolve().parents[1]
SHARED_DATA = PROJECT.parent / "shared" / "data"


def optional_data(name: str) -> Path:
    """Return the folder of a real recording, or skip the test and say why."""
    folder = SHARED_DATA / name
    if not folder.is_dir():
        pytest.skip(f"real recording {name} is not beside the project (looked for {folder})")
    return folder


@pytest.fixture(scope="session")
def astyx_root() -> Path:
    """Folder of the reduced Astyx data."""
    return optional_data("astyx")


@pytest.fixture(scope="session")
def camvid_root() -> Path:
    """Folder of the CamVid pictures."""
    return optional_data("camvid")


@pytest.fixture(scope="session")
def drive_root() -> Path:
    """Folder of the real drive in the nuScenes layout."""
    return optional_data("drive_nuscenes_layout")
