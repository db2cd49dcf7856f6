# SPDX-License-Identifier: Apache-2.0
"""How a page carries pictures: JPEG and PNG bytes, as text within the page."""

from __future__ import annotations

import base64

import cv2
import numpy as np
from numpy.typing import NDArray

RGBImage = NDArray[np.uint8]


def fit_width(image: RGBImage, width: int) -> RGBImage:
    """Return the picture at a width, pixels, with its proportions kept."""
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    shrink = width < image.shape[1]
    how = cv2.INTER_AREA if shrink else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=how), np.uint8)


def jpeg(image: RGBImage, quality: int = 85) -> bytes:
    """Return an RGB picture as the bytes of a JPEG file."""
    bgr = np.ascontiguousarray(image[..., ::-1])
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return data.tobytes()


def png(image: RGBImage) -> bytes:
    """Return an RGB picture as the bytes of a PNG file."""
    _, data = cv2.imencode(".png", np.ascontiguousarray(image[..., ::-1]))
    return data.tobytes()


def data_uri(data: bytes, kind: str = "jpeg") -> str:
    """Return a picture as text that a page can carry."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
