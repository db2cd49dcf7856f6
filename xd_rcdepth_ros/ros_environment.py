# SPDX-License-Identifier: Apache-2.0
"""Environment variables of ROS 2 that are named otherwise from distribution to distribution."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_FAST_DDS_2 = ("humble", "iron", "jazzy")


def fast_dds_profile(environment: Mapping[str, str], profile: Path) -> dict[str, str]:
    """Return the variable that names the profile of Fast DDS for large messages.

    A best-effort message above 0.5 MB does not arrive with the default profile. Version 3 reads
    another variable than version 2, and warns of the old one.

    Args:
        environment: The environment now; a profile that it names stays.
        profile: File of the profile (XML).
    """
    version_2 = environment.get("ROS_DISTRO") in _FAST_DDS_2
    name = f"{'FASTRTPS' if version_2 else 'FASTDDS'}_DEFAULT_PROFILES_FILE"
    return {name: environment.get(name, str(profile))}


def this_machine_only(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variable that keeps ROS off the network.

    Args:
        environment: The environment now; a choice that it makes stays.
    """
    if environment.get("ROS_DISTRO") == "humble":
        return {"ROS_LOCALHOST_ONLY": environment.get("ROS_LOCALHOST_ONLY", "1")}
    name = "ROS_AUTOMATIC_DISCOVERY_RANGE"
    return {name: environment.get(name, "LOCALHOST")}
