# SPDX-License-Identifier: Apache-2.0
"""Images out of ROS messages, as arrays of OpenCV."""

from cv_bridge.core import CvBridge
from cv_bridge.encodings import CvBridgeError

__all__ = ["CvBridge", "CvBridgeError"]
