# SPDX-License-Identifier: Apache-2.0
"""Radars none of whose returns fall into the image: the cause is named, with what to do."""

import numpy as np
import pytest

from xd_rcdepth_ros.geometry import (
    PinholeCamera,
    RadarPoints,
    RadarSweep,
    RigidTransform,
    SensorFrame,
)
from xd_rcdepth_ros.ros.accounting import Complaints
from xd_rcdepth_ros.ros.returns import FRAMES_IN_VAIN, ReturnsWatch

OPTICAL = np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]])  # a radar that looks along the camera
BODY = np.eye(3)  # the image was stamped with a body frame, whose x is forward
BACK = np.diag([-1.0, 1.0, -1.0]) @ OPTICAL
ASIDE = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]) @ np.diag([1.0, -1, -1])
AHEAD = RadarPoints.from_arrays([[20.0 + i, i - 3.0, 0.5] for i in range(6)])


def frame(rotation, points=AHEAD):
    camera = PinholeCamera.from_focal(320, 192, 240, 240, 159.5, 95.5, "cam")
    sweep = RadarSweep(points, RigidTransform(rotation, np.zeros(3)))
    return SensorFrame(np.zeros((192, 320, 3), np.uint8), camera, (sweep,))


@pytest.fixture
def watch():
    watch = ReturnsWatch(Complaints(lambda level, text: watch.said.append(text)))
    watch.said = []
    return watch


def play(watch, one, times=FRAMES_IN_VAIN):
    for _ in range(times):
        watch.check(one, one.radar_raster())


@pytest.mark.parametrize(
    ("rotation", "cause", "remedy"),
    [
        (BODY, "it is a body frame", "'cam_optical'"),
        (BACK, "lie behind frame 'cam'", "not the way back"),
        (ASIDE, "outside the view", "mounting on /tf_static"),
    ],
)
def test_camera_body_frame_and_wrong_mountings_are_named(watch, rotation, cause, remedy):
    play(watch, frame(rotation), FRAMES_IN_VAIN - 1)
    assert watch.said == []
    play(watch, frame(rotation), 5)
    (text,) = watch.said
    assert text.startswith("none of the 6 returns of radar 'front' falls into the image (10 images")
    assert cause in text and remedy in text


def test_radars_that_are_seen_now_and_then_or_are_empty_are_no_matter(watch):
    for _ in range(3):
        play(watch, frame(BODY), FRAMES_IN_VAIN - 1)
        play(watch, frame(OPTICAL), 1)
    play(watch, frame(BODY, RadarPoints.empty()), 2 * FRAMES_IN_VAIN)
    assert watch.said == []
