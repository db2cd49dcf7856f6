# SPDX-License-Identifier: Apache-2.0
"""Qualities of service: adapted to publishers, and kept in bags."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from rclpy.duration import Duration
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

_log = logging.getLogger("ros2cli")


def adapted_to_publishers(topic: str, endpoints: Sequence[Any], depth: int) -> QoSProfile:
    """Return a subscription's QoS that connects to all publishers of a topic.

    Args:
        topic: The topic's name, for warnings.
        endpoints: What rclpy's ``get_publishers_info_by_topic`` returned.
        depth: Length of the queue, messages.

    Returns:
        Reliable only if all publishers are reliable; transient local only if all are. Without
        publishers best effort and volatile, which fit any that may come.
    """
    reliable = [e.qos_profile.reliability == ReliabilityPolicy.RELIABLE for e in endpoints]
    latched = [e.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL for e in endpoints]
    for values, names in ((reliable, "reliable"), (latched, "transient local")):
        if any(values) and not all(values):
            _log.warning("%s: some publishers are %s and some are not", topic, names)
    return QoSProfile(
        depth=depth,
        reliability=_reliability(bool(reliable) and all(reliable)),
        durability=_durability(bool(latched) and all(latched)),
    )


def _reliability(reliable: bool) -> ReliabilityPolicy:
    return ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT


def _durability(latched: bool) -> DurabilityPolicy:
    return DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE


def from_recorded(topic: str, recorded: Sequence[Any]) -> QoSProfile:
    """Return the QoS for playing a topic.

    Args:
        topic: The topic's name, for warnings.
        recorded: The publishers' profiles as `rosbags` reads them.

    Returns:
        Reliability and durability as recorded, if all publishers agreed; else the default.
    """
    offers = {(q.reliability.name, q.durability.name) for q in recorded}
    if len(offers) > 1:
        _log.warning("%s: its publishers had different QoS; the default is played", topic)
    if len(offers) != 1:
        return QoSProfile(depth=10)
    reliability, durability = offers.pop()
    return QoSProfile(
        depth=10,
        reliability=_reliability(reliability != "BEST_EFFORT"),
        durability=_durability(durability == "TRANSIENT_LOCAL"),
    )


def to_recorded(endpoints: Sequence[Any]) -> list[Any]:
    """Return the publishers' QoS, each different one once, as `rosbags` writes them."""
    from rosbags.interfaces import (
        Qos,
        QosDurability,
        QosHistory,
        QosLiveliness,
        QosReliability,
        QosTime,
    )

    def time(duration: Duration) -> Any:
        seconds, nanoseconds = divmod(duration.nanoseconds, 10**9)
        return QosTime(seconds, nanoseconds)

    profiles: list[Any] = []
    for endpoint in endpoints:
        offered = endpoint.qos_profile
        profile = Qos(
            QosHistory[offered.history.name],
            offered.depth,
            QosReliability[offered.reliability.name],
            QosDurability[offered.durability.name],
            time(offered.deadline),
            time(offered.lifespan),
            QosLiveliness[offered.liveliness.name],
            time(offered.liveliness_lease_duration),
            offered.avoid_ros_namespace_conventions,
        )
        if profile not in profiles:
            profiles.append(profile)
    return profiles
