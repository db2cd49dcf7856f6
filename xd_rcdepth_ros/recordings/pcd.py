# SPDX-License-Identifier: Apache-2.0
"""Reads and writes point cloud files in the PCD 0.7 format, binary and ascii.

Format: https://pointclouds.org/documentation/tutorials/pcd_file_format.html
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.errors import RecordingError

_KEYS = ("VERSION", "FIELDS", "SIZE", "TYPE", "COUNT", "WIDTH", "HEIGHT", "VIEWPOINT", "POINTS")
_CODES = {"F": "f", "I": "i", "U": "u"}
_SIZES = {"F": (4, 8), "I": (1, 2, 4, 8), "U": (1, 2, 4, 8)}
_MAX_HEADER = 65536  # bytes; a header is some hundred


def read_pcd(path: str | Path) -> NDArray[np.void]:
    """Read a PCD file.

    Args:
        path: The file.

    Returns:
        (N,) structured array with the file's field names.

    Raises:
        RecordingError: The file is missing, cut off, or no PCD 0.7 in binary or ascii.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise RecordingError(f"cannot read {path}: {error.strerror or error}.") from error
    try:
        return parse_pcd(data)
    except RecordingError as error:
        raise RecordingError(f"{path}: {error}") from error


def parse_pcd(data: bytes) -> NDArray[np.void]:
    """Read the bytes of a PCD file; see ``read_pcd``."""
    header, body = _split(data)
    count = _points(header)
    dtype = _dtype(header)
    if header["DATA"] == ["binary"]:
        needed = count * dtype.itemsize
        if len(body) < needed:
            raise RecordingError(
                f"PCD of {count} points of {dtype.itemsize} bytes needs {needed} bytes after the "
                f"header, but has {len(body)}: the file is cut off."
            )
        return np.frombuffer(body, dtype, count).copy()
    if header["DATA"] == ["ascii"]:
        return _ascii(body, count, dtype)
    raise RecordingError(
        f"PCD data are '{' '.join(header['DATA'])}'; expected binary or ascii. Convert the file, "
        "for example with pcl_convert_pcd_ascii_binary."
    )


def encode_pcd(points: NDArray[np.void]) -> bytes:
    """Return a structured array (one value a field) as the bytes of a binary PCD 0.7 file.

    Raises:
        RecordingError: A field has a type that PCD does not know.
    """
    names = points.dtype.names
    if not names:
        raise RecordingError(f"a PCD needs named fields; got an array of {points.dtype}.")
    packed = np.empty(len(points), [(name, points.dtype[name].newbyteorder("<")) for name in names])
    for name in names:
        packed[name] = points[name]
    kinds = [points.dtype[name].kind.upper() for name in names]
    sizes = [points.dtype[name].itemsize for name in names]
    wrong = [n for n, k, s in zip(names, kinds, sizes, strict=True) if s not in _SIZES.get(k, ())]
    if wrong:
        raise RecordingError(f"PCD has no type for field '{wrong[0]}' ({points.dtype[wrong[0]]}).")
    lines = [
        "# .PCD v0.7 - Point Cloud Data file format",
        "VERSION 0.7",
        f"FIELDS {' '.join(names)}",
        f"SIZE {' '.join(map(str, sizes))}",
        f"TYPE {' '.join(kinds)}",
        f"COUNT {' '.join('1' for _ in names)}",
        f"WIDTH {len(points)}",
        "HEIGHT 1",
        "VIEWPOINT 0 0 0 1 0 0 0",
        f"POINTS {len(points)}",
        "DATA binary",
    ]
    # PCL ends binary files with a line break too, and the nuScenes devkit insists on it.
    return ("\n".join(lines) + "\n").encode() + packed.tobytes() + b"\n"


def _split(data: bytes) -> tuple[dict[str, list[str]], bytes]:
    """Return the header's words by key, and what follows the header."""
    header: dict[str, list[str]] = {}
    position = 0
    while "DATA" not in header:
        end = data.find(b"\n", position, _MAX_HEADER)
        if end < 0:
            raise RecordingError(
                f"no PCD header in the first {min(len(data), _MAX_HEADER)} bytes (it ends with a "
                "DATA line); expected a PCD 0.7 file."
            )
        try:
            line = data[position:end].decode("ascii").split("#", 1)[0].split()
        except UnicodeDecodeError:
            raise RecordingError("the PCD header is not ASCII text; the file is damaged.") from None
        position = end + 1
        if not line:
            continue
        if line[0] not in (*_KEYS, "DATA") or line[0] in header:
            raise RecordingError(f"PCD header line '{' '.join(line)[:80]}' is unknown or repeated.")
        header[line[0]] = line[1:]
    missing = [key for key in ("FIELDS", "SIZE", "TYPE") if not header.get(key)]
    if missing:
        raise RecordingError(f"the PCD header lacks {', '.join(missing)}.")
    version = header.get("VERSION", ["0.7"])
    if version not in (["0.7"], [".7"]):
        raise RecordingError(f"PCD version is '{' '.join(version)}'; expected 0.7.")
    return header, data[position:]


