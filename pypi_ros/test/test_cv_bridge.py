# SPDX-License-Identifier: Apache-2.0
"""Contract of cv_bridge: images of messages as arrays, in any encoding of sensor_msgs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
cv_bridge = pytest.importorskip("cv_bridge", reason="cv_bridge is not installed")

from sensor_msgs.msg import Image  # noqa: E402

BRIDGE = cv_bridge.CvBridge()
COLORS = {
    "mono8": ("uint8", 1),
    "rgb8": ("uint8", 3),
    "bgr8": ("uint8", 3),
    "rgba8": ("uint8", 4),
    "bgra8": ("uint8", 4),
    "mono16": ("uint16", 1),
    "rgb16": ("uint16", 3),
    "bgr16": ("uint16", 3),
    "rgba16": ("uint16", 4),
    "bgra16": ("uint16", 4),
}
SPECIAL = {
    **{f"bayer_{p}8": ("uint8", 1) for p in ("rggb", "bggr", "gbrg", "grbg")},
    **{f"bayer_{p}16": ("uint16", 1) for p in ("rggb", "bggr", "gbrg", "grbg")},
    "yuv422": ("uint8", 2),
    "yuv422_yuy2": ("uint8", 2),
}
DEPTHS = {
    "8U": "uint8",
    "8S": "int8",
    "16U": "uint16",
    "16S": "int16",
    "32S": "int32",
    "32F": "float32",
    "64F": "float64",
}
GENERIC = {f"{d}C{c}": (dtype, c) for d, dtype in DEPTHS.items() for c in (1, 2, 3, 4)}
ALL = {**COLORS, **SPECIAL, **GENERIC}


def picture(encoding: str, height: int = 4, width: int = 6, seed: int = 0) -> np.ndarray:
    dtype, channels = ALL[encoding]
    shape = (height, width) if channels == 1 else (height, width, channels)
    random = np.random.default_rng(seed)
    if dtype.startswith("float"):
        return random.normal(size=shape).astype(dtype)
    limits = np.iinfo(dtype)
    return random.integers(limits.min, limits.max, shape, dtype, endpoint=True)


def message_of(image: np.ndarray, encoding: str, padding: int = 0) -> Image:
    """Make a message; each row is followed by `padding` bytes."""
    height, width = image.shape[:2]
    rows = np.ascontiguousarray(image).reshape(height, -1).view(np.uint8)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=7)
    message = Image(height=height, width=width, encoding=encoding, step=rows.shape[1])
    message.data.frombytes(rows.tobytes())
    return message


def converted(values: list, dtype: str, source: str, target: str) -> list:
    message = message_of(np.array(values, dtype), source)
    return BRIDGE.imgmsg_to_cv2(message, target).tolist()


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(sorted(ALL)), st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_pixels_of_any_encoding_are_read(encoding, height, width, seed):
    image = picture(encoding, height, width, seed)
    message = message_of(image, encoding)
    read = BRIDGE.imgmsg_to_cv2(message)
    assert read.dtype == image.dtype
    assert np.array_equal(read, image)
    assert np.array_equal(BRIDGE.imgmsg_to_cv2(message, encoding), image)


@pytest.mark.parametrize("encoding", ["bgr8", "mono16", "32FC1", "16SC3"])
def test_rows_padded_by_whole_pixels(encoding):
    image = picture(encoding)
    message = message_of(image, encoding, padding=2 * image[0, 0].nbytes)
    assert np.array_equal(BRIDGE.imgmsg_to_cv2(message), image)


def test_rows_padded_by_a_part_of_a_pixel_are_refused(only_here):
    only_here(cv_bridge)  # upstream returns a picture that is sheared
    with pytest.raises(cv_bridge.CvBridgeError, match="step 20"):
        BRIDGE.imgmsg_to_cv2(message_of(picture("rgb8"), "rgb8", padding=2))


@pytest.mark.parametrize("encoding", ["mono16", "32FC1", "16UC3"])
def test_big_endian_images(encoding, only_here):
    only_here(cv_bridge)  # upstream fails with NumPy 2
    image = picture(encoding)
    message = message_of(image.byteswap(), encoding)
    message.is_bigendian = 1
    read = BRIDGE.imgmsg_to_cv2(message)
    assert read.dtype.isnative
    assert np.array_equal(read, image)


def test_colors_change_places():
    rgb = [[[10, 20, 30]]]
    assert converted(rgb, "uint8", "rgb8", "bgr8") == [[[30, 20, 10]]]
    assert converted(rgb, "uint8", "rgb8", "bgra8") == [[[30, 20, 10, 255]]]
    assert converted(rgb, "uint8", "rgb8", "rgba8") == [[[10, 20, 30, 255]]]
    # luma of Rec. 601: 0.299 R + 0.587 G + 0.114 B = 18.15
    assert converted(rgb, "uint8", "rgb8", "mono8") == [[18]]
    assert converted([[7]], "uint8", "mono8", "rgb8") == [[[7, 7, 7]]]


def test_white_stays_white_between_8_and_16_bits():
    assert converted([[0, 1, 128, 255]], "uint8", "mono8", "mono16") == [[0, 257, 128 * 257, 65535]]
    assert converted([[0, 300, 65535]], "uint16", "mono16", "mono8") == [[0, 1, 255]]
    assert converted([[[255, 0, 128]]], "uint8", "rgb8", "bgr16") == [[[128 * 257, 0, 65535]]]


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
@pytest.mark.parametrize("color", ["r", "g", "b"])
def test_bayer_patterns_name_the_first_four_pixels(pattern, color):
    """Only the cells of one colour are lit: away from the border, that colour prevails."""
    lit = np.array([letter == color for letter in pattern]).reshape(2, 2)
    message = message_of((np.tile(lit, (8, 8)) * 200).astype(np.uint8), f"bayer_{pattern}8")
    mean = BRIDGE.imgmsg_to_cv2(message, "rgb8")[4:-4, 4:-4].reshape(-1, 3).mean(axis=0)
    assert mean["rgb".index(color)] == pytest.approx(200, abs=1)
    assert mean.sum() == pytest.approx(200, abs=2)
    flipped = BRIDGE.imgmsg_to_cv2(message, "bgr8")[4:-4, 4:-4].reshape(-1, 3).mean(axis=0)
    assert np.allclose(flipped, mean[::-1])


@pytest.mark.parametrize(("encoding", "order"), [("yuv422", "uyvy"), ("yuv422_yuy2", "yuyv")])
def test_yuv_422(encoding, order):
    """Grey pixels of luma 126, then with a red tint: video range, Rec. 601."""
    sample = {"y": 126, "u": 128, "v": 128}
    pair = np.array([sample[letter] for letter in order], np.uint8).reshape(1, 2, 2)
    gray = BRIDGE.imgmsg_to_cv2(message_of(np.tile(pair, (4, 3, 1)), encoding), "bgr8")
    assert gray.shape == (4, 6, 3)
    assert np.allclose(gray, round((126 - 16) * 255 / 219), atol=1)
    sample["v"] = 160
    red = np.array([sample[letter] for letter in order], np.uint8).reshape(1, 2, 2)
    message = message_of(np.tile(red, (4, 3, 1)), encoding)
    r, g, b = BRIDGE.imgmsg_to_cv2(message, "rgb8")[0, 0].astype(int)
    assert r - 128 == pytest.approx(1.596 * 32, abs=2)
    assert g - 128 == pytest.approx(-0.813 * 32, abs=2)
    assert b == pytest.approx(128, abs=2)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(sorted(COLORS)), st.sampled_from(sorted(COLORS)), st.integers(0, 99))
def test_colors_survive_a_detour(source, target, seed):
    if ALL[target][1] < ALL[source][1] or (ALL[source][0], ALL[target][0]) == ("uint16", "uint8"):
        return  # gray, opaque and shallow images hold less
    image = picture(source, seed=seed)
    there = BRIDGE.imgmsg_to_cv2(message_of(image, source), target)
    assert there.dtype == ALL[target][0]
    back = BRIDGE.imgmsg_to_cv2(message_of(there, target), source)
    if source.startswith("mono"):
        assert np.abs(back.astype(int) - image).max() <= 1
    else:
        assert np.array_equal(back, image)


@pytest.mark.parametrize(
    "encoding",
    ["rgb9", "", "8UC", "33FC1", "bayer_rgb8", "jpeg", "uyvy", "yuyv", "nv12", "nv21"],
)
def test_unknown_encodings_are_refused(encoding):
    message = Image(height=1, width=1, step=3, encoding=encoding)
    message.data.frombytes(b"abc")
    with pytest.raises(cv_bridge.CvBridgeError):
        BRIDGE.imgmsg_to_cv2(message)
    message.encoding = "bgr8"
    if encoding:
        with pytest.raises(cv_bridge.CvBridgeError):
            BRIDGE.imgmsg_to_cv2(message, encoding)


@pytest.mark.parametrize(
    ("source", "target"),
    [("32FC1", "mono8"), ("8UC3", "bgr8"), ("bgr8", "8UC1"), ("8UC2", "8UC3"), ("bgr8", "yuv422")],
)
def test_senseless_conversions_are_refused(source, target):
    with pytest.raises(cv_bridge.CvBridgeError):
        BRIDGE.imgmsg_to_cv2(message_of(picture(source), source), target)


def test_messages_with_too_little_data_are_refused():
    message = message_of(picture("bgr8"), "bgr8")
    message.height += 1
    with pytest.raises(TypeError):
        BRIDGE.imgmsg_to_cv2(message)


def test_messages_with_too_short_a_step_are_refused(only_here):
    only_here(cv_bridge)
    message = message_of(picture("bgr8"), "bgr8")
    message.width += 1
    with pytest.raises(cv_bridge.CvBridgeError, match=r"bgr8.*21"):
        BRIDGE.imgmsg_to_cv2(message)
