# SPDX-License-Identifier: Apache-2.0
"""Every encoding of sensor_msgs becomes RGB; what cannot is refused by name, with a remedy."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from xd_rcdepth_ros.errors import MessageError
from xd_rcdepth_ros.recordings.images import (
    ENCODINGS,
    compressed_image_rgb,
    decode_image,
    image_size,
    raw_image_rgb,
)

# Smooth, so that chroma at half size and mosaics lose little.
RAMP = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8), (0, 0), 6)
RGB = cv2.normalize(RAMP, None, 30, 220, cv2.NORM_MINMAX)
GREY = RGB[..., 1]


def mosaic(pattern):
    planes = {"r": 0, "g": 1, "b": 2}
    out = np.zeros(RGB.shape[:2], np.uint8)
    for letter, (row, column) in zip(pattern, ((0, 0), (0, 1), (1, 0), (1, 1)), strict=True):
        out[row::2, column::2] = RGB[row::2, column::2, planes[letter]]
    return out


def yuv_planes():
    """Y (H, W), U and V (H/2, W/2) of the picture, by OpenCV's own way there."""
    flat = cv2.cvtColor(RGB, cv2.COLOR_RGB2YUV_I420)
    height, width = GREY.shape
    quarter = height // 4
    u, v = (
        flat[start : start + quarter].reshape(height // 2, width // 2)
        for start in (height, height + quarter)
    )
    return flat[:height], u, v


def pixels_of(encoding):
    """Return the picture as a driver would send it, and how far the RGB may be from it."""
    deep = encoding.endswith("16") or encoding.startswith("16")
    y, u, v = yuv_planes()
    wide_u, wide_v = np.repeat(u, 2, axis=0), np.repeat(v, 2, axis=0)
    if encoding.startswith("bayer"):
        pixels, within = mosaic(encoding[6:10]), 40
    elif encoding in ("uyvy", "yuv422", "yuyv", "yuv422_yuy2"):
        chroma = np.stack([wide_u, wide_v], axis=2).reshape(y.shape)
        order = [chroma, y] if encoding in ("uyvy", "yuv422") else [y, chroma]
        pixels, within = np.stack(order, axis=2), 30
    elif encoding in ("nv12", "nv21", "nv24"):
        pairs = np.stack([u, v] if encoding != "nv21" else [v, u], axis=2)
        if encoding == "nv24":
            pairs = np.repeat(np.repeat(pairs, 2, axis=0), 2, axis=1)
        pixels, within = np.concatenate([y, pairs.reshape(-1, y.shape[1])]), 30
    elif "mono" in encoding or encoding.endswith("C1"):
        pixels, within = GREY, 0
    else:
        first = RGB if encoding.startswith("rgb") else RGB[..., ::-1]
        four = encoding.endswith("C4") or "a" in encoding
        pixels, within = np.dstack([first, GREY]) if four else first, 0
    return (pixels.astype("<u2") * 256 + 77 if deep else pixels), within


def message(pixels, encoding, padding=0, height=None):
    """Return a sensor_msgs/Image of pixels, with bytes of padding at the end of each row."""
    rows = np.ascontiguousarray(pixels)
    rows = rows.view(np.uint8).reshape(len(rows), -1)
    padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=199)
    return SimpleNamespace(
        width=pixels.shape[1],
        height=height or GREY.shape[0],
        encoding=encoding,
        step=padded.shape[1],
        is_bigendian=0,
        data=padded.tobytes(),
    )


@pytest.mark.parametrize("padding", [0, 6])
@pytest.mark.parametrize("encoding", [*ENCODINGS, "nv12", "nv21", "nv24"])
def test_encoding_8uc3_and_all_others_are_read(encoding, padding):
    pixels, within = pixels_of(encoding)
    grey = "mono" in encoding or encoding.endswith("C1")
    expected = np.repeat(GREY[..., None], 3, axis=2) if grey else RGB
    rgb = raw_image_rgb(message(pixels, encoding, padding))
    gap = np.abs(rgb.astype(int) - expected)[2:-2, 2:-2]  # the border of a mosaic is a guess
    assert gap.max() <= within and gap.mean() <= within / 3


def test_sixteen_bits_of_either_byte_order():
    big = message(pixels_of("mono16")[0].astype(">u2"), "mono16")
    big.is_bigendian = 1
    np.testing.assert_array_equal(raw_image_rgb(big)[..., 0], GREY)


