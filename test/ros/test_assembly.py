# SPDX-License-Identifier: Apache-2.0
"""What is said of images that are undistorted by the lens model of their camera_info."""

from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.ros
pytest.importorskip("rclpy", reason="ROS is not built here: rclpy cannot be imported")

from xd_rcdepth_ros.geometry import PinholeCamera  # noqa: E402
from xd_rcdepth_ros.ros.assembly import FrameAssembler  # noqa: E402

CAMERA = PinholeCamera.from_focal(8, 4, 10.0, 10.0, 3.5, 1.5, frame_id="cam")


@pytest.mark.parametrize(
    ("topic", "level"),
    [
        ("/cam/image_rect", "warning"),
        ("/cam/image_rect_color", "warning"),
        ("/cam/rectified/image/compressed", "warning"),
        ("/cam/image_raw", "info"),
        ("/direct/image", "info"),  # no word of its own
    ],
)
def test_double_rectification_is_named_with_its_remedy(topic, level):
    """double_rectification: image_proc leaves D in the camera_info of images without distortion."""
    said = []

    def complain(text, level="warning", once=False):
        said.append((text, level, once))

    FrameAssembler._log_rectification(
        SimpleNamespace(_image_topic=topic, _complain=complain), CAMERA
    )
    ((text, found, once),) = said
    assert (found, once) == (level, True)
    assert "'cam' are undistorted" in text and "set rectify: false" in text
    assert (topic in text) == (level == "warning")
