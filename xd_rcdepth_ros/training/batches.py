# SPDX-License-Identifier: Apache-2.0
"""From frames to batches. Which samples step n sees, and how they are varied, depends on n alone.

So a run that is resumed at any step sees what it would have seen, whatever the number of worker
processes; and several processes together see what one would.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from xd_rcdepth_ros.geometry import NOT_SKY, NetworkGrid, SensorFrame, merge_sky, sky_of_depth
from xd_rcdepth_ros.training.augmentation import AugmentationConfig, augment
from xd_rcdepth_ros.training.source import Frames


class Draw(NamedTuple):
    """One sample of one step.

    Attributes:
        source: Number of the source.
        frame: Number of the frame in it.
        seed: Of its variant.
        variant: Name of the variant if it is one of a fixed number, else -1.
    """

    source: int
    frame: int
    seed: int
    variant: int = -1


class Batch(NamedTuple):
    """Samples, stacked.

    Attributes:
        image: (B, 3, H, W) float in [0, 1].
        radar: (B, 4, H, W) float raster.
        single_m: (B, 1, H, W) depth of the lidar sweep, metres, NaN where unknown.
        dense_m: (B, 1, H, W) dense depth, metres, NaN where unknown.
        sky: (B, 1, H, W) 1 where there is sky or nothing within range, 0 where there is something,
            NaN where unknown.
        exact: (B,) bool, the samples whose dense depth is exact also at edges.
        keys: (B, 3) source, frame and variant of each sample; variant -1: made only once.
    """

    image: Tensor
    radar: Tensor
    single_m: Tensor
    dense_m: Tensor
    sky: Tensor
    exact: Tensor
    keys: Tensor


class StepSampler(Sampler[list[Draw]]):
    """The samples of each step of a run, from a given step on.

    Each source is passed through in an order of its own, anew in each pass; ``share`` says how
    often it is drawn from. ``len`` is that of the whole run, so that a resumed one counts on.

    Args:
        lengths: Number of frames of each source.
        shares: Relative share of each source.
        batch_size: Samples a step, over all processes.
        steps: Steps of the run.
        seed: Of order and variants.
        variants: Number of fixed variants of each frame; 0 makes a new one each time.
        start: First step that is drawn.
        rank: Number of this process.
        world: Number of processes; each takes every ``world``-th sample of a step.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        shares: Sequence[float],
        batch_size: int,
        steps: int,
        seed: int,
        variants: int = 0,
        start: int = 0,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.lengths = tuple(lengths)
        self.shares = np.asarray(shares, float) / sum(shares)
        self.batch_size, self.steps, self.seed = batch_size, steps, seed
        self.variants, self.start, self.rank, self.world = variants, start, rank, world
        self._order = lru_cache(maxsize=2 * len(lengths))(self._new_order)

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[list[Draw]]:
        taken = [0] * len(self.lengths)
        for step in range(self.steps):
            draws = self._step(step, taken)
            if step >= self.start:
                yield draws[self.rank :: self.world]

    def _step(self, step: int, taken: list[int]) -> list[Draw]:
        rng = np.random.default_rng((self.seed, 1, step))
        draws = []
        for source in rng.choice(len(self.lengths), self.batch_size, p=self.shares):
            turn, place = divmod(taken[source], self.lengths[source])
            taken[source] += 1
            frame = int(self._order(int(source), turn)[place])
            seed = int(rng.integers(2**31))
            variant = -1
            if self.variants:
                # The same for every run, whatever its seed, so that runs share what is kept.
                variant = turn % self.variants
                seed = int(np.random.default_rng((frame, variant)).integers(2**31))
            draws.append(Draw(int(source), frame, seed, variant))
        return draws

    def _new_order(self, source: int, turn: int) -> np.ndarray:
        return np.random.default_rng((self.seed, 2, source, turn)).permutation(self.lengths[source])


