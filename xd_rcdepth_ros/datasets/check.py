# SPDX-License-Identifier: Apache-2.0
"""Verifies a finished bag against the data it was made from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from xd_rcdepth_ros.datasets.conversion import DrivePlan
from xd_rcdepth_ros.errors import RecordingError
from xd_rcdepth_ros.recordings import schema
from xd_rcdepth_ros.recordings.bags import open_bag, reading
from xd_rcdepth_ros.recordings.index import header_of
from xd_rcdepth_ros.recordings.reader import Recording

# Bags hold lidar as float32: up to 100 m that is 4 micrometres, and 0.01 pixels a few metres ahead.
_MAX_POINT_ERROR_M = 1e-4
_SPOT_FRAMES = 3


@dataclass
class CheckResult:
    """What was compared, and what was found wrong.

    Attributes:
        bag: Path of the bag.
        messages: Sensor messages compared by topic and stamp.
        images: Images and sky masks compared by checksum.
        points: Lidar points projected through the bag's transforms and through the source's.
        max_point_error_m: Greatest distance between the two, metres, camera frame.
        problems: One line a thing found wrong; empty if the bag is right.
    """

    bag: Path
    messages: int = 0
    images: int = 0
    points: int = 0
    max_point_error_m: float = 0.0
    problems: list[str] = field(default_factory=list)


def check_bags(plans: Sequence[DrivePlan], out: str | Path) -> list[CheckResult]:
    """Compare finished bags with their sources.

    Args:
        plans: What the bags should hold.
        out: Folder of the bags.

    Returns:
        One result a bag, each without problems.

    Raises:
        RecordingError: A bag differs from its source; the text says how.
    """
    results = [check_bag(plan, Path(out) / plan.name) for plan in plans]
    wrong = [result for result in results if result.problems]
    if wrong:
        raise RecordingError(
            f"{len(wrong)} of {len(results)} bags differ from their source; {wrong[0].bag}: "
            f"{'; '.join(wrong[0].problems[:5])}. Remove it and convert again."
        )
    return results


def check_bag(plan: DrivePlan, bag: Path) -> CheckResult:
    """Compare one bag with its source: stamps, images byte by byte, and lidar in the camera.

    Raises:
        RecordingError: The bag cannot be read.
    """
    result = CheckResult(bag)
    _check_messages(plan, bag, result)
    _check_geometry(plan, bag, result)
    return result


def _check_messages(plan: DrivePlan, bag: Path, result: CheckResult) -> None:
    wanted = plan.stamps()
    found: dict[str, list[int]] = {topic: [] for topic in wanted}
    digests: dict[tuple[str, int], bytes] = {}
    reader = open_bag(bag)
    try:
        with reading(bag):
            connections = [c for c in reader.connections if c.topic in wanted]
            for connection, log_ns, raw in reader.messages(connections):
                stamp_ns, _ = header_of(raw)
                found[connection.topic].append(stamp_ns)
                if stamp_ns != log_ns:
                    result.problems.append(f"{connection.topic} {stamp_ns} is logged at {log_ns}")
                if connection.msgtype in (schema.COMPRESSED_IMAGE, schema.IMAGE):
                    message = reader.deserialize(raw, connection.msgtype)
                    data = message.data.tobytes()  # type: ignore[attr-defined]
                    digests[connection.topic, stamp_ns] = hashlib.sha256(data).digest()
    finally:
        reader.close()
    for topic, stamps in wanted.items():
        result.messages += len(stamps)
        if found[topic] != stamps:
            lost = len(set(stamps) - set(found[topic]))
            extra = len(set(found[topic]) - set(stamps))
            result.problems.append(
                f"{topic} has {len(found[topic])} messages instead of {len(stamps)} ({lost} lost, "
                f"{extra} unknown, {'same' if sorted(found[topic]) == stamps else 'other'} stamps)"
            )
    for topic, stamp_ns, data in plan.source_images():
        result.images += 1
        if digests.get((topic, stamp_ns)) != hashlib.sha256(data).digest():
            result.problems.append(f"{topic} {stamp_ns} is not the image on disk")


def _check_geometry(plan: DrivePlan, bag: Path, result: CheckResult) -> None:
    prefix, suffix = schema.image_topic("\0").split("\0")
    cameras = [t[len(prefix) : -len(suffix)] for t in plan.stamps() if t.endswith(suffix)]
    lidars = [t.rpartition("/")[2] for t in plan.stamps() if t.startswith(schema.lidar_topic(""))]
    if not cameras or not lidars:
        return
    with Recording(bag, cameras[0], radars=[], lidar=lidars[0]) as recording:
        numbers = recording.keyframe_indices()
        for number in {numbers[round(i)] for i in np.linspace(0, len(numbers) - 1, _SPOT_FRAMES)}:
            frame = recording.frame(number)
            wanted = plan.source_lidar(frame.stamp_ns)
            if wanted is None or frame.lidar is None:
                result.problems.append(f"frame {number} has no lidar to compare")
                continue
            points = frame.lidar.camera_from_lidar.apply(frame.lidar.points_m)
            if points.shape != wanted.shape:
                result.problems.append(
                    f"frame {number} has {len(points)} lidar points instead of {len(wanted)}"
                )
                continue
            error = float(np.abs(points - wanted).max(initial=0.0))
            result.points += len(points)
            result.max_point_error_m = max(result.max_point_error_m, error)
            if not error < _MAX_POINT_ERROR_M:
                result.problems.append(
                    f"frame {number}: lidar lies {error:.3g} m off in the camera"
                )
