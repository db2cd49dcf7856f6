# SPDX-License-Identifier: Apache-2.0
"""Draw what several models see in the same frames of recordings: camera, models, lidar.

python experiments/depth_pictures.py docs/images/unlabelled.jpg \
        "lidar of 35 frames=out/unlabelled/direct-0/student.safetensors" \
        "... and the teacher's word on 299=out/unlabelled/both-0/student.safetensors" \
        "lidar of all 334 frames=out/unlabelled/direct_all_lidar-0/student.safetensors" \
        "teacher=models/student.safetensors"
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib
import numpy as np

from xd_rcdepth_ros.evaluation.data import RecordedFrames
from xd_rcdepth_ros.evaluation.model import ModelPredictor
from xd_rcdepth_ros.evaluation.pictures import frame_pictures
from xd_rcdepth_ros.evaluation.protocol import Protocol
from xd_rcdepth_ros.inference import DepthEstimator


def main() -> None:
    """Draw a column for each frame: camera, models, lidar."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("picture", type=Path)
    parser.add_argument("models", nargs="+", metavar="NAME=FILE")
    parser.add_argument("--recordings", type=Path, default=Path("out/recordings/astyx"))
    parser.add_argument("--frames", type=int, nargs="+", default=[4, 27, 51], help="of val")
    args = parser.parse_args()
    with RecordedFrames(args.recordings, "val") as recorded:
        chosen = [recorded[number] for number in args.frames]
    depths: dict[str, list[np.ndarray]] = {}
    for name, _, file in (item.rpartition("=") for item in args.models):
        predict = ModelPredictor(DepthEstimator.load(Path(file), device="cpu", backend="torch"))
        shown = [frame_pictures(frame, predict(frame).depth_m, Protocol()) for frame in chosen]
        depths[name] = [pictures["depth"] for pictures in shown]
    camera, lidar = ([pictures[key] for pictures in shown] for key in ("camera", "truth"))
    rows = {"camera and radar": camera, **depths, "lidar": lidar}

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(len(rows), len(chosen), figsize=(13, 1.4 * len(rows)))
    for place, (name, pictures) in enumerate(rows.items()):
        axes[place, 0].set_title(name, fontsize=10, loc="left")
        for axis, picture in zip(axes[place], pictures, strict=True):
            axis.imshow(picture)
            axis.set_axis_off()
    figure.tight_layout(h_pad=0.3, w_pad=0.3)
    figure.savefig(args.picture, dpi=100)
    plt.close(figure)


if __name__ == "__main__":
    main()
