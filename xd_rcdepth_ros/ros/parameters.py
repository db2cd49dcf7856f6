# SPDX-License-Identifier: Apache-2.0
"""Every parameter of the depth node: one table, from which descriptors, checks and docs are made.

This module knows no ROS. ``python -m xd_rcdepth_ros.ros.parameters FILE.md`` writes the table into
a document, between its two marker comments.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xd_rcdepth_ros.errors import ConfigurationError

MARKERS = ("<!-- parameters: begin -->", "<!-- parameters: end -->")
_TYPE_NAMES = {bool: "bool", int: "int", float: "double", str: "string"}


@dataclass(frozen=True)
class ParameterSpec:
    """One parameter.

    Attributes:
        name: Name in ROS; ``<radar>`` stands for each name in ``radars``.
        default: Default value; its type is the parameter's type.
        description: What it does, in a sentence that carries the unit.
        change: When it may change: ``live``, and it holds from the next frame on; ``unconfigured``,
            while the node has no model loaded; or only at the ``start`` of the process.
        low: Least value, if there is one.
        high: Greatest value, if there is one.
        choices: Allowed values, if they can be listed.
        pattern: Regular expression that a text must match, and its meaning.
    """

    name: str
    default: Any
    description: str
    change: str = "live"
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    pattern: tuple[str, str] | None = None

    @property
    def type_name(self) -> str:
        """Type in ROS's words: bool, int, double, string, or one of these with [] for arrays."""
        if isinstance(self.default, tuple):
            return _TYPE_NAMES[type(self.default[0])] + "[]"
        return _TYPE_NAMES[type(self.default)]

    @property
    def allowed(self) -> str:
        """The allowed values, for people; empty if any value of the type is."""
        if self.choices:
            return " | ".join(self.choices)
        if self.low is not None:
            return f"{self.low:g} to {self.high:g}"
        return self.pattern[1] if self.pattern else ""

    def check(self, value: Any) -> None:
        """Raise ConfigurationError unless the value is allowed."""
        fits = True
        if self.choices:
            fits = value in self.choices
        elif self.low is not None and self.high is not None:
            values = value if isinstance(self.default, tuple) else [value]
            fits = all(math.isfinite(v) and self.low <= v <= self.high for v in values)
        elif self.pattern:
            texts = [value] if isinstance(value, str) else value
            fits = all(re.fullmatch(self.pattern[0], str(text)) for text in texts)
        if not fits:
            raise ConfigurationError(
                f"parameter {self.name} = {value!r} is not allowed; expected {self.allowed}."
            )


PARAMETERS: tuple[ParameterSpec, ...] = (
    ParameterSpec(
        "autostart", True, "Configure and activate by itself when started.", change="start"
    ),
    ParameterSpec(
        "model_file",
        "",
        "Model file (.safetensors); empty for the student that this package ships.",
        change="unconfigured",
    ),
    ParameterSpec(
        "device",
        "auto",
        "Where the network runs; a device named here must exist, auto takes a GPU if there is one.",
        change="unconfigured",
        pattern=(r"auto|cpu|cuda(:\d+)?", "auto, cpu, cuda or cuda:N"),
    ),
    ParameterSpec(
        "backend",
        "auto",
        "What runs the network.",
        change="unconfigured",
        choices=("auto", "torch"),
    ),
    ParameterSpec(
        "precision",
        "auto",
        "Number format of the network.",
        change="unconfigured",
        choices=("auto", "fp32", "bf16", "fp16"),
    ),
    ParameterSpec(
        "network_size",
        (0, 0),
        "Height and width of the network's input, pixels, multiples of 32; 0, 0 to fit the image.",
        change="unconfigured",
        low=0,
        high=8192,
    ),
    ParameterSpec(
        "output_size",
        "network",
        "Resolution of the depth image: the network's, or that of the input image.",
        choices=("network", "input"),
    ),
    ParameterSpec(
        "image_transport",
        "raw",
        "Subscribe to `image` (sensor_msgs/Image) or `image/compressed` (CompressedImage).",
        change="unconfigured",
        choices=("raw", "compressed"),
    ),
    ParameterSpec(
        "rectify",
        True,
        "Undistort images whose camera_info has lens distortion; false if they are rectified.",
    ),
    ParameterSpec(
        "radars",
        ("front",),
        "Names of the radars; each is read from `radar/<name>`. [''] for none.",
        change="start",
        pattern=(r"([A-Za-z][A-Za-z0-9_]*)?", "names of letters, digits and _"),
    ),
    ParameterSpec(
        "sweeps",
        1,
        "Sweeps of each radar drawn for one image, the newest included.",
        low=1,
        high=20,
    ),
    ParameterSpec(
        "sync.window",
        0.1,
        "A sweep fits an image if their stamps differ by at most this, seconds.",
        low=0.001,
        high=2.0,
    ),
    ParameterSpec(
        "sync.max_wait",
        0.05,
        "Longest time an image waits for a radar that has no fitting sweep yet, seconds of the "
        "wall clock.",
        low=0.0,
        high=2.0,
    ),
    ParameterSpec(
        "sync.on_missing_radar",
        "image_only",
        "If no radar has a fitting sweep: depth from the image alone, from the last sweep before "
        "it (hold), or none (skip).",
        choices=("image_only", "hold", "skip"),
    ),
    ParameterSpec(
        "sync.hold_time",
        1.0,
        "Oldest sweep that hold takes, seconds before the image.",
        low=0.0,
        high=60.0,
    ),
    ParameterSpec(
        "sync.time_jump",
        0.5,
        "A stamp that goes back by more than this is a new beginning (a bag that loops), seconds.",
        low=0.01,
        high=60.0,
    ),
    ParameterSpec(
        "fixed_frame",
        "odom",
        "Frame through which sweeps move from their stamp to the image's; empty for static "
        "extrinsics.",
    ),
    ParameterSpec(
        "tf_timeout",
        0.02,
        "Longest wait for odometry that is on its way, seconds of the wall clock.",
        low=0.0,
        high=1.0,
    ),
    ParameterSpec(
        "shift_moving_returns",
        False,
        "Move each return by its compensated velocity, from its stamp to the image's.",
    ),
    ParameterSpec(
        "depth.encoding",
        "32FC1",
        "Depth image in metres (32FC1) or millimetres (16UC1; at most 65.535 m, 0 is invalid).",
        choices=("32FC1", "16UC1"),
    ),
    ParameterSpec(
        "depth.min", 0.0, "Nearer depths are -Inf (0 in 16UC1), metres.", low=0.0, high=1000.0
    ),
    ParameterSpec(
        "depth.max", 100.0, "Farther depths are +Inf (0 in 16UC1), metres.", low=0.1, high=1000.0
    ),
    ParameterSpec(
        "preview.rate",
        10.0,
        "Most pictures a second of `~/depth/preview`, `~/radar/image` and `~/depth/points`, Hz.",
        low=0.1,
        high=100.0,
    ),
    ParameterSpec(
        "preview.max_depth",
        80.0,
        "Depth at the far end of the colour map, metres.",
        low=1.0,
        high=1000.0,
    ),
    ParameterSpec(
        "points.stride",
        2,
        "`~/depth/points` has a point for every so many rows and columns.",
        low=1,
        high=64,
    ),
    ParameterSpec("saliency.rate", 2.0, "Most saliency maps a second, Hz.", low=0.05, high=30.0),
    ParameterSpec(
        "saliency.target",
        "mean",
        "What the saliency explains: the mean depth of the whole image, of its near part, or of "
        "a region.",
        choices=("mean", "near", "region"),
    ),
    ParameterSpec(
        "saliency.region",
        (0.25, 0.5, 0.75, 1.0),
        "Left, top, right and bottom of that region, shares of the image (0 to 1).",
        low=0.0,
        high=1.0,
    ),
    ParameterSpec(
        "diagnostics.period",
        1.0,
        "Time between messages on /diagnostics, seconds.",
        low=0.05,
        high=60.0,
    ),
    ParameterSpec(
        "watchdog.timeout",
        3.0,
        "An input that is silent for this long is complained of, seconds of the wall clock.",
        low=0.1,
        high=600.0,
    ),
)

