# SPDX-License-Identifier: Apache-2.0
"""The pixel layouts that sensor_msgs' encoding names stand for."""

import re
from typing import NamedTuple

_DTYPES = {
    "8U": "uint8",
    "8S": "int8",
    "16U": "uint16",
    "16S": "int16",
    "32S": "int32",
    "32F": "float32",
    "64F": "float64",
}
_GENERIC = re.compile(r"(8U|8S|16U|16S|32S|32F|64F)(?:C([0-9]+))?")


class CvBridgeError(TypeError):
    """An image cannot be converted: unknown encoding, broken message or senseless request."""


class Encoding(NamedTuple):
    """The pixels of an encoding.

    Attributes:
        dtype: NumPy name of a channel's type.
        channels: channels per pixel.
        colors: how OpenCV calls the meaning of the channels; empty if they have none.
    """

    dtype: str
    channels: int
    colors: str = ""


def _named() -> dict[str, Encoding]:
    table = {
        "yuv422": Encoding("uint8", 2, "UYVY"),
        "yuv422_yuy2": Encoding("uint8", 2, "YUY2"),
    }
    for bits in (8, 16):
        dtype = f"uint{bits}"
        table[f"mono{bits}"] = Encoding(dtype, 1, "GRAY")
        for name in ("rgb", "bgr", "rgba", "bgra"):
            table[f"{name}{bits}"] = Encoding(dtype, len(name), name.upper())
        for pattern in ("rggb", "bggr", "gbrg", "grbg"):
            table[f"bayer_{pattern}{bits}"] = Encoding(dtype, 1, f"Bayer{pattern.upper()}")
    return table


_NAMED = _named()


def parse(name: str) -> Encoding:
    """Look an encoding up by its name.

    Raises:
        CvBridgeError: the name is not one of sensor_msgs.
    """
    encoding = _NAMED.get(name)
    if encoding is not None:
        return encoding
    match = _GENERIC.fullmatch(name)
    if match is None or match[2] == "0":
        raise CvBridgeError(f"Unrecognized image encoding [{name}]")
    return Encoding(_DTYPES[match[1]], int(match[2] or 1))
