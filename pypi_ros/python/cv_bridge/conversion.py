# SPDX-License-Identifier: Apache-2.0
"""From one encoding to another: colours by OpenCV, and the depth of the channels."""

import cv2
import numpy as np

from cv_bridge.encodings import CvBridgeError, Encoding, parse

_YUV = ("UYVY", "YUY2", "NV12", "NV21")


def convert(image: np.ndarray, source: str, target: str) -> np.ndarray:
    """Return a new image in another encoding.

    Depths of 8 and 16 bits are scaled so that white stays white; all other numbers are kept as
    far as the new type can hold them.

    Args:
        image: (H, W) or (H, W, C), as `source` says.
        source: the encoding of `image`.
        target: the encoding wanted.

    Raises:
        CvBridgeError: an encoding is unknown, or there is no sensible way between the two.
    """
    if source == target:
        return image.copy()
    old, new = parse(source), parse(target)
    if old.colors and new.colors:
        if old.colors != new.colors:
            image = cv2.cvtColor(image, _color_code(old, new, source, target))
    elif new.colors:
        raise CvBridgeError(
            f"[{source}] is not a color format. but [{target}] is. "
            "The conversion does not make sense"
        )
    elif old.channels != new.channels or old.rows_per_line != new.rows_per_line:
        raise CvBridgeError(f"[{source}] and [{target}] do not have the same number of channel")
    return _to_depth(image, new.dtype)


def _color_code(old: Encoding, new: Encoding, source: str, target: str) -> int:
    if old.colors in ("NV12", "NV21") and new.colors == "GRAY":
        name = "COLOR_YUV2GRAY_420"
    elif old.colors in _YUV:
        name = f"COLOR_YUV2{new.colors}_{old.colors}"
    else:
        name = f"COLOR_{old.colors}2{new.colors}"
    code = getattr(cv2, name, None)
    if code is None:
        raise CvBridgeError(f"Unsupported conversion from [{source}] to [{target}]")
    return code


def _to_depth(image: np.ndarray, dtype_name: str) -> np.ndarray:
    old, new = image.dtype, np.dtype(dtype_name)
    if old == new:
        return image.copy()
    if new.kind == "f":
        return image.astype(new)
    scale = {(1, 2): 65535.0 / 255.0, (2, 1): 255.0 / 65535.0}.get((old.itemsize, new.itemsize), 1)
    limits = np.iinfo(new)
    numbers = np.nan_to_num(image.astype(np.float64) * scale, nan=0.0)
    return np.clip(np.rint(numbers), limits.min, limits.max).astype(new)
