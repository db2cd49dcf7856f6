# SPDX-License-Identifier: Apache-2.0
"""Images between ROS messages and the arrays of OpenCV."""

import sys

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from cv_bridge.conversion import convert
from cv_bridge.encodings import CvBridgeError, generic_name, parse

_DECODED = {1: "mono", 3: "bgr", 4: "bgra"}


class CvBridge:
    """Converts sensor_msgs Image and CompressedImage to arrays and back.

    Arrays are (H, W) for one channel, (H, W, C) for more, row by row from the top left.
    """

    def imgmsg_to_cv2(self, img_msg: Image, desired_encoding: str = "passthrough") -> np.ndarray:
        """Return the pixels of an image message.

        Args:
            img_msg: the message; rows may be padded, bytes may be in either order.
            desired_encoding: encoding of the result; "passthrough" keeps the message's.

        Returns:
            (H, W) or (H, W, C). With "passthrough" it may share its memory with the message.

        Raises:
            CvBridgeError: unknown encoding, too little data, or no way to the desired encoding.
        """
        encoding = parse(img_msg.encoding)
        dtype = np.dtype(encoding.dtype).newbyteorder("big" if img_msg.is_bigendian else "little")
        pixel_bytes = dtype.itemsize * encoding.channels
        rows = int(img_msg.height * encoding.rows_per_line)
        width, step, data = img_msg.width, img_msg.step, img_msg.data
        if isinstance(data, list):
            data = np.array(data, dtype=np.uint8)
        needed = (rows - 1) * step + width * pixel_bytes if rows and width else 0
        if step < width * pixel_bytes or len(data) < needed:
            raise CvBridgeError(
                f"Image is wrongly formed: {img_msg.height} rows of {width} pixels in "
                f"{img_msg.encoding} with step {step} need a step of at least "
                f"{width * pixel_bytes} and {needed} bytes of data; got {len(data)} bytes"
            )
        image: np.ndarray = np.ndarray(
            (rows, width, encoding.channels),
            dtype,
            buffer=data if needed else None,
            strides=(step, pixel_bytes, dtype.itemsize),
        )
        if encoding.channels == 1:
            image = image[:, :, 0]
        image = np.ascontiguousarray(image).astype(encoding.dtype, copy=False)
        if desired_encoding == "passthrough":
            return image
        return convert(image, img_msg.encoding, desired_encoding)

    def cv2_to_imgmsg(
        self, cvim: np.ndarray, encoding: str = "passthrough", header: Header | None = None
    ) -> Image:
        """Put an array into an image message.

        Args:
            cvim: (H, W) or (H, W, C).
            encoding: what the channels mean; it has to fit the array's type, as nothing is
                converted. "passthrough" takes the name without a meaning, such as 8UC3.
            header: the message's header.

        Raises:
            TypeError: `cvim` is not an array.
            CvBridgeError: the array's type cannot be sent, or does not fit the encoding.
        """
        _require_array(cvim)
        if cvim.ndim not in (2, 3):
            raise CvBridgeError(f"An image has 2 or 3 dimensions; got an array of {cvim.shape}")
        channels = 1 if cvim.ndim == 2 else cvim.shape[2]
        generic = generic_name(cvim.dtype.name, channels)
        message = Image()
        if header is not None:
            message.header = header
        message.height, message.width = cvim.shape[:2]
        message.encoding = generic
        if encoding != "passthrough":
            wanted = parse(encoding)
            if generic_name(wanted.dtype, wanted.channels) != generic:
                raise CvBridgeError(
                    f"encoding specified as {encoding}, but image has incompatible type {generic}"
                )
            message.encoding = encoding
            message.height = int(cvim.shape[0] / wanted.rows_per_line)
        order = cvim.dtype.byteorder
        message.is_bigendian = order == ">" or (order == "=" and sys.byteorder == "big")
        message.step = message.width * channels * cvim.dtype.itemsize
        # Filling the message's own array is by far the fastest way on every distribution.
        message.data.frombytes(np.ascontiguousarray(cvim).reshape(-1).view(np.uint8))
        return message

    def compressed_imgmsg_to_cv2(
        self, cmprs_img_msg: CompressedImage, desired_encoding: str = "passthrough"
    ) -> np.ndarray:
        """Decode a compressed image message.

        Args:
            cmprs_img_msg: the message, in any format that OpenCV reads.
            desired_encoding: encoding of the result; "passthrough" gives what is in the file,
                colours as BGR.

        Raises:
            CvBridgeError: the data cannot be decoded, or not brought to the desired encoding.
        """
        data = np.frombuffer(cmprs_img_msg.data, dtype=np.uint8)
        image = None
        if data.size:
            image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
        if image is None:
            raise CvBridgeError(
                f"The {data.size} bytes of a compressed image could not be decoded; its format "
                f'says "{cmprs_img_msg.format}"'
            )
        if desired_encoding == "passthrough":
            return image
        channels = 1 if image.ndim == 2 else image.shape[2]
        if channels in _DECODED and image.dtype in (np.uint8, np.uint16):
            source = f"{_DECODED[channels]}{8 * image.dtype.itemsize}"
        else:
            source = generic_name(image.dtype.name, channels)
        return convert(image, source, desired_encoding)

    def cv2_to_compressed_imgmsg(
        self, cvim: np.ndarray, dst_format: str = "jpg"
    ) -> CompressedImage:
        """Encode an array, colours as BGR, into a compressed image message.

        Args:
            cvim: (H, W) or (H, W, C).
            dst_format: a file name extension that OpenCV writes, such as jpg or png.

        Raises:
            TypeError: `cvim` is not an array.
            CvBridgeError: OpenCV cannot write the array in that format.
        """
        _require_array(cvim)
        try:
            done, data = cv2.imencode(f".{dst_format}", cvim)
        except cv2.error as error:
            raise CvBridgeError(str(error)) from error
        if not done:
            raise CvBridgeError(f"An image {cvim.shape} could not be encoded as {dst_format}")
        message = CompressedImage(format=dst_format)
        message.data.frombytes(data.tobytes())
        return message

    def encoding_to_dtype_with_channels(self, encoding: str) -> tuple[str, int]:
        """Return the NumPy type and the number of channels of an encoding.

        Raises:
            CvBridgeError: the encoding is unknown.
        """
        parsed = parse(encoding)
        return parsed.dtype, parsed.channels

    def dtype_with_channels_to_cvtype2(self, dtype: np.dtype, n_channels: int) -> str:
        """Name OpenCV's type for an array, such as 8UC3."""
        return generic_name(dtype.name, n_channels)

    def encoding_to_cvtype2(self, encoding: str) -> int:
        """Return OpenCV's number for an encoding's type.

        Raises:
            CvBridgeError: the encoding is unknown, or OpenCV has no name for its type.
        """
        parsed = parse(encoding)
        name = f"CV_{generic_name(parsed.dtype, parsed.channels)}"
        number = getattr(cv2, name, None)
        if number is None:
            raise CvBridgeError(f"OpenCV has no type {name} for the encoding [{encoding}]")
        return number


def _require_array(image: object) -> None:
    if not isinstance(image, np.ndarray):
        raise TypeError(f"Your input type is not a numpy array; got {type(image).__name__}")
