# SPDX-License-Identifier: Apache-2.0
"""From one encoding of colours to another, by OpenCV."""

import cv2
import numpy as np

from cv_bridge.encodings import CvBridgeError, parse

_YUV = ("UYVY", "YUY2")


def convert(image: np.ndarray, source: str, target: str) -> np.ndarray:
    """Return a new image in another encoding; white stays white between 8 and 16 bits.

    Args:
        image: (H, W) or (H, W, C), as `source` says.
        source: the encoding of `image`.
        target: the encoding wanted.

    Raises:
        CvBridgeError: an encoding is unknown, has no colours, or OpenCV knows no way between them.
    """
    if source == target:
        return image.copy()
    old, new = parse(source), parse(target)
    for encoding, parsed in ((source, old), (target, new)):
        if not parsed.colors:
            raise CvBridgeError(
                f"[{encoding}] is not a color format. The conversion from [{source}] to "
                f"[{target}] does not make sense"
            )
    if old.colors != new.colors:
        name = f"{old.colors}2{new.colors}"
        if old.colors in _YUV:
            name = f"YUV2{new.colors}_{old.colors}"
        code = getattr(cv2, f"COLOR_{name}", None)
        if code is None:
            raise CvBridgeError(f"Unsupported conversion from [{source}] to [{target}]")
        image = cv2.cvtColor(image, code)
    if old.dtype == new.dtype:
        return image
    scale = np.iinfo(new.dtype).max / np.iinfo(old.dtype).max
    return np.rint(image * scale).astype(new.dtype)
