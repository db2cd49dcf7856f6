# SPDX-License-Identifier: Apache-2.0
"""From recorded outputs to what the report says: scores every frame and draws the pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.demo.drives import Leg
from xd_rcdepth_ros.demo.figures import (
    CAP_M,
    FrameFigures,
    Traffic,
    protocol_for,
    score_frame,
)
from xd_rcdepth_ros.demo.outputs import Answer, read_answers
from xd_rcdepth_ros.demo.report import Panel, Still, drive_player, stills_section
from xd_rcdepth_ros.errors import RecordingError, XDRCDepthError
from xd_rcdepth_ros.evaluation.pictures import frame_pictures
from xd_rcdepth_ros.evaluation.row_baseline import RowBaseline, fit_row_baseline
from xd_rcdepth_ros.geometry import SensorFrame
from xd_rcdepth_ros.inference import DepthEstimator, colorize_depth, draw_radar
from xd_rcdepth_ros.report.charts import Series, line_chart
from xd_rcdepth_ros.report.page import Page, PlayerFrame, Section, Table
from xd_rcdepth_ros.report.pictures import RGBImage, fit_width, jpeg

STILLS = 3
_PREVIEW_WIDTH, _PREVIEW_QUALITY = 640, 78
_FITTED_FRAMES = 10


@dataclass(frozen=True)
class Replay:
    """One leg after its replay.

    Attributes:
        leg: What was replayed.
        outputs: Bag of what the depth node published.
        traffic: When what went over DDS.
    """

    leg: Leg
    outputs: Path
    traffic: Traffic


@dataclass
class Findings:
    """What was found while going through the frames."""

    frames: list[FrameFigures] = field(default_factory=list)
    preview: list[PlayerFrame] = field(default_factory=list)
    stills: list[Still] = field(default_factory=list)
    latencies_ms: list[float | None] = field(default_factory=list)
    stages_ms: dict[str, list[float]] = field(default_factory=dict)
    frames_with_radar: int = 0
    skipped: list[str] = field(default_factory=list)

    def stage_medians_ms(self) -> dict[str, float]:
        """Return the usual time of each stage inside the node, milliseconds."""
        return {stage: float(np.median(times)) for stage, times in self.stages_ms.items()}


def recorded_frames(
    leg: Leg, every: int = 1, skipped: list[str] | None = None
) -> Iterator[SensorFrame]:
    """Yield the frames of a leg that were replayed, or every n-th of them.

    Args:
        leg: The leg.
        every: Only every n-th frame.
        skipped: Takes the reasons why frames cannot be read; they are left out.
    """
    with leg.open() as recording:
        for number in range(0, len(leg.stamps_ns), every):
            try:
                frame = recording.frame(number)
            except XDRCDepthError as error:
                if skipped is not None:
                    skipped.append(str(error))
                continue
            yield frame


def baseline_for(estimator: DepthEstimator, legs: Sequence[Leg]) -> RowBaseline:
    """Return the row baseline, laid onto the drive's camera where it fits best."""
    total = sum(len(leg.stamps_ns) for leg in legs)
    every = max(1, total // _FITTED_FRAMES)
    truths: list[NDArray[np.float32]] = []
    camera = None
    for leg in legs:
        for frame in recorded_frames(leg, every):
            camera = camera or frame.camera
            if frame.camera.height == camera.height:
                truths.append(protocol_for(frame).ground_truth(frame))
    if camera is None:
        raise RecordingError("the drive has no frame.")
    medians = estimator.info.header.row_median_depth_m
    return fit_row_baseline(medians, estimator.grid(camera), camera, truths, CAP_M)


def score_replays(
    replays: Sequence[Replay],
    baseline: RowBaseline,
    progress: Callable[[float, float], None] = lambda done, total: None,
) -> Findings:
    """Score the frames and draw the pictures.

    Args:
        replays: The legs, in order.
        baseline: What to compare with.
        progress: Called with frames done and frames in all.
    """
    findings = Findings()
    total = sum(len(replay.leg.stamps_ns) for replay in replays)
    done = 0
    for replay in replays:
        answers = read_answers(replay.outputs)
        chosen = still_stamps(answers, -(-STILLS // len(replays)))
        latencies = replay.traffic.latencies_ms()
        start_ns = replay.leg.stamps_ns[0]
        for frame in recorded_frames(replay.leg, skipped=findings.skipped):
            answer = answers.get(frame.stamp_ns)
            if answer is not None:
                latency = latencies.get(frame.stamp_ns)
                _score_frame(findings, frame, answer, baseline, latency, start_ns, chosen)
            done += 1
            progress(done, total)
    findings.stills = findings.stills[:STILLS]
    return findings


def still_stamps(answers: Mapping[int, Answer], count: int) -> set[int]:
    """Return the stamps of the frames to show in all views: spread, with saliency if possible."""
    stamps = [s for s, a in answers.items() if a.saliency is not None] or list(answers)
    # The middles of equal stretches: neither the very first frame nor the very last.
    places = [int((i + 0.5) * len(stamps) / count) for i in range(count)]
    return {stamps[place] for place in places} if stamps else set()


def _score_frame(
    findings: Findings,
    frame: SensorFrame,
    answer: Answer,
    baseline: RowBaseline,
    latency_ms: float | None,
    start_ns: int,
    chosen: set[int],
) -> None:
    truth_m = protocol_for(frame).ground_truth(frame)
    figures, depth_m = score_frame(frame, answer, truth_m, baseline)
    findings.frames_with_radar += bool(answer.radars)
    frame = with_used_radar(frame, answer)
    findings.frames.append(figures)
    findings.latencies_ms.append(latency_ms)
    for stage, time_ms in answer.stage_ms.items():
        findings.stages_ms.setdefault(stage, []).append(time_ms)
    camera = draw_radar(frame.image, frame.radar_raster(), CAP_M)
    depth = colorize_depth(depth_m, CAP_M)
    caption = caption_of(frame.stamp_ns - start_ns, latency_ms, figures.mae_m)
    findings.preview.append(PlayerFrame([small(camera), small(depth)], caption))
    if frame.stamp_ns in chosen:
        panels = _panels(frame, answer, camera, depth, depth_m)
        findings.stills.append(Still(f"frame_{len(findings.frames):04d}", panels))


def with_used_radar(frame: SensorFrame, answer: Answer) -> SensorFrame:
    """Return the frame with the radar that its depth was made with, so that no other is drawn."""
    if answer.radars is None:
        return frame
    return replace(frame, radar=tuple(s for s in frame.radar if s.name in (answer.radars or ())))


def caption_of(time_ns: int, latency_ms: float | None, mae_m: float | None) -> str:
    """Return what is said below a frame of the moving preview; times from the first frame."""
    latency = "" if latency_ms is None else f", {latency_ms:.0f} ms"
    error = "" if mae_m is None else f", MAE {mae_m:.2f} m"
    return f"{time_ns / 1e9:.2f} s{latency}{error}"


def small(image: RGBImage) -> bytes:
    """Return a picture as JPEG, at the size of the moving preview."""
    return jpeg(fit_width(image, _PREVIEW_WIDTH), _PREVIEW_QUALITY)


def _panels(
    frame: SensorFrame,
    answer: Answer,
    camera: RGBImage,
    depth: RGBImage,
    depth_m: NDArray[np.float32],
) -> list[Panel]:
    count = len(frame.radar_raster().pixels)
    source = "the exact depth" if frame.depth_m is not None else "the lidar"
    seen = (
        Panel("Camera and radar", f"{count} radar returns fall into this image.", camera)
        if frame.radar
        else Panel("Camera", "The depth node used no radar for this image.", camera)
    )
    panels = [
        seen,
        Panel("Depth", "What the depth node published for it, in metres.", depth),
    ]
    if answer.saliency is not None:
        text = "Grad-CAM of the mean depth: where the network looked; red counts most."
        panels.append(Panel("Saliency", text, answer.saliency))
    text = (
        f"Blue is too near, red too far: against {source}, where that is known and nearer than "
        f"{CAP_M:g} m."
    )
    error = frame_pictures(frame, depth_m, protocol_for(frame))["error"]
    panels.append(Panel("Error", text, error))
    return panels


def compose(findings: Findings, summary: Mapping[str, Any], period_s: float, title: str) -> Page:
    """Put the findings and the figures into words.

    Args:
        findings: Frames, scores and pictures.
        summary: Figures of ``figures.summarize``, with the details of ``cli/demo.py``.
        period_s: Time between two images of the drive, seconds.
        title: Headline.

    Raises:
        RecordingError: Not one image was answered.
    """
    if not findings.preview:
        raise RecordingError("the depth node answered none of the drive's images; see launch.log.")
    drive = summary["drive"]["text"]
    rate, fps = summary["play_rate"], summary["fps"]
    speed = "in real time" if rate == 1.0 else f"at {rate:g} of real time"
    lead = (
        f"{drive[0].upper()}{drive[1:]} was replayed {speed}: player, depth node and recorder are "
        f"processes of their own that talk over Fast DDS. {summary['frames_out']} of "
        f"{summary['frames_in']} images were answered with a dense depth map, in metres. "
        + radar_sentence(summary["radars"], summary["frames_with_radar"], summary["frames_out"])
    )
    truth = summary["truth"]
    latency = summary["latency_ms"]
    frame_ms = summary["benchmark"]["frame_ms"]
    pace = (
        "This machine holds real time, so the drive ran at its own speed."
        if rate == 1.0
        else f"A frame takes the model {frame_ms:.0f} ms on this machine, too long for the drive's "
        "own speed; the replay runs at the speed that was measured to hold beforehand."
    )
    waiting_ms = summary["stages_ms"].get("transforms", 0.0)
    waiting = (
        f" About {waiting_ms:.0f} ms of it is waiting for the car's next pose, which the slow "
        "replay delivers late."
        if rate < 1.0 and waiting_ms > 10
        else ""
    )
    figures = [
        (
            "Frames answered",
            f"{summary['frames_out']} of {summary['frames_in']}",
            "Images in the drive, and depth images received for them.",
        ),
        ("Mean absolute error", metres(summary["mae_m"]), f"Against {truth}, up to {CAP_M:g} m."),
        (
            "Plain baseline",
            metres(summary["mae_baseline_m"]),
            "The training data's median depth of each image row, laid where it fits this drive "
            "best. A model that has learnt something stays below.",
        ),
        (
            "Latency",
            f"{_number(latency['p50'], 0)} ms",
            "Half the depth images came within this time after their image was published; 95 % "
            f"within {_number(latency['p95'], 0)} ms. Wall clock, across processes.{waiting}",
        ),
        ("Play rate", f"{rate:g} x", pace),
        ("Depth images a second", f"{fps:.1f}", "As they arrived at the recorder, wall clock."),
    ]
    model = summary["model"]
    details = [
        ("Model", f"{model['model']}, {model['architecture']}, sha256 {model['sha256'][:12]}"),
        ("Weights", f"{model['parameters'] / 1e6:.2f} million; licence: {model['licence']}"),
        ("Trained on", summary["training_data"]),
        ("Computed on", f"{model['device']}, {model['backend']}, {model['precision']}"),
        ("Machine", summary["machine"]),
        (
            "Processes",
            ", ".join(f"{p['name']} (pid {p['pid']})" for p in summary["processes"]),
        ),
        ("Latency", f"from {latency['from']} to {latency['to']}"),
        (
            "Stages (median)",
            ", ".join(f"{name} {time_ms:.0f} ms" for name, time_ms in summary["stages_ms"].items()),
        ),
        ("Error", summary["protocol"]),
        ("Saliency", f"{summary['saliency_maps']} maps were computed beside the depth"),
        ("Files", "report.json, frames/*.png, outputs (rosbag2 of all that was published)"),
    ]
    errors = [
        Series("model", [f.mae_m for f in findings.frames]),
        Series("row median baseline", [f.mae_baseline_m for f in findings.frames]),
    ]
    latencies = [Series("published to received", findings.latencies_ms)]
    charts = [
        line_chart("Latency of each depth image", "ms", latencies),
        line_chart(f"Mean absolute error up to {CAP_M:g} m", "m", errors),
    ]
    views = [
        ("In", "camera image, and radar returns as dots coloured by depth"),
        ("Out", "metric depth, as received over DDS"),
    ]
    text = (
        "What went in, what came out, where the network looked, and how far off it is from "
        f"{truth}."
    )
    sections = [
        stills_section("Four views of a moment", text, findings.stills),
        Section("In figures", figures=figures),
        Section("Frame by frame", charts=charts),
        Section("How it was measured", tables=[Table(details)]),
    ]
    return Page(title, lead, sections, drive_player(views, findings.preview, 1000 * period_s))


def radar_sentence(radars: Sequence[str], used: int, answered: int) -> str:
    """Return in words how many of the answered images the radar was used for."""
    if not radars:
        return "The drive has no radar: this is depth from the image alone."
    if not used:
        return "The radar was not used for any of them: this is depth from the image alone."
    return f"The radar was used for {'all' if used >= answered else used} of them."


def metres(value: float | None) -> str:
    """Return a length for people."""
    return "unknown" if value is None else f"{value:.2f} m"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
