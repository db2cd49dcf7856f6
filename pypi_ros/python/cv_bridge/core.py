# SPDX-License-Identifier: Apache-2.0
"""Images out of ROS messages, as arrays of OpenCV."""

import numpy as np
from sensor_msgs.msg import Image

from cv_bridge.conversion import convert
from cv_bridge.encodings import CvBridgeError, parse


class CvBridge:
    """Converts sensor_msgs Image to arrays.

    Arrays are (H, W) for one channel, (H, W, C) for more, row by row from the top left.
    """

    def imgmsg_to_cv2(self, img_msg: Image, desired_encoding: str = "passthrough") -> np.ndarray:
        """Return the pixels of an image message.

        Args:
            img_msg: the message; rows may be padded by whole pixels, bytes may be in either order.
            desired_encoding: encoding of the result; "passthrough" keeps the message's.

        Returns:
            (H, W) or (H, W, C). With "passthrough" it may share its memory with the message.

        Raises:
            CvBridgeError: unknown encoding, too little data, or no way to the desired encoding.
        """
        encoding = parse(img_msg.encoding)
        dtype = np.dtype(encoding.dtype).newbyteorder("big" if img_msg.is_bigendian else "little")
        pixel_bytes = dtype.itemsize * encoding.channels
        height, width, step, data = img_msg.height, img_msg.width, img_msg.step, img_msg.data
        if isinstance(data, list):
            data = np.array(data, dtype=np.uint8)
        needed = (height - 1) * step + width * pixel_bytes if height and width else 0
        if step < width * pixel_bytes or len(data) < needed:
            raise CvBridgeError(
                f"Image is wrongly formed: {height} rows of {width} pixels in "
                f"{img_msg.encoding} with step {step} need a step of at least "
                f"{width * pixel_bytes} and {needed} bytes of data; got {len(data)} bytes"
            )
        if step % pixel_bytes:  # upstream returns a sheared picture
            raise CvBridgeError(f"step {step} is no whole number of {pixel_bytes}-byte pixels")
        image: np.ndarray = np.ndarray(
            (height, width, encoding.channels),
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
