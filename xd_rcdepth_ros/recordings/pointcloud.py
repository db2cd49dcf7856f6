# SPDX-License-Identifier: Apache-2.0
"""Point clouds as bytes with named fields, and the radar returns or points in them.

Independent of any message library: ``decode_cloud`` takes whatever has the attributes of
sensor_msgs/PointCloud2 (``fields`` with ``name``, ``offset``, ``datatype`` and ``count``,
``data``, ``point_step``, ``row_step``, ``width``, ``height``, ``is_bigendian``), be it a message of
rclpy, of rosbags, or a plain object.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.errors import MessageError
from xd_rcdepth_ros.geometry import RadarPoints

# sensor_msgs/PointField datatype -> NumPy type code.
_DATATYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 8: "f8"}
_MAX_POINT_BYTES = 65536
_DATATYPE_OF = {code: number for number, code in _DATATYPES.items()}


@dataclass(frozen=True)
class CloudField:
    """One field of a point, as in sensor_msgs/PointField."""

    name: str
    offset: int
    datatype: int
    count: int = 1


def fields_of(dtype: np.dtype[Any]) -> list[CloudField]:
    """Return the cloud fields of a structured dtype.

    Raises:
        MessageError: The dtype has no names, or a type that PointField does not know.
    """
    if dtype.names is None or dtype.fields is None:
        raise MessageError(f"a cloud needs named fields; got an array of {dtype}.")
    result = []
    for name in dtype.names:
        part, offset = dtype.fields[name][:2]
        code = part.base.str.lstrip("<>|=")
        if code not in _DATATYPE_OF:
            raise MessageError(f"field '{name}' is {part}; PointCloud2 has {list(_DATATYPE_OF)}.")
        count = int(np.prod(part.shape, dtype=int))
        result.append(CloudField(name, offset, _DATATYPE_OF[code], count))
    return result


def decode_cloud(cloud: Any) -> NDArray[np.void]:
    """Read a PointCloud2-like object into a structured array, one element a point.

    Args:
        cloud: Object with the attributes of sensor_msgs/PointCloud2.

    Returns:
        (height * width,) structured array in the machine's byte order, a copy.

    Raises:
        MessageError: The sizes, offsets or types contradict each other.
    """
    width, height, step = int(cloud.width), int(cloud.height), int(cloud.point_step)
    row_step = int(cloud.row_step)
    fields = [f for f in cloud.fields if str(f.name).strip("_")]  # the others are padding
    count = width * height
    if count == 0:
        step = max(step, max((f.offset + _size(f) for f in fields), default=1), 1)
        return np.empty(0, _dtype(fields, step, False))
    data = np.frombuffer(memoryview(cloud.data).cast("B"), np.uint8)
    if row_step < width * step and len(data) >= height * width * step:
        row_step = width * step  # some drivers leave it 0: without padding it has no meaning
    if step < 1 or row_step < width * step:
        raise MessageError(
            f"cloud of {width} x {height} points has point_step {step}, row_step {row_step} and "
            f"{len(data)} bytes; row_step must be at least width * point_step."
        )
    needed = (height - 1) * row_step + width * step
    if len(data) < needed:
        raise MessageError(
            f"cloud of {width} x {height} points of {step} bytes needs {needed} bytes of data, but "
            f"has {len(data)}: it was cut off."
        )
    if not fields:
        raise MessageError("cloud has no fields; expected at least x, y and z.")
    dtype = _dtype(fields, step, bool(cloud.is_bigendian))
    rows = np.lib.stride_tricks.as_strided(data, (height, width * step), (row_step, 1))
    points = np.ascontiguousarray(rows).reshape(-1).view(dtype)
    return points.astype(dtype.newbyteorder("="), copy=True)


def _size(cloud_field: Any) -> int:
    if cloud_field.datatype not in _DATATYPES:
        raise MessageError(
            f"field '{cloud_field.name}' has datatype {cloud_field.datatype}; PointField knows "
            f"{sorted(_DATATYPES)}."
        )
    return int(_DATATYPES[cloud_field.datatype][1]) * max(int(cloud_field.count), 1)


def _dtype(cloud_fields: Sequence[Any], step: int, big_endian: bool) -> np.dtype[Any]:
    if step > _MAX_POINT_BYTES:
        raise MessageError(
            f"a point takes {step} bytes by point_step or field offsets; expected at most "
            f"{_MAX_POINT_BYTES}: the message is damaged."
        )
    names: list[str] = []
    formats: list[Any] = []
    offsets: list[int] = []
    for f in cloud_fields:
        size, count, name = _size(f), max(int(f.count), 1), str(f.name)
        if f.offset < 0 or f.offset + size > step:
            raise MessageError(
                f"field '{name}' takes bytes {f.offset} to {f.offset + size} of a point, but "
                f"point_step is {step}."
            )
        if name in names:
            raise MessageError(f"cloud field '{name}' comes twice.")
        code = (">" if big_endian else "<") + _DATATYPES[f.datatype]
        names.append(name)
        formats.append(code if count == 1 else (code, (count,)))
        offsets.append(int(f.offset))
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": step})


def cloud_xyz(points: NDArray[np.void]) -> NDArray[np.float32]:
    """Return the positions (N, 3) float32, metres, of a decoded cloud.

    Raises:
        MessageError: The cloud has no x, y or z; the text lists what it has.
    """
    return np.stack([_column(points, axis) for axis in "xyz"], axis=1)


@dataclass(frozen=True)
class RadarFieldMap:
    """Which cloud field holds which quantity; an empty name says the cloud has none.

    A minus before a name turns the sign: ``-doppler`` where a driver counts approaching as
    positive.

    Attributes:
        x: Forward, metres.
        y: Left, metres.
        z: Up, metres; empty for a sensor without elevation, whose points lie at 0.
        rcs: Radar cross section or another strength, dB.
        vx: Measured velocity along x, m/s.
        vy: Measured velocity along y, m/s.
        radial_speed: Range rate, m/s, positive when receding; used where vx and vy are empty.
        vx_comp: vx without the sensor's own motion, m/s.
        vy_comp: vy without the sensor's own motion, m/s.
    """

    x: str = "x"
    y: str = "y"
    z: str = "z"
    rcs: str = "rcs"
    vx: str = "vx"
    vy: str = "vy"
    radial_speed: str = ""
    vx_comp: str = ""
    vy_comp: str = ""

    @classmethod
    def matching(cls, names: Sequence[str]) -> RadarFieldMap:
        """Choose the fields by the names that radar drivers are known to use.

        Args:
            names: Names of the fields that are there. What is not among them stays empty.
        """
        known = {
            "z": ("z",),
            "rcs": ("rcs", "RCS", "rcs_dbsm", "amplitude", "power", "Power", "mag", "intensity"),
            "vx": ("vx",),
            "vy": ("vy",),
            "radial_speed": ("radial_speed", "doppler_velocity", "doppler", "Doppler", "velocity"),
            "vx_comp": ("vx_comp",),
            "vy_comp": ("vy_comp",),
        }
        found = {
            key: next((name for name in aliases if name in names), "")
            for key, aliases in known.items()
        }
        return cls(**found)


def radar_points(points: NDArray[np.void], field_map: RadarFieldMap | None = None) -> RadarPoints:
    """Pick the radar quantities out of a decoded cloud.

    Args:
        points: (N,) structured array.
        field_map: Names of the fields; None chooses by ``RadarFieldMap.matching``.

    Returns:
        The returns; strength and velocity are 0, compensated velocity NaN, where the map is empty.
        What a field says is not measured (NaN) stays NaN.

    Raises:
        MessageError: A mapped field is not in the cloud; the text lists those that are.
    """
    names = points.dtype.names or ()
    if not names and not len(points):
        return RadarPoints.empty()
    chosen = field_map or RadarFieldMap.matching(names)
    _require(points, [name for name in vars(chosen).values() if name])
    up = _column(points, chosen.z) if chosen.z else np.zeros(len(points), np.float32)
    position = np.stack([_column(points, chosen.x), _column(points, chosen.y), up], axis=1)

    def pair(a: str, b: str) -> NDArray[np.float32] | None:
        return np.stack([_column(points, a), _column(points, b)], axis=1) if a and b else None

    velocity = pair(chosen.vx, chosen.vy)
    if velocity is None and chosen.radial_speed:
        velocity = _column(points, chosen.radial_speed)
    return RadarPoints.from_arrays(
        position,
        _column(points, chosen.rcs) if chosen.rcs else None,
        velocity,
        pair(chosen.vx_comp, chosen.vy_comp),
    )


def radar_cloud(points: RadarPoints) -> NDArray[np.void]:
    """Return radar returns as a structured array: x y z rcs vx vy vx_comp vy_comp, float32."""
    names = ("x", "y", "z", "rcs", "vx", "vy", "vx_comp", "vy_comp")
    columns = np.concatenate(
        [
            points.position_m,
            points.rcs_dbsm[:, None],
            points.velocity_mps,
            points.velocity_compensated_mps,
        ],
        axis=1,
    ).astype("<f4")
    dtype = np.dtype([(name, "<f4") for name in names])
    return np.ascontiguousarray(columns).view(dtype).reshape(-1)


def _require(points: NDArray[np.void], wanted: Sequence[str]) -> None:
    names = points.dtype.names or ()
    missing = [name for name in wanted if name not in names and name.removeprefix("-") not in names]
    if missing:
        raise MessageError(
            f"cloud has no field {', '.join(missing)}; it has: {', '.join(names) or 'none'}. Map "
            "each quantity to the name of its field in the cloud, or to '' if it is not measured: "
            "by the node's parameters radar.<name>.fields.*, offline by --radar-fields."
        )


def _column(points: NDArray[np.void], name: str) -> NDArray[np.float32]:
    _require(points, [name])
    sign = 1
    if name not in (points.dtype.names or ()):
        name, sign = name.removeprefix("-"), -1
    column = points[name]
    if column.ndim != 1:
        raise MessageError(f"cloud field '{name}' holds {column.shape[1]} values a point, not 1.")
    with np.errstate(over="ignore", invalid="ignore"):
        return column.astype(np.float32) * np.float32(sign)
