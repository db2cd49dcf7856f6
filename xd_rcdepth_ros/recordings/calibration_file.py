# SPDX-License-Identifier: Apache-2.0
"""Reads a camera and the way from radar to camera from a small file.

Our own format, as JSON or YAML::

    camera:
      k: [[1266.4, 0, 816.3], [0, 1266.4, 491.5], [0, 0, 1]]   # pixels
      distortion: [0, 0, 0, 0, 0]     # optional, OpenCV's order
      distortion_model: plumb_bob     # optional; ROS name
      width: 1600                     # optional; refused if the image has another size
      height: 900
    camera_from_radar:                # 4 x 4: metres, radar (x forward, y left, z up) to
      - [0, -1, 0, 0.0]               # camera (x right, y down, z forward)
      - [0, 0, -1, 0.6]
      - [1, 0, 0, -0.4]
      - [0, 0, 0, 1]

``camera_from_lidar`` may be there likewise. The same in another spelling, as the converter of
ZJU-4DRadarCam has it::

    {"width": 1280, "height": 720, "K": [...], "T_camera_radar": [...], "T_camera_lidar": [...]}

The calibration files of Astyx HiRes2019 (``sensors`` with ``T_to_ref_COS``) are recognised too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from xd_rcdepth_ros.errors import GeometryError, RecordingError
from xd_rcdepth_ros.geometry import PinholeCamera, RigidTransform

MAX_FILE_BYTES = 1 << 20


@dataclass(frozen=True)
class Calibration:
    """What one file says.

    Attributes:
        k: (3, 3) float64, camera matrix, pixels.
        distortion: Coefficients in OpenCV's order; empty for a rectified image.
        distortion_model: ROS name of the model.
        size: (width, height) of the image that the camera matrix belongs to, if it is said.
        camera_from_radar: Transform from the radar's to the camera's frame.
        camera_from_lidar: Transform from the lidar's to the camera's frame, if it is said.
    """

    k: np.ndarray
    distortion: tuple[float, ...]
    distortion_model: str
    size: tuple[int, int] | None
    camera_from_radar: RigidTransform
    camera_from_lidar: RigidTransform | None = None

    def camera(self, width: int, height: int) -> PinholeCamera:
        """Return the camera of an image of that size.

        Raises:
            GeometryError: The calibration belongs to an image of another size, or is no pinhole.
        """
        if self.size is not None and self.size != (width, height):
            raise GeometryError(
                f"the image has {width} x {height} pixels, but the calibration belongs to "
                f"{self.size[0]} x {self.size[1]}. Give the original image, or scale K and size."
            )
        return PinholeCamera(
            width,
            height,
            self.k,
            distortion=self.distortion,
            distortion_model=self.distortion_model,
            frame_id="camera",
        )


def read_calibration(path: str | Path) -> Calibration:
    """Read a calibration file.

    Raises:
        RecordingError: The file is missing, no JSON or YAML, or of an unknown layout.
        GeometryError: Its numbers are no camera matrix or no rigid transform.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise RecordingError(f"{path} is larger than {MAX_FILE_BYTES} bytes: no calibration.")
        content = yaml.safe_load(path.read_text(encoding="utf8"))  # JSON is YAML too
    except OSError as error:
        raise RecordingError(f"cannot read {path}: {error.strerror or error}.") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise RecordingError(f"{path} is neither JSON nor YAML: {error}") from error
    if not isinstance(content, dict):
        raise RecordingError(f"{path} holds no keys; expected camera and camera_from_radar.")
    try:
        if "sensors" in content:
            return _astyx(content)
        return _own(_respell(content) if "K" in content else content)
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise RecordingError(
            f"{path} is no calibration that this project knows ({type(error).__name__}: {error}). "
            "Expected camera.k (3 x 3) and camera_from_radar (4 x 4), or K and T_camera_radar, or "
            "an Astyx file."
        ) from error
    except GeometryError as error:
        raise GeometryError(f"{path}: {error}") from error


def _respell(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of the other spelling (K, T_camera_radar) in our own."""
    camera = {"k": content["K"], **{k: content[k] for k in ("width", "height") if k in content}}
    names = {"T_camera_radar": "camera_from_radar", "T_camera_lidar": "camera_from_lidar"}
    transforms = {own: content[other] for other, own in names.items() if other in content}
    if "camera_from_radar" not in transforms:
        raise KeyError("T_camera_radar")
    return {"camera": camera, **transforms}


def _own(content: Mapping[str, Any]) -> Calibration:
    camera = content["camera"]
    lidar = content.get("camera_from_lidar")
    size = (int(camera["width"]), int(camera["height"])) if "width" in camera else None
    return Calibration(
        np.array(camera["k"], np.float64),
        tuple(float(value) for value in camera.get("distortion") or ()),
        str(camera.get("distortion_model", "plumb_bob")),
        size,
        RigidTransform.from_matrix(np.array(content["camera_from_radar"], np.float64)),
        None if lidar is None else RigidTransform.from_matrix(np.array(lidar, np.float64)),
    )


def _astyx(content: Mapping[str, Any]) -> Calibration:
    sensors = {str(s["sensor_uid"]): s["calib_data"] for s in content["sensors"]}

    def of(kind: str) -> Mapping[str, Any]:
        for uid, data in sensors.items():
            if uid.startswith(kind):
                return dict(data)
        raise KeyError(f"no {kind} among the sensors {sorted(sensors)}")

    reference_from = {
        kind: RigidTransform.from_matrix(np.array(of(kind)["T_to_ref_COS"], np.float64))
        for kind in ("camera", "radar")
    }
    return Calibration(
        np.array(of("camera")["K"], np.float64),
        (),
        "plumb_bob",
        None,
        reference_from["camera"].inverse() @ reference_from["radar"],
    )
