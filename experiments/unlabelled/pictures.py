# SPDX-License-Identifier: Apache-2.0
"""Draw what the students of arms.yaml and their teacher see in the same frames of Astyx val.

python experiments/unlabelled/pictures.py docs/images/unlabelled.jpg
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

from xd_rcdepth_ros.evaluation.baselines import model_predictor
from xd_rcdepth_ros.evaluation.data import RecordedFrames
from xd_rcdepth_ros.evaluation.pictures import frame_pictures
from xd_rcdepth_ros.evaluation.protocol import Protocol
from xd_rcdepth_ros.inference import DepthEstimator

RUNS = Path("out/unlabelled")
MODELS = {
    "lidar of 35 frames": RUNS / "direct-0" / "student.safetensors",
    "... and the teacher's word on 299": RUNS / "both-0" / "student.safetensors",
    "lidar of all 334 frames": RUNS / "direct_all_lidar-0" / "student.safetensors",
    "teacher": Path("models/student.safetensors"),
}
FRAMES = (4, 27, 51)


def main() -> None:
    """Draw a column for each frame: camera, models, lidar."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("picture", type=Path)
    parser.add_argument("--recordings", type=Path, default=Path("out/recordings/astyx"))
    args = parser.parse_args()
    with RecordedFrames(args.recordings, "val") as recorded:
        chosen = [recorded[number] for number in FRAMES]

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    names = ["camera and radar", *MODELS, "lidar"]
    figure, axes = plt.subplots(len(names), len(chosen), figsize=(13, 8.4))
    for row, name in enumerate(names):
        axes[row, 0].set_title(name, fontsize=10, loc="left")
    for name, model in MODELS.items():
        predict = model_predictor(DepthEstimator.load(model, device="cpu", backend="torch"))
        for column, frame in enumerate(chosen):
            pictures = frame_pictures(frame, predict(frame), Protocol())
            axes[0, column].imshow(pictures["camera"])
            axes[names.index(name), column].imshow(pictures["depth"])
            axes[-1, column].imshow(pictures["truth"])
    for axis in axes.flat:
        axis.set_axis_off()
    figure.tight_layout(h_pad=0.3, w_pad=0.3)
    figure.savefig(args.picture, dpi=100, pil_kwargs={"quality": 88})
    plt.close(figure)


if __name__ == "__main__":
    main()
