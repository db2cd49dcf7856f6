# SPDX-License-Identifier: Apache-2.0
"""xd-rcdepth export: a model as ONNX, OpenVINO or torch.export, checked against PyTorch."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Any, Optional

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from xd_rcdepth_ros.cli.options import MODEL
from xd_rcdepth_ros.cli.output import write_json
from xd_rcdepth_ros.evaluation.data import RecordedFrames
from xd_rcdepth_ros.evaluation.evaluator import usable_frames
from xd_rcdepth_ros.evaluation.protocol import Protocol
from xd_rcdepth_ros.geometry import NetworkGrid
from xd_rcdepth_ros.inference import shipped_model
from xd_rcdepth_ros.inference.export import export_model
from xd_rcdepth_ros.inference.road_frames import RoadFrame, road_frames
from xd_rcdepth_ros.network import STRIDE, read_header

app = typer.Typer(add_completion=False)


class Format(str, Enum):
    """Formats of files for other runtimes."""

    ONNX = "onnx"
    OPENVINO = "openvino"
    TORCH_EXPORT = "torch_export"


class Precision(str, Enum):
    """Number formats of the file."""

    FP32 = "fp32"
    INT8 = "int8"


def calibration_frames(model: Path, recording: Path | None, count: int) -> list[RoadFrame]:
    """Return frames to quantise with: of a recording, else those that come with the package.

    Args:
        model: Model file; says how an image is laid onto the grid.
        recording: A bag, or a folder of bags.
        count: Frames of it at most, spread over all of it.

    Raises:
        RecordingError: There is no such recording, or none of its frames can be used.
    """
    header = read_header(model)
    channels = len(header.channels)
    if recording is None:
        height, width = (-(-n // STRIDE) * STRIDE for n in header.input_size)
        return list(road_frames((height, width), channels))
    frames = []
    with RecordedFrames(recording) as source:
        every = max(1, -(-len(source) // count))
        for _, frame in usable_frames(source, {}, every):
            grid = NetworkGrid.for_camera(frame.camera, header.focal_length_px, None, STRIDE)
            placed = grid.place(frame)
            truth = Protocol().ground_truth(placed)
            v, u = np.nonzero(np.isfinite(truth))
            radar = placed.radar_raster().channels[:channels]
            known = np.column_stack([u, v])
            frames.append(RoadFrame(placed.image, radar, known, truth[v, u]))
    return frames


@app.command()
def export(
    file_format: Format = typer.Option(
        ..., "--format", help="Format; each has its ending: .onnx, .xml, .pt2."
    ),
    out: Path = typer.Option(..., help="File to write; OpenVINO's weights go beside it."),
    model: Optional[Path] = MODEL,
    precision: Precision = typer.Option(
        Precision.FP32, help="int8: quantised, for the format openvino; needs NNCF."
    ),
    calibrate: Optional[Path] = typer.Option(
        None, help="Bag to quantise with; the package's road scenes if left out."
    ),
    frames: int = typer.Option(300, min=3, help="Frames of that bag at most."),
    json_file: Optional[Path] = typer.Option(
        None, "--json", help="Write files, contract and checks to this file."
    ),
) -> None:
    """Write a model for another runtime.

    The file takes image bytes and the radar raster, and gives metres; height and width are free, in
    multiples of 32. It is loaded again and compared with PyTorch on two grids; if it differs by
    more than the tolerance, nothing is written. In int8, what the depth loses is measured on frames
    that were not calibrated on, and written into the file; named <model>.int8.xml beside the model
    file, it is what precision int8 loads.
    """
    console = Console(stderr=True)
    model = model or shipped_model()
    some: list[RoadFrame] = []
    if precision == Precision.INT8:
        some = calibration_frames(model, calibrate, frames)
    with console.status(f"exporting to {file_format.value}, {precision.value}"):
        result = export_model(model, out, file_format.value, some)
    Console().print(_checks(result["checks"]))
    for file in result["files"]:
        text = f"{file['name']}: {file['bytes'] / 1e6:.1f} MB, sha256 {file['sha256'][:12]}"
        Console().print(text, highlight=False, soft_wrap=True)
    if json_file is not None:
        write_json(json_file, result)


def _checks(checks: list[dict[str, Any]]) -> Table:
    """Return what was compared, for people."""
    if "grid" not in checks[0]:
        table = Table(*checks[0], title="loss of accuracy")
        table.add_row(*(f"{value:.4g}" for value in checks[0].values()))
        return table
    table = Table("grid", "largest difference to PyTorch", "allowed", title="checks")
    for check in checks:
        table.add_row(
            "x".join(map(str, check["grid"])),
            f"{check['largest_difference_m']:.2g} m, {check['largest_difference_share']:.2g}",
            f"{check['allowed_share']:.2g} of the depth",
        )
    return table
