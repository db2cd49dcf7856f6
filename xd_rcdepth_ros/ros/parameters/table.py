# SPDX-License-Identifier: Apache-2.0
"""Every parameter of depth_node, in one table; those of each radar are in ``radars``.

A dot in a parameter's name is an underscore in the field's. After a change, ``python -m
xd_rcdepth_ros.ros.parameters.documents`` writes config/default.yaml and docs/parameters.md anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from xd_rcdepth_ros.ros.parameters.spec import ParameterTable, parameter


@dataclass(frozen=True)
class NodeParameters(ParameterTable):
    """The parameters that every node has; those of each radar come to them."""

    autostart: bool = parameter(
        "autostart",
        True,
        "Configure and activate by itself when started; false leaves it to a lifecycle manager.",
        change="start",
    )
    model_file: str = parameter(
        "model_file",
        "",
        "Model file (.safetensors); empty for the student that this package ships.",
        change="unconfigured",
    )
    model_sha256: str = parameter(
        "model_sha256",
        "",
        "SHA-256 that the model file must have, or its first digits, 12 at least; empty for any.",
        change="unconfigured",
        pattern=(r"([0-9a-f]{12,64})?", "12 to 64 hexadecimal digits in lower case, or empty"),
    )
    device: str = parameter(
        "device",
        "auto",
        "Where the network runs; a device named here must exist, auto takes a GPU if there is one.",
        change="unconfigured",
        pattern=(r"auto|cpu|cuda(:\d+)?", "auto, cpu, cuda or cuda:N"),
    )
    backend: Literal["auto", "torch", "openvino", "onnx"] = parameter(
        "backend",
        "auto",
        "What runs the network; a backend named here must be installed and agree with PyTorch. "
        "auto takes OpenVINO on a CPU if it is and does, else PyTorch.",
        change="unconfigured",
    )
    precision: Literal["auto", "fp32", "bf16", "fp16", "int8"] = parameter(
        "precision",
        "auto",
        "Number format of the network; auto is fp16 for PyTorch on a GPU, bf16 for openvino where "
        "the CPU has it, both if road scenes keep their depth, else fp32. onnx runs in fp32, or by "
        "TensorRT in fp16, a CPU never in fp16; int8 is for openvino, from the file that the "
        "command export wrote.",
        change="unconfigured",
    )
    threads: int = parameter(
        "threads",
        0,
        "Number of CPU threads of the network; 0 leaves it to the backend, which takes every core.",
        change="unconfigured",
        limits=(0, 256),
    )
    network_size: tuple[int, int] = parameter(
        "network_size",
        (0, 0),
        "Height and width of the network's input, multiples of 32; 0, 0 to fit the image.",
        "px",
        change="unconfigured",
        limits=(0, 8192),
    )
    output_size: Literal["network", "input"] = parameter(
        "output_size",
        "network",
        "Resolution of the depth image: the network's, or that of the input image.",
    )
    image_transport: Literal["raw", "compressed"] = parameter(
        "image_transport",
        "raw",
        "Subscribe to `image` (sensor_msgs/Image) or `image/compressed` (CompressedImage).",
        change="unconfigured",
    )
    rectify: bool = parameter(
        "rectify",
        True,
        "Undistort images whose camera_info has lens distortion; false if they are rectified.",
    )
    radars: tuple[str, ...] = parameter(
        "radars",
        ("front",),
        "Names of the radars; each is read from `radar/<name>`. [''] for none.",
        change="start",
        pattern=(r"([A-Za-z][A-Za-z0-9_]*)?", "names of letters, digits and _"),
    )
    sweeps: int = parameter(
        "sweeps",
        1,
        "Sweeps of each radar drawn for one image, the newest included.",
        limits=(1, 20),
    )
    sync_policy: Literal["camera", "approximate"] = parameter(
        "sync.policy",
        "camera",
        "What drives: the camera, with whatever radar fits each image; or full sets of one image "
        "and one sweep of each radar by message_filters' ApproximateTimeSynchronizer, whose slop "
        "is sync.window.",
        change="unconfigured",
    )
    sync_window: float = parameter(
        "sync.window",
        0.1,
        "A sweep fits an image if their stamps differ by at most this.",
        "s",
        limits=(0.001, 2.0),
    )
    sync_max_wait: float = parameter(
        "sync.max_wait",
        0.05,
        "Longest time of the wall clock that an image waits for a radar's fitting sweep.",
        "s",
        limits=(0.0, 2.0),
    )
    sync_max_lead: float = parameter(
        "sync.max_lead",
        0.01,
        "An image that has a fitting sweep does not wait for a nearer one that is measured later "
        "than this after it. More (2.0) means the sweeps that evaluate takes, and more delay.",
        "s",
        limits=(0.0, 2.0),
    )
    sync_on_missing_radar: Literal["image_only", "hold", "skip"] = parameter(
        "sync.on_missing_radar",
        "image_only",
        "If no radar has a fitting sweep: depth from the image alone, from the last sweep before "
        "it (hold), or none (skip).",
    )
    sync_hold_time: float = parameter(
        "sync.hold_time",
        1.0,
        "Greatest age, before the image, of a sweep that hold takes.",
        "s",
        limits=(0.0, 60.0),
    )
    sync_time_jump: float = parameter(
        "sync.time_jump",
        0.5,
        "A stamp that goes back by more than this starts everything anew (a bag that loops).",
        "s",
        limits=(0.01, 60.0),
    )
    fixed_frame: str = parameter(
        "fixed_frame",
        "odom",
        "Frame through which sweeps move from their stamp to the image's; empty for static "
        "extrinsics.",
    )
    tf_timeout: float = parameter(
        "tf_timeout",
        0.02,
        "Longest wait, of the wall clock, for odometry that is on its way.",
        "s",
        limits=(0.0, 1.0),
    )
    shift_moving_returns: bool = parameter(
        "shift_moving_returns",
        False,
        "Move each return by its compensated velocity, from its stamp to the image's.",
    )
    depth_encoding: Literal["32FC1", "16UC1"] = parameter(
        "depth.encoding",
        "32FC1",
        "Depth image in metres (32FC1) or millimetres (16UC1; at most 65.535 m, 0 is invalid).",
    )
    depth_min: float = parameter(
        "depth.min",
        0.0,
        "Nearer depths are -Inf (0 in 16UC1).",
        "m",
        limits=(0.0, 1000.0),
    )
    depth_max: float = parameter(
        "depth.max",
        100.0,
        "Farther depths are +Inf (0 in 16UC1).",
        "m",
        limits=(0.1, 1000.0),
    )
    depth_max_error: float = parameter(
        "depth.max_error",
        1.0,
        "Depths whose expected error is a greater share of them are NaN (0 in 16UC1); of no effect "
        "with a model that does not estimate its error.",
        limits=(0.01, 10.0),
    )
    preview_rate: float = parameter(
        "preview.rate",
        10.0,
        "Highest rate of `~/depth/preview`, `~/radar/image` and `~/depth/points`.",
        "Hz",
        limits=(0.1, 100.0),
    )
    preview_max_depth: float = parameter(
        "preview.max_depth",
        80.0,
        "Depth at the far end of the colour map.",
        "m",
        limits=(1.0, 1000.0),
    )
    points_stride: int = parameter(
        "points.stride",
        2,
        "`~/depth/points` has a point for every so many rows and columns.",
        "px",
        limits=(1, 64),
    )
    points_max_range: float = parameter(
        "points.max_range",
        1000.0,
        "`~/depth/points` leaves out points that are farther than this from the camera.",
        "m",
        limits=(0.1, 1000.0),
    )
    points_min_height: float = parameter(
        "points.min_height",
        -1000.0,
        "`~/depth/points` leaves out points that are lower than this; the camera is at 0, up is "
        "against y of its optical frame.",
        "m",
        limits=(-1000.0, 1000.0),
    )
    points_max_height: float = parameter(
        "points.max_height",
        1000.0,
        "`~/depth/points` leaves out points that are higher than this, by the same measure.",
        "m",
        limits=(-1000.0, 1000.0),
    )
    saliency_rate: float = parameter(
        "saliency.rate",
        2.0,
        "Highest rate of frames that are explained (`~/saliency/...`, `~/radar/attribution`).",
        "Hz",
        limits=(0.05, 30.0),
    )
    saliency_share: float = parameter(
        "saliency.share",
        0.2,
        "Largest share of the time that explanations take, and so of the depth's throughput; they "
        "come less often than saliency.rate where they take long.",
        limits=(0.01, 1.0),
    )
    saliency_method: Literal["grad_cam", "grad_cam_pp", "gradient_x_input"] = parameter(
        "saliency.method",
        "grad_cam",
        "How the saliency is computed: Grad-CAM or Grad-CAM++ over the decoder's features, or "
        "gradient times input over the image's pixels.",
    )
    saliency_target: Literal["mean", "near", "region"] = parameter(
        "saliency.target",
        "mean",
        "What is explained: the mean depth of the whole image, of its near part (nearer than "
        "20 m), or of a region.",
    )
    saliency_region: tuple[float, float, float, float] = parameter(
        "saliency.region",
        (0.25, 0.5, 0.75, 1.0),
        "Left, top, right and bottom of that region, shares of the image's width and height.",
        limits=(0.0, 1.0),
    )
    attribution_method: Literal["gradient_x_input", "leave_one_out"] = parameter(
        "attribution.method",
        "gradient_x_input",
        "How a return's share is computed: gradient times input (one backward pass), or by "
        "leaving each return out in turn (exact, one forward pass a return).",
    )
    diagnostics_period: float = parameter(
        "diagnostics.period",
        1.0,
        "Time between messages on /diagnostics.",
        "s",
        limits=(0.05, 60.0),
    )
    watchdog_timeout: float = parameter(
        "watchdog.timeout",
        3.0,
        "An input that is silent for this long, by the wall clock, is warned of.",
        "s",
        limits=(0.1, 600.0),
    )
