# SPDX-License-Identifier: Apache-2.0
"""Runs predictors over frames and keeps their scores: by cap, range, radar support and tag."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple
from typing import Protocol as TypingProtocol

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree

from xd_rcdepth_ros.errors import RecordingError, XDRCDepthError
from xd_rcdepth_ros.evaluation.calibration import Calibration
from xd_rcdepth_ros.evaluation.error_map import ErrorMap
from xd_rcdepth_ros.evaluation.metrics import DepthErrors
from xd_rcdepth_ros.evaluation.prefetch import read_ahead
from xd_rcdepth_ros.evaluation.protocol import Protocol
from xd_rcdepth_ros.evaluation.sky import SkyScore
from xd_rcdepth_ros.geometry import SensorFrame
from xd_rcdepth_ros.supervision.interpolation import interpolate_gaps


class Prediction(NamedTuple):
    """What is said of a frame, at the image's own resolution.

    Attributes:
        depth_m: (H, W) float32, metres along the optical axis.
        error: (H, W) float32, expected error as a share of the depth; None if it is not said.
    """

    depth_m: NDArray[np.float32]
    error: NDArray[np.float32] | None = None


Predictor = Callable[[SensorFrame], Prediction]

# Of one frame: truth, distance to the nearest radar return, truth between the points.
_Maps = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]

RANGE_STEP_M = 10.0
SUPPORT_EDGES_PX = (0.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, np.inf)
WEATHER_TAGS = frozenset({"night", "rain", "fog"})
_DENSE_SHARE = 0.3  # truth at more of the pixels than this has no gaps between its points
CLEAR_TAG = "none of night, rain, fog"


class FrameSource(TypingProtocol):
    """Frames by number; a list of frames is one."""

    def __len__(self) -> int:
        """Return the number of frames."""

    def __getitem__(self, index: int, /) -> SensorFrame:
        """Return one frame."""


def distance_to_radar(frame: SensorFrame, where: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return how far pixels lie from the nearest radar return in the image.

    Args:
        frame: Image and radar.
        where: (H, W), pixels to answer for.

    Returns:
        (H, W) float32, pixels; Inf where no return falls into the image, and outside ``where``.
    """
    distance = np.full(where.shape, np.inf, np.float32)
    returns = frame.radar_raster().pixels
    if len(returns):
        rows, columns = np.nonzero(where)
        distance[where] = cKDTree(returns).query(np.column_stack([columns, rows]))[0]
    return distance


