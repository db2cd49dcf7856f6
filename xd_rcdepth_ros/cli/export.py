# SPDX-License-Identifier: Apache-2.0
"""xd-rcdepth export: a model as ONNX, OpenVINO or torch.export, checked against PyTorch."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Optional

import typer
from rich.console import Console
from rich.table import Table

from xd_rcdepth_ros.cli.options import MODEL
from xd_rcdepth_ros.cli.output import write_json
from xd_rcdepth_ros.inference import shipped_model
from xd_rcdepth_ros.inference.export import export_model

app = typer.Typer(add_completion=False)


class Format(str, Enum):
    """Formats of files for other runtimes."""

    ONNX = "onnx"
    OPENVINO = "openvino"
    TORCH_EXPORT = "torch_export"


@app.command()
def export(
    file_format: Format = typer.Option(
        ..., "--format", help="Format; each has its ending: .onnx, .xml, .pt2."
    ),
    out: Path = typer.Option(..., help="File to write; OpenVINO's weights go beside it."),
    model: Optional[Path] = MODEL,
    json_file: Optional[Path] = typer.Option(
        None, "--json", help="Write files, contract and checks to this file."
    ),
) -> None:
    """Write a model for another runtime.

    The file takes image bytes and the radar raster, and gives metres; height and width are free, in
    multiples of 32. It is loaded again and compared with PyTorch on two grids; if it differs by
    more than the tolerance, nothing is written.
    """
    console = Console(stderr=True)
    with console.status(f"exporting to {file_format.value}"):
        result = export_model(model or shipped_model(), out, file_format.value)
    table = Table("grid", "largest difference to PyTorch", "allowed", title="checks")
    for check in result["checks"]:
        table.add_row(
            "x".join(map(str, check["grid"])),
            f"{check['largest_difference_m']:.2g} m, {check['largest_difference_share']:.2g}",
            f"{check['allowed_share']:.2g} of the depth",
        )
    Console().print(table)
    for file in result["files"]:
        text = f"{file['name']}: {file['bytes'] / 1e6:.1f} MB, sha256 {file['sha256'][:12]}"
        Console().print(text, highlight=False, soft_wrap=True)
    if json_file is not None:
        write_json(json_file, result)
