# SPDX-License-Identifier: Apache-2.0
"""Every parameter of the depth node: one table, from which descriptors, checks and docs are made.

This module knows no ROS. ``python -m xd_rcdepth_ros.ros.parameters.table FILE.md`` writes the
table into a document, between its two marker comments.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from xd_rcdepth_ros.errors import ConfigurationError
from xd_rcdepth_ros.ros.parameters.spec import ParameterSpec

MARKERS = ("<!-- parameters: begin -->", "<!-- parameters: end -->")

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
        "model_sha256",
        "",
        "SHA-256 that the model file must have, or its first digits, 12 at least; empty for any.",
        change="unconfigured",
        pattern=(r"([0-9a-f]{12,64})?", "12 to 64 hexadecimal digits in lower case, or empty"),
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
        "What runs the network; a backend named here must be installed and agree with PyTorch. "
        "auto takes OpenVINO on a CPU if it is and does, else PyTorch.",
        change="unconfigured",
        choices=("auto", "torch", "openvino", "onnx"),
    ),
    ParameterSpec(
        "precision",
        "auto",
        "Number format of the network; auto is fp16 for PyTorch on a GPU, else fp32. onnx runs in "
        "fp32 only, a CPU never in fp16, and openvino in bf16 only where the CPU has it.",
        change="unconfigured",
        choices=("auto", "fp32", "bf16", "fp16"),
    ),
    ParameterSpec(
        "threads",
        0,
        "CPU threads of the network, a number; 0 leaves it to the backend, which takes every core.",
        change="unconfigured",
        low=0,
        high=256,
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
        "sync.policy",
        "camera",
        "What drives: the camera, with whatever radar fits each image; or full sets of one image "
        "and one sweep of each radar by message_filters' ApproximateTimeSynchronizer, whose slop "
        "is sync.window.",
        change="unconfigured",
        choices=("camera", "approximate"),
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
    ParameterSpec(
        "saliency.rate",
        2.0,
        "Most frames a second that are explained (`~/saliency/...`, `~/radar/attribution`), Hz.",
        low=0.05,
        high=30.0,
    ),
    ParameterSpec(
        "saliency.share",
        0.2,
        "Largest share of the time that explanations take, and so of the depth's throughput; they "
        "come less often than saliency.rate where they take long.",
        low=0.01,
        high=1.0,
    ),
    ParameterSpec(
        "saliency.method",
        "grad_cam",
        "How the saliency is computed: Grad-CAM or Grad-CAM++ over the decoder's features, or "
        "gradient times input over the image's pixels.",
        choices=("grad_cam", "grad_cam_pp", "gradient_x_input"),
    ),
    ParameterSpec(
        "saliency.target",
        "mean",
        "What is explained: the mean depth of the whole image, of its near part (nearer than "
        "20 m), or of a region.",
        choices=("mean", "near", "region"),
    ),
    ParameterSpec(
        "saliency.region",
        (0.25, 0.5, 0.75, 1.0),
        "Left, top, right and bottom of that region, shares of the image's width and height "
        "(0 to 1).",
        low=0.0,
        high=1.0,
    ),
    ParameterSpec(
        "attribution.method",
        "gradient_x_input",
        "How a return's share is computed: gradient times input (one backward pass), or by "
        "leaving each return out in turn (exact, one forward pass a return).",
        choices=("gradient_x_input", "leave_one_out"),
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
