# SPDX-License-Identifier: Apache-2.0
"""Qualities of service: chosen by the user, adapted to publishers, kept in bags."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from rclpy.duration import Duration
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    QoSProfile,
    ReliabilityPolicy,
    qos_profile_sensor_data,
    qos_profile_system_default,
)

from .errors import CommandError

_log = logging.getLogger("ros2cli")
_PROFILES = {
    "sensor_data": qos_profile_sensor_data,
    "system_default": qos_profile_system_default,
    "default": QoSProfile(depth=10),
}


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


def add_qos_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--qos-*``."""
    parser.add_argument("--qos-profile", choices=sorted(_PROFILES), help="a named profile")
    parser.add_argument("--qos-depth", type=int, metavar="N", help="length of the queue")
    parser.add_argument("--qos-history", choices=["keep_last", "keep_all", "system_default"])
    parser.add_argument("--qos-reliability", choices=["reliable", "best_effort", "system_default"])
    parser.add_argument(
        "--qos-durability", choices=["transient_local", "volatile", "system_default"]
    )


def with_arguments(base: QoSProfile, args: argparse.Namespace) -> QoSProfile:
    """Return a profile changed by what the user gave with ``--qos-*``."""
    profile = _PROFILES[args.qos_profile] if args.qos_profile else base
    chosen = {
        "depth": args.qos_depth,
        "history": args.qos_history,
        "reliability": args.qos_reliability,
        "durability": args.qos_durability,
    }
    return _changed(profile, {key: value for key, value in chosen.items() if value is not None})


def _changed(profile: QoSProfile, values: Mapping[str, Any]) -> QoSProfile:
    settings: dict[str, Any] = {
        "history": profile.history,
        "depth": profile.depth,
        "reliability": profile.reliability,
        "durability": profile.durability,
    }
    kinds = {
        "history": HistoryPolicy,
        "reliability": ReliabilityPolicy,
        "durability": DurabilityPolicy,
    }
    for key, value in values.items():
        settings[key] = int(value) if key == "depth" else kinds[key][str(value).upper()]
    return QoSProfile(**settings)


def read_overrides(path: str | None) -> dict[str, QoSProfile]:
    """Return the profiles of a YAML file: topic to ``history, depth, reliability, durability``.

    Raises:
        CommandError: The file cannot be read or understood.
    """
    if path is None:
        return {}
    try:
        entries = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
        known = ("history", "depth", "reliability", "durability")
        return {
            topic: _changed(QoSProfile(depth=10), {k: v for k, v in entry.items() if k in known})
            for topic, entry in entries.items()
        }
    except (OSError, yaml.YAMLError, AttributeError, KeyError, ValueError) as error:
        raise CommandError(f"QoS overrides in {path} cannot be used: {error}") from error


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