def truth_between(truth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return truth between the points of a sparse sweep, interpolated where it is safe.

    A network that has only seen one lidar's scan lines can be right on them and wrong between them,
    and figures on the same lines cannot tell. Triangles between points, no larger than a tenth of
    the image's height and without a jump in depth, are filled linearly in 1 / depth, in which
    planes are linear; pixels within 2 of a point are left out.

    Args:
        truth: (H, W), metres, NaN where unknown.

    Returns:
        (H, W) float32, NaN where unknown; all NaN if the truth is dense.
    """
    known = np.isfinite(truth)
    nothing = np.full(truth.shape, np.nan, np.float32)
    if not known.any() or known.mean() > _DENSE_SHARE:
        return nothing
    filled = interpolate_gaps(truth, max_gap_px=truth.shape[0] / 10, max_jump_share=0.35)
    filled[distance_transform_edt(~known) <= 2] = np.nan
    return filled


@dataclass(frozen=True)
class FrameScore:
    """The score of one frame at the protocol's main cap.

    Attributes:
        index: Number of the frame in its source.
        name: Where the frame came from.
        mae_m: Mean absolute error, metres; None without ground truth.
        rmse_m: Root mean square error, metres; None without ground truth.
        pixels: Number of scored pixels.
        tags: The frame's tags, sorted.
    """

    index: int
    name: str
    mae_m: float | None
    rmse_m: float | None
    pixels: int
    tags: tuple[str, ...]


class ScoreCard:
    """All figures of one predictor."""

    def __init__(self, protocol: Protocol) -> None:
        self.protocol = protocol
        self.frames: list[FrameScore] = []
        self._caps = {cap: self._errors(cap) for cap in protocol.caps_m}
        self._range_edges = [*np.arange(0, protocol.main_cap_m, RANGE_STEP_M), protocol.main_cap_m]
        self._ranges = [self._errors() for _ in pairwise(self._range_edges)]
        self._supports = [self._errors() for _ in pairwise(SUPPORT_EDGES_PX)]
        self._without_radar = self._errors()
        self._between = self._errors()
        self._calibration = Calibration()
        self._sky = SkyScore()
        self._tags: dict[str, DepthErrors] = {}

    def _errors(self, cap_m: float | None = None) -> DepthErrors:
        return DepthErrors(cap_m or self.protocol.main_cap_m, self.protocol.clamp)

    def add(
        self,
        index: int,
        frame: SensorFrame,
        prediction: NDArray[np.float32],
        truth: NDArray[np.float32],
        distance_px: NDArray[np.float32],
        between: NDArray[np.float32],
        expected: NDArray[np.float32] | None = None,
    ) -> FrameScore:
        """Score one frame.

        Args:
            index: Number of the frame in its source.
            frame: The frame.
            prediction: (H, W), metres.
            truth: (H, W), metres, NaN where unknown.
            distance_px: (H, W), distance to the nearest radar return, Inf where there is none.
            between: (H, W), truth between the points, see :func:`truth_between`.
            expected: (H, W), the error that the model expects, as a share of its depth.
        """
        top, clamp = self.protocol.main_cap_m, self.protocol.clamp
        p, g = torch.from_numpy(prediction), torch.from_numpy(truth)
        errors = ErrorMap(p, g, top, clamp)
        total = errors.total()
        if expected is not None:
            where = errors.where.numpy()
            self._calibration.add(errors.terms[0].numpy(), (expected * prediction)[where])
        for cap, kept in self._caps.items():
            kept.add(total if cap == top else errors.below(cap))
        for kept, sums in zip(self._ranges, errors.by(g, self._range_edges), strict=True):
            kept.add(sums)
        if np.isinf(distance_px).all():
            self._without_radar.add(total)
        else:
            near = errors.by(torch.from_numpy(distance_px), SUPPORT_EDGES_PX)
            for kept, sums in zip(self._supports, near, strict=True):
                kept.add(sums)
        for tag in [*frame.tags] if frame.tags & WEATHER_TAGS else [*frame.tags, CLEAR_TAG]:
            self._tags.setdefault(tag, self._errors()).add(total)
        self._between.add(ErrorMap(p, torch.from_numpy(between), top, clamp).total())
        self._sky.update(prediction, frame.sky)
        figures = total.figures()
        score = FrameScore(
            index,
            frame.name or f"frame {index}",
            figures["mae_m"],
            figures["rmse_m"],
            total.pixels,
            tuple(sorted(frame.tags)),
        )
        self.frames.append(score)
        return score

    def mae_m(self) -> float | None:
        """Return the mean absolute error at the main cap, averaged over frames, metres."""
        return self._caps[self.protocol.main_cap_m].figures()["mae_m"]

    def to_json(self) -> dict[str, Any]:
        """Return every figure; None where nothing could be scored."""

        def entry(errors: DepthErrors, averaging: str, **more: Any) -> dict[str, Any]:
            return {**more, **errors.figures(averaging), **errors.counts()}

        ranges = [
            entry(errors, "pixel", from_m=low, to_m=high)
            for (low, high), errors in zip(pairwise(self._range_edges), self._ranges, strict=True)
        ]
        supports = [
            entry(errors, "pixel", from_px=low, to_px=None if np.isinf(high) else high)
            for (low, high), errors in zip(pairwise(SUPPORT_EDGES_PX), self._supports, strict=True)
        ]
        return {
            "caps": {f"{cap:g}": e.figures("image") for cap, e in self._caps.items()},
            "pixel_pooled": {f"{cap:g}": e.figures("pixel") for cap, e in self._caps.items()},
            "counts": {f"{cap:g}": e.counts() for cap, e in self._caps.items()},
            "by_range": ranges,
            "by_radar_distance": supports,
            "between_points": entry(self._between, "pixel"),
            "calibration": self._calibration.figures(),
            "sky": self._sky.to_json(),
            "without_radar": entry(self._without_radar, "pixel"),
            "by_tag": {tag: entry(e, "image") for tag, e in sorted(self._tags.items())},
            "per_frame": [asdict(score) for score in self.frames],
        }


@dataclass
class Evaluation:
    """What came out of :func:`evaluate`.

    Attributes:
        protocol: How it was scored.
        cards: Scores by predictor, the model first.
        skipped: Why a frame could not be used, by its number.
        frames_without_radar: Frames scored without a radar sweep, which none was near enough for.
    """

    protocol: Protocol
    cards: dict[str, ScoreCard]
    skipped: dict[int, str] = field(default_factory=dict)
    frames_without_radar: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the figures: the first predictor's on top, the others' under ``baselines``."""
        first, *others = self.cards
        card = self.cards[first]
        baselines = {name: self.cards[name].to_json() for name in others}
        for figures in baselines.values():
            figures.pop("per_frame")
        return {
            "frames": len(card.frames),
            "protocol": self.protocol.statement(),
            **card.to_json(),
            "skipped": {str(index): reason for index, reason in self.skipped.items()},
            "frames_without_radar": self.frames_without_radar,
            "baselines": baselines,
        }


def usable_frames(
    source: FrameSource, skipped: dict[int, str], every: int = 1
) -> Iterator[tuple[int, SensorFrame]]:
    """Yield (number, frame); frames that cannot be read are booked in ``skipped``.

    Raises:
        RecordingError: There are no frames, or none could be read.
    """
    numbers = range(0, len(source), every)
    for index in numbers:
        try:
            frame = source[index]
        except XDRCDepthError as error:
            skipped[index] = str(error)
            continue
        yield index, frame
    if len(skipped) >= len(numbers):
        reason = f" The first: {next(iter(skipped.values()))}" if skipped else ""
        raise RecordingError(f"of {len(numbers)} frames none could be used for evaluation.{reason}")


def evaluate(
    source: FrameSource,
    predictors: Mapping[str, Predictor],
    protocol: Protocol | None = None,
    every: int = 1,
    on_frame: Callable[[], None] | None = None,
) -> Evaluation:
    """Score predictors on frames.

    Args:
        source: Frames by number.
        predictors: By name; the first is the one that the result is about.
        protocol: How to score; the CaFNet family's rule by default.
        every: Use only every n-th frame.
        on_frame: Called after each frame, for a progress display.

    Raises:
        RecordingError: No frame could be used.
    """
    protocol = protocol or Protocol()
    evaluation = Evaluation(protocol, {name: ScoreCard(protocol) for name in predictors})

    def prepared() -> Iterator[tuple[int, SensorFrame, _Maps]]:
        for index, frame in usable_frames(source, evaluation.skipped, every):
            truth = protocol.ground_truth(frame)
            near = distance_to_radar(frame, np.isfinite(truth))
            yield index, frame, (truth, near, truth_between(truth))

    for index, frame, maps in read_ahead(prepared()):
        evaluation.frames_without_radar += not frame.radar
        for name, predict in predictors.items():
            depth, expected = predict(frame)
            evaluation.cards[name].add(index, frame, depth, *maps, expected)
        if on_frame is not None:
            on_frame()
    return evaluation


def pick_examples(scores: Sequence[FrameScore], count: int = 3) -> dict[str, list[FrameScore]]:
    """Return the worst, median and best frames by mean absolute error, each frame once.

    Frames that follow each other look alike, so those near to one that is already taken are passed
    over.
    """
    ranked = sorted((s for s in scores if s.mae_m is not None), key=lambda s: -(s.mae_m or 0))
    count = min(count, len(ranked) // 3) or min(1, len(ranked))
    middle = sorted(range(len(ranked)), key=lambda i: abs(i - (len(ranked) - 1) / 2))
    orders = {
        "worst": ranked,
        "median": [ranked[i] for i in middle],
        "best": ranked[::-1],
    }
    gap = max(1, len(ranked) // 20)
    taken: list[int] = []
    chosen: dict[str, list[FrameScore]] = {}
    for name, order in orders.items():
        chosen[name] = []
        for score in order:
            if len(chosen[name]) == count:
                break
            if all(abs(score.index - other) >= gap for other in taken):
                chosen[name].append(score)
                taken.append(score.index)
    return chosen
