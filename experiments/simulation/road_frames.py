# SPDX-License-Identifier: Apache-2.0
"""Make the road scenes of ``xd_rcdepth_ros/inference/frames`` with the simulator.

python experiments/simulation/road_frames.py
"""

from __future__ import annotations

import itertools

import numpy as np
from rich.progress import track

from xd_rcdepth_ros.geometry import NetworkGrid
from xd_rcdepth_ros.inference.road_frames import FOLDER, write_road_frame
from xd_rcdepth_ros.simulation import Drive, DriveSettings

FOCAL_PX, SIZE = 454.5, (352, 704)
PLACES = ("city", "suburb", "country", "motorway")
CONDITIONS = (("clear", "day"), ("overcast", "dusk"), ("rain", "night"))
FIRST_SEED = 7000  # no drive of the trainings


def main() -> None:
    """Write all frames; those that are there are written anew."""
    FOLDER.mkdir(exist_ok=True)
    kinds = list(itertools.product(CONDITIONS, PLACES))
    for number, ((weather, light), place) in enumerate(track(kinds, "frames")):
        settings = DriveSettings(
            seed=FIRST_SEED + number,
            frames=2,
            place=place,
            weather=weather,
            time_of_day=light,
            radar=("sparse", "imaging")[number % 2],
            focal_px=FOCAL_PX,
        )
        frame = Drive(settings).frame(1)
        placed = NetworkGrid.for_camera(frame.camera, FOCAL_PX, SIZE).place(frame)
        assert placed.depth_m is not None
        image = np.asarray(placed.image)
        file = FOLDER / f"{number:02d}_{place}_{light}.npz"
        write_road_frame(file, image, placed.radar_raster().channels, placed.depth_m)


if __name__ == "__main__":
    main()
