# SPDX-License-Identifier: Apache-2.0
"""Small drives that several tests look at."""

from __future__ import annotations

import pytest

from xd_rcdepth_ros.simulation import Drive, DriveSettings

SMALL = {"width": 256, "height": 128, "frames": 6}


@pytest.fixture(scope="session")
def city() -> Drive:
    """A busy town by day."""
    return Drive(DriveSettings(seed=5, place="city", **SMALL))


@pytest.fixture(scope="session")
def empty_road() -> Drive:
    """A straight, level country road at constant speed with nobody else on it."""
    return Drive(
        DriveSettings(seed=2, place="country", steady=True, traffic=0.0, speed_mps=15.0, **SMALL)
    )
