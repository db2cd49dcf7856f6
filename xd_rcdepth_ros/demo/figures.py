# SPDX-License-Identifier: Apache-2.0
"""Figures of a replayed drive: what the depth node answered, how soon, and how well."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from xd_rcdepth_ros.demo.outputs import Answer, onto_image
from xd_rcdepth_ros.errors import RecordingError
from xd_rcdepth_ros.evaluation.error_map import ErrorMap
from xd_rcdepth_ros.evaluation.protocol import Clamp, Protocol, Truth
from xd_rcdepth_ros.evaluation.row_baseline import RowBaseline
from xd_rcdepth_ros.geometry import SensorFrame

CAP_M = 80.0


@dataclass(frozen=True)
class Traffic:
    """When images and depth went over DDS, nanoseconds of this machine's wall clock.

    Attributes:
        recorder_pid: Process that noted the times.
        published_ns: Image stamp -> when the player published the image.
        received_ns: Image stamp -> when the recorder received the depth.
        saliency_maps: Number of saliency pictures received.
    """

    recorder_pid: int
    published_ns: Mapping[int, int]
    received_ns: Mapping[int, int]
    saliency_maps: int = 0

    @classmethod
    def read(cls, file: Path) -> Traffic:
        """Read the times that the recorder wrote.

        Raises:
            RecordingError: The file is missing or damaged.
        """
        try:
            times = json.loads(file.read_text())
            topics = times["topics"]
            images = topics.get(times["image_topic"], [])
            depths = topics.get(times["depth_topic"], [])
            node = times["depth_topic"].removesuffix("/depth/image")
            return cls(
                int(times["pid"]),
                {stamp: published for stamp, published, _ in images},
                {stamp: received for stamp, _, received in depths},
                len(topics.get(f"{node}/saliency/image", [])),
            )
        except (OSError, ValueError, KeyError) as error:
            raise RecordingError(
                f"the recorder's times at {file} cannot be read: {error!r}. Run the demo again."
            ) from error

    def latencies_ms(self) -> dict[int, float]:
        """Return, by image stamp, publishing of the image to reception of its depth, ms."""
        return {
            stamp: (received - self.published_ns[stamp]) / 1e6
            for stamp, received in sorted(self.received_ns.items())
            if stamp in self.published_ns
        }

    def answered(self, stamps_ns: Sequence[int]) -> int:
        """Return how many images of these stamps got their depth."""
        return len(self.received_ns.keys() & set(stamps_ns))


def rate_hz(replays: Sequence[Traffic]) -> float:
    """Return how many depth images a second came, pauses between replays left out."""
    gaps, span_ns = 0, 0
    for traffic in replays:
        times = traffic.received_ns.values()
        if len(times) > 1:
            gaps += len(times) - 1
            span_ns += max(times) - min(times)
    return gaps / (span_ns / 1e9) if span_ns else 0.0


@dataclass(frozen=True)
class FrameFigures:
    """One frame's errors, metres; None where nothing could be scored."""

    stamp_ns: int
    mae_m: float | None
    mae_baseline_m: float | None
    median_error_m: float | None


def protocol_for(frame: SensorFrame) -> Protocol:
    """Return how a drive is scored: by exact depth where it has that, else by its lidar."""
    truth = Truth.DEPTH if frame.depth_m is not None else Truth.LIDAR
    return Protocol(caps_m=(CAP_M,), truth=truth)


def score_frame(
    frame: SensorFrame,
    answer: Answer,
    truth_m: NDArray[np.float32],
    baseline: RowBaseline | None,
) -> tuple[FrameFigures, NDArray[np.float32]]:
    """Score the depth that was published for one frame.

    Args:
        frame: The frame as recorded.
        answer: What the node published for it.
        truth_m: (H, W), ground truth at the image's resolution, metres; NaN where unknown.
        baseline: What to compare with.

    Returns:
        The figures, and the published depth at the image's resolution (H, W), metres.
    """
    assert answer.depth_m is not None and answer.camera is not None
    depth_m = onto_image(answer.depth_m, answer.camera, frame.camera)
    off = np.abs(depth_m - truth_m)[truth_m < CAP_M]
    known = off[np.isfinite(off)]
    figures = FrameFigures(
        frame.stamp_ns,
        _mae(depth_m, truth_m),
        None if baseline is None else _mae(baseline.depth(frame.camera), truth_m),
        float(np.median(known)) if len(known) else None,
    )
    return figures, depth_m


def _mae(depth_m: NDArray[np.float32], truth_m: NDArray[np.float32]) -> float | None:
    prediction, truth = torch.from_numpy(depth_m), torch.from_numpy(truth_m)
    return ErrorMap(prediction, truth, CAP_M, Clamp.CAFNET).total().figures()["mae_m"]


def mean_of(values: Iterable[float | None]) -> float | None:
    """Return the mean of the values that are there; None if there are none."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return a percentile of values; None if there are none."""
    return float(np.percentile(values, share)) if values else None


def summarize(
    frames_in: int,
    frames_out: int,
    frames: Sequence[FrameFigures],
    replays: Sequence[Traffic],
    processes: Sequence[Mapping[str, Any]],
    play_rate: float,
    details: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the figures of a run, ready for JSON.

    Args:
        frames_in: Images in the drive.
        frames_out: How many of them got their depth.
        frames: Figures of the frames that were answered.
        replays: When what went over DDS.
        processes: Name and pid of each process that took part.
        play_rate: Speed of the replay, 1.0 is real time.
        details: More to report: drive, model, machine, ...
    """
    latencies = [ms for traffic in replays for ms in traffic.latencies_ms().values()]
    return {
        "frames_in": frames_in,
        "frames_out": frames_out,
        "play_rate": play_rate,
        "processes": [dict(process) for process in processes],
        "latency_ms": {
            "p50": percentile(latencies, 50),
            "p95": percentile(latencies, 95),
            "from": "publishing of the image by the player (DDS source timestamp)",
            "to": "reception of its depth by the recorder (DDS reception timestamp)",
        },
        "fps": rate_hz(replays),
        "mae_m": mean_of(frame.mae_m for frame in frames),
        "mae_baseline_m": mean_of(frame.mae_baseline_m for frame in frames),
        "median_error_m": mean_of(frame.median_error_m for frame in frames),
        "saliency_maps": sum(traffic.saliency_maps for traffic in replays),
        **details,
    }
