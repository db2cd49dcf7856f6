# SPDX-License-Identifier: Apache-2.0
"""Opens bags of a drive, and of what the depth node made of it, in rerun, with views that suit.

python viz/rerun_blueprint.py BAG [BAG ...]                  in the viewer
python viz/rerun_blueprint.py BAG [BAG ...] --out view.rrd   into a file, for `rerun view.rrd`

rerun's own loader reads the bags (mcap). Needs `pip install rerun-sdk`, and nothing of ROS.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import rerun as rr
import rerun.blueprint as rrb

APPLICATION = "xd_rcdepth_ros"
DEPTH_RANGE_M = (0.0, 80.0)
ERROR_RANGE = (0.0, 0.5)  # expected error as a share of the depth
# rerun's loader makes one component of a message whose type it does not know.
STATUS = "xd_rcdepth_ros.msg.DepthStatus:message"
TIMES_MS = {"latency_ms": (255, 160, 60), "age_ms": (90, 170, 255)}


def make_blueprint(given: argparse.Namespace) -> rrb.Blueprint:
    """Return the views: pictures on the left, clouds, times and diagnostics on the right.

    Args:
        given: The command line.
    """
    node, status = given.node, f"{given.node}/status"
    pictures = rrb.Grid(
        show_image("Camera and radar", f"{node}/radar/image"),
        show_range("Depth, 0 to 80 m", f"{node}/depth/image", DEPTH_RANGE_M),
        show_range("Expected error, 0 to 50 %", f"{node}/depth/confidence", ERROR_RANGE),
        show_image("Saliency", f"{node}/saliency/image"),
        grid_columns=2,
    )
    points = f"{node}/depth/points"
    clouds = rrb.Spatial3DView(
        name="Depth and radar",
        contents=[points, given.radar, given.lidar, "/tf/**", "/tf_static/**"],
        spatial_information=rrb.SpatialInformation(target_frame=given.frame),
        overrides={
            points: rr.Points3D.from_fields(  # rerun does not read the field rgb
                colors=(90, 140, 220), radii=rr.Radius.ui_points(1.5)
            ),
            given.radar: rr.Points3D.from_fields(colors=(255, 80, 80), radii=0.3),
            given.lidar: rr.Points3D.from_fields(
                colors=(120, 120, 120), radii=rr.Radius.ui_points(1.0)
            ),
        },
    )
    times = rrb.TimeSeriesView(
        name="Latency (ms)",
        contents=[status],
        overrides={status: [plot_field(name, colour) for name, colour in TIMES_MS.items()]},
    )
    diagnostics = rrb.DataframeView(name="Diagnostics", contents=["/diagnostics"])
    log = rrb.TextLogView(name="Log", contents=["/rosout"])
    camera = show_image("Camera", given.camera)
    right = rrb.Vertical(
        rrb.Tabs(clouds, camera), rrb.Tabs(times, diagnostics, log), row_shares=[3, 2]
    )
    return rrb.Blueprint(
        rrb.Horizontal(pictures, right, column_shares=[3, 2]),
        rrb.TimePanel(timeline=given.timeline),
        collapse_panels=True,
    )


def show_image(name: str, topic: str) -> rrb.Spatial2DView:
    """Return a view of a picture."""
    return rrb.Spatial2DView(name=name, contents=[topic])


def show_range(name: str, topic: str, limits: tuple[float, float]) -> rrb.Spatial2DView:
    """Return a view of an image of figures (32FC1), coloured between limits."""
    colours = rr.DepthImage.from_fields(depth_range=limits, colormap="turbo")
    return rrb.Spatial2DView(name=name, contents=[topic], overrides={topic: colours})


def plot_field(field: str, colour: tuple[int, int, int]) -> rrb.Visualizer:
    """Return a line over time of a field of the status."""
    source = rrb.encodings.VisualizerComponentMapping(
        target="Scalars:scalars",
        source_kind=rrb.encodings.ComponentSourceKind.SourceComponent,
        source_component=STATUS,
        selector=f".{field}",
    )
    return rr.SeriesLines(colors=colour, names=field).visualizer(mappings=[source])


def find_files(bags: list[Path]) -> list[Path]:
    """Return the files (.mcap) of bags, which are folders or files; ends where one has none."""
    files = {bag: sorted(bag.glob("*.mcap")) if bag.is_dir() else [bag] for bag in bags}
    for bag, found in files.items():
        if not found or not all(file.suffix == ".mcap" and file.is_file() for file in found):
            sys.exit(f"{bag} is no mcap bag, and rerun reads no other: ros2 bag record -s mcap")
    return [file for found in files.values() for file in found]


def main() -> None:
    """Show the bags, or write what shows them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("bags", nargs="+", type=Path, metavar="BAG", help="bag (mcap)")
    parser.add_argument("--out", type=Path, help="write this .rrd instead of showing it")
    parser.add_argument("--node", default="/depth_node", help="the depth node's full name")
    parser.add_argument("--camera", default="/camera/front/image/compressed", help="images")
    parser.add_argument("--radar", default="/radar/front", help="radar clouds")
    parser.add_argument("--lidar", default="/lidar/top", help="lidar clouds")
    parser.add_argument("--frame", default="base_link", help="frame to look from at the clouds")
    parser.add_argument(
        "--timeline",
        default="message_log_time",  # rerun keeps transforms by no other
        help="ros2_timestamp goes by the messages' stamps, and shows no clouds",
    )
    given = parser.parse_args()
    files = find_files(given.bags)
    recording = rr.RecordingStream(APPLICATION)
    if given.out:
        recording.save(given.out)
    else:
        recording.spawn()
    recording.send_blueprint(make_blueprint(given))
    for file in files:
        recording.log_file_from_path(file)


if __name__ == "__main__":
    main()