RADAR_FIELDS = {
    "x": ("x", "Field of the forward coordinate, metres."),
    "y": ("y", "Field of the left coordinate, metres."),
    "z": ("z", "Field of the upward coordinate, metres."),
    "rcs": ("rcs", "Field of the radar cross section or strength, dB; empty for 0."),
    "vx": ("vx", "Field of the forward velocity, m/s; empty for 0."),
    "vy": ("vy", "Field of the left velocity, m/s; empty for 0."),
    "radial_speed": ("", "Field of the range rate, m/s; used where vx and vy are empty."),
    "vx_comp": ("", "Field of the forward velocity without the sensor's own motion, m/s."),
    "vy_comp": ("", "Field of the left velocity without the sensor's own motion, m/s."),
}

RADAR_PARAMETERS: tuple[ParameterSpec, ...] = (
    ParameterSpec(
        "radar.<radar>.type",
        "point_cloud2",
        "Message type: sensor_msgs/PointCloud2, radar_msgs/RadarScan or radar_msgs/RadarTracks.",
        change="unconfigured",
        choices=("point_cloud2", "radar_scan", "radar_tracks"),
    ),
    *(
        ParameterSpec(
            f"radar.<radar>.fields.{role}", name, f"{text} (PointCloud2)", change="unconfigured"
        )
        for role, (name, text) in RADAR_FIELDS.items()
    ),
)


def specs(radars: Sequence[str]) -> tuple[ParameterSpec, ...]:
    """Return every parameter of a node with these radars, under its full name."""
    per_radar = (
        ParameterSpec(**{**vars(spec), "name": spec.name.replace("<radar>", name)})
        for name in radars
        for spec in RADAR_PARAMETERS
    )
    return (*PARAMETERS, *per_radar)


def render_table() -> str:
    """Return the table of all parameters as Markdown."""
    lines = [
        "| parameter | type | default | allowed | may change | what it does |",
        "|---|---|---|---|---|---|",
    ]
    for spec in (*PARAMETERS, *RADAR_PARAMETERS):
        default = list(spec.default) if isinstance(spec.default, tuple) else spec.default
        shown = str(default).lower() if isinstance(default, bool) else repr(default)
        allowed = spec.allowed.replace("|", "\\|")
        cells = (
            f"`{spec.name}`",
            spec.type_name,
            f"`{shown}`",
            allowed,
            spec.change,
            spec.description,
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def insert_table(document: str) -> str:
    """Return a document with the table between its two markers brought up to date.

    Raises:
        ConfigurationError: The document lacks the markers.
    """
    begin, end = MARKERS
    before, found_begin, rest = document.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found_begin or not found_end:
        raise ConfigurationError(f"the document lacks the lines {begin} and {end}.")
    return f"{before}{begin}\n{render_table()}\n{end}{after}"


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        file = Path(argument)
        file.write_text(insert_table(file.read_text(encoding="utf-8")), encoding="utf-8")
