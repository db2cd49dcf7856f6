# SPDX-License-Identifier: Apache-2.0
"""Pack the training frames of a run into a few small files, to train on a machine without the bags.

    python experiments/road/pack.py experiments/road/student.yaml out/road/packed --megabytes 33

Writes <folder>/<number>.frames.zip for each source and the run's own file, which names these
instead of the bags; files beside it with ``base: <its name>`` are copied, to train on the pack too.
Each source gets room by its share of the samples; what it cannot fill is the others'. Where there
is no room for all frames, every n-th one is taken.
"""

from __future__ import annotations

import argparse
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rich.progress import track

from xd_rcdepth_ros.training.config import RunConfig, read_config
from xd_rcdepth_ros.training.frames import TrainingFrames
from xd_rcdepth_ros.training.packed import SUFFIX, pack_frames
from xd_rcdepth_ros.training.source import SourceConfig

SAMPLE = 4  # frames that tell how large one is
VALIDATION = 0.1  # share of the room for the frames that choose the best


@dataclass
class Part:
    """A source, how large one of its frames is, and its part of the room."""

    source: SourceConfig
    frames: TrainingFrames
    bytes_a_frame: float
    share: float
    stride: int = 1


def measure(config: RunConfig, source: SourceConfig, share: float, scratch: Path) -> Part:
    """Open a source, and pack a few of its frames to see how large they are."""
    cache = Path(config.cache or Path(config.output) / "cache")
    frames = TrainingFrames(source, config.camera, config.focal_length_px, cache, 100)
    places = frames.places
    frames.places = places[:: max(1, len(places) // SAMPLE)]
    frames.prepare()
    size = pack_frames(frames, scratch) / len(frames)
    scratch.unlink()
    frames.places = places
    return Part(source, frames, size, share)


def give_room(parts: list[Part], room_bytes: float) -> None:
    """Set each part's stride so that all fit: by shares, the easily satisfied first."""
    left = sum(part.share for part in parts)
    for part in sorted(parts, key=lambda p: p.bytes_a_frame * len(p.frames) / p.share):
        quota = room_bytes * part.share / left
        wanted = part.bytes_a_frame * len(part.frames)
        part.stride = max(1, -int(-wanted // quota))
        room_bytes -= wanted / part.stride
        left -= part.share


def write_pack(part: Part, file: Path) -> dict[str, Any]:
    """Write a part, and return its source as the packed run's file has it."""
    part.frames.places = part.frames.places[:: part.stride]
    with part.frames as frames:
        frames.prepare()
        size = pack_frames(frames, file)
    print(f"{file.name}: {len(frames)} frames of {part.source.path}, {size / 1e6:.1f} MB")
    return {"path": str(file), "share": part.source.share, "radar": part.source.radar}


def main() -> None:
    """Pack all sources of a run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--megabytes", type=float, default=33.0, help="room for all files")
    args = parser.parse_args()
    config = read_config(args.config)
    values = {"base": os.path.relpath(args.config, args.folder), "cache": None}
    number = 0
    for key, share in (("train", 1 - VALIDATION), ("validation", VALIDATION)):
        scratch = args.folder / f"sample{SUFFIX}"
        parts = [
            measure(config, source, source.share, scratch)
            for source in track(getattr(config, key), f"measuring {key}")
        ]
        give_room(parts, args.megabytes * 1e6 * share)
        values[key] = []
        for part in parts:
            values[key].append(write_pack(part, args.folder / f"{number:02}{SUFFIX}"))
            number += 1
    (args.folder / args.config.name).write_text(yaml.safe_dump(values, sort_keys=False))
    for other in args.config.parent.glob("*.yaml"):
        if yaml.safe_load(other.read_text()).get("base") == args.config.name:
            shutil.copy(other, args.folder)


if __name__ == "__main__":
    main()
