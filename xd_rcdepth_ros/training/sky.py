# SPDX-License-Identifier: Apache-2.0
"""Pseudo-labels of the sky for training frames, from a model that tells it, kept on disk."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from xd_rcdepth_ros.errors import CheckpointError
from xd_rcdepth_ros.geometry import UNKNOWN, NetworkGrid, SensorFrame
from xd_rcdepth_ros.inference.backends.torch import TorchBackend
from xd_rcdepth_ros.network import file_sha256, load_checkpoint
from xd_rcdepth_ros.network.prediction import SKY
from xd_rcdepth_ros.supervision.sky import SkyLabelSettings, sky_labels
from xd_rcdepth_ros.training.kept import keep_array


class SkyLabeller:
    """Adds labels of the sky to frames with lidar.

    Args:
        model_file: A model whose head tells the sky.
        settings: When a pixel is told to be sky.

    Raises:
        CheckpointError: There is no such file.
    """

    def __init__(self, model_file: str, settings: SkyLabelSettings) -> None:
        self.model_file, self.settings = model_file, settings
        try:
            parts = (file_sha256(model_file), asdict(settings))
        except OSError as error:
            raise CheckpointError(
                f"sky_model {model_file} cannot be read: {error}. Give a model file whose head "
                "tells the sky."
            ) from error
        self.identity = hashlib.sha256(repr(parts).encode()).hexdigest()[:16]

    def label(self, frame: SensorFrame, folder: Path) -> SensorFrame:
        """Return the frame with labels where its own mask, if any, says nothing.

        Args:
            frame: At the training's focal length; one without lidar comes back as it is.
            folder: Where the frame's recording keeps what is made of it.

        Raises:
            CheckpointError: The model's head does not tell the sky.
        """
        if frame.lidar is None:
            return frame
        file = folder / f"sky-{self.identity}" / f"{frame.stamp_ns}.npy"
        if file.exists():
            labels = np.asarray(np.load(file, allow_pickle=False), np.uint8)
        else:
            depth = frame.lidar_depth()
            if frame.depth_m is not None:
                depth = np.fmin(depth, frame.depth_m)
            labels = sky_labels(sky_probability(self.model_file, frame), depth, self.settings)
            keep_array(file, labels, np.uint8)
        if frame.sky is not None:
            labels = np.where(frame.sky == UNKNOWN, labels, frame.sky)
        return replace(frame, sky=labels)


def sky_probability(model_file: str, frame: SensorFrame) -> NDArray[np.float32]:
    """Return the probability (H, W) of sky or nothing within range that a model sees in a frame.

    NaN where the network's grid does not cover the image.

    Raises:
        CheckpointError: The file cannot be used, or the model's head does not tell the sky.
    """
    backend, focal_length_px = _load(model_file)
    grid = NetworkGrid.for_camera(frame.camera, focal_length_px)
    placed = grid.place(frame)
    output = backend.run(placed.image, placed.radar_raster().channels)
    if len(output) <= SKY:
        raise CheckpointError(
            f"sky_model {model_file} tells depth alone; expected a model trained with "
            "error_and_sky."
        )
    return grid.to_image(output[SKY], frame.camera.width, frame.camera.height)


@lru_cache(maxsize=1)
def _load(model_file: str) -> tuple[TorchBackend, float | None]:
    network, header = load_checkpoint(model_file)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return TorchBackend(network, device), header.focal_length_px