def _whole_numbers(header: dict[str, list[str]], key: str, words: list[str]) -> list[int]:
    # isdecimal() also takes the digits of other scripts, but the header is ASCII by now.
    if not all(word.isdecimal() and len(word) < 10 for word in words):
        raise RecordingError(f"PCD header {key} is '{' '.join(words)}'; expected whole numbers.")
    return [int(word) for word in words]


def _points(header: dict[str, list[str]]) -> int:
    given = {
        key: _whole_numbers(header, key, header[key])
        for key in ("WIDTH", "HEIGHT", "POINTS")
        if key in header
    }
    if any(len(numbers) != 1 for numbers in given.values()):
        raise RecordingError(f"PCD header sizes are {given}; expected one number each.")
    if "POINTS" not in given and "WIDTH" not in given:
        raise RecordingError("the PCD header says neither POINTS nor WIDTH.")
    area = given["WIDTH"][0] * given.get("HEIGHT", [1])[0] if "WIDTH" in given else None
    count = given["POINTS"][0] if "POINTS" in given else area
    if area is not None and count != area:
        raise RecordingError(f"PCD header says {count} points, but width x height is {area}.")
    assert count is not None
    return count


def _dtype(header: dict[str, list[str]]) -> np.dtype[Any]:
    names = header["FIELDS"]
    sizes = _whole_numbers(header, "SIZE", header["SIZE"])
    counts = _whole_numbers(header, "COUNT", header.get("COUNT", ["1"] * len(names)))
    kinds = header["TYPE"]
    if not len(names) == len(sizes) == len(kinds) == len(counts):
        raise RecordingError(
            f"PCD header has {len(names)} fields, {len(sizes)} sizes, {len(kinds)} types and "
            f"{len(counts)} counts; expected as many of each."
        )
    parts: list[Any] = []
    seen: set[str] = set()
    for number, (name, size, kind, count) in enumerate(
        zip(names, sizes, kinds, counts, strict=True)
    ):
        if size not in _SIZES.get(kind, ()) or not 1 <= count <= 4096:
            raise RecordingError(
                f"PCD field '{name}' has type {kind}, size {size}, count {count}; expected F 4 8, "
                "I or U 1 2 4 8, and a count from 1 to 4096."
            )
        unique = f"_{number}" if name == "_" else name  # "_" marks padding and may come often
        if unique in seen:
            raise RecordingError(f"PCD field '{name}' comes twice.")
        seen.add(unique)
        code = f"<{_CODES[kind]}{size}"
        parts.append((unique, code) if count == 1 else (unique, code, (count,)))
    return np.dtype(parts)


def _ascii(body: bytes, count: int, dtype: np.dtype[Any]) -> NDArray[np.void]:
    flat = [
        (name, index, dtype[name].base)
        for name in dtype.names or ()
        for index in range(int(np.prod(dtype[name].shape, dtype=int)))
    ]
    rows = [line.split() for line in body.splitlines() if line.strip()]
    if len(rows) < count:
        raise RecordingError(f"PCD of {count} points has {len(rows)} lines: the file is cut off.")
    rows = rows[:count]
    short = next((row for row in rows if len(row) != len(flat)), None)
    if short is not None:
        raise RecordingError(f"a PCD line has {len(short)} values; expected {len(flat)}.")
    points = np.zeros(count, dtype)
    for column, (name, index, base) in enumerate(flat):
        words = [row[column] for row in rows]
        target = points[name] if points[name].ndim == 1 else points[name][:, index]
        try:
            values = [float(w) if base.kind == "f" else int(w) for w in words]
            if base.kind != "f" and values:
                # NumPy before 2 keeps the lower bits of what does not fit.
                limits = np.iinfo(base)
                least, most = min(values), max(values)
                if least < limits.min or most > limits.max:
                    raise OverflowError(
                        f"values from {least} to {most}; expected {limits.min} to {limits.max}"
                    )
            with np.errstate(over="ignore"):
                target[:] = values
        except (ValueError, OverflowError) as error:
            raise RecordingError(f"PCD field '{name}' ({base}): {error}.") from error
    return points


def read_radar_pcd(path: Path) -> NDArray[np.void]:
    """Read a nuScenes radar file: all fields; no points if the first is NaN, which marks empty."""
    points = read_pcd(path)
    names = points.dtype.names or ()
    if not {"x", "y", "z"} <= set(names):
        raise RecordingError(f"{path} has the fields {', '.join(names)}; expected x, y and z too.")
    if len(points) and not all(np.isfinite(points[axis][0]) for axis in "xyz"):
        return points[:0]
    return points
