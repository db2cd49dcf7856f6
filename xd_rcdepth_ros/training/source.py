# SPDX-License-Identifier: Apache-2.0
"""What a training run is told about the bags that it learns from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.geometry import SensorFrame
from xd_rcdepth_ros.supervision.lidar_depth import SupervisionSettings
from xd_rcdepth_ros.supervision.lidar_radar import RADAR_KINDS
from xd_rcdepth_ros.supervision.sky import SkyLabelSettings


def require(holds: bool, key: str, value: object, expected: str) -> None:
    """Raise a ConfigurationError that names the key unless the condition holds."""
    if not holds:
        raise ConfigurationError(f"{key} is {value!r}; expected {expected}.")


@dataclass(frozen=True)
class SourceConfig:
    """Bags to learn from.

    Attributes:
        path: A bag, or a folder that holds bags at any depth.
        split: Only bags of this split; None takes all.
        part: Shares of each bag, from and to, in the order of time: (0, 0.8) takes the first four
            fifths of its frames.
        share: Share of the batches' samples drawn from here, relative to the other sources.
        dense: Where dense depth comes from: ``auto`` (the bag's own reference depth, else lidar),
            ``depth``, ``lidar`` or ``none``.
        lidar: False leaves the lidar sweep out too: frames that only a teacher can speak for.
        sweeps: Sweeps of each radar.
        keyframes_only: Only frames marked as keyframes.
        radar: ``recorded``, or made from the frame's lidar anew for each sample: ``sparse``,
            ``imaging`` or ``mixed`` (either).
        topics: Topics of bags with other names: ``image=/cam/image,radar.front=/ars/points,...``.
        radar_fields: Fields of their radar clouds: ``rcs=power,radial_speed=doppler,...``.
        supervision: How lidar becomes dense depth.
        sky_model: Model file whose head tells the sky: where it is sure and no lidar point speaks
            against it, frames with lidar learn the sky from it. None for no such labels.
        sky_labels: When a pixel is told to be sky by ``sky_model``.
    """

    path: str
    split: str | None = None
    part: tuple[float, float] = (0.0, 1.0)
    share: float = 1.0
    dense: str = "auto"
    lidar: bool = True
    sweeps: int = 1
    keyframes_only: bool = False
    radar: str = "recorded"
    topics: str = ""
    radar_fields: str = ""
    supervision: SupervisionSettings = field(default_factory=SupervisionSettings)
    sky_model: str | None = None
    sky_labels: SkyLabelSettings = field(default_factory=SkyLabelSettings)

    def __post_init__(self) -> None:
        require(self.share > 0, "source share", self.share, "more than 0")
        first, last = self.part
        require(0 <= first < last <= 1, "source part", self.part, "two ascending shares, 0 to 1")
        require(self.sweeps >= 1, "source sweeps", self.sweeps, "1 or more")
        kinds = ("auto", "depth", "lidar", "none")
        require(self.dense in kinds, "source dense", self.dense, f"one of {kinds}")
        radars = ("recorded", *RADAR_KINDS)
        require(self.radar in radars, "source radar", self.radar, f"one of {radars}")
        made = self.radar != "recorded"
        require(self.lidar or not made, "source radar", self.radar, "'recorded' without lidar")


class Frames(Protocol):
    """Frames of one source by number, ready to learn from: those of bags, or of a pack."""

    source: SourceConfig
    focal_length_px: float

    @property
    def exact(self) -> bool:
        """True if dense depth is exact also at edges."""

    @property
    def paths(self) -> list[Path]:
        """Return where the frames lie on disk."""

    def __enter__(self) -> Frames:
        """Open."""

    def __exit__(self, *exception: object) -> None:
        """Close."""

    def __len__(self) -> int:
        """Return the number of frames."""

    def __getitem__(self, index: int, /) -> SensorFrame:
        """Return one frame."""

    def with_radar(self, index: int, rng: np.random.Generator) -> SensorFrame:
        """Return one frame with radar as the source says: as recorded, or made from its lidar."""

    def prepare(self, on_frame: Callable[[int, int], None] | None = None) -> dict[int, str]:
        """Make what is not on disk yet; return why frames were left out, by their number."""
