# SPDX-License-Identifier: Apache-2.0
"""Point clouds between PointCloud2 messages and NumPy arrays.

As upstream, a cloud of two dimensions is an array of shape (width, height).
"""

import sys
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.lib.recfunctions import structured_to_unstructured
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

_DATATYPES: dict[int, np.dtype[Any]] = {
    PointField.INT8: np.dtype(np.int8),
    PointField.UINT8: np.dtype(np.uint8),
    PointField.INT16: np.dtype(np.int16),
    PointField.UINT16: np.dtype(np.uint16),
    PointField.INT32: np.dtype(np.int32),
    PointField.UINT32: np.dtype(np.uint32),
    PointField.FLOAT32: np.dtype(np.float32),
    PointField.FLOAT64: np.dtype(np.float64),
}
DUMMY_FIELD_PREFIX = "unnamed_field"


def read_points(
    cloud: PointCloud2,
    field_names: Iterable[str] | None = None,
    skip_nans: bool = False,
) -> np.ndarray:
    """Return the points as a structured array; it may share its memory with the message.

    Args:
        cloud: the message; points and rows may be padded, bytes may be in either order.
        field_names: the fields wanted, all if None.
        skip_nans: leave out points with a NaN in a wanted field, unless the cloud is dense.

    Returns:
        (N,), with one named field for each of the cloud's.

    Raises:
        AssertionError: not a cloud, or a wanted field is not in it.
        TypeError: the message holds less data than it says.
    """
    _require(isinstance(cloud, PointCloud2), "Cloud is not a sensor_msgs.msg.PointCloud2")
    points = _all_points(cloud)
    if field_names is not None:
        names = list(field_names)
        there = points.dtype.names or ()
        missing = [name for name in names if name not in there]
        _require(not missing, f"Fields {missing} are not in the cloud, which has {list(there)}")
        points = points[names]
    if skip_nans and not cloud.is_dense:
        valid = np.ones(len(points), dtype=bool)
        for name in points.dtype.names or ():
            if points.dtype[name].kind == "f":
                valid &= ~np.isnan(points[name])
        points = points[valid]
    return points


def _all_points(cloud: PointCloud2) -> np.ndarray:
    """View the message's data as points in the machine's byte order."""
    dtype = dtype_from_fields(cloud.fields, point_step=cloud.point_step)
    swapped = bool(cloud.is_bigendian) != (sys.byteorder == "big")
    row_bytes = cloud.width * cloud.point_step
    row_step = max(cloud.row_step, row_bytes) if cloud.height > 1 else row_bytes
    needed = (cloud.height - 1) * row_step + row_bytes if cloud.height else 0
    if len(cloud.data) < needed:
        raise TypeError(
            f"buffer is too small: {cloud.height} rows of {cloud.width} points of "
            f"{cloud.point_step} bytes need {needed} bytes; the cloud has {len(cloud.data)}"
        )
    points: np.ndarray = np.ndarray(
        shape=(cloud.height, cloud.width),
        dtype=dtype.newbyteorder() if swapped else dtype,
        buffer=cloud.data if needed else None,
        strides=(row_step, cloud.point_step),
    ).reshape(-1)
    return points.astype(dtype) if swapped else points


def read_points_numpy(
    cloud: PointCloud2,
    field_names: Iterable[str] | None = None,
    skip_nans: bool = False,
) -> np.ndarray:
    """Return fields of one and the same type as a plain array.

    Args:
        cloud: as for `read_points`, and so are the other arguments.

    Returns:
        (N, F) in the type of the fields.

    Raises:
        AssertionError: as for `read_points`, or the fields wanted are of several types.
    """
    names = None if field_names is None else list(field_names)
    points = read_points(cloud, names, skip_nans)
    types = {points.dtype[name] for name in points.dtype.names or ()}
    _require(
        len(types) <= 1,
        "All fields need to have the same datatype. Use `read_points()` otherwise. "
        f"The cloud's are {points.dtype}",
    )
    return structured_to_unstructured(points)


def dtype_from_fields(fields: Iterable[PointField], point_step: int | None = None) -> np.dtype:
    """Return the structured type of a point.

    A field of count n > 1 becomes n fields whose names end in _0 to _(n-1).

    Args:
        fields: the fields of the cloud.
        point_step: bytes from one point to the next; as small as possible if None.

    Raises:
        AssertionError: a field has count 0, an unknown type or a name that is taken.
    """
    names: list[str] = []
    formats: list[str] = []
    offsets: list[int] = []
    for index, field in enumerate(fields):
        name = field.name or f"{DUMMY_FIELD_PREFIX}_{index}"
        _require(field.count > 0, f"Can't process fields with count = 0: {name}")
        _require(field.datatype in _DATATYPES, f"Field {name} has no type {field.datatype}")
        datatype: np.dtype[Any] = _DATATYPES[field.datatype]
        for part in range(field.count):
            names.append(f"{name}_{part}" if field.count > 1 else name)
            formats.append(datatype.str)
            offsets.append(field.offset + part * datatype.itemsize)
    _require(len(set(names)) == len(names), f"Duplicate field names are not allowed: {names}")
    layout: Any = {"names": names, "formats": formats, "offsets": offsets}
    if point_step is not None:
        layout["itemsize"] = point_step
    return np.dtype(layout)


def create_cloud(
    header: Header,
    fields: Sequence[PointField],
    points: np.ndarray | Iterable[Iterable[float]],
) -> PointCloud2:
    """Return a cloud message.

    Args:
        header: stamp and frame.
        fields: the fields of a point, in the order of its values.
        points: (N, F) or (width, height, F) numbers, or a structured array (N,) or
            (width, height) of exactly the fields' types, or any iterable of points.

    Raises:
        AssertionError: the points do not fit the fields.
    """
    dtype = dtype_from_fields(fields)
    if not isinstance(points, np.ndarray):
        structured = np.fromiter(map(tuple, points), dtype=dtype)
    elif points.dtype.names is None:
        structured = _to_structured(points, dtype)
    else:
        _require(
            points.dtype == dtype,
            f"PointFields are {dtype} but the array is {points.dtype}. "
            "Check their field order, names and types",
        )
        structured = points
    _require(structured.ndim <= 2, f"Points come in one or two dimensions, not {points!r:.80}")
    width, height = structured.shape if structured.ndim == 2 else (len(structured), 1)
    cloud = PointCloud2(
        header=header,
        height=height,
        width=width,
        fields=list(fields),
        is_bigendian=sys.byteorder == "big",
        is_dense=False,
        point_step=dtype.itemsize,
        row_step=dtype.itemsize * width,
    )
    # Filling the message's own array is by far the fastest way on every distribution.
    cloud.data.frombytes(np.ascontiguousarray(structured).reshape(-1).view(np.uint8))
    return cloud


def _to_structured(points: np.ndarray, dtype: np.dtype) -> np.ndarray:
    names = dtype.names or ()
    _require(
        points.ndim >= 2 and points.shape[-1] == len(names),
        f"Each point needs {len(names)} values for {list(names)}; got an array {points.shape}",
    )
    _require(
        len({dtype[name] for name in names}) <= 1,
        "All fields need to have the same datatype. Pass a structured NumPy array otherwise",
    )
    structured = np.zeros(points.shape[:-1], dtype)
    for index, name in enumerate(names):
        structured[name] = points[..., index]
    return structured


def _require(condition: bool, text: str) -> None:
    """Refuse bad input in the way of upstream, which asserts, but also under `python -O`."""
    if not condition:
        raise AssertionError(text)