@dataclass
class Samples(Dataset[Batch]):
    """Training samples by :class:`Draw`.

    Attributes:
        sources: Frames of each source.
        size: (height, width) of the grid, pixels.
        augmentation: What is varied.
        zero_radar: Leave the radar out.
    """

    sources: Sequence[Frames]
    size: tuple[int, int]
    augmentation: AugmentationConfig
    zero_radar: bool = False

    def __getitem__(self, draw: Draw, /) -> Batch:
        """Return one sample, without the batch dimension."""
        rng = np.random.default_rng(draw.seed)
        key = (draw.source, draw.frame, draw.variant)
        sample = self._vary(draw.source, draw.frame, key, rng)
        if rng.random() >= self.augmentation.join:
            return sample
        other = int(rng.integers(len(self.sources[draw.source])))
        column = int(rng.integers(1, self.size[1]))
        return join(sample, self._vary(draw.source, other, key, rng), column)

    def _vary(
        self, source: int, number: int, key: tuple[int, int, int], rng: np.random.Generator
    ) -> Batch:
        frame = augment(
            self.sources[source].with_radar(number, rng), self.size, self.augmentation, rng
        )
        return to_tensors(frame, key, self.zero_radar, self.sources[source].exact)


@dataclass
class ValidationSamples(Dataset[Batch]):
    """Validation samples by number: as they are in live use, each on its camera's own grid.

    Attributes:
        sources: Frames of each source.
        focal_length_px: Focal length of the training.
        zero_radar: Leave the radar out.
    """

    sources: Sequence[Frames]
    focal_length_px: float
    zero_radar: bool = False

    def __len__(self) -> int:
        return sum(map(len, self.sources))

    def __getitem__(self, index: int, /) -> Batch:
        """Return one sample, without the batch dimension."""
        number = index
        for source, frames in enumerate(self.sources):
            if number < len(frames):
                frame = frames.with_radar(number, np.random.default_rng(index))
                grid = NetworkGrid.for_camera(frame.camera, self.focal_length_px)
                return to_tensors(grid.place(frame), (source, number, -1), self.zero_radar)
            number -= len(frames)
        raise IndexError(f"sample {index} of {len(self)}")


def to_tensors(
    frame: SensorFrame,
    key: tuple[int, int, int],
    zero_radar: bool = False,
    exact: bool = False,
) -> Batch:
    """Return a frame on the grid as tensors (3 | 4 | 1 | 1 | 1, H, W), and its key (3,)."""
    radar = torch.from_numpy(frame.radar_raster().channels)
    dense = frame.depth_m
    if dense is None:
        dense = np.full(frame.image.shape[:2], np.nan, np.float32)
    single = frame.lidar_depth()
    # Depth that no network here can say is no goal: it counts as nothing within range.
    beyond = [sky_of_depth(depth) for depth in (dense, single)]
    dense, single = (
        np.where(mask == NOT_SKY, depth, np.float32(np.nan))
        for depth, mask in zip((dense, single), beyond, strict=True)
    )
    drawn = () if frame.sky is None else (frame.sky,)
    sky = merge_sky(beyond[0], *drawn, beyond[1])
    return Batch(
        torch.from_numpy(np.ascontiguousarray(frame.image.transpose(2, 0, 1))).float() / 255,
        torch.zeros_like(radar) if zero_radar else radar,
        torch.from_numpy(single)[None],
        torch.from_numpy(dense)[None],
        torch.from_numpy(sky)[None],
        torch.tensor(exact),
        torch.tensor(key),
    )


def join(left: Batch, right: Batch, column: int) -> Batch:
    """Return a sample that is ``left`` up to a column and ``right`` from there on; left's key.

    Image, radar and depth are joined at the same column, so what is measured stays with what is
    seen (CutMix, https://arxiv.org/abs/1905.04899, with one straight cut).
    """
    maps = ("image", "radar", "single_m", "dense_m", "sky")
    pairs = {name: (getattr(left, name), getattr(right, name)) for name in maps}
    return left._replace(
        **{
            name: torch.cat((a[..., :column], b[..., column:]), dim=-1)
            for name, (a, b) in pairs.items()
        }
    )


def collate(samples: Sequence[Batch]) -> Batch:
    """Stack samples into a batch."""
    return Batch(*(torch.stack(parts) for parts in zip(*samples, strict=True)))
