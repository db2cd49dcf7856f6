# SPDX-License-Identifier: Apache-2.0
"""Finds bags on disk, opens them, and reads what their writer said about them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from rosbags.highlevel import AnyReader

from xd_rcdepth_ros.errors import RecordingError, XDRCDepthError
from xd_rcdepth_ros.recordings import schema

_log = logging.getLogger(__name__)

STORAGE_FILES = (".mcap", ".db3")
NO_RADAR = "no radar topic, so these frames hold the image alone"
_ROS1_MAGIC = b"#ROSBAG V"


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever the bag library raises on a damaged bag into a RecordingError."""
    try:
        yield
    except (XDRCDepthError, KeyboardInterrupt):
        raise
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise RecordingError(
            f"the bag {path} cannot be read: {reason} If its recording was cut off, try "
            "`ros2 bag reindex`; else record or convert it again."
        ) from error


def open_bag(path: Path) -> AnyReader:
    """Open a bag folder or storage file.

    Raises:
        RecordingError: There is no bag, it is damaged, or it is one of ROS 1.
    """
    if not path.exists():
        raise RecordingError(f"there is no bag at {path}.")
    refuse_ros1(path)
    if path.is_dir() and not (path / "metadata.yaml").exists():
        raise RecordingError(
            f"{path} is no rosbag2 folder: it has no metadata.yaml. A recording that was killed "
            "lacks it too; `ros2 bag reindex` writes it."
        )
    with reading(path):
        reader = AnyReader([path], default_typestore=schema.typestore())
        reader.open()
    return reader


def refuse_ros1(path: Path) -> None:
    """Raise a RecordingError that names the remedy if a path is a ROS 1 bag, or holds only such."""
    files = [path] if path.is_file() else sorted(path.glob("*.bag"))
    if path.is_dir() and (path / "metadata.yaml").exists():
        return
    for file in files:
        with file.open("rb") as stream:
            if stream.read(len(_ROS1_MAGIC)) != _ROS1_MAGIC:
                continue
        raise RecordingError(
            f"{file} is a ROS 1 bag. Convert it to rosbag2: "
            f"`rosbags-convert --src {file} --dst {file.with_suffix('')} --dst-typestore "
            "ros2_humble` (the command comes with the Python package rosbags), and name the folder "
            "that it writes."
        )


def read_info(path: str | Path) -> dict[str, Any]:
    """Return what the writer remembered about a bag: source, split, tags, counts; {} if nothing.

    Args:
        path: Folder of the bag, or a storage file that stands alone.

    Raises:
        RecordingError: The folder is no bag, or its metadata is damaged.
    """
    path = Path(path)
    if path.is_file():
        return {}
    try:
        custom = _metadata(path).get("custom_data") or {}
        info = json.loads(custom.get(schema.INFO_KEY, "{}"))
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise RecordingError(f"{path} is no rosbag2 folder with sound metadata: {error}") from error
    if not isinstance(info, dict):
        raise RecordingError(f"{path} has {schema.INFO_KEY} data that are no JSON object.")
    return info


def find_recordings(
    path: str | Path, split: str | None = None, missing_ok: bool = False
) -> list[Path]:
    """Return the bags at or below a path, sorted by name.

    A storage file is a bag of its own where no ``metadata.yaml`` beside it lists it.

    Args:
        path: A bag, a storage file, or a folder that holds bags at any depth.
        split: Only bags whose writer said they belong to this split, such as ``val``.
        missing_ok: Return an empty list instead of raising when there is none.

    Raises:
        RecordingError: No such bag; the text names the splits that are there.
    """
    path = Path(path)
    bags = [_bag_of(path)] if path.is_file() else _bags_below(path)
    splits = {bag: read_info(bag).get("split") for bag in bags} if split else {}
    chosen = [bag for bag in bags if split is None or splits[bag] == split]
    if not chosen and not missing_ok:
        if path.is_dir() and not bags:
            for folder in (path, *sorted(p.parent for p in path.rglob("*.bag"))):
                refuse_ros1(folder)
        found = ", ".join(sorted({str(s) for s in splits.values() if s}))
        wanted = f" of split '{split}' (found: {found or 'none'})" if split else ""
        raise RecordingError(
            f"found no bag{wanted} at {path}, where {len(bags)} bags lie. "
            "Make one with `xd-rcdepth convert` or `xd-rcdepth simulate`."
        )
    return chosen


def _bag_of(file: Path) -> Path:
    """Return the folder of a storage file that is a whole bag, else the file alone."""
    refuse_ros1(file)
    if file.suffix not in STORAGE_FILES:
        raise RecordingError(
            f"{file} is no bag; expected a rosbag2 folder, or a file {' or '.join(STORAGE_FILES)}."
        )
    return file.parent if _listed_files(file.parent) == {file.name} else file


def _bags_below(folder: Path) -> list[Path]:
    folders = {file.parent for file in folder.rglob("metadata.yaml")}
    listed = {bag: _listed_files(bag) for bag in folders}
    files = (file for suffix in STORAGE_FILES for file in folder.rglob(f"*{suffix}"))
    # Where the metadata are damaged, the files beside them are taken for theirs.
    alone = {
        f
        for f in files
        if f.is_file()
        and f.name not in listed.get(f.parent, ())
        and (f.parent not in folders or listed[f.parent])
    }
    return sorted(
        bag for bag in folders | alone if not any(part.endswith(".partial") for part in bag.parts)
    )


def _listed_files(folder: Path) -> set[str]:
    """Return the names of the files that a bag folder's metadata lists; empty if unsound."""
    try:
        return {Path(name).name for name in _metadata(folder)["relative_file_paths"]}
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError):
        return set()


def _metadata(folder: Path) -> dict[str, Any]:
    text = (folder / "metadata.yaml").read_text(encoding="utf8")
    return dict(yaml.safe_load(text)["rosbag2_bagfile_information"])


def warn_of_lack(source: str | Path, bags: Sequence[Path], lack: str) -> None:
    """Log, once for a source of bags, what some of them lack; nothing if there are none.

    Args:
        source: The folder or bag that was asked for.
        bags: Those that lack it.
        lack: What they lack, and what follows from it, as in "no radar topic, so ...".
    """
    if bags:
        _log.warning("%s: %s: %s", source, lack, ", ".join(bag.name for bag in bags))
