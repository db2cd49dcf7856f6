# SPDX-License-Identifier: Apache-2.0
"""Notices radars none of whose returns ever fall into the image, and says what the cause may be."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from xd_rcdepth_ros.geometry import OPTICAL_FROM_BODY, PinholeCamera, RadarRaster, SensorFrame
from xd_rcdepth_ros.ros.accounting import Complaints

FRAMES_IN_VAIN = 10  # images in a row without one return before a complaint


class ReturnsWatch:
    """Watches how many returns of each radar fall into the images.

    Args:
        complain: Logs it.
    """

    def __init__(self, complain: Complaints) -> None:
        self._complain = complain
        self._in_vain: Counter[str] = Counter()

    def check(self, frame: SensorFrame, raster: RadarRaster) -> None:
        """Take a frame and where its returns were drawn; complain after many without one.

        Args:
            frame: The frame.
            raster: Its returns in the image.
        """
        seen = {frame.radar[int(number)].name for number in np.unique(raster.source[:, 0])}
        for name in {sweep.name for sweep in frame.radar}:
            points = np.concatenate(
                [
                    sweep.camera_from_radar.apply(sweep.points.position_m[sweep.points.usable()])
                    for sweep in frame.radar
                    if sweep.name == name
                ]
            )
            if name in seen:
                self._in_vain[name] = 0
            elif len(points):
                self._in_vain[name] += 1
                if self._in_vain[name] >= FRAMES_IN_VAIN:
                    self._complain(
                        f"none of the {len(points)} returns of radar '{name}' falls into the image "
                        f"({self._in_vain[name]} images in a row): {_cause(frame.camera, points)}"
                    )


def _cause(camera: PinholeCamera, points_m: NDArray[np.float64]) -> str:
    """Return the likely cause and the remedy, of points (N, 3) in the camera's frame, metres."""
    frame_id = camera.frame_id
    uv, _ = camera.project(points_m @ OPTICAL_FROM_BODY.T)
    with np.errstate(invalid="ignore"):
        inside = ((uv >= 0) & (uv < [camera.width, camera.height])).all(axis=1)
    if inside.mean() > 0.2:
        return (
            f"they would if frame '{frame_id}' looked along its x axis, so it is a body frame. "
            f"Images need an optical frame (z forward, x right): publish the transform from "
            f"'{frame_id}' to '{frame_id}_optical' and set it as the images' frame_id."
        )
    if (points_m[:, 2] <= 0).mean() > 0.9:
        return (
            f"they lie behind frame '{frame_id}'. Check that the radar's mounting on /tf_static is "
            "the way from the radar to its parent and not the way back; leave radars that look "
            "elsewhere out of parameter radars."
        )
    return (
        f"they lie outside the view of frame '{frame_id}'. Check the radar's mounting on "
        "/tf_static and the fields that x, y and z are read from; leave radars that look elsewhere "
        "out of parameter radars."
    )
