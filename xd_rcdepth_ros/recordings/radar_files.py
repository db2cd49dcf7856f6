# SPDX-License-Identifier: Apache-2.0
"""Radar sweeps from files as users have them: nuScenes PCD, Astyx text, CSV, NumPy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.errors import MessageError, RecordingError
from xd_rcdepth_ros.geometry import RadarPoints
from xd_rcdepth_ros.geometry.radar import RADAR_COLUMNS
from xd_rcdepth_ros.recordings.pcd import read_radar_pcd
from xd_rcdepth_ros.recordings.pointcloud import RadarFieldMap, radar_points

# Astyx folds range rates into one span of this width, m/s; the true value differs by multiples.
ASTYX_VELOCITY_SPAN_MPS = 10.39


def read_radar_file(path: str | Path, field_map: RadarFieldMap | None = None) -> RadarPoints:
    """Read one radar sweep by its suffix: ``.pcd``, ``.txt`` (Astyx), ``.csv`` or ``.npy``.

    ``.npy`` files of ZJU-4DRadarCam hold pixels instead: see :func:`read_radar_pixels`.

    Args:
        path: The file.
        field_map: Names of a PCD's or CSV's fields; None chooses by known names.

    Returns:
        The returns in the radar's frame (x forward, y left, z up).

    Raises:
        RecordingError: The file is missing, damaged, of another kind, or lacks a field.
    """
    path = Path(path)
    readers: dict[str, Callable[[], RadarPoints]] = {
        ".pcd": lambda: radar_points(read_radar_pcd(path), field_map),
        ".txt": lambda: read_astyx_radar(path),
        ".csv": lambda: read_csv_radar(path, field_map),
        ".npy": lambda: read_npy_radar(path),
    }
    if path.suffix.lower() not in readers:
        raise RecordingError(
            f"{path} is no radar file that can be read; expected {', '.join(readers)}."
        )
    try:
        return readers[path.suffix.lower()]()
    except MessageError as error:
        raise RecordingError(f"{path}: {error}") from error


def read_astyx_radar(path: str | Path) -> RadarPoints:
    """Read a radar file of Astyx HiRes2019: ``X Y Z V_r Mag``.

    Astyx's range rate is positive when approaching, and folded into -5.12 to 5.20 m/s. Here it
    becomes positive when receding, as everywhere else; it stays folded, as unfolding needs the
    car's speed: the true value is that plus whole multiples of ``ASTYX_VELOCITY_SPAN_MPS``.
    Magnitude, in dB, takes the place of the radar cross section.
    """
    table = read_table(path, ("X", "Y", "Z", "V_r", "Mag"))
    position = np.stack([table["X"], table["Y"], table["Z"]], axis=1)
    return RadarPoints.from_arrays(position, table["Mag"], -table["V_r"])


def read_csv_radar(path: str | Path, field_map: RadarFieldMap | None = None) -> RadarPoints:
    """Read a CSV file with a line of column names; commas, semicolons or tabs.

    Columns by the names in ``field_map``; without it ``x y z`` (m) or ``range azimuth elevation``
    (m, rad; azimuth to the left), and a strength and velocity by the names radar drivers use, as in
    ``RadarFieldMap.matching``. Range rates are positive when receding. Without z or elevation the
    points lie at the radar's height.
    """
    text = _text(path)
    names = text.partition("\n")[0]
    separator = next((s for s in (";", "\t", ",") if s in names), ",")
    table = _parse(text, separator, path)
    there = set(table.dtype.names or ())
    if field_map is None and {"range", "azimuth"} <= there and not {"x", "y"} <= there:
        table = _with_positions(table)
    return radar_points(table, field_map)


def read_npy_radar(path: str | Path) -> RadarPoints:
    """Read a NumPy file of (N, 3) to (N, 6), as ``RadarPoints.from_columns`` takes it."""
    what = "x y z, then rcs, then range rate or vx vy"
    return RadarPoints.from_columns(_load_numbers(path, RADAR_COLUMNS, what))


def read_radar_pixels(path: str | Path) -> NDArray[np.float64]:
    """Read a radar file of ZJU-4DRadarCam: (N, 3) float64 of u, v (pixels) and depth (metres).

    Raises:
        RecordingError: The file is missing, damaged, or holds something else.
    """
    return _load_numbers(path, (3,), "u, v, depth").astype(np.float64)


def _load_numbers(path: str | Path, columns: tuple[int, ...], what: str) -> NDArray[Any]:
    try:
        values = np.load(path, allow_pickle=False)
    except OSError as error:
        raise RecordingError(f"cannot read {path}: {error.strerror or error}.") from error
    except Exception as error:  # NumPy lets many kinds through on a damaged header
        raise RecordingError(
            f"cannot read {path}: it is no radar file of its kind: {error}."
        ) from error
    shape = getattr(values, "shape", type(values))
    if not isinstance(values, np.ndarray) or values.ndim != 2 or shape[1] not in columns:
        wanted = " or ".join(f"(N, {count})" for count in columns)
        raise RecordingError(
            f"{path} is no radar file of its kind: it holds {shape}; expected {wanted}: {what}."
        )
    if values.dtype.kind not in "fiu":
        raise RecordingError(f"{path} holds {values.dtype}; expected float64.")
    return values


def read_table(path: str | Path, columns: tuple[str, ...]) -> NDArray[np.void]:
    """Read a text file of numbers with a line of column names, separated by blanks.

    Args:
        path: The file; empty lines are skipped.
        columns: Names that must be there.

    Returns:
        (N,) structured array of float64.

    Raises:
        RecordingError: The file is missing, a column is, or a line does not fit.
    """
    table = _parse(_text(path), None, path)
    names = table.dtype.names or ()
    missing = [name for name in columns if name not in names]
    if missing:
        raise RecordingError(
            f"{path} has no column {', '.join(missing)}; it has {', '.join(names)}."
        )
    return table


def _text(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig").lstrip()
    except (OSError, UnicodeDecodeError) as error:
        raise RecordingError(f"cannot read {path}: {error}.") from error


def _parse(text: str, separator: str | None, path: str | Path) -> NDArray[np.void]:
    first, _, body = text.partition("\n")
    names = [name.strip().strip('"') for name in first.split(separator)]
    if not names or not all(names) or len(set(names)) < len(names):
        raise RecordingError(f"{path} begins with '{first[:80]}'; expected a line of column names.")
    lines = [line for line in body.splitlines() if line.strip()]
    wrong = next((line for line in lines if len(line.split(separator)) != len(names)), None)
    if wrong is not None:
        raise RecordingError(
            f"{path} has the line '{wrong[:80]}', whose number of values is not that of its "
            f"{len(names)} columns: {', '.join(names)}."
        )
    try:
        words = [word for line in lines for word in line.split(separator)]
        values = np.array(words, dtype=np.float64).reshape(-1, len(names))
    except ValueError as error:
        raise RecordingError(f"{path} holds something else than numbers: {error}.") from error
    table = np.empty(len(values), [(name, np.float64) for name in names])
    for number, name in enumerate(names):
        table[name] = values[:, number]
    return table


def _with_positions(table: NDArray[np.void]) -> NDArray[np.void]:
    names = table.dtype.names or ()
    elevation = table["elevation"] if "elevation" in names else np.zeros(len(table))
    distance, azimuth = table["range"], table["azimuth"]
    result = np.empty(len(table), [*table.dtype.descr, *((axis, "<f8") for axis in "xyz")])
    for name in names:
        result[name] = table[name]
    result["x"] = distance * np.cos(elevation) * np.cos(azimuth)
    result["y"] = distance * np.cos(elevation) * np.sin(azimuth)
    result["z"] = distance * np.sin(elevation)
    return result