def test_known_mosaics():
    for encoding, first in (("rggb", 0), ("bggr", 2)):
        pixels = np.zeros((16, 16), np.uint8)
        pixels[0::2, 0::2] = 250  # the pattern's first colour only
        rgb = raw_image_rgb(message(pixels, height=16, encoding=f"bayer_{encoding}8"))[4:12, 4:12]
        assert rgb[..., first].mean() > 200
        assert rgb[..., 1].max() == rgb[..., 2 - first].max() == 0
    for encoding, (row, column) in (("grbg", (0, 1)), ("gbrg", (1, 0))):
        pixels = np.zeros((16, 16), np.uint8)
        pixels[row::2, column::2] = 250  # the red pixels
        rgb = raw_image_rgb(message(pixels, height=16, encoding=f"bayer_{encoding}8"))[4:12, 4:12]
        assert rgb[..., 0].mean() > 200
        assert rgb[..., 1].max() == rgb[..., 2].max() == 0


@pytest.mark.parametrize("encoding", ["uyvy", "yuyv", "yuv422", "yuv422_yuy2", "nv12", "nv21"])
def test_odd_widths_are_refused_by_name(encoding):
    """UYVY of odd width overflows the heap of OpenCV 4.5 and 4.6."""
    odd = message(np.zeros((24, 31, 2), np.uint8), encoding)
    with pytest.raises(MessageError, match=f"31 x 24 in '{encoding}' has an odd size"):
        raw_image_rgb(odd)


@pytest.mark.parametrize("encoding", ["8UC2", "32FC1", "64FC3", "16SC1", "yuv9000", ""])
def test_other_encodings_are_refused_with_a_remedy(encoding):
    with pytest.raises(
        MessageError, match=f"encoding '{encoding}'.*set the encoding in the camera"
    ):
        raw_image_rgb(message(RGB, encoding))


def test_an_image_that_was_cut_off_is_refused():
    cut = message(RGB, "rgb8")
    cut.data = cut.data[:-1]
    with pytest.raises(MessageError, match="cut off"):
        raw_image_rgb(cut)
    for data in (b"", b"no image", cv2.imencode(".png", RGB)[1].tobytes()[:20]):
        with pytest.raises(MessageError, match="decoded"):
            decode_image(data)
    padded = message(RGB, "rgb8", padding=6)
    padded.data = padded.data[:-6]  # the last row needs no padding
    np.testing.assert_array_equal(raw_image_rgb(padded), RGB)


def compressed(data, format_):
    return SimpleNamespace(data=np.frombuffer(data, np.uint8), format=format_)


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_a_mosaic_behind_a_compressed_topic_gets_its_colours(pattern, depth):
    pixels = mosaic(pattern)
    stored = pixels.astype(np.uint16) * 256 if depth == 16 else pixels
    data = cv2.imencode(".png", stored)[1].tobytes()
    rgb = compressed_image_rgb(compressed(data, f"bayer_{pattern}{depth}; png compressed "))
    np.testing.assert_array_equal(rgb, raw_image_rgb(message(pixels, f"bayer_{pattern}8")))


def test_a_mosaic_that_was_turned_into_colours_before_is_left_alone():
    data = cv2.imencode(".png", RGB[..., ::-1])[1].tobytes()
    rgb = compressed_image_rgb(compressed(data, "bayer_rggb8; png compressed bgr8"))
    np.testing.assert_array_equal(rgb, RGB)


def jpeg():
    noise = np.random.default_rng(0).integers(0, 256, (99, 98, 3), np.uint8)
    return cv2.imencode(".jpg", noise)[1].tobytes()


def with_preview(data):
    """Put a whole little JPEG into a segment before the pixels, as cameras do."""
    preview = cv2.imencode(".jpg", np.zeros((8, 8), np.uint8))[1].tobytes()
    segment = b"\xff\xe1" + (len(preview) + 2).to_bytes(2, "big") + preview
    return data[:2] + segment + data[2:]


@pytest.mark.parametrize("tail", [b"", b"\0" * 5000, b"\xff" * 3, b"stamp=17"])
def test_bytes_after_a_jpeg_do_not_matter(tail):
    np.testing.assert_array_equal(decode_image(jpeg() + tail), decode_image(jpeg()))
    assert decode_image(with_preview(jpeg()) + tail).shape == (99, 98, 3)


@pytest.mark.parametrize("tail", [b"", b"\0" * 5000])
def test_a_jpeg_without_its_end_is_refused(tail):
    for data in (jpeg(), with_preview(jpeg())):
        with pytest.raises(MessageError, match="cut off"):
            decode_image(data[:-200] + tail)


@pytest.mark.parametrize("reduction", [2, 4, 8])
def test_a_jpeg_can_be_decoded_at_a_part_of_its_size(reduction):
    large = cv2.resize(RGB, (256, 192), interpolation=cv2.INTER_CUBIC)
    data = cv2.imencode(".jpg", large[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 98])[1].tobytes()
    assert image_size(data) == (256, 192)
    small = decode_image(data, reduction=reduction)
    assert small.shape == (192 // reduction, 256 // reduction, 3)
    expected = cv2.resize(decode_image(data), small.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(int) - expected).mean() < 2
