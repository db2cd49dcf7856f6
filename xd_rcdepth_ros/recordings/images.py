# SPDX-License-Identifier: Apache-2.0
"""Pixels out of images: of every encoding of sensor_msgs, raw and compressed, live and from bags.

Each function takes any object with the attributes of the message it names, so it serves messages of
rosbags (no ROS needed) and of rclpy alike. What cannot be understood raises ``MessageError``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.errors import MessageError

# OpenCV names a Bayer pattern by its second row's second and third pixel.
_BAYER = {
    "rggb": cv2.COLOR_BayerBG2RGB,
    "bggr": cv2.COLOR_BayerRG2RGB,
    "gbrg": cv2.COLOR_BayerGR2RGB,
    "grbg": cv2.COLOR_BayerGB2RGB,
}
# Pixels of 8 or 16 bits; of 16 the upper 8 are used: name without the bits -> channels, conversion.
_DEEP: dict[str, tuple[int, int | None]] = {
    "rgb": (3, None),
    "bgr": (3, cv2.COLOR_BGR2RGB),
    "rgba": (4, cv2.COLOR_RGBA2RGB),
    "bgra": (4, cv2.COLOR_BGRA2RGB),
    "mono": (1, cv2.COLOR_GRAY2RGB),
    **{f"bayer_{pattern}": (1, code) for pattern, code in _BAYER.items()},
}
# sensor_msgs/Image encoding -> type of a value, channels, OpenCV conversion to RGB or None.
ENCODINGS: dict[str, tuple[str, int, int | None]] = {
    **{f"{name}8": ("u1", *layout) for name, layout in _DEEP.items()},
    **{f"{name}16": ("u2", *layout) for name, layout in _DEEP.items()},
    **{
        f"{bits}UC{channels}": (kind, channels, conversion)
        for bits, kind in ((8, "u1"), (16, "u2"))
        for channels, conversion in (
            (1, cv2.COLOR_GRAY2RGB),
            (3, cv2.COLOR_BGR2RGB),
            (4, cv2.COLOR_BGRA2RGB),
        )
    },
    "uyvy": ("u1", 2, cv2.COLOR_YUV2RGB_UYVY),
    "yuv422": ("u1", 2, cv2.COLOR_YUV2RGB_UYVY),
    "yuyv": ("u1", 2, cv2.COLOR_YUV2RGB_YUY2),
    "yuv422_yuy2": ("u1", 2, cv2.COLOR_YUV2RGB_YUY2),
}
# Full-size brightness and, after it, pairs of colour values, at half size or (nv24) full size.
_PLANAR = {
    "nv12": cv2.COLOR_YUV2RGB_NV12,
    "nv21": cv2.COLOR_YUV2RGB_NV21,
    "nv24": cv2.COLOR_YUV2RGB_NV12,
}
_REDUCED = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
_REMEDY = "set the encoding in the camera's driver to rgb8, bgr8 or mono8"


def image_rows(image: Any, dtype: str, channels: int) -> NDArray[Any]:
    """Return the pixels of a sensor_msgs/Image as (H, W) or (H, W, channels), padding removed."""
    height, width = int(image.height), int(image.width)
    pixels = _rows(image, height, width * channels * np.dtype(dtype).itemsize)
    pixels = pixels.view((">" if image.is_bigendian else "<") + dtype)
    return pixels if channels == 1 else pixels.reshape(height, width, channels)


def raw_image_rgb(
    image: Any, read_pixels: Callable[[Any, str, int], NDArray[Any]] = image_rows
) -> NDArray[np.uint8]:
    """Return a sensor_msgs/Image as (H, W, 3) uint8 RGB.

    Args:
        image: The message.
        read_pixels: Takes the message, the type of a value and the channels; returns the pixels.

    Raises:
        MessageError: The encoding is not known, or the sizes contradict each other.
    """
    encoding, size = str(image.encoding), f"{image.width} x {image.height}"
    if encoding not in ENCODINGS and encoding not in _PLANAR:
        raise MessageError(
            f"image of {size} in encoding '{encoding}' cannot be read; expected one of "
            f"{', '.join((*ENCODINGS, *_PLANAR))}: {_REMEDY}."
        )
    paired = encoding in _PLANAR or ENCODINGS[encoding][1] == 2
    if paired and (image.width % 2 or (encoding in ("nv12", "nv21") and image.height % 2)):
        raise MessageError(
            f"image of {size} in '{encoding}' has an odd size, but its colour values are shared by "
            f"two pixels: use an even size, or {_REMEDY}."
        )
    if encoding in _PLANAR:
        return _planar_rgb(image, encoding)
    dtype, channels, conversion = ENCODINGS[encoding]
    pixels = read_pixels(image, dtype, channels)
    if dtype == "u2":
        pixels = (pixels >> 8).astype(np.uint8)
    return _convert(pixels, conversion, f"image of {size} in '{encoding}'")


def compressed_image_rgb(image: Any, what: str = "image", reduction: int = 1) -> NDArray[np.uint8]:
    """Return a sensor_msgs/CompressedImage as (H, W, 3) uint8 RGB.

    Where the format names a Bayer pattern and the file has one channel, it holds the mosaic itself.

    Args:
        image: The message.
        what: Name of the image in error texts.
        reduction: See :func:`decode_image`; mosaics are not reduced.

    Raises:
        MessageError: The bytes are cut off or are no image.
    """
    data, encoding = image.data, str(image.format).split(";")[0].strip()
    if not encoding.startswith("bayer_"):
        return decode_image(data, what, reduction)
    mosaic = _decode(data, what, cv2.IMREAD_UNCHANGED)
    if mosaic.ndim == 3 or encoding not in ENCODINGS:
        return decode_image(data, what, reduction)
    if mosaic.dtype == np.uint16:
        mosaic = (mosaic >> 8).astype(np.uint8)
    return _convert(mosaic, ENCODINGS[encoding][2], what)


def decode_image(
    data: bytes | NDArray[np.uint8], what: str = "image", reduction: int = 1
) -> NDArray[np.uint8]:
    """Decode the bytes of a JPEG or PNG file.

    Args:
        data: The file's bytes.
        what: Name of the image in error texts.
        reduction: 2, 4 or 8 returns the image at that part of its size, which is faster.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        MessageError: The bytes are cut off or are no image.
    """
    return _convert(_decode(data, what, _REDUCED[reduction]), cv2.COLOR_BGR2RGB, what)


def image_size(data: bytes | memoryview, what: str = "image") -> tuple[int, int]:
    """Return width and height, pixels, of a JPEG or PNG file from its header alone.

    Raises:
        MessageError: The bytes are neither.
    """
    if bytes(data[:8]) == b"\x89PNG\r\n\x1a\n" and len(data) >= 24:
        return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    for marker, position in _jpeg_segments(data):
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # a start of frame
            height = int.from_bytes(data[position + 5 : position + 7], "big")
            return int.from_bytes(data[position + 7 : position + 9], "big"), height
    raise MessageError(f"{what} of {len(data)} bytes is no JPEG or PNG file, or it is cut off.")


def _rows(image: Any, height: int, row: int) -> NDArray[np.uint8]:
    """Return the bytes (height, row) of an image, what each row has beyond them left out."""
    step = int(image.step)
    data = np.frombuffer(memoryview(image.data).cast("B"), np.uint8)
    if height < 1 or row < 1:
        raise MessageError(
            f"image of {image.width} x {image.height} in '{image.encoding}' has no pixels; check "
            "the camera's driver."
        )
    if step < row or len(data) < (height - 1) * step + row:
        raise MessageError(
            f"image of {image.width} x {image.height} in '{image.encoding}' has step {step} and "
            f"{len(data)} bytes; expected a step of at least {row} and {height} x step bytes: it "
            "was cut off."
        )
    rows = np.lib.stride_tricks.as_strided(data, (height, row), (step, 1))
    return np.ascontiguousarray(rows)


def _planar_rgb(image: Any, encoding: str) -> NDArray[np.uint8]:
    height, width = int(image.height), int(image.width)
    rows = 3 * height if encoding == "nv24" else height + height // 2
    if encoding == "nv24" and int(image.step) == 3 * width:  # some count the bytes of all planes
        flat = _rows(image, height, 3 * width).reshape(rows, width)
    else:
        flat = _rows(image, rows, width)
    if encoding == "nv24":  # every second pair of colours, as in nv12
        even = height // 2 * 2
        pairs = flat[height:].reshape(height, width, 2)[:even:2, ::2]
        rgb = np.empty((height, width, 3), np.uint8)
        half = np.concatenate([flat[:even], pairs.reshape(even // 2, width)])
        rgb[:even] = _convert(half, _PLANAR[encoding], encoding)
        rgb[even:] = rgb[even - 1 : even] if even else 0
        return rgb
    return _convert(flat, _PLANAR[encoding], f"image in '{encoding}'")


def _convert(pixels: NDArray[Any], conversion: int | None, what: str) -> NDArray[np.uint8]:
    try:
        rgb = pixels if conversion is None else cv2.cvtColor(pixels, conversion)
    except cv2.error as error:
        raise MessageError(f"{what} cannot be turned into RGB: {error}.") from error
    return np.ascontiguousarray(rgb, np.uint8)


def _decode(data: Any, what: str, flag: int) -> NDArray[Any]:
    array = np.frombuffer(memoryview(data).cast("B"), np.uint8)
    if array[:2].tobytes() == b"\xff\xd8" and not _jpeg_has_end(array):
        raise MessageError(f"{what} is a JPEG of {len(array)} bytes without its end: cut off.")
    image = None
    if len(array):
        try:
            image = cv2.imdecode(array, flag | cv2.IMREAD_IGNORE_ORIENTATION)
        except cv2.error as error:
            raise MessageError(f"{what} cannot be decoded: {error}.") from error
    if image is None:
        raise MessageError(
            f"{what} of {len(array)} bytes is no image that can be decoded; expected JPEG or PNG."
        )
    return np.asarray(image)


def _jpeg_has_end(array: NDArray[np.uint8]) -> bool:
    """Return True if the end marker follows the pixels; what comes after it does not matter."""
    if array[-2:].tobytes() == b"\xff\xd9":
        return True
    data = array.tobytes()
    scan = next((at for marker, at in _jpeg_segments(data) if marker == 0xDA), 0)
    return data.find(b"\xff\xd9", scan) >= 0  # not that of a preview in the segments before


def _jpeg_segments(data: bytes | memoryview) -> list[tuple[int, int]]:
    """Return marker and position of each segment of a JPEG up to the first scan of pixels."""
    segments: list[tuple[int, int]] = []
    position = 2 if bytes(data[:2]) == b"\xff\xd8" else len(data)
    while position + 9 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        segments.append((marker, position))
        if marker == 0xDA:
            break
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return segments
