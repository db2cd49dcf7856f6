# SPDX-License-Identifier: Apache-2.0
"""Contract of cv_bridge: images to arrays and back, in any encoding of sensor_msgs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
cv_bridge = pytest.importorskip("cv_bridge", reason="cv_bridge is not installed")

from sensor_msgs.msg import CompressedImage, Image  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

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


@pytest.mark.parametrize("encoding", sorted(ALL))
def test_encodings_are_what_they_say(encoding):
    assert BRIDGE.encoding_to_dtype_with_channels(encoding) == ALL[encoding]


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(sorted(ALL)), st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_any_image_goes_round(encoding, height, width, seed):
    image = picture(encoding, height, width, seed)
    message = BRIDGE.cv2_to_imgmsg(image, encoding)
    assert (message.height, message.width, message.encoding) == (height, width, encoding)
    assert message.step == width * image.itemsize * ALL[encoding][1]
    assert bytes(message.data) == image.tobytes()
    back = BRIDGE.imgmsg_to_cv2(message)
    assert back.dtype == image.dtype
    assert np.array_equal(back, image)
    assert np.array_equal(BRIDGE.imgmsg_to_cv2(message, encoding), image)


def test_passthrough_names_the_type_of_the_array():
    assert BRIDGE.cv2_to_imgmsg(picture("32FC1")).encoding == "32FC1"
    assert BRIDGE.cv2_to_imgmsg(picture("bgr8")).encoding == "8UC3"
    header = Header(frame_id="camera")
    assert BRIDGE.cv2_to_imgmsg(picture("mono8"), "mono8", header=header).header == header


def test_arrays_of_any_memory_layout():
    image = picture("bgr8", 6, 8)
    for view in (image[::2, 1:5], image[:, ::-1], np.asfortranarray(image)):
        message = BRIDGE.cv2_to_imgmsg(view, "bgr8")
        assert np.array_equal(BRIDGE.imgmsg_to_cv2(message), view)


@pytest.mark.parametrize("encoding", ["bgr8", "mono16", "32FC1", "16SC3"])
def test_padded_rows(encoding):
    image = picture(encoding)
    rows = image.reshape(len(image), -1).view(np.uint8)
    padding = 2 * image[0, 0].nbytes  # upstream needs whole pixels
    padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=7)
    message = Image(height=4, width=6, encoding=encoding, step=padded.shape[1])
    message.data.frombytes(padded.tobytes())
    assert np.array_equal(BRIDGE.imgmsg_to_cv2(message), image)


@pytest.mark.parametrize("encoding", ["mono16", "32FC1", "16UC3"])
def test_big_endian_images(encoding, only_here):
    only_here(cv_bridge)  # upstream fails with NumPy 2
    image = picture(encoding)
    message = BRIDGE.cv2_to_imgmsg(image, encoding)
    swapped = Image(height=4, width=6, encoding=encoding, step=message.step, is_bigendian=1)
    swapped.data.frombytes(image.byteswap().tobytes())
    back = BRIDGE.imgmsg_to_cv2(swapped)
    assert back.dtype.isnative
    assert np.array_equal(back, image)
    big = image.astype(image.dtype.newbyteorder(">"))
    sent = BRIDGE.cv2_to_imgmsg(big, encoding)
    assert sent.is_bigendian
    assert bytes(sent.data) == bytes(swapped.data)


def test_colors_change_places():
    message = BRIDGE.cv2_to_imgmsg(np.array([[[10, 20, 30]]], np.uint8), "rgb8")
    assert BRIDGE.imgmsg_to_cv2(message, "bgr8").tolist() == [[[30, 20, 10]]]
    assert BRIDGE.imgmsg_to_cv2(message, "bgra8").tolist() == [[[30, 20, 10, 255]]]
    assert BRIDGE.imgmsg_to_cv2(message, "rgba8").tolist() == [[[10, 20, 30, 255]]]
    # luma of Rec. 601: 0.299 R + 0.587 G + 0.114 B = 18.15
    assert BRIDGE.imgmsg_to_cv2(message, "mono8").tolist() == [[18]]
    message = BRIDGE.cv2_to_imgmsg(np.array([[7]], np.uint8), "mono8")
    assert BRIDGE.imgmsg_to_cv2(message, "rgb8").tolist() == [[[7, 7, 7]]]


def test_white_stays_white_between_8_and_16_bits():
    message = BRIDGE.cv2_to_imgmsg(np.array([[0, 1, 128, 255]], np.uint8), "mono8")
    assert BRIDGE.imgmsg_to_cv2(message, "mono16").tolist() == [[0, 257, 128 * 257, 65535]]
    message = BRIDGE.cv2_to_imgmsg(np.array([[0, 300, 65535]], np.uint16), "mono16")
    assert BRIDGE.imgmsg_to_cv2(message, "mono8").tolist() == [[0, 1, 255]]
    message = BRIDGE.cv2_to_imgmsg(np.array([[[255, 0, 128]]], np.uint8), "rgb8")
    assert BRIDGE.imgmsg_to_cv2(message, "bgr16").tolist() == [[[128 * 257, 0, 65535]]]


def test_numbers_without_a_color_keep_their_values():
    depth_mm = BRIDGE.cv2_to_imgmsg(np.array([[1500, 65535]], np.uint16), "16UC1")
    assert BRIDGE.imgmsg_to_cv2(depth_mm, "32FC1").tolist() == [[1500.0, 65535.0]]
    assert BRIDGE.imgmsg_to_cv2(depth_mm, "32FC1").dtype == np.float32
    depth_m = BRIDGE.cv2_to_imgmsg(np.array([[1.4, -3.0, 70000.0]], np.float32), "32FC1")
    assert BRIDGE.imgmsg_to_cv2(depth_m, "16UC1").tolist() == [[1, 0, 65535]]
    rgb = BRIDGE.cv2_to_imgmsg(picture("rgb8"), "rgb8")
    assert np.array_equal(BRIDGE.imgmsg_to_cv2(rgb, "8UC3"), picture("rgb8"))


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
@pytest.mark.parametrize("color", ["r", "g", "b"])
def test_bayer_patterns_name_the_first_four_pixels(pattern, color):
    """Only the cells of one colour are lit: away from the border, that colour prevails."""
    lit = np.array([letter == color for letter in pattern]).reshape(2, 2)
    mosaic = (np.tile(lit, (8, 8)) * 200).astype(np.uint8)
    message = BRIDGE.cv2_to_imgmsg(mosaic, f"bayer_{pattern}8")
    mean = BRIDGE.imgmsg_to_cv2(message, "rgb8")[4:-4, 4:-4].reshape(-1, 3).mean(axis=0)
    assert mean["rgb".index(color)] == pytest.approx(200, abs=1)
    assert mean.sum() == pytest.approx(200, abs=2)
    flipped = BRIDGE.imgmsg_to_cv2(message, "bgr8")[4:-4, 4:-4].reshape(-1, 3).mean(axis=0)
    assert np.allclose(flipped, mean[::-1])
    assert BRIDGE.imgmsg_to_cv2(message, "mono8").shape == mosaic.shape


@pytest.mark.parametrize(("encoding", "order"), [("yuv422", "uyvy"), ("yuv422_yuy2", "yuyv")])
def test_yuv_422(encoding, order):
    """Two grey pixels of luma 126 and a red tint: video range, Rec. 601."""
    sample = {"y": 126, "u": 128, "v": 128}
    pair = np.array([sample[letter] for letter in order], np.uint8).reshape(1, 2, 2)
    message = BRIDGE.cv2_to_imgmsg(np.tile(pair, (4, 3, 1)), encoding)
    gray = BRIDGE.imgmsg_to_cv2(message, "bgr8")
    assert gray.shape == (4, 6, 3)
    assert np.allclose(gray, round((126 - 16) * 255 / 219), atol=1)
    sample["v"] = 160
    red = np.array([sample[letter] for letter in order], np.uint8).reshape(1, 2, 2)
    message = BRIDGE.cv2_to_imgmsg(np.tile(red, (4, 3, 1)), encoding)
    r, g, b = BRIDGE.imgmsg_to_cv2(message, "rgb8")[0, 0].astype(int)
    assert r - 128 == pytest.approx(1.596 * 32, abs=2)
    assert g - 128 == pytest.approx(-0.813 * 32, abs=2)
    assert b == pytest.approx(128, abs=2)
    assert np.all(BRIDGE.imgmsg_to_cv2(message, "mono8") == 126)


@pytest.mark.parametrize("encoding", ["nv12", "nv21"])
def test_yuv_420(encoding, only_here):
    only_here(cv_bridge)  # unknown upstream
    planes = np.full((6, 6), 126, np.uint8)
    planes[4:] = (128, 160) * 3 if encoding == "nv12" else (160, 128) * 3
    message = BRIDGE.cv2_to_imgmsg(planes, encoding)
    assert (message.height, message.width, message.step) == (4, 6, 6)
    r, g, b = BRIDGE.imgmsg_to_cv2(message, "rgb8")[2, 2].astype(int)
    assert r - 128 == pytest.approx(1.596 * 32, abs=2)
    assert g < b < r
    assert np.array_equal(BRIDGE.imgmsg_to_cv2(message, "mono8"), np.full((4, 6), 126))
    assert np.array_equal(BRIDGE.imgmsg_to_cv2(message), planes)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(sorted(COLORS)), st.sampled_from(sorted(COLORS)), st.integers(0, 99))
def test_colors_survive_a_detour(source, target, seed):
    if ALL[target][1] < ALL[source][1] or (ALL[source][0], ALL[target][0]) == ("uint16", "uint8"):
        return  # gray, opaque and shallow images hold less
    image = picture(source, seed=seed)
    there = BRIDGE.imgmsg_to_cv2(BRIDGE.cv2_to_imgmsg(image, source), target)
    assert there.dtype == ALL[target][0]
    back = BRIDGE.imgmsg_to_cv2(BRIDGE.cv2_to_imgmsg(there, target), source)
    if source.startswith("mono"):
        assert np.abs(back.astype(int) - image).max() <= 1
    else:
        assert np.array_equal(back, image)


@pytest.mark.parametrize("encoding", ["rgb9", "", "8UC", "33FC1", "bayer_rgb8", "jpeg"])
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
    message = BRIDGE.cv2_to_imgmsg(picture(source), source)
    with pytest.raises(cv_bridge.CvBridgeError):
        BRIDGE.imgmsg_to_cv2(message, target)


def test_arrays_have_to_fit_the_encoding():
    for image, encoding in ((picture("bgr8"), "mono8"), (picture("32FC1"), "16UC1")):
        with pytest.raises(cv_bridge.CvBridgeError):
            BRIDGE.cv2_to_imgmsg(image, encoding)
    with pytest.raises(TypeError):
        BRIDGE.cv2_to_imgmsg([[1, 2]], "mono8")


def test_messages_with_too_little_data_are_refused():
    message = BRIDGE.cv2_to_imgmsg(picture("bgr8"), "bgr8")
    message.height += 1
    with pytest.raises(TypeError):
        BRIDGE.imgmsg_to_cv2(message)


def test_messages_with_too_short_a_step_are_refused(only_here):
    only_here(cv_bridge)
    message = BRIDGE.cv2_to_imgmsg(picture("bgr8"), "bgr8")
    message.width += 1
    with pytest.raises(cv_bridge.CvBridgeError, match=r"bgr8.*21"):
        BRIDGE.imgmsg_to_cv2(message)
    with pytest.raises(cv_bridge.CvBridgeError, match="int64"):
        BRIDGE.cv2_to_imgmsg(np.zeros((2, 2), np.int64))


# Compressed -----------------------------------------------------------------------------------


def test_png_goes_round():
    for encoding in ("bgr8", "mono8", "mono16", "bgra8"):
        image = picture(encoding, 20, 30)
        message = BRIDGE.cv2_to_compressed_imgmsg(image, "png")
        assert message.format == "png"
        assert bytes(message.data[:4]) == b"\x89PNG"
        assert np.array_equal(BRIDGE.compressed_imgmsg_to_cv2(message), image)


def test_jpeg_is_the_default_and_decodes_to_bgr():
    blue = np.full((16, 16, 3), (200, 30, 10), np.uint8)
    message = BRIDGE.cv2_to_compressed_imgmsg(blue)
    assert bytes(message.data[:2]) == b"\xff\xd8"
    assert np.allclose(BRIDGE.compressed_imgmsg_to_cv2(message), blue, atol=4)
    rgb = BRIDGE.compressed_imgmsg_to_cv2(message, "rgb8")
    assert np.allclose(rgb, blue[:, :, ::-1], atol=4)
    assert BRIDGE.compressed_imgmsg_to_cv2(message, "mono8").shape == (16, 16)


def test_gray_files_and_alpha_are_converted(only_here):
    only_here(cv_bridge)  # upstream takes every file for bgr8
    gray = BRIDGE.cv2_to_compressed_imgmsg(np.full((4, 4), 9, np.uint8), "png")
    assert BRIDGE.compressed_imgmsg_to_cv2(gray, "bgr8")[0, 0].tolist() == [9, 9, 9]
    alpha = BRIDGE.cv2_to_compressed_imgmsg(np.full((4, 4, 4), (1, 2, 3, 4), np.uint8), "png")
    assert BRIDGE.compressed_imgmsg_to_cv2(alpha, "rgb8")[0, 0].tolist() == [3, 2, 1]


@pytest.mark.parametrize("data", [b"", b"not an image", b"\xff\xd8\xff\xe0 cut off"])
def test_broken_files_are_refused(data, only_here):
    only_here(cv_bridge)  # upstream returns None
    message = CompressedImage(format="jpeg")
    message.data.frombytes(data)
    with pytest.raises(cv_bridge.CvBridgeError, match="jpeg"):
        BRIDGE.compressed_imgmsg_to_cv2(message)


def test_unknown_formats_are_refused(only_here):
    only_here(cv_bridge)
    with pytest.raises(cv_bridge.CvBridgeError):
        BRIDGE.cv2_to_compressed_imgmsg(picture("bgr8"), "nonsense")
    with pytest.raises(TypeError):
        BRIDGE.cv2_to_compressed_imgmsg("picture")
